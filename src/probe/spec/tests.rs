use proptest::prelude::*;

use super::*;

/// Names with the shape of what comes out and the longest sum in it.
const NAMES: &[(&str, &[usize], usize)] = &[
    ("conv1d/f32/2x16x1000/32x7/s2p3d1g1/forward", &[2, 32, 500], 112),
    ("conv2d/f16/1x16x44x44/32x3x3/s1p1d1g1/forward", &[1, 32, 44, 44], 144),
    ("conv2d/f32/8x3x224x224/64x7x7/s2p3d1g1/backward-weights", &[64, 3, 7, 7], 8 * 112 * 112),
    ("conv2d/f32/8x3x224x224/64x7x7/s2p3d1g1/backward-data", &[8, 3, 224, 224], 64 * 49),
    ("conv2d/bf16/1x32x16x16/32x3x3/s1p2d2g32/forward", &[1, 32, 16, 16], 9),
    ("conv2d/f64/1x1x22x256/40x1x25/s1p0x12d1g1/forward", &[1, 40, 22, 256], 25),
    ("conv2d-transposed/f32/1x64x16x16/32x4x4/s2p1d1g1/forward", &[1, 32, 32, 32], 64 * 16),
    ("conv2d-transposed/f32/1x64x16x16/32x4x4/s2p1d1g1/backward-weights", &[64, 32, 4, 4], 256),
    ("conv3d/f32/1x4x8x16x16/8x3x3x3/s1p1d1g2/forward", &[1, 8, 8, 16, 16], 54),
    ("matmul/f16/64x32x16", &[64, 16], 32),
    ("linear/f16/64x1024x10", &[64, 10], 1025),
    ("add/f32/7x9", &[7, 9], 1),
    ("sigmoid/f32/7x9", &[7, 9], 1),
    ("reduce-sum/f32/7x9/all", &[1], 63),
    ("reduce-mean/f32/7x9/last", &[7], 9),
    ("reduce-max/f32/7/last", &[1], 7),
    ("softmax/f32/7x9", &[7, 9], 9),
    ("layer-norm/f16/7x9", &[7, 9], 9),
    ("batch-norm/f32/8x64x4x4/train", &[8, 64, 4, 4], 128),
    ("batch-norm/f32/8x64x4x4/eval", &[8, 64, 4, 4], 1),
    ("pool-max/f32/8x64x112x112/3x3/s2p1", &[8, 64, 56, 56], 9),
    ("pool-average/f32/1x2x9/3/s3p0", &[1, 2, 3], 3),
    ("upsample-nearest/f32/1x3x4x5/2", &[1, 3, 8, 10], 4),
    ("upsample-linear/f32/1x3x4x5/2", &[1, 3, 8, 10], 4),
    ("step-sgd/f32/1000", &[1000], 1),
    ("step-adam/f32/1000", &[1000], 1),
    ("train-sgd/f16/8x3x16x16/16/10/50", &[51], 8 * 256),
    ("train-adam/bf16/8x3x16x16/16/10/1", &[2], 8 * 256),
];

const MEMORY: &[&str] = &[
    "memory-ladder/90",
    "memory-churn/67108864/1000",
    "memory-out-of-memory",
    "memory-isolation/90",
    "memory-past-limit",
    "memory-copy/268435456/host-to-device",
];

#[test]
fn a_name_reads_back_and_so_does_the_document() {
    for name in NAMES.iter().map(|(name, ..)| name).chain(MEMORY) {
        let spec: ProbeSpec = name.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(spec.id(), *name);
        let text = serde_json::to_string(&spec).unwrap();
        assert_eq!(ProbeSpec::from_json(text.as_bytes()).as_ref(), Ok(&spec), "{text}");
    }
}

#[test]
fn shapes_and_sums_follow_from_the_sizes() {
    for (name, result, reduction) in NAMES {
        let spec: ProbeSpec = name.parse().unwrap_or_else(|error| panic!("{error}"));
        let Work::Compute { operation, .. } = spec.work else { panic!("{name}") };
        assert_eq!((operation.result().as_slice(), operation.reduction()), (*result, *reduction), "{name}");
    }
}

#[test]
fn the_document_that_workers_read_stays_as_it_is() {
    let spec: ProbeSpec = "conv2d/f16/1x16x44x44/32x3x3/s1p1d1g1/forward".parse().unwrap();
    insta::assert_snapshot!(serde_json::to_string(&spec).unwrap(), @r#"{"work":{"kind":"compute","operation":{"op":"conv","input":[1,16,44,44],"filters":32,"kernel":[3,3],"stride":[1,1],"padding":[1,1],"dilation":[1,1],"groups":1,"transposed":false,"direction":"forward"},"dtype":"f16"},"seed":1,"repeats":1}"#);
    let spec: ProbeSpec = "memory-churn/64/3".parse().unwrap();
    insta::assert_snapshot!(serde_json::to_string(&spec).unwrap(), @r#"{"work":{"kind":"memory","operation":{"op":"churn","bytes":64,"times":3}},"seed":1,"repeats":1}"#);
}

#[test]
fn what_cannot_be_is_refused_with_the_key_and_the_reason() {
    for (name, expected) in [
        ("conv2d/f32/1x16x44x44/32x3x3/s0p1d1g1/forward", "stride: from 1 to 4096"),
        ("conv2d/f32/1x16x44x44/32x3x3/s1p1d1g3/forward", "groups: must divide 16 channels and 32 filters"),
        ("conv2d/f32/1x16x2x2/32x5x5/s1p1d1g1/forward", "kernel: larger than the padded input, or the output is empty"),
        ("conv2d/f32/1x16x44/32x3x3/s1p1d1g1/forward", "kernel: 2 numbers where 1 are needed"),
        ("conv2d/f32/0x16x44x44/32x3x3/s1p1d1g1/forward", "input: no extent is 0"),
        ("matmul/f32/99999999999x99999999999x1", "input: more than 2147483648 elements"),
        ("pool-max/f32/1x1x8x8/3x3/s1p2", "padding: at most half of the kernel"),
        ("pool-max/f32/1x1x8x8/9x9/s1p0", "kernel: larger than the padded input"),
        ("upsample-nearest/f32/1x1x8x8/17", "factor: from 2 to 16"),
        ("train-sgd/f32/8x3x16x16/16/10/99999", "steps: from 1 to 10000"),
        ("memory-ladder/101", "percent: from 1 to 100"),
        ("memory-copy/0/host-to-device", "bytes: from 1 to 1099511627776"),
        ("matmul", "\"matmul\" is no probe's name, which is operation/format/sizes, like matmul/f32/64x64x64"),
        ("matmul/f32/8x8", "\"matmul/f32/8x8\" has not three sizes in \"8x8\", like 64x64x64"),
        (
            "matmul/f8/8x8x8",
            "\"matmul/f8/8x8x8\" has no number format: \"f8\" is no number format: f32, f16, bf16, f64",
        ),
        ("reduce-min/f32/8/all", "\"reduce-min/f32/8/all\" says \"min\" where one of sum, mean, max is needed"),
        (
            "conv2d/f32/1x1x8x8/1x3x3/p1/forward",
            "\"conv2d/f32/1x1x8x8/1x3x3/p1/forward\" has \"p1\" where something like s1p1d1g1 is needed",
        ),
        ("conv4d/f32/1", "\"conv4d/f32/1\" is no convolution: conv1d, conv2d or conv3d"),
        ("softmax/f32/1x+1", "\"softmax/f32/1x+1\" has no number in \"+1\""),
    ] {
        assert_eq!(name.parse::<ProbeSpec>().map_err(|error| error.to_string()), Err(expected.to_owned()));
    }
}

#[test]
fn a_document_with_a_key_too_many_or_a_number_out_of_bounds_is_refused() {
    let good = r#"{"work":{"kind":"compute","operation":{"op":"matmul","m":2,"k":3,"n":4},"dtype":"f32"},"seed":1,"repeats":1}"#;
    assert!(ProbeSpec::from_json(good.as_bytes()).is_ok());
    for (from, to) in [
        (r#""seed":1"#, r#""seed":1,"colour":2"#),
        (r#""n":4"#, r#""n":4,"o":5"#),
        (r#""dtype":"f32""#, r#""dtype":"f32","x":1"#),
        (r#""n":4"#, r#""n":-4"#),
        (r#""n":4"#, r#""n":0"#),
        (r#""repeats":1"#, r#""repeats":0"#),
        (r#""repeats":1"#, r#""repeats":1000001"#),
        (r#""seed":1"#, r#""seed":4294967296"#),
        (r#""f32""#, r#""fp32""#),
        ("matmul", "matmull"),
    ] {
        let wrong = good.replacen(from, to, 1);
        assert_ne!(wrong, good);
        assert!(ProbeSpec::from_json(wrong.as_bytes()).is_err(), "{wrong}");
    }
    let long = format!("{good}{}", " ".repeat(ProbeSpec::MAX_BYTES));
    assert!(ProbeSpec::from_json(long.as_bytes()).is_err());
}

/// Numbers that are small, large, or as large as they come.
fn any_number() -> impl Strategy<Value = usize> {
    prop_oneof![0..40_usize, 1_usize << 20..1 << 33, any::<usize>()]
}

proptest! {
    #[test]
    fn no_sizes_make_a_check_or_a_shape_panic(
        numbers in proptest::collection::vec(any_number(), 20), which in 0..NAMES.len(), kept in any::<u32>(),
    ) {
        // Some numbers of a good name, others of the list.
        let mut at = 0;
        let mut digits = String::new();
        let mut text = String::new();
        let mut pieces = NAMES[which].0.splitn(3, '/');
        let head = format!("{}/{}/", pieces.next().unwrap_or_default(), pieces.next().unwrap_or_default());
        for letter in pieces.next().unwrap_or_default().chars().chain(['/']) {
            if letter.is_ascii_digit() {
                digits.push(letter);
                continue;
            }
            if !digits.is_empty() {
                let other = numbers[at % numbers.len()].to_string();
                text.push_str(if kept >> (at % 32) & 1 == 1 { &digits } else { &other });
                digits.clear();
                at += 1;
            }
            text.push(letter);
        }
        let name = format!("{head}{}", text.trim_end_matches('/'));
        if let Ok(spec) = name.parse::<ProbeSpec>() {
            let Work::Compute { operation, .. } = &spec.work else { return Ok(()) };
            prop_assert!(elements(&operation.result()).is_some_and(|count| count <= ProbeSpec::MAX_ELEMENTS));
            prop_assert!(operation.reduction() >= 1);
            prop_assert_eq!(spec.id().parse::<ProbeSpec>(), Ok(spec));
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[a-z0-9/x-]{0,60}|\\PC{0,40}") {
        let _ = text.parse::<ProbeSpec>();
    }
}
