//! `validate run`: the main job.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;

use crate::domain::Provenance;
use crate::host::{Asking, Host};
use crate::plan::{Plan, Target as PlanTarget};
use crate::process::Cancel;
use crate::report::{self, Kind, Target};
use crate::run::{
    Bed, Clock, Coverage, Event, HostRecord, Lab, Options, RunFolder, RunInfo, RunRecord, SCHEMA, execute, exit_of,
};

use super::console::{self, Bar};
use super::exit::{Exit, Failure, Outcome};
use super::selection::SelectionArgs;

/// Run scenarios and give a verdict.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    selection: SelectionArgs,
    /// Cases side by side.
    #[arg(long, short = 'j', value_name = "N", default_value_t = default_jobs())]
    jobs: usize,
    /// Run a case again, up to N times, when it does not come out as expected; one that then does is flaky
    #[arg(long, value_name = "N", default_value_t = 0)]
    retries: u32,
    /// Run on this host folder, simulated or recorded, instead of on each scenario's own machine
    #[arg(long, value_name = "DIR", conflicts_with = "hardware")]
    host: Option<PathBuf>,
    /// Run on this machine
    #[arg(long)]
    hardware: bool,
    /// Report: human, json or junit; `=PATH` writes it to a file
    #[arg(long = "format", value_name = "KIND[=PATH]", default_value = "human")]
    formats: Vec<Target>,
    /// Folder for results; a run leaves run.json, events.jsonl and evidence in a folder of its own there
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
    /// Seconds after which a call of amd-smi is stopped
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    deadline: u64,
}
