//! The command line reader on its own: what each generation accepts, and what it says otherwise.

use super::*;

/// Two GPUs on bare metal, four profiles, root.
fn read_line(tool: Generation, line: &str) -> Result<Call, Response> {
    let devices = ["0000:05:00.0", "0000:27:00.0"].map(|bdf| Identity {
        bdf: bdf.to_owned(),
        uuid: format!("e3ff74a1-0000-1000-80a6-b8a5a6c0000{}", &bdf[5..6]),
    });
    let accelerators = ["SPX", "DPX", "QPX", "CPX", "0", "1", "2", "3"].map(str::to_owned);
    let scene = Scene {
        generation: tool,
        platform: Platform::bare_metal_for_tests(),
        lacks: &[],
        devices: &devices,
        accelerators: Some(&accelerators),
        banner: "AMD System Management Interface",
        choices_one_string: false,
    };
    let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    read(&args, &scene)
}

#[test]
fn a_line_that_is_accepted_says_what_was_asked() {
    type Case = (Generation, &'static str, &'static str, Format, Option<&'static [usize]>, &'static [&'static str]);
    let cases: [Case; 8] = [
        (Generation::V24_5, "list", "list", Format::Human, None, &[]),
        (Generation::V24_5, "static -p --json -g 1", "static", Format::Json, Some(&[1]), &["--partition"]),
        (Generation::V26, "", "default", Format::Human, None, &[]),
        (Generation::V26, "partition -cm --CSV", "partition", Format::Csv, None, &["--current", "--memory"]),
        (Generation::V26, "set -g 1 0 -C cpx", "set", Format::Human, Some(&[1, 0]), &["--compute-partition"]),
        (Generation::V26, "list --GPU 27:00.0", "list", Format::Human, Some(&[1]), &[]),
        (Generation::V27, "set --accelerator-partition=3", "set", Format::Human, None, &["--compute-partition"]),
        (Generation::V27, "static --vbios", "static", Format::Human, None, &["--vbios"]),
    ];
    for (tool, line, command, format, targets, options) in cases {
        let call = read_line(tool, line).unwrap_or_else(|response| panic!("{line}: {response:?}"));
        assert_eq!((call.command, call.format, call.targets.as_deref()), (command, format, targets), "{line}");
        assert_eq!(call.options.iter().map(|(name, _)| *name).collect::<Vec<_>>(), options, "{line}");
    }
}

#[test]
fn a_device_answers_to_its_address_as_each_generation_reads_it() {
    let both = [Generation::V26, Generation::V27];
    for (address, expected) in [
        ("0000:27:00.0", [true, true]),
        ("27:00.0", [true, true]),
        ("0:27:0.0", [true, false]),
        ("27.00.0", [true, false]),
        ("0x27:0_0:+0", [true, false]),
        // The value of `-g` is lowered first, that of `--gpu` is not.
        ("BDF(27:00.0)", [false, false]),
        ("27:00.8", [false, false]),
        ("1:27:00.0", [false, false]),
        ("27:00", [false, false]),
    ] {
        let found = both
            .map(|tool| read_line(tool, &format!("list -g {address}")).is_ok_and(|call| call.targets == Some(vec![1])));
        assert_eq!(found, expected, "{address}");
    }
}

#[test]
fn a_line_that_is_refused_is_answered_as_each_generation_does() {
    let cases = [
        (Generation::V24_5, "set -C CPX", 2, "", "one of the arguments -g/--gpu is required"),
        (Generation::V24_5, "list --bogus", 0, "Parameter '--bogus' is invalid.", ""),
        (Generation::V24_5, "-g -1", 0, "Command '-1' is invalid.", ""),
        (Generation::V25, "list --bogus", 0, "Run '--help' for more info. Error code: -2", ""),
        (Generation::V26, "list --bogus", 1, "", "Run 'amd-smi list -h' for more info. Error code: -2"),
        (Generation::V26, "list --json --csv", 2, "", "argument --csv: not allowed with argument --json"),
        (Generation::V26, "set --p 1", 2, "", "ambiguous option: --p could match --perf-level, --profile"),
        (Generation::V26, "list -g 0 -- 1", 1, "", "Parameter '-- 1' is invalid."),
        (Generation::V26, "set -C -- CPX", 2, "", "-C/--compute-partition: expected one argument"),
        (Generation::V26, "LIST", 1, "", "(choose from default)"),
        (Generation::V27, "list -g 7", 3, "Can not find a device: GPU '7'", ""),
        (Generation::V27, "list -g x", 5, "Value 'x' is not of valid type", ""),
        (Generation::V27, "list -g", 6, "Parameter '-g/--gpu' requires a value.", ""),
        (Generation::V27, "query --json", 10, "AMD-SMI Command 'query' is invalid.", ""),
        (Generation::V27, "set -C TPX", 5, "Valid inputs are ['SPX', 'DPX', 'QPX', 'CPX', '0', '1', '2', '3']\n", ""),
    ];
    for (tool, line, code, stdout, stderr) in cases {
        let Err(response) = read_line(tool, line) else { panic!("{line} was accepted") };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&response.stdout), text(&response.stderr));
        assert_eq!(response.code, code, "{line}: {out}{err}");
        assert!(out.contains(stdout) && out.is_empty() == stdout.is_empty(), "{line}: {out}");
        assert!(err.contains(stderr) && err.is_empty() == stderr.is_empty(), "{line}: {err}");
    }
}

#[test]
fn every_described_command_reads_and_its_usage_names_only_its_options() {
    let all = [Generation::V24_5, Generation::V24_7, Generation::V25, Generation::V26, Generation::V27];
    for generation in all {
        let text = interface::text(generation);
        for entry in interface::entries(text).filter(|entry| entry.presence != Presence::Known) {
            let command = interface::command(text, entry.name, true).expect(entry.name);
            let grouped: usize = command.groups.iter().map(|group| group.members.len()).sum();
            assert_eq!(
                grouped + 1,
                command.options.len(),
                "{generation:?} {}: an option is missing in usage",
                entry.name
            );
            assert!(command.options.first().is_some_and(|option| option.flags == ["-h", "--help"]), "{}", entry.name);
        }
    }
}

proptest::proptest! {
    /// Hostile arguments end in an answer, never in a panic.
    #[test]
    fn no_arguments_make_the_reader_panic(words in proptest::collection::vec("(-{0,2}[a-zA-Z=0-9é:. ,-]{0,12}|set|list|-g|-C|--json|all)", 0..6)) {
        for tool in [Generation::V24_5, Generation::V25, Generation::V26, Generation::V27] {
            let _answered = read_line(tool, &words.join(" ")).is_ok();
        }
    }
}
