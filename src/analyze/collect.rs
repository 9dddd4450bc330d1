//! After the shards: their outputs in one order, judged, and written as they come.

use super::AnalyzeError;
use super::desk::{Desk, Output, Skipped, note_skipped};
use crate::detect::{self, Detector, Finding, Settings};
use crate::protocol::epmd::Register;
use crate::protocol::{Join, Record, joins};
use crate::report::{TableWriter, TimelineBuilder, TrafficBuilder};
use crate::table::rows::contacts::{ContactTotals, Contacts};
use crate::table::{Picked, Rows, TableId, Tables, rows};
use std::collections::{BTreeMap, HashSet};

/// Findings kept for the report; what is beyond is counted. A person reads none of a million.
const MAX_FINDINGS: usize = 1_000_000;

/// Rows made before they are written, of a table that is written when all is known.
const ROWS_AT_ONCE: usize = 8_192;

/// Takes outputs in the order of batches.
pub struct Collector {
    joins: Vec<Box<dyn Join>>,
    /// Where joins report to.
    desk: Desk,
    /// A cleared output of the desk.
    spare: Option<Output>,
    /// Which Erlang node listens where.
    nodes: Register,
    detectors: Vec<Box<dyn Detector>>,
    writer: TableWriter,
    findings: Findings,
    contacts: ContactTotals,
    /// Bytes by time.
    pub timeline: TimelineBuilder,
    /// Bytes by protocol and address.
    pub traffic: TrafficBuilder,
    /// Sums over packets, conversations, events.
    pub counts: BTreeMap<&'static str, u64>,
    /// What was not decoded.
    pub skipped: Skipped,
}

/// All that is left when the captures have ended.
pub struct Collected {
    /// Findings in the order in which they were made.
    pub findings: Vec<Finding>,
    /// Rows written, by table.
    pub table_rows: BTreeMap<String, u64>,
    /// Bytes by time.
    pub timeline: TimelineBuilder,
    /// Bytes by protocol and address.
    pub traffic: TrafficBuilder,
    /// Sums.
    pub counts: BTreeMap<&'static str, u64>,
    /// What was not decoded.
    pub skipped: Skipped,
    /// Which Erlang node listens where.
    pub nodes: Register,
}

impl Collector {
    /// Judges with every detector, writes to `writer`; joins report to `desk`.
    pub fn new(settings: &Settings, desk: Desk, writer: TableWriter) -> Self {
        Self {
            joins: joins(),
            desk,
            spare: None,
            nodes: Register::default(),
            detectors: detect::detectors(settings),
            writer,
            findings: Findings::default(),
            contacts: ContactTotals::default(),
            timeline: TimelineBuilder::default(),
            traffic: TrafficBuilder::default(),
            counts: BTreeMap::new(),
            skipped: Skipped::new(),
        }
    }

    /// Takes what the shards said about one batch; gives the outputs back, cleared.
    pub fn consume(&mut self, mut outputs: Vec<Output>) -> Result<Vec<Output>, AnalyzeError> {
        let judged = self.judge(&mut outputs);
        outputs.push(judged);
        self.take(&mut outputs)?;
        outputs.iter_mut().for_each(Output::clear);
        // The shards get theirs back, for the memory that they have grown to.
        self.spare = outputs.pop();
        Ok(outputs)
    }

    /// Adds up and writes what was said, but for records.
    fn take(&mut self, outputs: &mut [Output]) -> Result<(), AnalyzeError> {
        for output in outputs.iter_mut() {
            self.timeline.merge(&output.timeline);
            self.traffic.merge(&output.traffic);
            for (what, count) in &output.counts {
                *self.counts.entry(what).or_default() += count;
            }
            for (what, (times, stamp)) in &output.skipped {
                note_skipped(&mut self.skipped, what, *times, *stamp);
            }
        }
        // Of findings that say the same the earliest counts, whatever its shard.
        let mut found: Vec<Finding> = outputs.iter_mut().flat_map(|output| output.findings.drain(..)).collect();
        found.sort_by_key(|finding| (finding.time_ns, finding.capture, finding.frames.first().copied()));
        self.findings.extend(found.into_iter());
        self.write(outputs)
    }

    /// Adds who talked to whom in the shards.
    pub fn add_contacts(&mut self, contacts: Vec<Contacts>) {
        self.contacts.merge(contacts);
    }

    /// The captures have ended; `pattern` has the masks and names for rows that findings make.
    pub fn finish(mut self, pattern: &Tables) -> Result<Collected, AnalyzeError> {
        self.finish_joins()?;
        let mut found = Vec::new();
        for detector in &mut self.detectors {
            detector.finish(&mut found);
            for (what, count, first) in detector.left_out() {
                note_skipped(&mut self.skipped, what, count, first);
            }
        }
        self.findings.extend(found.into_iter());
        let mut tables = pattern.fresh();
        self.findings.list.sort_by_key(|finding| (finding.time_ns, finding.capture, finding.frames.first().copied()));
        for finding in &self.findings.list {
            rows::transfers::append(&mut tables, finding);
        }
        self.writer.append(TableId::Transfers, tables.rows(TableId::Transfers))?;
        self.contacts.merge(vec![self.desk.take_contacts()]);
        let mut contacts = self.contacts.in_order().peekable();
        while contacts.peek().is_some() {
            tables.clear();
            rows::contacts::append(&mut tables, contacts.by_ref().take(ROWS_AT_ONCE));
            self.writer.append(TableId::Contacts, tables.rows(TableId::Contacts))?;
        }
        if let Some((count, stamp)) = self.contacts.beyond() {
            note_skipped(&mut self.skipped, "xmpp.contacts-beyond-limit", count, stamp);
        }
        if self.findings.beyond > 0 {
            self.counts.insert("findings_beyond_limit", self.findings.beyond);
        }
        Ok(Collected {
            findings: self.findings.list,
            table_rows: self.writer.finish()?,
            timeline: self.timeline,
            traffic: self.traffic,
            counts: self.counts,
            skipped: self.skipped,
            nodes: self.nodes,
        })
    }

    /// Joins and detectors see events in the order of time; what a join makes of an event comes right behind it.
    /// Returns what joins reported beside records.
    fn judge(&mut self, outputs: &mut [Output]) -> Output {
        let mut records: Vec<_> = outputs.iter_mut().flat_map(|output| output.records.drain(..)).collect();
        records.sort_by_key(|record| record.at.last.order());
        let mut found = Vec::new();
        for record in records {
            self.nodes.on_record(&record);
            let mut told = vec![record];
            for join in &mut self.joins {
                told.iter().for_each(|record| join.on_record(record, &mut self.desk));
                told.append(&mut self.desk.output.records);
            }
            self.detect(&told, &mut found);
        }
        // Stanzas that joins reported are watched here.
        self.desk.drain_watches();
        for record in std::mem::take(&mut self.desk.output.records) {
            for detector in &mut self.detectors {
                detector.on_record(&record, &mut found);
            }
        }
        self.findings.extend(found.into_iter());
        self.desk.take_output(self.spare.take())
    }

    fn detect(&mut self, records: &[Record], found: &mut Vec<Finding>) {
        for record in records {
            for detector in &mut self.detectors {
                detector.on_record(record, found);
            }
        }
    }

    /// No more events will come: joins tell what they still hold.
    fn finish_joins(&mut self) -> Result<(), AnalyzeError> {
        let (mut told, mut found) = (Vec::new(), Vec::new());
        for join in &mut self.joins {
            told.iter().for_each(|record| join.on_record(record, &mut self.desk));
            join.finish(&mut self.desk);
            told.append(&mut self.desk.output.records);
        }
        self.detect(&told, &mut found);
        self.findings.extend(found.into_iter());
        let last = self.desk.take_output(None);
        self.take(&mut [last])
    }

    fn write(&mut self, outputs: &mut [Output]) -> Result<(), AnalyzeError> {
        if !self.nodes.is_empty() {
            for output in outputs.iter_mut() {
                rows::flow::name_nodes(output.tables.rows_mut(TableId::Flows), &self.nodes);
            }
        }
        for &table in TableId::ALL {
            let parts: Vec<&Rows> = outputs.iter().map(|output| output.tables.rows(table)).collect();
            if parts.iter().any(|rows| !rows.is_empty()) {
                let places = in_time_order(&parts);
                self.writer.append_picked(table, Picked { parts: &parts, places: &places })?;
            }
        }
        Ok(())
    }
}

/// Rows of several shards by time; rows of equal time in the order of shards.
fn in_time_order(parts: &[&Rows]) -> Vec<(u16, u32)> {
    let mut order: Vec<(i64, u16, u32)> = Vec::with_capacity(parts.iter().map(|rows| rows.len()).sum());
    for (part, rows) in parts.iter().enumerate() {
        order.extend((0..rows.len()).map(|row| (rows.time_ns(row), part as u16, row as u32)));
    }
    order.sort_unstable();
    order.into_iter().map(|(_, part, row)| (part, row)).collect()
}

/// Findings so far. Those that say the same (a JID that crosses several conversations) are one.
#[derive(Default)]
struct Findings {
    list: Vec<Finding>,
    joined: HashSet<String>,
    beyond: u64,
}

impl Findings {
    fn extend(&mut self, found: impl Iterator<Item = Finding>) {
        for finding in found {
            let new = detect::join_key(&finding).is_none_or(|key| self.joined.insert(key));
            if !new {
                continue;
            }
            if self.list.len() < MAX_FINDINGS {
                self.list.push(finding);
            } else {
                self.beyond += 1;
            }
        }
    }
}
