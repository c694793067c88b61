//! What a matrix comes to as a whole. A crash that it found is what it is for, and no failure of it.

use crate::domain::Status;

use super::record::CellRecord;

/// How a matrix ended, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// In this many cells rocvet, or a worker's protocol, broke.
    Errors(usize),
    /// This many cells are left, and can still be run.
    Incomplete(usize),
    /// This many cells were not evaluated to the end, or ran on the CPU.
    NotEvaluated(usize),
    /// Every cell has its result, whatever that is.
    Complete,
}

impl Ending {
    /// Of these cells, of which `left` were not begun and can be.
    pub fn of(cells: &[CellRecord], left: usize) -> Self {
        let having = |wanted: fn(&Status) -> bool| {
            let has = |cell: &&CellRecord| cell.runs.iter().any(|run| wanted(&run.status));
            cells.iter().filter(has).count()
        };
        let cut_off = |cell: &&CellRecord| cell.not_run.is_some() || cell.runs.is_empty();
        let errors = having(is_error);
        let cut_off = cells.iter().filter(cut_off).count().saturating_sub(left);
        let without = having(says_nothing) + cut_off;
        if errors > 0 {
            Self::Errors(errors)
        } else if left > 0 {
            Self::Incomplete(left)
        } else if without > 0 {
            Self::NotEvaluated(without)
        } else {
            Self::Complete
        }
    }

    /// Process exit code, as the table of `validate --help` has it.
    pub const fn code(self) -> u8 {
        match self {
            Self::Errors(_) => 70,
            Self::Incomplete(_) => 5,
            Self::NotEvaluated(_) => 3,
            Self::Complete => 0,
        }
    }
}

const fn is_error(status: &Status) -> bool {
    matches!(status, Status::Error { .. })
}

/// Whether a process says nothing about the GPU.
const fn says_nothing(status: &Status) -> bool {
    match status {
        Status::CpuFallback
        | Status::Collateral
        | Status::Skip { .. }
        | Status::NotEvaluated { .. }
        | Status::Missing
        | Status::Aborted => true,
        Status::Pass
        | Status::Fail
        | Status::Crash { .. }
        | Status::Hang
        | Status::MachineHang
        | Status::KernelFault
        | Status::NumericError
        | Status::Flaky
        | Status::ExpectedFailure
        | Status::ExpectedNotEvaluated
        | Status::UnexpectedPass
        | Status::Error { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Signal;
    use crate::matrix::record::tests::cell;

    #[test]
    fn what_a_matrix_found_is_no_failure_of_it_and_what_it_did_not_find_out_is_no_success() {
        let error = || Status::Error { problem: "x".to_owned() };
        let gap = || Status::NotEvaluated { reason: "x".to_owned() };
        let not_run = || CellRecord { not_run: Some("x".into()), ..cell(&[]) };
        for (cells, left, ending, code) in [
            (vec![cell(&[Status::Pass]), cell(&[Status::Hang])], 0, Ending::Complete, 0),
            (vec![cell(&[Status::Crash { signal: Signal(6) }]), cell(&[Status::MachineHang])], 0, Ending::Complete, 0),
            (vec![cell(&[Status::NumericError]), cell(&[Status::Fail, Status::Pass])], 0, Ending::Complete, 0),
            (vec![cell(&[Status::Pass, Status::CpuFallback])], 0, Ending::NotEvaluated(1), 3),
            (vec![cell(&[gap()]), cell(&[Status::Pass])], 0, Ending::NotEvaluated(1), 3),
            // It ended without a result, and would again.
            (vec![not_run()], 0, Ending::NotEvaluated(1), 3),
            (vec![cell(&[gap()]), not_run()], 1, Ending::Incomplete(1), 5),
            (vec![cell(&[Status::Pass, error()]), not_run()], 1, Ending::Errors(1), 70),
        ] {
            let found = Ending::of(&cells, left);
            assert_eq!((found, found.code()), (ending, code), "{cells:?}");
        }
    }
}
