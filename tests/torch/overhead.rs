//! What a probe costs beside its computation: a fork of a warm parent against a fresh process. A measurement, run by hand:
//! `cargo test --release --features torch --test torch -- --ignored`.

use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use rocvet::domain::Status;
use rocvet::probe::ProbeSpec;
use rocvet::probe::protocol::{Kind, Request};
use rocvet::probe::stand::Stand;
use rocvet::probe::warm::WarmParent;
use rocvet::process::Cancel;

use crate::agreement;

/// Of each kind; the variable `PROBES` has another number for a machine that is busy.
const PROBES: usize = 1000;

/// Of each kind in turn, so that a load that comes and goes is in both.
const TURN: usize = 10;

pub fn trials() -> Vec<Trial> {
    vec![Trial::test("MEASUREMENT: 1000 small probes, warm against fresh", measure).with_ignored_flag(true)]
}

fn measure() -> Result<(), Failed> {
    let fresh = agreement::stand();
    let begin = Instant::now();
    let parent = WarmParent::start(&fresh)?;
    let start = begin.elapsed();
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    let probes = std::env::var("PROBES").ok().and_then(|text| text.parse().ok()).unwrap_or(PROBES).max(TURN);
    for _ in 0..probes / TURN {
        turn(&fresh, &mut cold);
        turn(parent.stand(), &mut warm);
    }
    let (cold, warm) = (Times::of(cold), Times::of(warm));
    let load = std::fs::read_to_string("/proc/loadavg")?;
    let cores = std::thread::available_parallelism()?;
    println!("{probes} probes matmul/f32/4x4x4 each, by validate-probe-torch on the CPU, under the supervisor");
    println!("fresh process: {cold}");
    println!("fork of a warm parent: {warm} (and {start:?} once, to load it)");
    println!("fresh / warm: median {:.1}, mean {:.1}", cold.median / warm.median, cold.mean / warm.mean);
    println!("{cores} cores, load {}", load.trim());
    Ok(())
}

fn turn(stand: &Stand, took: &mut Vec<Duration>) {
    let spec: ProbeSpec = "matmul/f32/4x4x4".parse().unwrap();
    for _ in 0..TURN {
        let begin = Instant::now();
        let run = stand.run(&Request::new(spec.clone(), Kind::Cpu), &Cancel::new()).unwrap();
        took.push(begin.elapsed());
        assert_eq!(run.status, Status::Pass);
    }
}

/// In milliseconds.
struct Times {
    median: f64,
    mean: f64,
    tenth: f64,
    ninth: f64,
}

impl Times {
    fn of(mut took: Vec<Duration>) -> Self {
        took.sort();
        let at = |share: f64| took[(took.len() as f64 * share) as usize].as_secs_f64() * 1e3;
        let mean = took.iter().sum::<Duration>().as_secs_f64() * 1e3 / took.len() as f64;
        Self { median: at(0.5), mean, tenth: at(0.1), ninth: at(0.9) }
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { median, mean, tenth, ninth } = self;
        write!(f, "median {median:.1} ms, mean {mean:.1} ms, 10 % to 90 %: {tenth:.1} to {ninth:.1} ms")
    }
}
