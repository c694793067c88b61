#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
//! Real children: every way to end, and everything that a child can do to keep us waiting.

use std::time::Duration;

use crate::domain::{Ended, Limit, Signal};

use super::{Cancel, Clocks, Heard, Limits, Outcome, Spec, run, run_listening};

fn sh(script: &str) -> Spec {
    let limits = Limits {
        deadline: Duration::from_secs(20),
        grace: Duration::from_secs(10),
        reap: Duration::from_secs(10),
        ..Limits::default()
    };
    Spec { args: vec!["-c".into(), script.into()], limits, inherit: vec!["PATH".to_owned()], ..Spec::new("/bin/sh") }
}

fn with_deadline(script: &str, deadline: u64, grace: u64) -> Spec {
    let mut spec = sh(script);
    spec.limits.deadline = Duration::from_millis(deadline);
    spec.limits.grace = Duration::from_millis(grace);
    spec
}

fn timed_out(limit: Limit) -> Ended {
    Ended::TimedOut { limit }
}

#[test]
fn a_child_ends_as_it_ended() {
    let cases = [
        ("exit 0", Ended::Exited { code: 0 }),
        ("exit 255", Ended::Exited { code: 255 }),
        ("kill -SEGV $$", Ended::Signaled { signal: Signal(11) }),
        ("kill -KILL $$", Ended::Signaled { signal: Signal(9) }),
        // A signal that it sends to its whole group is its own doing, and not ours.
        ("kill -TERM 0", Ended::Signaled { signal: Signal(15) }),
        // A child that closes its streams early is still waited for.
        ("exec >&- 2>&-; sleep 0.1; exit 3", Ended::Exited { code: 3 }),
    ];
    for (script, ended) in cases {
        assert_eq!(run(&sh(script)).ended, ended, "{script}");
    }
}

#[test]
fn both_streams_are_drained_at_once_and_kept_apart() {
    let Outcome { ended, stdout, stderr, .. } =
        run(&sh("i=0; while [ $i -lt 20000 ]; do echo out; echo err >&2; i=$((i+1)); done"));
    assert_eq!(ended, Ended::Exited { code: 0 });
    assert_eq!((stdout.len(), stderr.len()), (80_000, 80_000));
}

#[test]
fn a_child_that_outlives_its_deadline_is_stopped() {
    for script in ["sleep 60", "sleep 60 & wait", "trap '' TERM; sleep 60 & wait; sleep 60", "kill -STOP $$"] {
        assert_eq!(run(&with_deadline(script, 100, 100)).ended, timed_out(Limit::Deadline), "{script}");
    }
}

#[test]
fn a_child_may_clean_up_after_sigterm_and_what_it_says_is_kept() {
    let outcome = run(&with_deadline("trap 'echo bye; exit 0' TERM; echo hi; sleep 60 & wait", 300, 10_000));
    assert_eq!(outcome.ended, timed_out(Limit::Deadline));
    assert_eq!(outcome.stdout, b"hi\nbye\n");
}

#[test]
fn a_gigabyte_of_output_is_cut_at_the_cap() {
    for (script, out, err) in [
        ("head -c 1000000000 /dev/zero", 1 << 20, 0),
        ("head -c 1000000000 /dev/zero >&2", 0, 1 << 20),
        // Within one pipe's buffer, so that the child has ended before it is read.
        ("head -c 1048577 /dev/zero", 1 << 20, 0),
    ] {
        let mut spec = sh(script);
        spec.limits.output = 1 << 20;
        let outcome = run(&spec);
        assert_eq!(outcome.ended, timed_out(Limit::Output), "{script}");
        assert_eq!((outcome.stdout.len(), outcome.stderr.len()), (out, err), "{script}");
    }
    let mut spec = sh("head -c 1048576 /dev/zero");
    spec.limits.output = 1 << 20;
    assert_eq!(run(&spec).ended, Ended::Exited { code: 0 });
}

#[test]
fn a_grandchild_that_holds_the_pipes_does_not_hold_us() {
    // The first stays in the group and is killed with it; the second has left it, and keeps the pipes open.
    for script in ["sleep 60 & echo done", "setsid sleep 5 & sleep 0.1; echo done"] {
        let outcome = run(&sh(script));
        assert_eq!(outcome.ended, Ended::Exited { code: 0 }, "{script}");
        assert_eq!(outcome.stdout, b"done\n", "{script}");
        assert!(outcome.took < Duration::from_secs(4), "{script}: {:?}", outcome.took);
    }
}

#[test]
fn input_is_given_whole_or_as_far_as_the_child_wants_it() {
    let mut spec = sh("cat | wc -c");
    spec.stdin = Some(vec![b'x'; 3_000_000]);
    assert_eq!(String::from_utf8(run(&spec).stdout).unwrap().trim(), "3000000");
    spec.args = vec!["-c".into(), "exec <&-; exit 4".into()];
    assert_eq!(run(&spec).ended, Ended::Exited { code: 4 });
    assert_eq!(run(&sh("read line || echo end of input")).stdout, b"end of input\n");
    spec.args = vec!["-c".into(), "read line || echo end of input".into()];
    spec.stdin = Some(Vec::new());
    assert_eq!(run(&spec).stdout, b"end of input\n");
}

#[test]
fn the_environment_holds_what_was_named_and_nothing_else() {
    let mut spec = Spec::new("/usr/bin/env");
    spec.env = vec![("ROCVET_HOST".into(), "/x".into())];
    spec.inherit = vec!["NO_SUCH_VARIABLE_HERE".to_owned()];
    assert_eq!(run(&spec).stdout, b"ROCVET_HOST=/x\n");
}

#[test]
fn a_child_sees_the_name_and_the_folder_that_it_is_given() {
    let mut spec = sh("echo $0; pwd");
    spec.arg0 = Some("amd-smi".into());
    spec.cwd = Some("/".into());
    assert_eq!(run(&spec).stdout, b"amd-smi\n/\n");
}

#[test]
fn what_cannot_be_started_says_so() {
    for program in ["/no/such/program", "/etc/passwd", "no-such-program-anywhere", "/"] {
        let Ended::NotStarted { reason } = run(&Spec::new(program)).ended else { panic!("{program} was started") };
        assert!(reason.starts_with(program), "{reason}");
    }
}

#[test]
fn a_raised_flag_stops_the_child_now_and_every_one_after_it() {
    let cancel = Cancel::new();
    let spec = Spec { cancel: cancel.clone(), ..sh("echo started; sleep 60 & wait") };
    let waiting = std::thread::spawn({
        let spec = spec.clone();
        move || run(&spec)
    });
    std::thread::sleep(Duration::from_millis(100));
    cancel.cancel();
    assert_eq!(waiting.join().unwrap().ended, Ended::Cancelled);
    assert!(cancel.is_cancelled());
    assert_eq!(run(&spec).ended, Ended::Cancelled);
}

#[test]
fn a_deadline_that_no_clock_can_hold_is_no_deadline() {
    let mut spec = sh("exit 0");
    spec.limits.deadline = Duration::MAX;
    assert_eq!(run(&spec).ended, Ended::Exited { code: 0 });
}

/// Runs a script whose lines are words: `go` begins a phase, `here` starts the clock of silence again, `quiet` stops it,
/// others say nothing new.
fn listening(script: &str, phase: u64, silence: u64) -> (Outcome, Vec<u8>) {
    let clocks = |silence| Clocks { phase: Some(Duration::from_millis(phase)), silence };
    let spoken = Some(Duration::from_millis(silence));
    let mut heard = Vec::new();
    let outcome = run_listening(&with_deadline(script, 8000, 100), clocks(spoken), &mut |news| {
        let Heard::Said(news) = news else { return None };
        heard.extend_from_slice(news);
        match news {
            b"go\n" => Some(clocks(spoken)),
            b"here\n" => Some(Clocks { phase: None, ..clocks(spoken) }),
            b"quiet\n" => Some(Clocks { phase: None, silence: None }),
            _ => None,
        }
    });
    (outcome, heard)
}

#[test]
fn a_child_that_says_nothing_new_is_stopped_for_its_silence() {
    for (script, phase, silence, ended) in [
        ("sleep 60", 60_000, 100, timed_out(Limit::Silence)),
        ("echo go; sleep 60", 60_000, 200, timed_out(Limit::Silence)),
        // Noise is no news.
        ("while :; do echo noise; sleep 0.02; done", 60_000, 300, timed_out(Limit::Silence)),
        ("sleep 60", 100, 60_000, timed_out(Limit::Deadline)),
        ("echo quiet; sleep 60", 500, 100, timed_out(Limit::Deadline)),
        ("while :; do echo here; sleep 0.05; done", 600, 60_000, timed_out(Limit::Deadline)),
        ("for i in 1 2 3 4; do echo go; sleep 0.25; done; exit 7", 2000, 2000, Ended::Exited { code: 7 }),
    ] {
        assert_eq!(listening(script, phase, silence).0.ended, ended, "{script}");
    }
}

#[test]
fn the_whole_deadline_holds_however_much_a_child_says() {
    let clocks = Clocks { phase: Some(Duration::MAX), silence: Some(Duration::MAX) };
    let spec = with_deadline("while :; do echo go; sleep 0.02; done", 300, 100);
    assert_eq!(run_listening(&spec, clocks, &mut |_| Some(clocks)).ended, timed_out(Limit::Deadline));
}

#[test]
fn everything_that_was_printed_is_heard_once_and_in_order() {
    let (outcome, heard) = listening("echo a; sleep 0.1; echo b; sleep 0.1; printf c; exit 0", 5000, 5000);
    assert_eq!(heard, b"a\nb\nc");
    assert_eq!(heard, outcome.stdout);
    assert!(outcome.pid.is_some());
    assert_eq!(run(&Spec::new("/no/such/program")).pid, None);
}

#[test]
fn the_ear_hears_the_beginning_and_the_end() {
    let clocks = Clocks { phase: Some(Duration::from_millis(200)), silence: None };
    for script in ["echo a; exit 0", "echo a; exec sleep 60"] {
        let mut heard = Vec::new();
        let outcome = run_listening(&with_deadline(script, 8000, 100), clocks, &mut |news| {
            heard.push(match news {
                Heard::Started(pid) => format!("started {pid}"),
                Heard::Said(text) => String::from_utf8_lossy(text).into_owned(),
                Heard::Ending => "ending".to_owned(),
            });
            None
        });
        heard.dedup();
        assert_eq!(heard, [format!("started {}", outcome.pid.unwrap()), "a\n".to_owned(), "ending".to_owned()]);
    }
}
