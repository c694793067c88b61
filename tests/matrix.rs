//! Every reported cell of the crash matrix, played on a simulated machine through the real supervisor: real deaths, real
//! timeouts (shortened), real wrong numbers. Supervisor, classifier and judge see a process, never the cell.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![expect(clippy::print_stdout, reason = "the counts are what is reported")]

mod scratch;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use rocvet::host::simulated::{Faces, KMSG_FILE, create};
use rocvet::matrix::agreement::{Agreement, Seen, agreement};
use rocvet::matrix::reported::{Reported, reported, reported_cell};
use rocvet::matrix::reproduction::{How, Play, planted, reproduction};
use rocvet::probe::protocol::Request;
use rocvet::probe::stand::Stand;
use rocvet::probe::supervise::{Limits, Worker};
use rocvet::process::Cancel;
use rocvet::sim::{Fault, machine_named};

/// Runs the probe of a cell on a machine with these faults.
fn play(play: &Play, faults: &[Fault]) -> Vec<Seen> {
    let folder = scratch::folder();
    let mut machine = machine_named(&play.machine).unwrap();
    machine.faults = faults.to_vec();
    create(folder.path(), &machine, Faces::Both).unwrap();
    let stand = stand(folder.path(), play);
    let request = Request::new(play.probe.clone(), stand.on);
    (0..play.runs)
        .map(|_| {
            let run = stand.run(&request, &Cancel::new()).unwrap();
            Seen {
                status: run.status,
                class: run.done.classified.class,
                signatures: run.done.classified.seen.iter().map(|seen| seen.signature.clone()).collect(),
            }
        })
        .collect()
}

fn stand(host: &Path, play: &Play) -> Stand {
    let validate = scratch::validate();
    let stand = Stand::simulated(validate, host, host.join(KMSG_FILE));
    let env = play.env.iter().map(|(name, value)| (name.into(), value.into())).collect();
    // A worker that hangs has said hello, and then nothing: it need not be waited for as long as a real one.
    let limits = Limits {
        first: Duration::from_secs(if play.faults.iter().any(hangs) { 2 } else { 120 }),
        silence: Duration::from_secs(2),
        grace: Duration::from_millis(200),
        ..stand.limits
    };
    Stand { worker: Worker { env, ..stand.worker }, limits, ..stand }
}

fn hangs(fault: &Fault) -> bool {
    fault.to_string().starts_with("probe=hang")
}

fn played(cell: &Reported) -> Result<&'static Play, &'static str> {
    match &reproduction(&cell.id).unwrap().how {
        How::Played(play) => Ok(play),
        How::NotRepresentable { reason } => Err(reason),
    }
}

/// Cells that come out otherwise than reported, and what is to be said of it.
const DISAGREEING: [(&str, &str); 1] =
    [("r2-14", "the report quotes only a detail of the fault, and a detail alone makes no page fault")];

#[test]
fn every_reported_cell_comes_out_as_reported_or_says_why_it_cannot_be_played() {
    let queue = Mutex::new(reported().iter());
    let results = Mutex::new(BTreeMap::new());
    // Most of the time is spent waiting for a worker that hangs.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap().next();
                    let Some(cell) = next else { break };
                    let result = played(cell).map(|this| match this.goes_down {
                        // What supervises it goes down with it: tests/cli/matrix.rs plays it by the command.
                        true => None,
                        false => Some(agreement(cell, &play(this, &this.faults))),
                    });
                    results.lock().unwrap().insert(&cell.id, result);
                }
            });
        }
    });
    let results = results.into_inner().unwrap();
    let mut disagreeing = Vec::new();
    let (mut agreeing, mut not_representable, mut elsewhere) = (0, 0, 0);
    for (id, result) in &results {
        match result {
            Err(reason) => {
                not_representable += 1;
                println!("{id} is not representable: {reason}");
            }
            Ok(None) => elsewhere += 1,
            Ok(Some(Agreement::Agrees)) => agreeing += 1,
            Ok(Some(Agreement::Disagrees { why })) => {
                println!("{id} disagrees: {why}");
                disagreeing.push(id.as_str());
            }
        }
    }
    println!(
        "{agreeing} agreeing, {} disagreeing, {not_representable} not representable, {elsewhere} played by the command",
        disagreeing.len()
    );
    assert_eq!(elsewhere, 4);
    assert_eq!(results.len(), reported().len());
    assert_eq!(disagreeing, DISAGREEING.map(|(id, _)| id));
}

#[test]
fn a_machine_that_behaves_otherwise_than_reported_is_found() {
    for wrong in planted() {
        let cell = reported_cell(&wrong.id).unwrap();
        let this = played(cell).unwrap();
        let this = Play { faults: wrong.faults.clone(), ..this.clone() };
        match agreement(cell, &play(&this, &wrong.faults)) {
            Agreement::Agrees => panic!("{}: {} was not seen", wrong.id, wrong.what),
            Agreement::Disagrees { why } => println!("{}: {} ({why})", wrong.id, wrong.what),
        }
    }
}
