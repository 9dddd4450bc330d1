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

fn analyze(options: &Options, progress: &(dyn Fn(u64, Option<u64>) + Sync)) -> Result<Case, AnalyzeError> {
    let started = Instant::now();
    let mut captures = CaptureSet::open(&options.captures)?;
    let names = captures.names();
    let folder = CaseFolder::create(&output_folder(options, &names), options.force)?;
    let masker = Masker::new(options.reveal_secrets, captures.masking_key());
    let tables = Tables::new(masker.clone(), Arc::clone(&names));
    let mut shards: Vec<Shard> =
        (0..SHARDS).map(|_| Shard::new(Limits::default(), &options.settings, &tables)).collect();
    let mut dealer = Dealer::new(SHARDS);
    let mut collector = Collector::new(&options.settings, TableWriter::new(folder.tables(), options.formats)?);

    let mut next = captures.next_batch(BATCH_FRAMES, BATCH_BYTES);
    let mut last_outputs = Vec::new();
    while let Some((batch, hashing)) = next {
        progress(captures.bytes_read(), captures.total_bytes());
        let (outputs, consumed, following) = in_parallel(
            || {
                dealer.run(&batch, &mut shards);
                shards.iter_mut().map(Shard::take_output).collect::<Vec<_>>()
            },
            || collector.consume(last_outputs),
            || captures.next_batch(BATCH_FRAMES, BATCH_BYTES),
            || hashing.run(),
        );
        consumed?;
        last_outputs = outputs;
        next = following;
    }
    collector.consume(last_outputs)?;
    shards.par_iter_mut().for_each(Shard::finish);
    collector.consume(shards.iter_mut().map(Shard::take_output).collect())?;
    let collected = collector.finish(&tables)?;
    let inputs = captures.into_infos()?;
    write(options, folder, &masker, &names, inputs, dealer.finish(), collected, started)
}

/// Runs the four stages that are under way at once; only the hashing has no result.
fn in_parallel<A: Send, B: Send, C: Send>(
    shards: impl FnOnce() -> A + Send,
    collect: impl FnOnce() -> B + Send,
    read: impl FnOnce() -> C + Send,
    hash: impl FnOnce() + Send,
) -> (A, B, C) {
    let (shards, ((), (collected, read))) =
        rayon::join(shards, || rayon::join(hash, || rayon::join(collect, read)));
    (shards, collected, read)
}
