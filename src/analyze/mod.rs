//! The pipeline: captures and options in, a case folder out.
//!
//! While one batch of frames runs through the shards, the outputs of the one before are judged and written, the one
//! after is read, and the file's bytes are hashed. Nothing depends on the number of threads: batches are cut by
//! counts, shards are many and fixed, and outputs are taken in their order.

mod batch;
mod collect;
mod desk;
mod keys;
mod shard;

use crate::capture::{CaptureError, CaptureInfo, CaptureSet, Spool};
use crate::detect::{Evidence, Settings};
use crate::flow::Limits;
use crate::protocol::content::FileSpool;
use crate::protocol::tls::Keys;
use crate::report::{
    self, CaseFolder, CaseInfo, CaseStats, FindingRecord, Formats, Input, LeftOut, Place, ReportError, Skipped,
    TableWriter,
};
use crate::secret::Masker;
use crate::table::Tables;
use batch::{DealCounts, Dealer};
use collect::{Collected, Collector};
use desk::Desk;
use keys::KnownKeys;
use rayon::prelude::*;
use shard::Shard;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Shards of the flow table. Fixed, so that the output does not depend on the machine.
const SHARDS: usize = 64;
/// Addresses in the chart of top talkers.
const TOP_TALKERS: usize = 10;
/// Frames and bytes of a batch: enough work for every shard, little enough to stay in memory.
const BATCH_FRAMES: usize = 16_384;
const BATCH_BYTES: usize = 32 << 20;

/// What to analyse, and how.
pub struct Options {
    /// Files, folders, patterns, or `-`.
    pub captures: Vec<String>,
    /// What was kept of those that can be read only once, if they will be read again.
    pub kept: Spool,
    /// Case folder; `None` for `reports/<name of the first capture>`.
    pub output: Option<PathBuf>,
    /// Overwrite a case folder that is there.
    pub force: bool,
    /// Policy and words for the detectors.
    pub settings: Settings,
    /// Keys for TLS.
    pub keys: Keys,
    /// Lines of key logs that could not be used: told among what was skipped.
    pub malformed_key_lines: u64,
    /// Show secrets as they are.
    pub reveal_secrets: bool,
    /// File formats of the tables.
    pub formats: Formats,
    /// Write the findings as Suricata's EVE JSON too.
    pub eve: bool,
    /// Carve the files that moved.
    pub extract_files: bool,
    /// Threads; `None` for one a core.
    pub threads: Option<usize>,
    /// The command line, for the record.
    pub command_line: Vec<String>,
}

/// A finished case.
pub struct Case {
    /// Where it lies.
    pub folder: CaseFolder,
    /// What `case.json` says.
    pub info: CaseInfo,
    /// Findings as written, by time and id.
    pub findings: Vec<FindingRecord>,
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
    let mut captures = CaptureSet::open_again(&options.captures, &options.kept)?;
    let names = captures.names();
    let output = options.output.clone().unwrap_or_else(|| default_folder(options, &names));
    let folder = CaseFolder::create(output, options.force)?;
    let masker = Masker::new(options.reveal_secrets, captures.masking_key());
    let tables = Tables::new(masker.clone(), Arc::clone(&names));
    let spool = if options.extract_files { Some(FileSpool::new(folder.files()?)) } else { None };
    let desk = || Desk::new(&options.settings, &tables, spool.clone());
    // With a private key, a session that is resumed can be opened only by what its first connection told, which may have
    // been between other hosts: then nothing runs side by side.
    let count = if options.keys.has_server_keys() { 1 } else { SHARDS };
    let mut shards: Vec<Shard> = (0..count).map(|_| Shard::new(Limits::of_one_among(count), desk())).collect();
    let mut dealer = Dealer::new(count);
    let mut collector = Collector::new(&options.settings, desk(), TableWriter::new(folder.tables()?, options.formats)?);

    let mut keys = KnownKeys::new(&options.keys, &mut shards);
    let mut next = captures.next_batch(BATCH_FRAMES, BATCH_BYTES);
    let (mut last_outputs, mut spares) = (Vec::new(), Vec::new());
    while let Some((batch, hashing)) = next {
        progress(captures.bytes_read(), captures.total_bytes());
        keys.learn(&mut captures, &mut shards);
        let (outputs, consumed, following) = in_parallel(
            || {
                dealer.run(&batch, &mut shards);
                shards.iter_mut().map(|shard| shard.take_output(spares.pop())).collect::<Vec<_>>()
            },
            || collector.consume(last_outputs),
            || captures.next_batch(BATCH_FRAMES, BATCH_BYTES),
            || hashing.run(),
        );
        spares = consumed?;
        last_outputs = outputs;
        next = following;
    }
    collector.consume(last_outputs)?;
    shards.par_iter_mut().for_each(Shard::finish);
    collector.consume(shards.iter_mut().map(|shard| shard.take_output(None)).collect())?;
    let contacts = shards.iter_mut().map(Shard::take_contacts).collect();
    drop(shards);
    collector.add_contacts(contacts);
    let mut collected = collector.finish(&tables)?;
    if let Some(spool) = &spool {
        keep_carved(spool, &folder, &mut collected)?;
    }
    let left_out = captures
        .skipped_inputs()
        .iter()
        .map(|input| LeftOut { path: input.path.clone(), reason: input.reason.clone() });
    let left_out = left_out.collect();
    let inputs = captures.into_infos();
    let findings = std::mem::take(&mut collected.findings);
    let mut info = case_info(options, &names, &inputs, &dealer.finish(), collected);
    info.left_out = left_out;
    if let Some(count) = spool.map(|spool| spool.failed()).filter(|count| *count > 0) {
        info.skipped.insert("files.not-written".to_owned(), Skipped { count, first: None });
    }
    let malformed = options.malformed_key_lines + keys.malformed_lines();
    if malformed > 0 {
        info.skipped.insert("tls.malformed-key-lines".to_owned(), Skipped { count: malformed, first: None });
    }
    let findings = report::write_case(&folder, &mut info, &findings, &masker, started)?;
    if options.eve {
        report::write_eve(&folder, &findings)?;
    }
    Ok(Case { folder, info, findings })
}

/// Of the files that were carved, those that findings name stay: HTTP carries much that is no file, and a relayed file
/// was carved on each of its connections.
fn keep_carved(spool: &FileSpool, folder: &CaseFolder, collected: &mut Collected) -> Result<(), AnalyzeError> {
    let named = collected.findings.iter().flat_map(|finding| &finding.evidence).filter_map(|evidence| match evidence {
        ("saved_as", Evidence::Text(path)) => path.strip_prefix("files/").map(str::to_owned),
        _ => None,
    });
    let named = named.collect();
    spool.keep_only(&named).map_err(ReportError::io("clean", &folder.files()?))?;
    collected.counts.insert("carved_files", named.len() as u64);
    Ok(())
}

/// `reports/` and the name of what was asked for first; a pattern gives way to the first capture that fits it.
fn default_folder(options: &Options, names: &[String]) -> PathBuf {
    let asked = options.captures.first().map_or("-", String::as_str);
    let exists = asked == "-" || Path::new(asked).exists();
    CaseFolder::default_path(if exists { asked } else { names.first().map_or("-", String::as_str) })
}

fn case_info(
    options: &Options,
    names: &[String],
    inputs: &[CaptureInfo],
    dealt: &DealCounts,
    collected: Collected,
) -> CaseInfo {
    let mut info = CaseInfo::new(options.command_line.clone());
    info.inputs = inputs.iter().map(Input::from).collect();
    for (what, (count, first)) in &collected.skipped {
        info.skipped.insert((*what).to_owned(), Skipped { count: *count, first: Some(Place::of(*first, names)) });
    }
    for (what, count) in &dealt.frames.undecodable {
        let first = dealt.first_undecodable.get(what).map(|stamp| Place::of(*stamp, names));
        info.skipped.insert((*what).to_owned(), Skipped { count: *count, first });
    }
    if collected.traffic.folded_addresses() > 0 {
        let count = collected.traffic.folded_addresses();
        info.skipped.insert("report.addresses-beyond-limit".to_owned(), Skipped { count, first: None });
    }
    info.statistics.insert("packets".to_owned(), packet_statistics(dealt));
    let flows = collected.counts.iter().map(|(what, count)| ((*what).to_owned(), *count)).collect();
    info.statistics.insert("flows".to_owned(), flows);
    let not_ip = dealt.frames.not_ip.iter().map(|(kind, count)| (kind.to_string(), *count)).collect();
    info.statistics.insert("not_ip".to_owned(), not_ip);
    let nodes_of = |address| collected.nodes.nodes_of(address).into_iter().map(str::to_owned).collect();
    info.traffic = CaseStats {
        traffic_by_protocol: collected.traffic.by_protocol(),
        top_talkers: collected.traffic.top_talkers(TOP_TALKERS, nodes_of),
        timeline: collected.timeline.finish(),
    };
    info.tables = collected.table_rows;
    info.table_formats = options.formats.endings().into_iter().map(str::to_owned).collect();
    info.threads = rayon::current_num_threads();
    info
}

fn packet_statistics(dealt: &DealCounts) -> BTreeMap<String, u64> {
    let (frames, fragments) = (&dealt.frames, &dealt.fragments);
    let numbers = [
        ("packets", frames.packets),
        ("fragments", frames.fragments),
        ("bad_checksums", frames.bad_checksums),
        ("truncated", frames.truncated),
        ("headless", frames.headless),
        ("datagrams_put_together", fragments.completed),
        ("fragment_duplicates", fragments.duplicates),
        ("fragment_overlaps", fragments.overlaps),
        ("fragment_conflicts", fragments.conflicts),
        ("fragments_malformed", fragments.malformed),
        ("fragments_out_of_range", fragments.out_of_range),
        ("datagrams_timed_out", fragments.timed_out),
        ("datagrams_unfinished", fragments.unfinished),
        ("datagrams_dropped_by_limit", fragments.dropped_by_limit),
    ];
    numbers.into_iter().filter(|(_, count)| *count > 0).map(|(what, count)| (what.to_owned(), count)).collect()
}

/// Runs the four stages that are under way at once; only the hashing has no result.
fn in_parallel<A: Send, B: Send, C: Send>(
    shards: impl FnOnce() -> A + Send,
    collect: impl FnOnce() -> B + Send,
    read: impl FnOnce() -> C + Send,
    hash: impl FnOnce() + Send,
) -> (A, B, C) {
    let (shards, ((), (collected, read))) = rayon::join(shards, || rayon::join(hash, || rayon::join(collect, read)));
    (shards, collected, read)
}
