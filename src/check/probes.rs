//! What checks of probes share: what to call one, and what several processes of it say together.

use crate::domain::{Ended, Failure, Reading};
use crate::facts::Class;
use crate::witness::tuning::WorkerEnvironment;
use crate::witness::{ProbeCame, ProbeDone, ProbeEnd, ProbeProcess};

use super::evaluation::{Collector, GapKind};
use super::kernel_effective::kind_of;

/// What one process says of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// As expected.
    Met(String),
    /// Not so.
    Unmet {
        /// Finding of the check.
        id: &'static str,
        /// What it makes of the case.
        means: Failure,
        /// In words.
        observed: String,
    },
    /// It does not say.
    Nothing(GapKind, String),
}

/// Finding of each of these checks where processes of one probe do not agree.
pub(super) const FLAKY: &str = "flaky";

/// How reports call a probe.
pub(super) fn subject(probe: &ProbeDone) -> String {
    let env: Vec<String> = probe.env.iter().map(|(name, value)| format!(" {name}={value}")).collect();
    format!("{} on the {}{}", probe.probe, probe.on.name().to_uppercase(), env.concat())
}

/// Processes of which something is the same.
pub(super) struct Group<T> {
    /// The first probe, and how many others: `matmul/f32/8x8x8 on the GPU and 2 others`.
    pub(super) whose: String,
    /// What is the same.
    pub(super) first: T,
}

/// Takes together the probes by what each of their processes shows; what cannot be known of a process is a gap, once for
/// each probe.
pub(super) fn groups<'a, T: PartialEq>(
    collector: &mut Collector,
    probes: impl IntoIterator<Item = &'a ProbeDone>,
    shows: &dyn Fn(&'a ProbeProcess) -> Result<T, (GapKind, String)>,
) -> Vec<Group<T>> {
    let mut groups: Vec<(T, Vec<&ProbeDone>)> = Vec::new();
    for probe in probes {
        let processes = match &probe.came {
            ProbeCame::NotRun { why } => {
                collector.gap(GapKind::NoWorker, subject(probe), why.clone());
                continue;
            }
            ProbeCame::Ran(processes) => processes,
        };
        let mut unknown = None;
        for shown in processes.iter().map(shows) {
            match shown {
                Err(why) => unknown = unknown.or(Some(why)),
                Ok(shown) => match groups.iter_mut().find(|(known, _)| *known == shown) {
                    // Processes of one probe come one after the other.
                    Some((_, of)) if of.last().is_some_and(|last| std::ptr::eq(*last, probe)) => {}
                    Some((_, of)) => of.push(probe),
                    None => groups.push((shown, vec![probe])),
                },
            }
        }
        if let Some((kind, why)) = unknown {
            collector.gap(kind, subject(probe), why);
        }
    }
    let named = |of: &[&ProbeDone]| {
        let first = of.first().map(|probe| format!("{} on the {}", probe.probe, probe.on.name().to_uppercase()));
        let others = match of.len() {
            0 | 1 => String::new(),
            2 => " and another probe".to_owned(),
            more => format!(" and {} other probes", more - 1),
        };
        format!("{}{others}", first.unwrap_or_default())
    };
    groups.into_iter().map(|(first, of)| Group { whose: named(&of), first }).collect()
}

/// The environment of a process, or why nobody knows it.
pub(super) fn environment_of(process: &ProbeProcess) -> Result<&WorkerEnvironment, (GapKind, String)> {
    match &process.environment {
        Reading::Value(environment) => Ok(environment),
        Reading::Malformed { problem, .. } => Err((kind_of(problem), format!("its environment: {problem}"))),
        absent @ (Reading::NotApplicable | Reading::NotReported) => {
            let why = absent.absence().unwrap_or_default();
            Err((GapKind::NotReported, format!("the environment of its process: {why}")))
        }
    }
}

/// Puts a question to every process of a probe, and together what they say: one finding or one gap.
pub(super) fn ask(
    collector: &mut Collector,
    probe: &ProbeDone,
    expected: &str,
    question: &dyn Fn(&ProbeProcess) -> Said,
) {
    let subject = subject(probe);
    let processes = match &probe.came {
        ProbeCame::NotRun { why } => return collector.gap(GapKind::NoWorker, subject, why.clone()),
        ProbeCame::Ran(processes) => processes,
    };
    let said: Vec<Said> = processes.iter().map(question).collect();
    let count = said.len();
    let of = |part: usize, text: &str| {
        if count == 1 { text.to_owned() } else { format!("{part} of {count} processes: {text}") }
    };
    let met: Vec<&String> =
        said.iter().filter_map(|each| if let Said::Met(text) = each { Some(text) } else { None }).collect();
    let unmet: Vec<(&'static str, Failure, &String)> = said
        .iter()
        .filter_map(|each| match each {
            Said::Unmet { id, means, observed } => Some((*id, *means, observed)),
            Said::Met(_) | Said::Nothing(..) => None,
        })
        .collect();
    let gap = said.iter().find_map(|each| if let Said::Nothing(kind, why) = each { Some((*kind, why)) } else { None });
    match (unmet.first(), met.first(), gap) {
        (Some(&(id, means, observed)), None, _) if unmet.iter().all(|other| (other.0, other.1) == (id, means)) => {
            collector.failed((id, means), subject, expected, of(unmet.len(), observed));
        }
        (Some(&(_, _, observed)), _, _) => {
            let others = unmet.iter().filter(|other| other.2 != observed).count();
            let more = if others > 0 { format!(", and {others} another way") } else { String::new() };
            let told = format!("{} of {count} processes as expected; one was not: {observed}{more}", met.len());
            collector.failed((FLAKY, Failure::Flaky), subject, expected, told);
        }
        (None, _, Some((kind, why))) => collector.gap(kind, subject, why.clone()),
        (None, Some(text), None) => collector.met(subject, expected, of(met.len(), text)),
        (None, None, None) => collector.gap(GapKind::NotReported, subject, "no process was run"),
    }
}

/// Why a process that did not say everything says nothing of a GPU; `None` where it did say everything, or where its end
/// is about the GPU or the program.
pub(super) fn tells_nothing(process: &ProbeProcess) -> Option<(GapKind, String)> {
    match (&process.end, process.class) {
        (ProbeEnd::Died(Ended::Cancelled), _) => Some((GapKind::ToolFailed, "it was stopped with the run".to_owned())),
        (ProbeEnd::Died(Ended::NotStarted { reason }), _) => {
            Some((GapKind::ToolFailed, format!("the worker could not be started: {reason}")))
        }
        (ProbeEnd::Died(ended), Some(class @ (Class::Setup | Class::NoDevice))) => {
            let signature = &process.signature;
            Some((GapKind::ToolFailed, format!("{ended}; {class} ({signature}): {} {}", class.what(), class.advice())))
        }
        (ProbeEnd::BrokeProtocol(problem), _) => Some((
            GapKind::ToolFailed,
            format!("the worker broke the protocol: {problem}; its words are in the evidence"),
        )),
        (ProbeEnd::Died(_) | ProbeEnd::Reported, _) => None,
    }
}
