//! What stands below the options of `matrix` in `--help`.

/// Of `matrix run`.
pub(super) const RUN: &str = "\
Examples:
  validate matrix run --reported                     the reported cells, each on a simulated machine that does what was reported
  validate matrix run --reported --report r1-36,r1-35
  validate shim sim --machine rx5700xt --fault probe=hip_queue_abort_aperture@op=conv*
  validate matrix run --host sim --dry-run           what would run, in which order, and what each setting does there
  validate matrix run --host sim --probe conv-boundary --find-modes --repeat 5
  validate matrix run --hardware --worker python=/venvs/rocm62/bin/python --mitigation override-rdna1 --budget 2h
  validate matrix run --resume 20261121T142313Z-001205
  validate matrix show RUN --against reported

Exit codes: 0 every cell has its result, a crash, a hang or wrong numbers among them: to find those is what it is for; 3 some
were not evaluated, or ran on the CPU; 5 some are left (budget, another boot): `--resume` goes on; 64 usage error; 69 a worker
or a permission is missing; 70 rocvet or a worker's protocol broke in some; 112 stopped: the machine cannot be trusted any
more; 130, 143 interrupted";

/// Of `matrix campaign`.
pub(super) const CAMPAIGN: &str = "\
Examples:
  validate matrix campaign --hardware --worker torch=/opt/rocvet/validate-probe-torch --mitigation cwsr-off --dry-run
  validate matrix campaign --hardware --worker torch=/opt/rocvet/validate-probe-torch --mitigation cwsr-off
  validate matrix campaign --resume 20261121T142313Z-001205   after each reboot

A cell runs where its parameters are in force: what /sys/module and the driver show decides, not the command line alone. Lines
for the bootloader are printed with their undo, and nothing here runs them.

Exit codes: 0 every cell has its result, whatever that is; 3 some were not evaluated, or ran on the CPU; 5 some are left:
most often they wait for another boot, and what it prints is next; 64 usage error; 69 a worker or a permission is missing; 70
rocvet or a worker's protocol broke in some; 112 stopped: the machine cannot be trusted any more; 130, 143 interrupted";

/// Of `matrix show`.
pub(super) const SHOW: &str = "\
Examples:
  validate matrix show 20261121T142313Z-001205
  validate matrix show RUN OTHER --format markdown
  validate matrix show RUN --against reported --format html=matrix.html

Exit codes: 0 shown, 64 there is no finished matrix, or it cannot be read, 69 the report cannot be written";
