//! One shard: its conversations, and what they have said since the last batch.
//!
//! A shard needs nothing from another shard, and what leaves it is plain data.

use crate::detect::{Finding, Settings, StanzaWatch, stanza_watches};
use crate::evidence::{Seen, Stamp};
use crate::flow::{self, Chunk, End, FlowSummary, FlowTable, Gap, Handler, Limits, PacketView};
use crate::protocol::xmpp::Stanza;
use crate::protocol::{Conversation, Event, Record, Sink};
use crate::report::{FlowTraffic, TimelineBuilder, TrafficBuilder};
use crate::table::{Tables, rows};
use std::collections::BTreeMap;

/// What could not be decoded or was given up: how often, and where first.
pub type Skipped = BTreeMap<&'static str, (u64, Stamp)>;

/// What a shard has to say about a batch.
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
    fn new(tables: &Tables) -> Self {
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

    fn count(&mut self, what: &'static str, by: u64) {
        if by > 0 {
            *self.counts.entry(what).or_default() += by;
        }
    }
}

/// A shard of the pipeline.
pub struct Shard {
    flows: FlowTable<Conversation>,
    desk: Desk,
}

impl Shard {
    /// A shard without conversations. `tables` is the pattern for its rows: masks and capture names.
    pub fn new(limits: Limits, settings: &Settings, tables: &Tables) -> Self {
        let desk = Desk { watches: stanza_watches(settings), output: Output::new(tables) };
        Self { flows: FlowTable::new(limits), desk }
    }

    /// Takes a packet, in capture order.
    pub fn packet(&mut self, view: &PacketView<'_>, recall: &impl flow::half::Recall) {
        self.desk.output.timeline.add(view.stamp.time_ns, u64::from(view.packet.ip_len));
        self.flows.packet(view, recall, &mut self.desk);
    }

    /// The captures end.
    pub fn finish(&mut self) {
        self.flows.finish(&mut self.desk);
        let counts = self.flows.counts();
        self.desk.output.count("flows", counts.flows);
        self.desk.output.count("flows_evicted", counts.evicted);
        self.desk.output.count("reassembly_waits_given_up", counts.waits_given_up);
    }

    /// What was said since the last call. `spare` is a cleared output to write into next.
    pub fn take_output(&mut self, spare: Option<Output>) -> Output {
        let empty = spare.unwrap_or_else(|| Output::new(&self.desk.output.tables));
        std::mem::replace(&mut self.desk.output, empty)
    }
}

/// Where conversations report to.
struct Desk {
    watches: Vec<Box<dyn StanzaWatch>>,
    output: Output,
}

impl Handler for Desk {
    type Conversation = Conversation;

    fn data(&mut self, conversation: &mut Conversation, chunk: &Chunk<'_>) {
        conversation.data(chunk, self);
    }

    fn gap(&mut self, conversation: &mut Conversation, gap: &Gap<'_>) {
        conversation.gap(gap, self);
    }

    fn end(&mut self, conversation: &mut Conversation, end: &End<'_>) {
        conversation.end(end, self);
    }

    fn close(&mut self, conversation: &mut Conversation, summary: &FlowSummary) {
        let protocol = conversation.protocol();
        rows::flow::append(&mut self.output.tables, summary, protocol, conversation.first_bytes());
        let [out, back] = &summary.halves;
        self.output.traffic.add(&FlowTraffic {
            protocol: protocol.unwrap_or("unknown"),
            orig: summary.info.orig.ip(),
            resp: summary.info.resp.ip(),
            bytes_out: out.bytes,
            bytes_in: back.bytes,
            packets: out.packets + back.packets,
        });
        for half in &summary.halves {
            self.output.count("missing_stream_bytes", half.missing_bytes);
            self.output.count("retransmitted_bytes", half.retransmitted_bytes);
            self.output.count("conflicting_overlaps", half.conflicting_overlaps);
            self.output.count("unverified_overlaps", half.unverified_overlaps);
            self.output.count("segments_out_of_window", half.out_of_window);
        }
    }
}

impl Sink for Desk {
    fn stanza(&mut self, seen: &Seen<'_>, stanza: &Stanza<'_>) {
        rows::xmpp::append_stanza(&mut self.output.tables, seen, stanza);
        for watch in &mut self.watches {
            watch.on_stanza(seen, stanza, &mut self.output.findings);
        }
    }

    fn event(&mut self, seen: &Seen<'_>, event: Event) {
        rows::append(&mut self.output.tables, seen, &event);
        self.output.records.push(Record { at: seen.keep(), event });
    }

    fn skipped(&mut self, what: &'static str, stamp: Stamp) {
        note_skipped(&mut self.output.skipped, what, 1, stamp);
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
