//! One conversation of the table.

use super::{Limits, List, PacketView};
use crate::evidence::{Direction, FlowInfo, Stamp, Transport};
use crate::flow::half::HalfStream;
use crate::flow::key::FlowKey;
use crate::flow::segment::{Piece, Recall, Segment};
use crate::flow::tcp::{self, Connection};
use crate::flow::{Chunk, End, Gap, HalfSummary, Handler, State};
use crate::packet::TcpHead;
use std::net::SocketAddr;
use std::sync::Arc;

/// One conversation: its streams or datagrams, and who reads them.
pub(super) struct Flow<C> {
    pub(super) key: FlowKey,
    pub(super) info: Arc<FlowInfo>,
    pub(super) first: Stamp,
    pub(super) last: Stamp,
    pub(super) list: List,
    pub(super) ended: bool,
    pub(super) queued: bool,
    pub(super) connection: Connection,
    pub(super) halves: [HalfStream; 2],
    pub(super) counts: [HalfSummary; 2],
    pub(super) conversation: C,
}

impl<C> Flow<C> {
    pub(super) fn is_reused_by(&self, src: SocketAddr, tcp: Option<&TcpHead>) -> bool {
        let Some(tcp) = tcp else { return false };
        let direction = self.direction(src);
        let distance = self.halves[direction.index()].distance(tcp.seq.wrapping_add(1));
        // A late SYN lies before the bytes that were seen, by no more than a window.
        let late = distance.is_none_or(|distance| (-(1 << 20)..=0).contains(&distance));
        self.connection.is_reuse(direction, tcp, late)
    }

    pub(super) fn direction(&self, src: SocketAddr) -> Direction {
        if src == self.info.orig { Direction::FromOrig } else { Direction::FromResp }
    }

    pub(super) fn waiting_bytes(&self) -> usize {
        self.halves.iter().map(HalfStream::waiting_bytes).sum()
    }

    pub(super) fn list_now(&self) -> List {
        match self.key.transport {
            Transport::Tcp if self.ended || self.connection.is_reset() => List::Closed,
            Transport::Tcp => List::Tcp,
            _ => List::Datagram,
        }
    }

    pub(super) fn state(&self) -> State {
        let payload = self.counts.iter().any(|half| half.payload_bytes > 0);
        match self.key.transport {
            Transport::Tcp => self.connection.state(payload),
            _ if self.counts.iter().all(|half| half.packets > 0) => State::TwoWay,
            _ => State::OneWay,
        }
    }

    pub(super) fn feed<H: Handler<Conversation = C>>(
        &mut self,
        src: SocketAddr,
        view: &PacketView<'_>,
        limits: &Limits,
        recall: &impl Recall,
        handler: &mut H,
    ) {
        let direction = self.direction(src);
        let counts = &mut self.counts[direction.index()];
        counts.packets += 1;
        counts.bytes += u64::from(view.packet.ip_len);
        counts.payload_bytes += u64::from(view.packet.wire_payload_len);
        match &view.packet.tcp {
            Some(tcp) => self.feed_tcp(direction, tcp, view, limits, recall, handler),
            None => self.feed_datagram(direction, view, handler),
        }
    }

    pub(super) fn feed_datagram<H: Handler<Conversation = C>>(
        &mut self,
        direction: Direction,
        view: &PacketView<'_>,
        handler: &mut H,
    ) {
        let data = view.payload();
        if self.key.transport == Transport::Udp && !data.is_empty() {
            let counts = &mut self.counts[direction.index()];
            let offset = counts.stream_bytes;
            counts.stream_bytes += data.len() as u64;
            let chunk = Chunk { flow: &self.info, direction, data, offset, stamp: view.stamp };
            handler.data(&mut self.conversation, &chunk);
        }
    }

    pub(super) fn feed_tcp<H: Handler<Conversation = C>>(
        &mut self,
        direction: Direction,
        tcp: &TcpHead,
        view: &PacketView<'_>,
        limits: &Limits,
        recall: &impl Recall,
        handler: &mut H,
    ) {
        let side = direction.index();
        self.counts[side].flags |= tcp.flags;
        self.connection.observe(direction, tcp);
        let mut seq = tcp.seq;
        if tcp.flags & tcp::SYN != 0 {
            seq = seq.wrapping_add(1);
            self.halves[side].begin(seq);
        }
        if tcp.flags & tcp::ACK != 0 {
            self.halves[1 - side].acknowledged(tcp.ack);
        }
        let payload_len = view.packet.wire_payload_len;
        // What a RST carries is a diagnostic, not part of the stream (RFC 9293, 3.5.3).
        if payload_len > 0 && tcp.flags & tcp::RST == 0 && !self.ended {
            let segment =
                Segment { seq, data: view.payload(), wire_len: payload_len, stamp: view.stamp, place: view.place };
            self.pass(direction, handler, |half, counts, emit| {
                half.segment(&segment, limits.overlap, recall, counts, &mut |piece| emit(piece));
            });
        }
        if tcp.flags & tcp::FIN != 0 {
            self.halves[side].fin(seq.wrapping_add(payload_len));
        }
        self.skip_holes(view.stamp.time_ns, limits, handler);
        if self.halves.iter().all(HalfStream::finished) {
            self.end(handler);
        }
    }

    /// Runs one half and hands what it emits to the handler.
    pub(super) fn pass<H: Handler<Conversation = C>>(
        &mut self,
        direction: Direction,
        handler: &mut H,
        run: impl FnOnce(&mut HalfStream, &mut HalfSummary, &mut dyn FnMut(Piece<'_>)),
    ) {
        let (flow, conversation) = (&self.info, &mut self.conversation);
        let mut emit = |piece: Piece<'_>| match piece {
            Piece::Data { offset, data, stamp } => {
                handler.data(conversation, &Chunk { flow, direction, data, offset, stamp });
            }
            Piece::Gap { bytes, stamp } => handler.gap(conversation, &Gap { flow, direction, bytes, stamp }),
        };
        let side = direction.index();
        run(&mut self.halves[side], &mut self.counts[side], &mut emit);
    }

    pub(super) fn skip_holes<H: Handler<Conversation = C>>(&mut self, now_ns: i64, limits: &Limits, handler: &mut H) {
        for direction in [Direction::FromOrig, Direction::FromResp] {
            while let Some(hole) = self.halves[direction.index()].hole() {
                let waited_ns = now_ns.saturating_sub(hole.since_ns);
                let acked_and_late = hole.acked
                    && (waited_ns > limits.acked_hole_patience_ns || hole.waiting > limits.acked_hole_segments);
                let too_much = self.halves[direction.index()].waiting_bytes() > limits.max_waiting_per_flow;
                if !acked_and_late && !too_much && waited_ns <= limits.hole_patience_ns {
                    break;
                }
                self.pass(direction, handler, |half, counts, emit| half.skip_hole(counts, &mut |piece| emit(piece)));
            }
        }
    }

    /// Passes on all that waits.
    pub(super) fn flush<H: Handler<Conversation = C>>(&mut self, handler: &mut H) {
        if self.waiting_bytes() > 0 {
            for direction in [Direction::FromOrig, Direction::FromResp] {
                self.pass(direction, handler, |half, counts, emit| half.flush(counts, &mut |piece| emit(piece)));
            }
        }
    }

    pub(super) fn end<H: Handler<Conversation = C>>(&mut self, handler: &mut H) {
        if !self.ended {
            self.ended = true;
            handler.end(&mut self.conversation, &End { flow: &self.info, stamp: self.last });
        }
    }
}
