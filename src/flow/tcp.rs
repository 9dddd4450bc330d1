//! TCP connection state: who opened it, when it is another connection, when it is over. Knows nothing of ordering.

use super::State;
use crate::evidence::{Direction, Transport};
use crate::packet::TcpHead;
use std::net::SocketAddr;

/// FIN flag.
pub const FIN: u8 = 1;
/// SYN flag.
pub const SYN: u8 = 2;
/// RST flag.
pub const RST: u8 = 4;
/// ACK flag.
pub const ACK: u8 = 16;

/// Ports of services that conversations in these captures go to: they tell the server of one whose opening is missing.
const SERVICE_PORTS: &[u16] =
    &[53, 80, 443, 1883, 3478, 4369, 5060, 5061, 5210, 5222, 5223, 5269, 5270, 5280, 5349, 5353, 5443, 7777, 8883];

/// `true` if the sender of this packet is the side that opened the conversation, as far as one packet can tell:
/// by SYN, else by which port is a service's.
pub fn sender_opened(transport: Transport, tcp: Option<&TcpHead>, src: SocketAddr, dst: SocketAddr) -> bool {
    if let Some(tcp) = tcp
        && tcp.flags & SYN != 0
    {
        return tcp.flags & ACK == 0;
    }
    if !matches!(transport, Transport::Tcp | Transport::Udp | Transport::Sctp) {
        return true;
    }
    let known = |end: SocketAddr| SERVICE_PORTS.contains(&end.port());
    let privileged = |end: SocketAddr| end.port() < 1024;
    match (known(src), known(dst)) {
        (true, false) => false,
        (false, true) => true,
        _ => !privileged(src) || privileged(dst),
    }
}

/// What the flags of a connection have shown so far.
#[derive(Debug, Default)]
pub struct Connection {
    syn: [Option<u32>; 2],
    fin: [bool; 2],
    reset_by: Option<Direction>,
}

impl Connection {
    /// Takes the flags of a packet.
    pub fn observe(&mut self, direction: Direction, tcp: &TcpHead) {
        let side = direction.index();
        if tcp.flags & SYN != 0
            && let Some(syn) = self.syn.get_mut(side)
        {
            syn.get_or_insert(tcp.seq);
        }
        if tcp.flags & FIN != 0
            && let Some(fin) = self.fin.get_mut(side)
        {
            *fin = true;
        }
        if tcp.flags & RST != 0 {
            self.reset_by.get_or_insert(direction);
        }
    }

    /// `true` if a SYN from this side (or a SYN-ACK whose SYN was not captured) begins another connection between the same ports: it has another sequence
    /// number than the one that began this. `late` says that the number fits bytes already seen, which makes it the
    /// SYN of this connection, captured late.
    pub fn is_reuse(&self, direction: Direction, tcp: &TcpHead, late: bool) -> bool {
        if tcp.flags & (SYN | RST) != SYN {
            return false;
        }
        match self.syn.get(direction.index()).copied().flatten() {
            Some(seq) => seq != tcp.seq,
            None => !late,
        }
    }

    /// One side has reset the connection.
    pub fn is_reset(&self) -> bool {
        self.reset_by.is_some()
    }

    /// How the connection stands.
    pub fn state(&self, payload_seen: bool) -> State {
        let handshake = (self.syn[0].is_some(), self.syn[1].is_some());
        match (self.reset_by, self.fin) {
            (Some(Direction::FromResp), _) if handshake == (true, false) && !payload_seen => State::Refused,
            (Some(_), _) => State::Reset,
            (None, [true, true]) => State::Closed,
            (None, [true, false] | [false, true]) => State::HalfClosed,
            (None, [false, false]) => match handshake {
                (true, true) => State::Established,
                (true, false) if !payload_seen => State::SynOnly,
                (true, false) => State::Established,
                (false, _) => State::Midstream,
            },
        }
    }
}
