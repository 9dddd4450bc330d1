//! Rows of conversations.

use crate::flow::{FlowSummary, flag_letters};
use crate::protocol::epmd::Register;
use crate::table::{Rows, TableId, Tables};

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
        .text((!first_bytes.is_empty()).then(|| printable(first_bytes)).as_deref())
        .text(None);
}

/// Fills in the Erlang node to which each conversation went: who listens where is known only after the shards.
pub fn name_nodes(rows: &mut Rows, register: &Register) {
    let place = |name: &str| rows.spec().iter().position(|(column, _)| *column == name);
    let (Some(transport), Some(dst), Some(node)) = (place("transport"), place("dst"), place("node")) else { return };
    let cell = |column: usize, row: usize| rows.columns().get(column).and_then(|column| column.text(row));
    let node_of = |row| {
        let listens = cell(dst, row).filter(|_| cell(transport, row) == Some("tcp"))?.parse().ok()?;
        register.node_at(listens, rows.time_ns(row)).map(str::to_owned)
    };
    let nodes: Vec<Option<String>> = (0..rows.len()).map(node_of).collect();
    rows.set_text(node, nodes.iter().map(Option::as_deref));
}

/// Printable ASCII as it is, a dot for anything else.
fn printable(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' }).collect()
}
