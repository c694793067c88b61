//! Probes by a worker under the supervisor: on the GPU of a simulated machine.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow};

use crate::cli::console;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::interrupt::Interrupt;
use crate::cli::target;
use crate::domain::{Meaning, Status};
use crate::facts::{Stream, signature};
use crate::host::Host;
use crate::host::simulated::KMSG_FILE;
use crate::probe::ProbeSpec;
use crate::probe::fallback::{Ran, ran};
use crate::probe::protocol::{Kind, Outcome as Answered, Request};
use crate::probe::stand::{ProbeRun, Stand};
use crate::probe::supervise::{Limits, ProbeOutcome};
use crate::probe::verdict::of_repeats;
use crate::process::Cancel;

/// Lines of unknown last words that are shown.
const SHOWN: usize = 10;

/// What is run, how often, and where.
pub(super) struct Supervising<'a> {
    /// Which probes.
    pub(super) specs: Vec<ProbeSpec>,
    /// Processes for each.
    pub(super) repeat: u32,
    /// The simulated host.
    pub(super) host: &'a Path,
    /// Longest time to the first result.
    pub(super) first: Duration,
}

impl Supervising<'_> {
    /// Runs every probe as often as asked, and says what came of each.
    ///
    /// # Errors
    /// The host is no simulated one, or its kernel log cannot be read.
    pub(super) fn run(&self) -> Outcome {
        let log = match target::open(Some(self.host), false)? {
            Some(Host::Simulated { dir, .. }) => dir.join(KMSG_FILE),
            Some(Host::Recorded { .. } | Host::Real) | None => {
                let problem = "--engine simulated works on a simulated machine: validate shim DIR --machine rx6800xt";
                return Err(Failure::usage(anyhow!(problem)));
            }
        };
        let program = std::env::current_exe().context("find this executable").map_err(Failure::unavailable)?;
        let stand = Stand::simulated(&program, &absolute(self.host)?, log);
        let stand = Stand { limits: Limits { first: self.first, ..stand.limits }, ..stand };
        let cancel = Cancel::new();
        let interrupt = Interrupt::listen(cancel.clone())?;
        let (mut right, mut meanings) = (0, Vec::new());
        for spec in &self.specs {
            let mut runs = Vec::new();
            for _ in 0..self.repeat {
                let request = Request::new(spec.clone(), stand.on);
                let run = stand.run(&request, &cancel).map_err(Failure::unavailable)?;
                let stop = run.done.stops_the_run();
                runs.push(run);
                if let Some(signal) = interrupt.signal() {
                    return Ok(Exit::Interrupted(signal));
                }
                if let Some(class) = stop {
                    crate::cli::print(self.told(spec, &runs).as_bytes())?;
                    console::note(&format!("stopped, since nothing can be trusted now: {class}. {}", class.advice()));
                    return Ok(Exit::Unsafe);
                }
            }
            crate::cli::print(self.told(spec, &runs).as_bytes())?;
            let meaning = overall(&runs).meaning();
            right += usize::from(meaning == Meaning::AsExpected);
            meanings.push(meaning);
        }
        console::note(&format!(
            "{right} of {} right, on the simulated machine {}: this says nothing about any GPU",
            self.specs.len(),
            self.host.display()
        ));
        Ok(Exit::Run(code(&meanings)))
    }

    fn told(&self, spec: &ProbeSpec, runs: &[ProbeRun]) -> String {
        let overall = overall(runs);
        let good = runs.iter().filter(|run| run.status == Status::Pass).count();
        let count = if runs.len() > 1 { format!("  {good} of {} passed", runs.len()) } else { String::new() };
        let mut text = format!("{:<16}  {}{count}\n", overall.word().name(), spec.id());
        // Of runs that came out alike one tells of all.
        let mut shown: Vec<&ProbeRun> = Vec::new();
        for run in runs {
            if !shown
                .iter()
                .any(|before| before.status == run.status && before.done.classified.id == run.done.classified.id)
            {
                shown.push(run);
            }
        }
        shown.iter().for_each(|run| tell(run, &mut text));
        if overall != Status::Pass {
            let host = quoted(&self.host.display().to_string());
            let repeat = if self.repeat > 1 { format!(" --repeat {}", self.repeat) } else { String::new() };
            let changed = self.first != Limits::default().first;
            let timeout = changed.then(|| format!(" --timeout {}", self.first.as_secs()));
            let timeout = timeout.unwrap_or_default();
            let (id, seed) = (spec.id(), spec.seed);
            let _ = writeln!(
                text,
                "    again  validate probe {id} --seed {seed} --engine simulated --host {host}{repeat}{timeout}"
            );
        }
        text
    }
}

fn overall(runs: &[ProbeRun]) -> Status {
    let each: Vec<_> = runs.iter().map(|run| run.status.clone()).collect();
    of_repeats(&each).unwrap_or(Status::Aborted)
}

/// What one run came to, and what to do about it.
fn tell(run: &ProbeRun, text: &mut String) {
    let ProbeRun { done, numbers, status } = run;
    let classified = &done.classified;
    let ended = match &done.outcome {
        ProbeOutcome::Reported => None,
        ProbeOutcome::Died(ended) => Some(ended.to_string()),
        ProbeOutcome::ProtocolBroken(problem) => Some(problem.to_string()),
    };
    if let Some(ended) = ended {
        let _ = writeln!(text, "    ended  {ended}");
    }
    if let Some(class) = classified.class {
        let _ = writeln!(text, "    class  {class} ({})\n           {}", classified.id, class.what());
        let _ = writeln!(text, "    next   {}", class.advice());
    } else if let Some(detail) = status.detail() {
        let _ = writeln!(text, "    why    {detail}");
    }
    for seen in &classified.seen {
        let from = match signature(&seen.signature).map(|signature| signature.stream) {
            Some(Stream::Kernel) => "kernel",
            Some(Stream::Stderr | Stream::Stdout) | None => "said  ",
        };
        let _ = writeln!(text, "    {from} {}", seen.line);
    }
    let words: Vec<_> = classified.last_words.lines().collect();
    for line in words.iter().skip(words.len().saturating_sub(SHOWN)) {
        let _ = writeln!(text, "    said   {line}");
    }
    if let Some(pid) = classified.collateral {
        let _ = writeln!(text, "    blame  process {pid} took it down; run it again alone");
    }
    if let Some(problem) = &classified.kernel_unread {
        let _ = writeln!(text, "    kernel its log could not be read ({problem}): resets and faults would not be seen");
    }
    if let Some(Ran::OnCpu(why)) = ran(Kind::Gpu, &done.said) {
        let _ = writeln!(text, "    where  {why}");
    }
    for answer in &done.said.answers {
        if let Answered::Raised { text: raised, .. } = &answer.outcome {
            let _ = writeln!(text, "    raised {raised}");
        }
    }
    for numbers in numbers {
        let _ = writeln!(text, "    {numbers}");
    }
}

/// 1 for a failure, else 70 for a worker that broke the protocol, else 3 where something was not evaluated.
fn code(meanings: &[Meaning]) -> u8 {
    let has = |meaning| meanings.contains(&meaning);
    if has(Meaning::Failed) {
        1
    } else if has(Meaning::Broken) {
        70
    } else if has(Meaning::Incomplete) {
        5
    } else if has(Meaning::NotEvaluated) {
        3
    } else {
        0
    }
}

fn absolute(path: &Path) -> Result<std::path::PathBuf, Failure> {
    std::path::absolute(path).with_context(|| format!("find {}", path.display())).map_err(Failure::unavailable)
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
