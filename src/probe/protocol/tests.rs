#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
//! Conversations, whole and broken in every way.

use super::*;

const HELLO: &str =
    r#"{"message":"hello","protocol":1,"engine":"reference","pid":7,"libraries":{},"gpu_backend":false,"gpus":0}"#;
const PROGRESS: &str = r#"{"message":"progress","phase":"run","done":1}"#;
const SAME: &str = r#"{"message":"result","repeat":1,"outcome":{"same":{"times":1}},"on":"cpu","evidence":[]}"#;
const BYE: &str = r#"{"message":"bye"}"#;

fn numbers(repeat: u32) -> String {
    let outcome = Outcome::Numbers(Output::of(&crate::probe::Tensor { shape: vec![2], values: vec![1.0, 2.0] }));
    let evidence = vec![Evidence::Tensor("cpu".to_owned()), Evidence::EventTime(5), Evidence::DeviceMemory(6)];
    serde_json::to_string(&Message::Result(Answer { repeat, outcome, on: Kind::Cpu, evidence })).unwrap()
}

fn raised(repeat: u32) -> String {
    let outcome = Outcome::Raised { kind: Raised::OutOfMemory, text: "no".to_owned() };
    let answer = Answer { repeat, outcome, on: Kind::Gpu, evidence: vec![] };
    serde_json::to_string(&Message::Result(answer)).unwrap()
}

fn hear(lines: &[&str], repeats: u32, well: bool) -> Conversation {
    let mut reader = Reader::new(repeats);
    for line in lines {
        reader.feed(format!("{line}\n").as_bytes());
    }
    reader.finish(well)
}

#[test]
fn a_whole_conversation_is_heard_however_it_is_cut_into_pieces() {
    let lines = [HELLO, PROGRESS, &numbers(0), SAME, BYE];
    let whole = hear(&lines, 2, true);
    assert_eq!(whole.problem, None);
    assert_eq!((whole.answers.len(), whole.bye, whole.noise.is_empty()), (2, true, true));
    assert_eq!(whole.hello.as_ref().unwrap().engine, "reference");
    let bytes: Vec<u8> = lines.iter().flat_map(|line| format!("{line}\n").into_bytes()).collect();
    for size in [1, 2, 3, 7, 64, bytes.len()] {
        let mut reader = Reader::new(2);
        for piece in bytes.chunks(size) {
            reader.feed(piece);
        }
        assert_eq!(reader.finish(true), whole, "pieces of {size}");
    }
}

#[test]
fn an_engine_that_raised_need_not_go_on() {
    let said = hear(&[HELLO, &numbers(0), &raised(1), BYE], 50, true);
    assert_eq!((said.problem, said.bye), (None, true));
}

#[test]
fn repeats_that_are_alike_are_said_once_and_counted() {
    let same = |repeat: u32, times: u32| {
        SAME.replace("\"repeat\":1", &format!("\"repeat\":{repeat}"))
            .replace("\"times\":1", &format!("\"times\":{times}"))
    };
    for (lines, problem) in [
        (vec![numbers(0), same(1, 8), numbers(9), BYE.to_owned()], None),
        (vec![numbers(0), same(1, 10)], Some("10 results at once, where 9 are left")),
        (vec![numbers(0), same(1, 0)], Some("0 results at once, where 9 are left")),
        (vec![numbers(0), same(1, 8), same(2, 1)], Some("result 2 where 9 is next")),
        (vec![numbers(0), same(1, 8), BYE.to_owned()], Some("bye after 9 of 10 results")),
    ] {
        let lines: Vec<&str> = std::iter::once(HELLO).chain(lines.iter().map(String::as_str)).collect();
        let found = hear(&lines, 10, false).problem.map(|problem| problem.to_string());
        assert_eq!(found.is_some(), problem.is_some(), "{found:?}");
        assert!(found.unwrap_or_default().contains(problem.unwrap_or_default()), "{problem:?}");
    }
}

#[test]
fn with_a_budget_fewer_repeats_will_do_but_not_none() {
    let request = |budget| Request { budget, ..Request::new(ProbeSpec { repeats: 10, ..spec() }, Kind::Cpu) };
    let said = |budget, lines: &[&str]| {
        let mut reader = Reader::of(&request(budget));
        for line in lines {
            reader.feed(format!("{line}\n").as_bytes());
        }
        reader.finish(true).problem.is_none()
    };
    let one = numbers(0);
    assert!(said(Some(1), &[HELLO, &one, BYE]));
    assert!(!said(Some(1), &[HELLO, BYE]));
    assert!(!said(None, &[HELLO, &one, BYE]));
}

fn spec() -> ProbeSpec {
    "matmul/f32/2x2x2".parse().unwrap()
}

#[test]
fn what_breaks_the_protocol_is_named_with_its_line() {
    let (first, second) = (numbers(0), numbers(1));
    let future = HELLO.replace("\"protocol\":1", "\"protocol\":2");
    let unknown = HELLO.replace("\"gpus\":0", "\"gpus\":0,\"more\":1");
    for (lines, problem) in [
        (&[][..], "it exited with 0 without saying hello"),
        (&[HELLO], "it exited with 0 without saying bye"),
        (&[HELLO, &first], "it exited with 0 without saying bye"),
        (&[&first], "line 1: something before hello"),
        (&[BYE], "line 1: something before hello"),
        (&[HELLO, HELLO], "line 2: a second hello"),
        (&[HELLO, BYE], "line 2: bye after 0 of 1 results"),
        (&[HELLO, &second], "line 2: result 1 where 0 is next"),
        (&[HELLO, &first, &second], "line 3: a result after the last one"),
        (&[HELLO, &first, BYE, PROGRESS], "line 4: something after bye"),
        (&[HELLO, &SAME.replace("\"repeat\":1", "\"repeat\":0")], "line 2: the first result is like no other"),
        (&[&future], "line 1: it speaks version 2 of the protocol, and this program 1"),
        (&[&unknown], "line 1 is no message (unknown field `more`"),
        (&["Loading…", HELLO, &first, BYE], "line 1 is no message (expected value at line 1 column 1): \"Loading…\""),
        (&[HELLO, "", &first, BYE], "line 2 is no message"),
        (&[HELLO, "{\"message\":\"tea\"}"], "line 2 is no message (unknown variant `tea`"),
        (&[HELLO, "[]", "null"], "line 2 is no message"),
    ] {
        let found = hear(lines, 1, true).problem.expect("a problem").to_string();
        assert!(found.starts_with(problem), "{lines:?}: {found}");
    }
}

#[test]
fn a_worker_that_died_is_not_blamed_for_what_it_could_not_say() {
    assert_eq!(hear(&[HELLO], 1, false).problem, None);
    let mut reader = Reader::new(1);
    reader.feed(HELLO.as_bytes());
    let died = reader.finish(false);
    assert_eq!((died.problem, died.hello, died.noise), (None, None, HELLO.as_bytes().to_vec()));
    let mut reader = Reader::new(1);
    reader.feed(format!("{HELLO}\n{}\n{BYE}", numbers(0)).as_bytes());
    assert_eq!(reader.finish(true).problem, Some(Problem::Unfinished { line: 3, text: BYE.to_owned() }));
}

#[test]
fn what_the_runtime_prints_between_is_kept_for_those_who_ask_why_it_died() {
    let said = hear(&[HELLO, "GPU core dump created: gpucore.7"], 1, false);
    assert_eq!(said.noise, b"GPU core dump created: gpucore.7\n");
}

#[test]
fn a_line_without_end_and_noise_without_end_take_bounded_memory() {
    let mut reader = Reader::new(1);
    let part = vec![b'x'; 1 << 20];
    for _ in 0..100 {
        assert_eq!(reader.feed(&part), News::Nothing);
        assert!(reader.begun.len() <= MAX_LINE);
    }
    reader.feed(format!("\n{HELLO}\n").as_bytes());
    let said = reader.finish(false);
    assert_eq!(said.problem, Some(Problem::TooLong { line: 1 }));
    assert!(said.noise.len() <= 256 << 10);
    assert!(said.hello.is_some(), "what follows is heard");
    let mut reader = Reader::new(1);
    for _ in 0..100_000 {
        reader.feed(b"garbage garbage garbage\n");
    }
    assert!(reader.finish(false).noise.len() <= 256 << 10);
}

#[test]
fn results_without_end_take_bounded_memory() {
    let mut reader = Reader::new(ProbeSpec::MAX_REPEATS);
    reader.feed(format!("{HELLO}\n{}\n", numbers(0)).as_bytes());
    for repeat in 1..100_000 {
        reader.feed(format!("{}\n", SAME.replace("\"repeat\":1", &format!("\"repeat\":{repeat}"))).as_bytes());
    }
    let said = reader.finish(false);
    assert_eq!(said.answers.len(), 65_536);
    assert!(said.problem.unwrap().to_string().contains("more than 65536 results"));
}

#[test]
fn only_messages_are_news() {
    let mut reader = Reader::new(1);
    for (bytes, news) in [
        (format!("{HELLO}\n"), News::Alive(Phase::First)),
        ("noise\n".to_owned(), News::Nothing),
        (PROGRESS.to_owned(), News::Nothing),
        ("\n".to_owned(), News::Alive(Phase::Run)),
        (format!("{}\n", numbers(0)), News::Done),
        (format!("{}\n", numbers(0)), News::Nothing),
    ] {
        assert_eq!(reader.feed(bytes.as_bytes()), news, "{bytes}");
    }
}
