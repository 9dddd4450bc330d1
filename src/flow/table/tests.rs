//! Connections as they begin, break off, are reused and end.
#![allow(clippy::unwrap_used)] // tests

use super::*;
use crate::evidence::Direction;
use crate::flow::{Chunk, End, Gap, State};
use crate::packet::TcpHead;

#[derive(Default)]
struct Log {
    lines: Vec<String>,
    closed: Vec<FlowSummary>,
}

impl Handler for Log {
    type Conversation = u32;

    fn data(&mut self, conversation: &mut u32, chunk: &Chunk<'_>) {
        *conversation += 1;
        let text = String::from_utf8_lossy(chunk.data);
        self.lines.push(format!("{} {text}@{}", arrow(chunk.direction), chunk.stamp.frame));
    }

    fn gap(&mut self, _: &mut u32, gap: &Gap<'_>) {
        self.lines.push(format!("{} gap {}", arrow(gap.direction), gap.bytes));
    }

    fn end(&mut self, _: &mut u32, _: &End<'_>) {
        self.lines.push("end".to_owned());
    }

    fn close(&mut self, _: &mut u32, summary: &FlowSummary) {
        self.closed.push(summary.clone());
    }
}

fn arrow(direction: Direction) -> char {
    if direction == Direction::FromOrig { '>' } else { '<' }
}

struct Lab {
    table: FlowTable<u32>,
    log: Log,
    frame: u64,
    now_ns: i64,
}

impl Lab {
    fn new(limits: Limits) -> Self {
        Self { table: FlowTable::new(limits), log: Log::default(), frame: 0, now_ns: 0 }
    }

    /// A TCP packet of the client (port 40000) to the server (port 5222), or back.
    fn tcp(&mut self, from_client: bool, flags: u8, seq: u32, ack: u32, data: &[u8]) {
        self.tcp_of(40_000, from_client, flags, seq, ack, data);
    }

    fn tcp_of(&mut self, client_port: u16, from_client: bool, flags: u8, seq: u32, ack: u32, data: &[u8]) {
        let (client, server) = ("10.0.0.7".parse().unwrap(), "10.0.0.1".parse().unwrap());
        let (src, dst) = if from_client { (client, server) } else { (server, client) };
        let (src_port, dst_port) = if from_client { (client_port, 5222) } else { (5222, client_port) };
        let len = data.len() as u32;
        let packet = Packet {
            src,
            dst,
            protocol: 6,
            src_port,
            dst_port,
            ip_offset: 0,
            ip_len: 40 + len,
            transport_offset: 0,
            payload_offset: 0,
            payload_len: len,
            wire_payload_len: len,
            tcp: Some(TcpHead { seq, ack, window: 1000, flags }),
            bad_checksum: false,
            tunnel: None,
        };
        self.frame += 1;
        self.now_ns += 1_000_000;
        let stamp = Stamp { frame: self.frame, time_ns: self.now_ns, ..Stamp::default() };
        let view = PacketView { packet: &packet, data, stamp, place: Place::default() };
        self.table.packet(&view, &(), &mut self.log);
    }

    fn handshake(&mut self) {
        self.tcp(true, 2, 99, 0, b"");
        self.tcp(false, 18, 499, 100, b"");
        self.tcp(true, 16, 100, 500, b"");
    }

    fn finish(mut self) -> Log {
        self.table.finish(&mut self.log);
        self.log
    }
}

#[test]
fn both_directions_are_handed_on_in_the_order_of_time() {
    let mut lab = Lab::new(Limits::default());
    lab.handshake();
    lab.tcp(true, 24, 100, 500, b"hello");
    lab.tcp(false, 24, 500, 105, b"world");
    lab.tcp(true, 17, 105, 505, b"");
    lab.tcp(false, 17, 505, 106, b"");
    let log = lab.finish();
    assert_eq!(log.lines, ["> hello@4", "< world@5", "end"]);
    let flow = &log.closed[0];
    assert_eq!((flow.state, flow.halves[0].packets, flow.halves[1].payload_bytes), (State::Closed, 4, 5));
    assert_eq!(flow.info.orig.port(), 40_000);
}

#[test]
fn server_is_told_by_syn_ack_or_port_when_the_beginning_is_missing() {
    for flags in [18, 24] {
        let mut lab = Lab::new(Limits::default());
        lab.tcp(false, flags, 500, 100, b"data");
        let log = lab.finish();
        assert_eq!(log.closed[0].info.orig.port(), 40_000, "flags {flags}");
    }
}

#[test]
fn loss_that_the_peer_acknowledged_becomes_a_gap_after_patience() {
    let mut lab = Lab::new(Limits::default());
    lab.handshake();
    lab.tcp(true, 24, 110, 500, b"late");
    lab.tcp(false, 16, 500, 114, b"");
    assert!(lab.log.lines.is_empty(), "a disordered capture may still bring the bytes");
    lab.now_ns += 2 * SECOND_NS;
    lab.tcp(false, 16, 500, 114, b"");
    assert_eq!(lab.log.lines, ["> gap 10", "> late@4"]);
}

#[test]
fn new_syn_between_the_same_ports_is_another_connection() {
    let mut lab = Lab::new(Limits::default());
    lab.handshake();
    lab.tcp(true, 24, 100, 500, b"one");
    lab.tcp(true, 2, 99, 0, b"");
    lab.tcp(true, 2, 7_000, 0, b"");
    lab.tcp(true, 24, 7_001, 0, b"two");
    let log = lab.finish();
    assert_eq!(log.lines, ["> one@4", "end", "> two@7", "end"]);
    assert_eq!(log.closed[0].ended_by, EndedBy::PortReuse);
}

#[test]
fn data_in_a_syn_counts_and_data_in_a_rst_does_not() {
    let mut lab = Lab::new(Limits::default());
    lab.tcp(true, 2, 99, 0, b"early");
    lab.tcp(false, 18, 499, 105, b"");
    lab.tcp(false, 4, 500, 0, b"reset cause");
    let log = lab.finish();
    assert_eq!(log.lines, ["> early@1", "end"]);
    assert_eq!(log.closed[0].state, State::Reset);
}

#[test]
fn refused_and_unanswered_connections_are_told_apart() {
    let mut lab = Lab::new(Limits::default());
    lab.tcp_of(1, true, 2, 9, 0, b"");
    lab.tcp_of(1, false, 20, 0, 10, b"");
    lab.tcp_of(2, true, 2, 9, 0, b"");
    let log = lab.finish();
    let mut states: Vec<_> = log.closed.iter().map(|flow| (flow.info.orig.port(), flow.state)).collect();
    states.sort_by_key(|(port, _)| *port);
    assert_eq!(states, [(1, State::Refused), (2, State::SynOnly)]);
}

#[test]
fn full_table_gives_up_the_flow_that_was_silent_longest() {
    let mut lab = Lab::new(Limits { max_flows: 2, ..Limits::default() });
    lab.tcp_of(1, true, 2, 9, 0, b"");
    lab.tcp_of(2, true, 2, 9, 0, b"");
    lab.tcp_of(1, true, 24, 10, 0, b"x");
    lab.tcp_of(3, true, 2, 9, 0, b"");
    assert_eq!(lab.log.closed[0].info.orig.port(), 2);
    assert_eq!(lab.log.closed[0].ended_by, EndedBy::Evicted);
    assert_eq!(lab.table.counts().evicted, 1);
}

#[test]
fn waiting_bytes_are_bounded_and_given_up_oldest_first() {
    let mut lab = Lab::new(Limits { max_waiting: 10, ..Limits::default() });
    for port in [1, 2] {
        lab.tcp_of(port, true, 2, 9, 0, b"");
        lab.tcp_of(port, true, 24, 20, 0, b"12345678");
    }
    assert_eq!(lab.log.lines, ["> gap 10", "> 12345678@2"]);
    assert_eq!((lab.table.waiting, lab.table.counts().waits_given_up), (8, 1));
    assert_eq!(lab.finish().lines.len(), 6);
}

#[test]
fn silent_flows_time_out_in_capture_time() {
    let mut lab = Lab::new(Limits::default());
    lab.handshake();
    lab.now_ns += 3 * 3_600 * SECOND_NS;
    lab.tcp_of(2, true, 2, 9, 0, b"");
    assert_eq!(lab.log.closed[0].ended_by, EndedBy::Timeout);
}
