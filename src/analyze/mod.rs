//! The pipeline: captures and options in, a case folder out.
//!
//! While one batch of frames runs through the shards, the outputs of the one before are judged and written, the one
//! after is read, and the file's bytes are hashed. Nothing depends on the number of threads: batches are cut by
//! counts, shards are many and fixed, and outputs are taken in their order.

mod batch;
mod collect;
mod shard;

use crate::capture::{CaptureError, CaptureSet};
use crate::detect::{Finding, Settings};
use crate::flow::Limits;
use crate::report::{self, CaseFolder, CaseInfo, Formats, ReportError};
use crate::secret::Masker;
use crate::table::Tables;
use batch::Dealer;
use collect::Collector;
use shard::{Output, Shard};
use std::path::PathBuf;

/// Shards of the flow table. Fixed, so that the output does not depend on the machine.
const SHARDS: usize = 64;
/// Frames and bytes of a batch: enough work for every shard, little enough to stay in memory.
const BATCH_FRAMES: usize = 32_768;
const BATCH_BYTES: usize = 32 << 20;

/// What to analyse, and how.
pub struct Options {
    /// Files, folders, patterns, or `-`.
    pub captures: Vec<String>,
    /// Case folder; `None` for `reports/<name of the first capture>`.
    pub output: Option<PathBuf>,
    /// Overwrite a case folder that is there.
    pub force: bool,
    /// Policy and words for the detectors.
    pub settings: Settings,
    /// Show secrets as they are.
    pub reveal_secrets: bool,
    /// File formats of the tables.
    pub formats: Formats,
    /// Threads; `None` for one a core.
    pub threads: Option<usize>,
    /// The command line, for the record.
    pub command_line: Vec<String>,
}

/// A finished case.
pub struct Case {
    /// Where it lies.
    pub folder: PathBuf,
    /// What `case.json` says.
    pub info: CaseInfo,
    /// Findings, by time and id.
    pub findings: Vec<Finding>,
}

/// Why there is no case.
#[derive(Debug, thiserror::Error)]
pub enum AnalyzeError {
    /// Nothing could be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The case could not be written.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// Threads could not be started.
    #[error("cannot start {threads} threads: {cause}")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// What the system said.
        cause: rayon::ThreadPoolBuildError,
    },
}

/// Analyses captures. `progress` is called now and then with bytes read and bytes in all, where that is known.
pub fn run(options: &Options, progress: &(dyn Fn(u64, Option<u64>) + Sync)) -> Result<Case, AnalyzeError> {
    let threads = options.threads.unwrap_or(0);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|cause| AnalyzeError::Threads { threads, cause })?;
    pool.install(|| analyze(options, progress))
}
