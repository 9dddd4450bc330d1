//! Where decoders report to: rows, records for the detectors, findings in stanzas, what was skipped.

use crate::detect::{Finding, Settings, StanzaWatch, stanza_watches};
use crate::evidence::{Seen, Stamp};
use crate::protocol::content::FileSpool;
use crate::protocol::tls::{KeyRing, Keys, Sessions};
use crate::protocol::xmpp::Stanza;
use crate::protocol::{Event, Record, Sink};
use crate::report::{TimelineBuilder, TrafficBuilder};
use crate::table::rows::contacts::Contacts;
use crate::table::{Tables, rows};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What could not be decoded or was given up: how often, and where first.
pub type Skipped = BTreeMap<&'static str, (u64, Stamp)>;

/// What was said about a batch.
pub struct Output {
    /// Events that detectors judge.
    pub records: Vec<Record>,
    /// Findings in stanzas.
    pub findings: Vec<Finding>,
    /// Rows of all tables.
    pub tables: Tables,
    /// What was not decoded.
    pub skipped: Skipped,
    /// Bytes by time.
    pub timeline: TimelineBuilder,
    /// Conversations that ended, by protocol and by address.
    pub traffic: TrafficBuilder,
    /// Sums over packets and conversations.
    pub counts: BTreeMap<&'static str, u64>,
}

impl Output {
    /// Nothing yet. `tables` is the pattern for the rows: masks and capture names.
    pub fn new(tables: &Tables) -> Self {
        Self {
            records: Vec::new(),
            findings: Vec::new(),
            tables: tables.fresh(),
            skipped: Skipped::new(),
            timeline: TimelineBuilder::default(),
            traffic: TrafficBuilder::default(),
            counts: BTreeMap::new(),
        }
    }

    /// Says nothing again, keeping the memory for the next batch.
    pub fn clear(&mut self) {
        self.records.clear();
        self.findings.clear();
        self.tables.clear();
        self.skipped.clear();
        self.timeline = TimelineBuilder::default();
        self.traffic = TrafficBuilder::default();
        self.counts.clear();
    }

    /// Adds to a sum.
    pub fn count(&mut self, what: &'static str, by: u64) {
        if by > 0 {
            *self.counts.entry(what).or_default() += by;
        }
    }
}

/// Takes reports; one a shard, and one for what is read after the shards.
pub struct Desk {
    watches: Vec<Box<dyn StanzaWatch>>,
    spool: Option<FileSpool>,
    /// Keys that are known so far, and sessions that were opened with them.
    keys: Arc<Keys>,
    sessions: Sessions,
    contacts: Contacts,
    /// What was reported since it was last taken.
    pub output: Output,
}

impl Desk {
    /// A desk to which nothing was reported. `tables` is the pattern for its rows; files go to `spool`.
    pub fn new(settings: &Settings, tables: &Tables, spool: Option<FileSpool>) -> Self {
        Self {
            watches: stanza_watches(settings),
            spool,
            keys: Arc::default(),
            sessions: Sessions::default(),
            contacts: Contacts::default(),
            output: Output::new(tables),
        }
    }

    /// From now on these keys are known.
    pub fn set_keys(&mut self, keys: Arc<Keys>) {
        self.keys = keys;
    }

    /// What was reported since the last call. `spare` is a cleared output to write into next.
    pub fn take_output(&mut self, spare: Option<Output>) -> Output {
        self.drain_watches();
        let empty = spare.unwrap_or_else(|| Output::new(&self.output.tables));
        std::mem::replace(&mut self.output, empty)
    }

    /// Who talked to whom, over all that was reported.
    pub fn take_contacts(&mut self) -> Contacts {
        std::mem::take(&mut self.contacts)
    }
}

impl Desk {
    /// Lets the watches tell what detectors are to judge.
    pub fn drain_watches(&mut self) {
        for watch in &mut self.watches {
            watch.drain(&mut self.output.records);
        }
    }
}

impl Sink for Desk {
    fn stanza(&mut self, seen: &Seen<'_>, stanza: &Stanza<'_>) {
        rows::xmpp::append_stanza(&mut self.output.tables, seen, stanza);
        self.contacts.add(seen, stanza);
        for watch in &mut self.watches {
            watch.on_stanza(seen, stanza, &mut self.output.findings);
        }
    }

    fn event(&mut self, seen: &Seen<'_>, event: Event) {
        if let Some(what) = rows::append(&mut self.output.tables, seen, &event) {
            self.skipped(what, seen.last);
        }
        self.output.records.push(Record { at: seen.keep(), event });
    }

    fn skipped(&mut self, what: &'static str, stamp: Stamp) {
        note_skipped(&mut self.output.skipped, what, 1, stamp);
    }

    fn spool(&self) -> Option<&FileSpool> {
        self.spool.as_ref()
    }

    fn keys(&mut self) -> Option<KeyRing<'_>> {
        Some(KeyRing { keys: &self.keys, sessions: &mut self.sessions })
    }
}

/// Adds to what was skipped; the earliest place is kept.
pub fn note_skipped(skipped: &mut Skipped, what: &'static str, times: u64, stamp: Stamp) {
    let entry = skipped.entry(what).or_insert((0, stamp));
    entry.0 += times;
    if stamp.order() < entry.1.order() {
        entry.1 = stamp;
    }
}
