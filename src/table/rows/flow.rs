//! Rows of conversations.

use crate::flow::{FlowSummary, flag_letters};
use crate::table::{TableId, Tables};

/// Appends a conversation that has left the flow table. `first_bytes` are those of an unknown protocol.
pub fn append(tables: &mut Tables, flow: &FlowSummary, protocol: Option<&str>, first_bytes: &[u8]) {
    let [out, back] = &flow.halves;
    let tunnel = Some(&*flow.info.tunnel).filter(|tunnel| !tunnel.is_empty());
    let duration_ns = flow.last.time_ns.saturating_sub(flow.first.time_ns).max(0) as u64;
    tables
        .row(TableId::Flows)
        .time(flow.first.time_ns)
        .time(flow.last.time_ns)
        .capture(flow.first.capture)
        .number(flow.first.frame)
        .number(flow.last.frame)
        .str(&flow.info.community_id)
        .display(flow.info.transport)
        .text(protocol)
        .display(flow.info.orig)
        .display(flow.info.resp)
        .text(tunnel)
        .str(flow.state.name())
        .number(out.packets)
        .number(back.packets)
        .number(out.bytes)
        .number(back.bytes)
        .number(out.payload_bytes)
        .number(back.payload_bytes)
        .str(&flag_letters(out.flags))
        .str(&flag_letters(back.flags))
        .number(out.missing_bytes)
        .number(back.missing_bytes)
        .number(out.retransmitted_bytes + back.retransmitted_bytes)
        .number(out.conflicting_overlaps + back.conflicting_overlaps)
        .number(duration_ns)
        .str(flow.ended_by.name())
        .text((!first_bytes.is_empty()).then(|| printable(first_bytes)).as_deref());
}

/// Printable ASCII as it is, a dot for anything else.
fn printable(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' }).collect()
}
