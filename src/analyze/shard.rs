//! One shard: its conversations, and what they have said since the last batch.
//!
//! A shard needs nothing from another shard, and what leaves it is plain data.

use super::desk::{Desk, Output};
use crate::flow::{self, Chunk, End, FlowSummary, FlowTable, Gap, Handler, Limits, PacketView};
use crate::protocol::Conversation;
use crate::protocol::tls::Keys;
use crate::report::FlowTraffic;
use crate::table::rows;
use crate::table::rows::contacts::Contacts;
use std::sync::Arc;

/// A shard of the pipeline.
pub struct Shard {
    flows: FlowTable<Conversation>,
    desk: Desk,
}

impl Shard {
    /// A shard without conversations, reporting to a desk of its own.
    pub fn new(limits: Limits, desk: Desk) -> Self {
        Self { flows: FlowTable::new(limits), desk }
    }

    /// From now on these keys are known.
    pub fn set_keys(&mut self, keys: Arc<Keys>) {
        self.desk.set_keys(keys);
    }

    /// Takes a packet, in capture order.
    pub fn packet(&mut self, view: &PacketView<'_>, recall: &impl flow::segment::Recall) {
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

    /// Who talked to whom, over all batches.
    pub fn take_contacts(&mut self) -> Contacts {
        self.desk.take_contacts()
    }

    /// What was said since the last call. `spare` is a cleared output to write into next.
    pub fn take_output(&mut self, spare: Option<Output>) -> Output {
        self.desk.take_output(spare)
    }
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
