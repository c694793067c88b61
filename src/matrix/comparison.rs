//! What was seen beside what was reported: agreement counted, cell by cell.

use crate::tuning::{Build, loaded};

use super::agreement::{Agreement, agreement};
use super::record::CellRecord;
use super::reported::{Reported, reported};
use super::reproduction::{How, Play, reproduction};

/// One report beside what was seen of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Line<'a> {
    /// The report.
    pub reported: &'static Reported,
    /// What was seen.
    pub compared: Compared<'a>,
}

/// What was seen of one report.
#[derive(Debug, Clone, PartialEq)]
pub enum Compared<'a> {
    /// The same, in these cells.
    Agrees(Vec<&'a CellRecord>),
    /// Something else.
    Disagrees {
        /// In these cells.
        cells: Vec<&'a CellRecord>,
        /// How they differ.
        why: String,
    },
    /// No probe can show it.
    NotRepresentable {
        /// Why.
        reason: &'static str,
    },
    /// No cell of these runs is like it, or it was not run.
    NotRun {
        /// Why.
        reason: String,
    },
}

/// How many reports came out how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// As reported.
    pub agreeing: usize,
    /// Otherwise.
    pub disagreeing: usize,
    /// No probe can show them.
    pub not_representable: usize,
    /// Not in these runs.
    pub not_run: usize,
}

/// Every report beside the cells of some runs.
pub fn compare<'a>(cells: impl IntoIterator<Item = &'a CellRecord>) -> Vec<Line<'a>> {
    let cells: Vec<&CellRecord> = cells.into_iter().collect();
    reported().iter().map(|report| Line { reported: report, compared: compared(report, &cells) }).collect()
}

/// Counts.
pub fn counts(lines: &[Line<'_>]) -> Counts {
    let mut counts = Counts::default();
    for line in lines {
        *match line.compared {
            Compared::Agrees(_) => &mut counts.agreeing,
            Compared::Disagrees { .. } => &mut counts.disagreeing,
            Compared::NotRepresentable { .. } => &mut counts.not_representable,
            Compared::NotRun { .. } => &mut counts.not_run,
        } += 1;
    }
    counts
}

/// Every cell that is like a report counts, in whatever order the runs are given: it is as reported where any of their
/// processes ended so, and works as reported where all do. Where one ran on a GPU, simulated ones do not count beside it.
fn compared<'a>(report: &'static Reported, cells: &[&'a CellRecord]) -> Compared<'a> {
    let play = match reproduction(&report.id).map(|each| &each.how) {
        Some(How::NotRepresentable { reason }) => return Compared::NotRepresentable { reason },
        None => return Compared::NotRepresentable { reason: "nobody said how it is played" },
        Some(How::Played(play)) => play,
    };
    let mut like = Vec::new();
    let mut almost = Vec::new();
    for &cell in cells {
        match likeness(cell, report, play) {
            Likeness::Same => like.push(cell),
            Likeness::Almost { why } => almost.push(format!("{} {why}", cell.id)),
            Likeness::None => {}
        }
    }
    let not_run = like.iter().find_map(|cell| cell.not_run.clone());
    like.retain(|cell| !cell.runs.is_empty());
    if like.iter().any(|cell| cell.machine.is_none()) {
        like.retain(|cell| cell.machine.is_none());
    }
    if like.is_empty() {
        // Of several one is told, the same in whatever order they come.
        almost.sort();
        let none = || "no cell of these runs is like it".to_owned();
        return Compared::NotRun { reason: not_run.or_else(|| almost.into_iter().next()).unwrap_or_else(none) };
    }
    like.sort_by(|left, right| (&left.id, left.passed(), &left.again).cmp(&(&right.id, right.passed(), &right.again)));
    let seen: Vec<_> = like.iter().flat_map(|cell| cell.seen()).collect();
    match agreement(report, &seen) {
        Agreement::Agrees => Compared::Agrees(like),
        Agreement::Disagrees { why } => Compared::Disagrees { cells: like, why },
    }
}

/// Whether a cell is what a report is of.
enum Likeness {
    /// It is.
    Same,
    /// The same computation on the same chip in the same environment, and something else of what the report names is not
    /// the same, or not known.
    Almost {
        /// What.
        why: String,
    },
    /// It is not.
    None,
}

fn likeness(cell: &CellRecord, report: &Reported, play: &Play) -> Likeness {
    let computes = cell.probe == play.probe.id() && cell.env == play.env;
    if let Some(id) = &cell.reported {
        return match (*id == report.id, computes) {
            (false, _) => Likeness::None,
            (true, true) => Likeness::Same,
            (true, false) => Likeness::Almost { why: "plays it otherwise than this version does".to_owned() },
        };
    }
    let isa = |isa: &String| isa.split(':').next().unwrap_or(isa).to_owned();
    let effective = cell.device.effective_isa.as_ref().map(isa);
    let as_reported = |isa: String| report.effective_isa.split('/').any(|one| one == isa);
    let chip = cell.device.native_isa.as_deref() == Some(report.arch.as_str()) && effective.is_none_or(as_reported);
    if !computes || !chip {
        return Likeness::None;
    }
    let other = of_patches(play).or_else(|| of_kernel(cell, play)).or_else(|| of_stack(cell, report));
    other.map_or(Likeness::Same, |why| Likeness::Almost { why })
}

fn of_patches(play: &Play) -> Option<String> {
    let patched = play.patched.as_ref()?;
    Some(format!("is like it, but for what was changed there: {patched}"))
}

/// What the report says of kernel parameters must be in force, and nothing else may be set for the cell.
fn of_kernel(cell: &CellRecord, play: &Play) -> Option<String> {
    let lacks = play.kernel.iter().find(|(name, value)| {
        let asked = cell.kernel.get(*name) == Some(*value);
        !asked && cell.in_force.get(*name) != Some(*value)
    });
    let more = cell.kernel.iter().find(|(name, _)| !play.kernel.contains_key(*name));
    match (lacks, more) {
        (Some((name, value)), _) => Some(format!("ran without {name}={value}, which is reported")),
        (None, Some((name, value))) => Some(format!("ran with {name}={value}, of which the report says nothing")),
        (None, None) => None,
    }
}

/// torch and ROCm, as far as the report says which.
fn of_stack(cell: &CellRecord, report: &Reported) -> Option<String> {
    let here = loaded(&cell.libraries);
    if let Some(torch) = &report.torch {
        let wanted = release(torch);
        let found = here.as_ref().and_then(|here| here.torch.map(|torch| torch.to_string()));
        if wanted.is_none() || found != wanted {
            let found = here.map_or_else(|| "no torch".to_owned(), |here| format!("torch {}", here.name));
            return Some(format!("ran with {found}, and the report is of torch {torch}"));
        }
    }
    let named = report.torch.as_deref().and_then(|torch| torch.split_once("+rocm")).map(|(_, rocm)| rocm);
    let rocm = named.or(report.rocm.as_deref())?;
    let found = here.as_ref().and_then(|here| match &here.build {
        Build::Rocm(version) => Some(version.to_string()),
        Build::Without(_) | Build::Unsaid => None,
    });
    let same = found.as_ref().is_some_and(|found| releases(rocm).contains(found));
    (!same).then(|| {
        let found = found.map_or_else(|| "a ROCm that is not known".to_owned(), |found| format!("ROCm {found}"));
        format!("ran with {found}, and the report is of ROCm {rocm}")
    })
}

/// The first version that a text names, to the minor: `2.5` of `2.5.1+rocm6.2`.
fn release(text: &str) -> Option<String> {
    releases(text).into_iter().next()
}

/// Every version that a text names: `6.2` and `7.0` of `6.2.4 / 7.0.2`.
fn releases(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_digit() && c != '.');
    let of = |word: &str| {
        let mut parts = word.split('.').filter(|part| !part.is_empty());
        Some(format!("{}.{}", parts.next()?, parts.next()?))
    };
    words.filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Status;
    use crate::matrix::record::tests::cell;

    #[test]
    fn every_report_is_counted_once_whatever_was_run() {
        let none = compare([]);
        let counted = counts(&none);
        assert_eq!(none.len(), 79);
        assert_eq!((counted.agreeing, counted.disagreeing), (0, 0));
        assert_eq!(counted.not_run + counted.not_representable, 79);
    }

    fn play(id: &str) -> &'static Play {
        match &reproduction(id).unwrap().how {
            How::Played(play) => play,
            How::NotRepresentable { .. } => panic!("{id}"),
        }
    }

    /// What is said of a report beside these cells, in whatever order they come.
    fn told(id: &str, cells: &[&CellRecord]) -> String {
        let told = |cells: &[&CellRecord]| {
            let lines = compare(cells.iter().copied());
            let line = lines.iter().find(|line| line.reported.id == id).unwrap();
            match &line.compared {
                Compared::Agrees(cells) => format!("agrees in {}", cells.len()),
                Compared::Disagrees { why, .. } => why.clone(),
                Compared::NotRun { reason } => reason.clone(),
                Compared::NotRepresentable { .. } => panic!(),
            }
        };
        let backwards: Vec<&CellRecord> = cells.iter().rev().copied().collect();
        let found = told(cells);
        assert_eq!(found, told(&backwards));
        found
    }

    /// A cell of a real machine that is like a report in all that the report says.
    fn like(id: &str, torch: &str, statuses: &[Status]) -> CellRecord {
        let play = play(id);
        let mut like = CellRecord { probe: play.probe.id(), env: play.env.clone(), ..cell(statuses) };
        like.device.native_isa = Some("gfx1010".into());
        like.device.effective_isa = Some("gfx1030:sramecc-:xnack-".into());
        like.libraries = [("torch".to_owned(), torch.to_owned())].into();
        like
    }

    #[test]
    fn a_cell_stands_for_the_report_that_it_plays_or_that_it_is_like() {
        // r1-03 works, spoofed as gfx1030, in f32, with torch 1.13.1+rocm5.2.
        let id = "r1-03";
        let of = |cell: &CellRecord| told(id, &[cell]);
        let played = |statuses: &[Status]| CellRecord {
            reported: Some(id.into()),
            probe: play(id).probe.id(),
            env: play(id).env.clone(),
            machine: Some("rx5700xt".into()),
            ..cell(statuses)
        };
        let like = like(id, "1.13.1+rocm5.2", &[Status::Pass]);
        let mut other = like.clone();
        other.device.native_isa = Some("gfx1030".into());
        let mut native = like.clone();
        native.device.effective_isa = Some("gfx1010".into());
        let not_run = CellRecord { not_run: Some("no time".into()), ..played(&[]) };
        let otherwise = CellRecord { probe: "add/f32/8x8".into(), ..played(&[Status::Pass]) };
        let wrong = "hang where completed, no fault reported is reported";
        assert_eq!(of(&played(&[Status::Pass])), "agrees in 1");
        assert_eq!(of(&like), "agrees in 1");
        assert_eq!(of(&other), "no cell of these runs is like it");
        assert_eq!(of(&native), "no cell of these runs is like it");
        assert_eq!(of(&played(&[Status::Hang])), wrong);
        assert_eq!(of(&not_run), "no time");
        assert!(of(&otherwise).contains("otherwise than this version"));
        // A cell that was not run hides none that was, and a simulated one none of a GPU.
        let hangs = CellRecord { runs: played(&[Status::Hang]).runs, ..like.clone() };
        assert_eq!(told(id, &[&not_run, &like]), "agrees in 1");
        assert_eq!(told(id, &[&like, &hangs]), wrong);
        assert_eq!(told(id, &[&played(&[Status::Pass]), &hangs]), wrong);
    }

    #[test]
    fn what_a_report_names_beside_the_probe_must_be_the_same_and_known() {
        for (id, torch, kernel, part) in [
            // torch 2.2.2+rocm5.7
            ("r1-38", "2.2.1+rocm5.7", &[][..], "agrees"),
            ("r1-38", "2.2.2+rocm5.6", &[], "ran with ROCm 5.6, and the report is of ROCm 5.7"),
            ("r1-38", "2.11.0+rocm7.1", &[], "ran with torch 2.11.0+rocm7.1, and the report is of torch 2.2.2+rocm5.7"),
            ("r1-38", "2.2.2+rocm5.7", &[("amdgpu.runpm", "0")], "ran with amdgpu.runpm=0"),
            // ROCm 7.0.2 and three kernel parameters
            ("r1-32", "2.9.1+rocm7.0", &[], "ran without amdgpu."),
            (
                "r1-32",
                "2.9.1+rocm7.0",
                &[("amdgpu.noretry", "0"), ("amdgpu.vm_fragment_size", "9"), ("amdgpu.mtype_local", "1")],
                "agrees",
            ),
            // A patched amdgpu module.
            ("r1-40", "2.9.1+rocm7.0", &[], "kernel module patch"),
            // torch "nightly" names no version that could be the same.
            ("r1-12", "2.2.2+rocm6.0", &[], "the report is of torch rocm6.0 nightly"),
        ] {
            let statuses = match id {
                "r1-32" => [Status::Crash { signal: crate::domain::Signal(6) }],
                "r1-40" => [Status::MachineHang],
                _ => [Status::Hang],
            };
            let mut cell = like(id, torch, &statuses);
            cell.kernel = kernel.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            cell.runs[0].class = (id == "r1-32").then_some(crate::facts::Class::ApertureViolation);
            cell.runs[0].signatures = vec!["hip_queue_abort_aperture".to_owned()];
            let found = told(id, &[&cell]);
            assert!(found.contains(part), "{id} {torch}: {found}");
        }
        assert_eq!(releases("6.2.4 / 7.0.2"), ["6.2", "7.0"]);
        assert_eq!(releases("TheRock nightly (Aug 2026)"), Vec::<String>::new());
    }
}
