//! What stands below the options in `--help`: examples, and the exit codes.

use super::exit::TABLE;

/// Of the program.
pub fn program() -> String {
    format!(
        "\
Examples:
  validate                                   every shipped scenario, on simulated machines
  validate -E 'tag(memory)'                  some of them
  validate run --host DIR                    those that apply to a simulated or recorded host
  validate doctor                            what this machine is, and what stands in the way
  validate explain memory.per-device         a check, a finding or a fact: what, why, source, what to do
  validate shim DIR --machine mi300x         a simulated machine whose amd-smi any program can call

{TABLE}"
    )
}

/// Of `run`.
pub fn run() -> String {
    format!(
        "\
Examples:
  validate run                               every shipped scenario, each on its own simulated machine
  validate run my/scenario.toml              a file, or a folder of them
  validate run -E 'part(MI300X) and not tag(faults)'
  validate run --host recordings/mi300x-cpx-nps4-26.2.1
  validate run --host published              a folder that holds only sys/class/kfd/kfd/topology/…, as people publish them
  validate run --host auto                   this machine where it can be queried, else simulated; the report says which
  validate run --format human --format junit=report.xml
  validate run --shard slice:1/4 --shuffle 7 --repeat 3
  validate run --host sim --baseline known.toml
  validate run --hardware --worker old=/rocm6/bin/python --worker new=/rocm7/bin/python
  validate run --on cpu --worker python=/venv/bin/python
  validate run --resume 20261121T142313Z-001205   go on with a run that was interrupted, killed, or took its machine down

Results: RESULTS/<run-id>/run.json (`validate schema run`), events.jsonl, and evidence/ with every call of a case that did not
come out as expected, or ran on a given host. With two workers the exit code is that of the comparison, as of `validate diff`.

{TABLE}"
    )
}

/// Of `list`.
pub const LIST: &str = "\
Examples:
  validate list -E 'check(set.*)'            cases that set something
  validate list --format json | jq '.cases[].id'
  validate list --machines                   names for `validate shim --machine`

Exit codes: 0 listed, 4 nothing matched, 64 usage or scenario error";

/// Of `explain`.
pub const EXPLAIN: &str = "\
Examples:
  validate explain                           every id
  validate explain contradiction.48-vs-24    why documents disagree, and which is right
  validate explain devices.count.one-short   a finding of a report
  validate explain fact.mode.mi300x          all that begin so

Exit codes: 0 explained, 64 nothing is called so";

/// Of `schema`.
pub const SCHEMA: &str = "\
Example:
  validate schema scenario > scenario.schema.json

Exit codes: 0 printed, 64 no such format";

/// Of `shim`, below its machines and faults.
pub const SHIM: &str = "\
Examples:
  validate shim sim --machine mi300x --compute CPX --memory NPS4 --gpus 8
  PATH=$PWD/sim/bin:$PATH amd-smi list
  validate run --host sim
  validate shim sim --like node17            a machine like a recorded one, its faults too

Exit codes: 0 made, 64 there is no such machine, or none can be like the recording, or the folder cannot be used";

/// Of `probe`.
pub const PROBE: &str = "\
Examples:
  validate probe list                        what there is, with why
  validate probe conv-boundary --dtype f16   one of them
  validate probe conv2d --dtype f16 --shape 1x16x44x44 --filters 32x3x3 --padding 1
  validate probe softmax --shape 64x1000
  validate probe conv2d/f32/8x3x224x224/64x7x7/s2p3d1g1/backward-data --seed 7
  validate shim sim --machine rx6800xt --fault probe=hsa_memory_access_fault
  validate probe conv-boundary --engine simulated --host sim --repeat 3
  validate probe conv-boundary memory-churn --engine simulated --host sim --soak 30m
  validate probe conv-boundary --engine torch --on cpu
  validate probe conv-boundary --worker torch=/opt/rocvet/validate-probe-torch --repeat 3
  validate probe conv-boundary --worker python=/venvs/rocm52/bin/python
  validate probe --resume 20261121T142313Z-001205   go on after a signal, a kill or a reboot

Exit codes: 0 every number is right, 1 some are not or a worker died, 3 something could not be evaluated, 64 there is no such
probe, 69 the engine is not there or cannot do it, 70 a worker broke the protocol, 112 stopped: the machine cannot be trusted";

/// Of `shrink`.
pub const SHRINK: &str = "\
Examples:
  validate shrink conv2d/f16/1x16x44x44/32x3x3/s1p1d1g1/forward --worker python=/venv/bin/python
  validate shrink matmul/f32/512x512x512 --host sim --processes 5     for failures that come now and then
  validate shrink CELL --from 20261121T142313Z-001205 --script again.py
  validate shrink --resume 20261121T142313Z-001307   go on after a signal, a kill, a reboot or a budget

What is found is the smallest probe, in how many of --processes it and the case at the start fail, and what reproduces it
without rocvet. The script ends with 0 where the numbers agree, 1 where they differ, 2 where it could not be run.

Exit codes: 0 nothing gets smaller, and the smallest failed again; 3 the smallest did not fail again: more --processes; 4 the
case does not fail; 5 not finished: the budget is used up, --resume goes on; 64 there is no such case; 69 the engine is not
there or cannot do it; 112 stopped: the machine cannot be trusted; 130 and 143 interrupted, --resume goes on";

/// Of `record`.
pub const RECORD: &str = "\
Examples:
  validate record node17                     this machine
  validate record node17 --host sim          a simulated one
  validate run --host node17                 the same checks, later and elsewhere

It holds amd-smi's answers, what the witnesses read of /sys, /proc and /dev, and the lines of the kernel log about the GPU's
driver: with pseudonyms for serial numbers, UUIDs, the host, processes and their units. DIR/manifest.toml lists every file with its
SHA-256 and says what could not be recorded. Nothing in a recording is ever executed.

Exit codes: 0 recorded, 64 usage error, 69 there is nothing to record or it cannot be written, 130 and 143 interrupted";

/// Of `completions`.
pub const COMPLETIONS: &str = "\
Example:
  validate completions bash > ~/.local/share/bash-completion/completions/validate

Exit codes: 0 printed, 64 no such shell";

/// Of `man`.
pub const MAN: &str = "\
Example:
  validate man run | man -l -

Exit codes: 0 printed, 64 no such command";
