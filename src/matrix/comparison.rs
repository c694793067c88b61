//! What was seen beside what was reported: agreement counted, cell by cell.

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
    /// The same, in this cell.
    Agrees(&'a CellRecord),
    /// Something else.
    Disagrees {
        /// In this cell.
        cell: &'a CellRecord,
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

fn compared<'a>(report: &'static Reported, cells: &[&'a CellRecord]) -> Compared<'a> {
    let play = match reproduction(&report.id).map(|each| &each.how) {
        Some(How::NotRepresentable { reason }) => return Compared::NotRepresentable { reason },
        None => return Compared::NotRepresentable { reason: "nobody said how it is played" },
        Some(How::Played(play)) => play,
    };
    let Some(&cell) = cells.iter().find(|cell| is_of(cell, report, play)) else {
        return Compared::NotRun { reason: "no cell of these runs is like it".to_owned() };
    };
    if cell.runs.is_empty() {
        let reason = cell.not_run.clone().unwrap_or_else(|| "it was not run".to_owned());
        return Compared::NotRun { reason };
    }
    match agreement(report, &cell.seen()) {
        Agreement::Agrees => Compared::Agrees(cell),
        Agreement::Disagrees { why } => Compared::Disagrees { cell, why },
    }
}

/// Whether a cell is the play of a report, or is like it on another machine: the same probe on the same chip, as the same
/// ISA, with the same variables.
fn is_of(cell: &CellRecord, report: &Reported, play: &Play) -> bool {
    if cell.reported.is_some() {
        return cell.reported.as_ref() == Some(&report.id);
    }
    let effective = cell.device.effective_isa.as_deref().map(|isa| isa.split(':').next().unwrap_or(isa));
    cell.probe == play.probe.id()
        && cell.device.native_isa.as_deref() == Some(report.arch.as_str())
        && effective.is_none_or(|isa| isa == report.effective_isa)
        && cell.env == play.env
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

    #[test]
    fn a_cell_stands_for_the_report_that_it_plays_or_that_it_is_like() {
        // r1-03 works, spoofed as gfx1030, in f32.
        let play = match &reproduction("r1-03").unwrap().how {
            How::Played(play) => play,
            How::NotRepresentable { .. } => panic!(),
        };
        let played = CellRecord { reported: Some("r1-03".into()), ..cell(&[Status::Pass]) };
        let mut like = CellRecord { probe: play.probe.id(), env: play.env.clone(), ..cell(&[Status::Pass]) };
        like.device.native_isa = Some("gfx1010".into());
        like.device.effective_isa = Some("gfx1030:sramecc-:xnack-".into());
        let other = {
            let mut other = like.clone();
            other.device.native_isa = Some("gfx1030".into());
            other
        };
        let native = {
            let mut native = like.clone();
            native.device.effective_isa = Some("gfx1010".into());
            native
        };
        let failing = CellRecord { reported: Some("r1-03".into()), ..cell(&[Status::Hang]) };
        let not_run = CellRecord { reported: Some("r1-03".into()), not_run: Some("no time".into()), ..cell(&[]) };
        let of = |cell: &CellRecord| {
            let cells = [cell.clone()];
            let lines = compare(&cells);
            let line = lines.iter().find(|line| line.reported.id == "r1-03").unwrap();
            match &line.compared {
                Compared::Agrees(_) => "agrees".to_owned(),
                Compared::Disagrees { why, .. } => why.clone(),
                Compared::NotRun { reason } => reason.clone(),
                Compared::NotRepresentable { .. } => panic!(),
            }
        };
        assert_eq!(of(&played), "agrees");
        assert_eq!(of(&like), "agrees");
        assert_eq!(of(&other), "no cell of these runs is like it");
        assert_eq!(of(&native), "no cell of these runs is like it");
        assert_eq!(of(&failing), "hang where completed, no fault reported is reported");
        assert_eq!(of(&not_run), "no time");
    }
}
