//! Probes by a worker under the supervisor: on the GPU of a simulated machine, or on this one.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::anyhow;

use crate::cli::console;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::interrupt::Interrupt;
use crate::cli::resume;
use crate::cli::session::{Earlier, Session};
use crate::cli::values::quoted;
use crate::domain::{Ended, Meaning, Status};
use crate::facts::{Stream, signature};
use crate::journal::{Next, digest};
use crate::probe::ProbeSpec;
use crate::probe::fallback::{Ran, ran};
use crate::probe::protocol::{Device, Kind, Outcome as Answered, Request};
use crate::probe::record::ProbeRecord;
use crate::probe::stand::{Engine, ProbeRun, Stand};
use crate::probe::supervise::{Limits, ProbeOutcome};
use crate::probe::verdict::of_repeats;
use crate::probe::watch::Stop;
use crate::process::Cancel;
use crate::witness::tuning::WorkerEnvironment;

use super::SCHEMA;
use super::evidence::{keep, keep_previous};

/// Lines of unknown last words that are shown.
const SHOWN: usize = 10;

/// What is run, how often, and where.
pub(super) struct Supervising {
    /// Which probes.
    pub(super) specs: Vec<ProbeSpec>,
    /// Processes for each.
    pub(super) repeat: u32,
    /// Where; its limits hold.
    pub(super) stand: Stand,
    /// What says the same place again: arguments after `--engine NAME`, as a shell takes them.
    pub(super) place: String,
}

impl Supervising {
    /// Runs every probe as often as asked, or what `earlier` left of them, and says what came of each.
    ///
    /// # Errors
    /// The engine is not there, the kernel's log of a simulated machine cannot be read, or the journal not be written.
    pub(super) fn run(&self, earlier: Option<Earlier<ProbeRecord>>, results: Option<&Path>) -> Outcome {
        let cancel = Cancel::new();
        let interrupt = Interrupt::listen(cancel.clone())?;
        let mut session = Session::begin(SCHEMA, earlier, results, self.digest()?, &self.stand.root)?;
        let (mut right, mut meanings, mut device, mut unwatched) = (0, Vec::new(), None, None);
        for (at, spec) in self.specs.iter().enumerate() {
            let mut runs: Vec<ProbeRecord> = Vec::new();
            for n in 1..=self.repeat {
                let probe = format!("{at}-{n}/{}", spec.id());
                let (record, next) = self.one(&probe, spec, &mut session, &cancel)?;
                if let Some(signal) = interrupt.signal() {
                    self.cut_off(&session, (at, n - 1));
                    return Ok(Exit::Interrupted(signal));
                }
                device = record.device.clone().or(device);
                unwatched = record.unwatched.clone().or(unwatched);
                runs.push(record);
                match next {
                    Then::GoOn => {}
                    // It would take the machine down again.
                    Then::NextProbe => break,
                    Then::Stop(stop) => {
                        crate::cli::print(self.told(spec, &runs).as_bytes())?;
                        console::note(&format!("stopped, since nothing can be trusted now: {stop}. {}", stop.advice()));
                        self.cut_off(&session, (at, n));
                        session.finish(112)?;
                        return Ok(Exit::Unsafe);
                    }
                    Then::Absent => {
                        crate::cli::print(self.told(spec, &runs).as_bytes())?;
                        return Err(self.absence());
                    }
                }
            }
            crate::cli::print(self.told(spec, &runs).as_bytes())?;
            let meaning = overall(&runs).meaning();
            right += usize::from(meaning == Meaning::AsExpected);
            meanings.push(meaning);
        }
        console::note(&format!("{right} of {} right, {}", self.specs.len(), self.whereabouts(device.as_ref())));
        note_unwatched(unwatched.as_deref());
        console::note(&format!("results  {}", session.path().display()));
        session.finish(code(&meanings))?;
        Ok(Exit::Run(code(&meanings)))
    }

    /// One process, or what is known of it already.
    fn one(
        &self,
        probe: &str,
        spec: &ProbeSpec,
        session: &mut Session<ProbeRecord>,
        cancel: &Cancel,
    ) -> Result<(ProbeRecord, Then), Failure> {
        match session.next(probe) {
            Next::Keep(record) => {
                let then = if record.status == Status::MachineHang { Then::NextProbe } else { Then::GoOn };
                return Ok((record.clone(), then));
            }
            Next::MachineWentDown { boot_id } => {
                let (evidence, told) = keep_previous(session.path(), probe, &self.stand.root, boot_id);
                let told = format!("    ended  the machine went down with it (boot {boot_id})\n    log    {told}\n");
                let record = ProbeRecord {
                    status: Status::MachineHang,
                    classified: None,
                    device: None,
                    told,
                    seconds: 0.0,
                    evidence,
                    unwatched: None,
                    before: None,
                };
                session.ended(probe, record.clone())?;
                return Ok((record, Then::NextProbe));
            }
            Next::Run => {}
        }
        session.starts(probe)?;
        let request = Request::new(spec.clone(), self.stand.on);
        let run = self.stand.run(&request, cancel).map_err(Failure::unavailable)?;
        let record = self.record(probe, &run, session);
        // What was stopped by us has not ended: it is run again.
        if record.status != Status::Aborted {
            session.ended(probe, record.clone())?;
        }
        let then = match run.stop {
            Some(stop) => Then::Stop(stop),
            None if self.is_absent(&run) => Then::Absent,
            None => Then::GoOn,
        };
        Ok((record, then))
    }

    fn record(&self, probe: &str, run: &ProbeRun, session: &Session<ProbeRecord>) -> ProbeRecord {
        let before =
            run.before.as_ref().map(|before| Box::new(self.record(&format!("{probe}/before"), before, session)));
        let mut told = String::new();
        self.tell(run, &mut told);
        let mut evidence = None;
        if run.status != Status::Pass {
            let kernel = run.done.kernel.value().map(|window| window.text.as_bytes()).unwrap_or_default();
            for (name, text) in [("stderr.txt", run.done.stderr.as_slice()), ("kernel.txt", kernel)] {
                if !text.is_empty() {
                    evidence = keep(session.path(), probe, name, text).or(evidence);
                }
            }
        }
        ProbeRecord {
            status: run.status.clone(),
            classified: Some(run.done.classified.clone()),
            device: run.done.said.hello.as_ref().and_then(|hello| hello.device.clone()),
            told,
            seconds: run.done.took.as_secs_f64(),
            evidence,
            unwatched: run.unwatched.clone(),
            before,
        }
    }

    /// Digest of all that is planned: goes on only as it was begun.
    fn digest(&self) -> Result<String, Failure> {
        let limits = format!("{:?}", self.stand.limits);
        let mut parts = vec![self.stand.engine.name().to_owned(), self.stand.on.name().to_owned(), limits];
        parts.extend([self.repeat.to_string(), self.place.clone()]);
        for spec in &self.specs {
            parts.push(serde_json::to_string(spec).map_err(|error| Failure::from(anyhow!(error)))?);
        }
        Ok(digest(parts))
    }

    /// Says what was not run after so many repeats of the probe at this place, and how it goes on.
    fn cut_off(&self, session: &Session<ProbeRecord>, (at, done): (usize, u32)) {
        let left = (self.specs.len() - at) * self.repeat as usize - done as usize;
        if left > 0 {
            let ids: Vec<String> = self.specs[at..].iter().map(ProbeSpec::id).collect();
            let skip = usize::from(done == self.repeat);
            console::note(&format!("not run  {left}: {}", ids[skip..].join(", ")));
            console::note(&resume::how("probe", session.path()));
        }
    }

    /// Whether the program that was named is no such engine: it ended by itself before it said who it is. One that
    /// was killed, or hung, may have met the GPU.
    pub(super) fn is_absent(&self, run: &ProbeRun) -> bool {
        let by_itself = match &run.done.outcome {
            ProbeOutcome::Reported => false,
            ProbeOutcome::ProtocolBroken(_) => true,
            ProbeOutcome::Died(Ended::Exited { .. } | Ended::NotStarted { .. }) => true,
            ProbeOutcome::Died(
                Ended::Signaled { .. } | Ended::TimedOut { .. } | Ended::Unreaped | Ended::Cancelled,
            ) => false,
        };
        by_itself && run.done.said.hello.is_none() && self.is_a_program()
    }

    /// Whether the engine is a program of its own, that somebody else installs.
    fn is_a_program(&self) -> bool {
        match self.stand.engine {
            Engine::Reference | Engine::Simulated => false,
            Engine::Torch | Engine::Python => true,
        }
    }

    pub(super) fn absence(&self) -> Failure {
        let program = quoted(&self.stand.worker.program.display().to_string());
        let next = match self.stand.engine {
            Engine::Reference | Engine::Simulated | Engine::Torch => format!("see what it needs with: ldd {program}"),
            Engine::Python => {
                format!("it must be a Python 3.7 or later with PyTorch; see: {program} -c 'import torch'")
            }
        };
        let name = self.stand.engine.name();
        Failure::unavailable(anyhow!("the engine {name} is not there: {program} ended before it said hello; {next}"))
    }

    /// What the numbers were computed on, and what they say of a GPU.
    pub(super) fn whereabouts(&self, device: Option<&Device>) -> String {
        let program = self.stand.worker.program.display();
        match (self.stand.engine, self.stand.on) {
            (Engine::Simulated, _) => {
                format!("on the simulated machine of {}: this says nothing about any GPU", self.place.trim_start())
            }
            (Engine::Reference | Engine::Torch | Engine::Python, Kind::Cpu) => {
                format!("computed by {program} on the CPU: this says nothing about any GPU")
            }
            (Engine::Reference | Engine::Torch | Engine::Python, Kind::Gpu) => match device {
                Some(Device { name, isa, bdf, memory }) => {
                    let more = isa.iter().chain(bdf).fold(String::new(), |text, part| format!("{text}{part}, "));
                    format!("asked of the GPU {name} ({more}{memory}), by {program}")
                }
                None => format!("asked of this machine's GPU, which {program} did not name"),
            },
        }
    }

    fn told(&self, spec: &ProbeSpec, runs: &[ProbeRecord]) -> String {
        let overall = overall(runs);
        let good = runs.iter().filter(|run| run.status == Status::Pass).count();
        let count = if runs.len() > 1 { format!("  {good} of {} passed", runs.len()) } else { String::new() };
        let mut text = format!("{:<16}  {}{count}\n", overall.word().name(), spec.id());
        // Of runs that came out alike one tells of all.
        let mut shown: Vec<&ProbeRecord> = Vec::new();
        let id = |run: &ProbeRecord| run.classified.as_ref().map(|classified| classified.id.clone());
        for run in runs {
            if !shown.iter().any(|before| before.status == run.status && id(before) == id(run)) {
                shown.push(run);
            }
        }
        for run in shown {
            if let Some(before) = &run.before {
                let blamed = before.classified.as_ref().and_then(|classified| classified.collateral);
                let by = blamed.map(|pid| format!("process {pid}")).unwrap_or_else(|| "another process".to_owned());
                let _ =
                    writeln!(text, "    before {}: {by} took it down; this is what came of it alone", before.status);
            }
            text.push_str(&run.told);
        }
        if overall != Status::Pass {
            let repeat = if self.repeat > 1 { format!(" --repeat {}", self.repeat) } else { String::new() };
            let first = self.stand.limits.first;
            let timeout = (first != Limits::default().first).then(|| format!(" --timeout {}", first.as_secs()));
            let timeout = timeout.unwrap_or_default();
            let (id, seed, engine, place) = (spec.id(), spec.seed, self.stand.engine.name(), &self.place);
            let _ = writeln!(
                text,
                "    again  validate probe {id} --seed {seed} --engine {engine}{place}{repeat}{timeout}"
            );
        }
        text
    }

    /// What one run came to, and what to do about it.
    pub(super) fn tell(&self, run: &ProbeRun, text: &mut String) {
        let ProbeRun { done, judged, status, unwatched, stop, marked, before: _ } = run;
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
        match stop {
            Some(stop @ (Stop::Tainted(_) | Stop::Gone(_))) => {
                let _ = writeln!(text, "    after  {stop}");
            }
            Some(Stop::Seen(_)) | None => {}
        }
        match marked {
            Some(Ok(file)) => {
                let _ =
                    writeln!(text, "    held   nothing is run on this machine while it is there: {}", file.display());
            }
            Some(Err(problem)) => {
                let _ =
                    writeln!(text, "    held   it could not be written down ({problem}): run nothing before a reboot");
            }
            None => {}
        }
        // Where no log is read at all, that is said once, at the end.
        if let (Some(problem), None) = (&classified.kernel_unread, unwatched) {
            let _ =
                writeln!(text, "    kernel its log could not be read ({problem}): resets and faults would not be seen");
        }
        for (gpu, most) in done.outside.value().into_iter().flat_map(|outside| &outside.most.kfd) {
            let queues = if most.compute_queues == 1 { "queue" } else { "queues" };
            let _ = writeln!(text, "    driver {} and {} {queues} on GPU {gpu}", most.vram, most.compute_queues);
        }
        if let Some(lost) = done.environment.value().and_then(WorkerEnvironment::lost) {
            let _ = writeln!(text, "    env    {lost}");
        }
        match ran(self.stand.on, &done.said, &done.outside) {
            Some(Ran::OnCpu(why)) => {
                let _ = writeln!(text, "    where  {why}");
            }
            Some(Ran::Contradicted) => {
                let _ = writeln!(text, "    where  the worker says on the GPU, and the driver never saw it there");
            }
            Some(Ran::AsAsked | Ran::Unproven) | None => {}
        }
        for answer in &done.said.answers {
            if let Answered::Raised { text: raised, .. } = &answer.outcome {
                let _ = writeln!(text, "    raised {raised}");
            }
        }
        for judgement in judged {
            let _ = writeln!(text, "    {judgement}");
        }
    }
}

/// Says so where no log of the kernel was watched.
pub(super) fn note_unwatched(why: Option<&str>) {
    if let Some(why) = why {
        console::note(&format!(
            "the kernel's log was not read ({why}): resets and faults would not be seen. Run it as root, in the group \
             systemd-journal, or after `sysctl kernel.dmesg_restrict=0`"
        ));
    }
}

/// What follows from a probe that was run.
enum Then {
    GoOn,
    /// Of this probe nothing more is run.
    NextProbe,
    Stop(Stop),
    /// There is no such engine.
    Absent,
}

fn overall(runs: &[ProbeRecord]) -> Status {
    let each: Vec<_> = runs.iter().map(|run| run.status.clone()).collect();
    of_repeats(&each).unwrap_or(Status::Aborted)
}

/// 1 for a failure, else 70 for a worker that broke the protocol, else 3 where something was not evaluated.
pub(super) fn code(meanings: &[Meaning]) -> u8 {
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
