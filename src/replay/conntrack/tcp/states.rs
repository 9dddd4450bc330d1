//! Which state follows which, by direction and flags: the table of `nf_conntrack_proto_tcp.c`.

/// State of a TCP connection (`enum tcp_conntrack`), in the kernel's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[allow(missing_docs)] // the kernel's names
pub enum TcpState {
    #[default]
    None,
    SynSent,
    SynRecv,
    Established,
    FinWait,
    CloseWait,
    LastAck,
    TimeWait,
    Close,
    SynSent2,
}

/// What a segment is, by the first of these flags that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Kind {
    Syn,
    SynAck,
    Fin,
    Ack,
    Rst,
    #[default]
    None,
}

/// Where a segment leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    To(TcpState),
    /// Let through, but believed no word of.
    Ignore,
    /// It cannot be.
    Invalid,
}

const SS: Next = Next::To(TcpState::SynSent);
const SR: Next = Next::To(TcpState::SynRecv);
const ES: Next = Next::To(TcpState::Established);
const FW: Next = Next::To(TcpState::FinWait);
const CW: Next = Next::To(TcpState::CloseWait);
const LA: Next = Next::To(TcpState::LastAck);
const TW: Next = Next::To(TcpState::TimeWait);
const CL: Next = Next::To(TcpState::Close);
const S2: Next = Next::To(TcpState::SynSent2);
const IG: Next = Next::Ignore;
const IV: Next = Next::Invalid;

/// Rows: kinds; columns: states, both in their order.
type Table = [[Next; 10]; 6];

#[rustfmt::skip]
const ORIGINAL: Table = [
    //  NO  SS  SR  ES  FW  CW  LA  TW  CL  S2
    [SS, SS, IG, IG, IG, IG, IG, SS, SS, S2], // SYN: also reopens what is closed (RFC 1122)
    [IV, IV, SR, IV, IV, IV, IV, IV, IV, SR], // SYN-ACK: the opener sends one when both open at once
    [IV, IV, FW, FW, LA, LA, LA, TW, CL, IV], // FIN
    [ES, IV, ES, ES, CW, CW, TW, TW, CL, IV], // ACK: without an entry it is picked up
    [IV, CL, CL, CL, CL, CL, CL, CL, CL, CL], // RST
    [IV, IV, IV, IV, IV, IV, IV, IV, IV, IV],
];

#[rustfmt::skip]
const REPLY: Table = [
    //  NO  SS  SR  ES  FW  CW  LA  TW  CL  S2
    [IV, S2, IV, IV, IV, IV, IV, SS, IV, S2], // SYN: both open at once, or the other side reopens
    [IV, SR, IG, IG, IG, IG, IG, IG, IG, SR], // SYN-ACK: may answer a SYN that was ignored
    [IV, IV, FW, FW, LA, LA, LA, TW, CL, IV], // FIN
    [IV, IG, SR, ES, CW, CW, TW, TW, CL, IG], // ACK: of a half-open connection, a challenge
    [IV, CL, CL, CL, CL, CL, CL, CL, CL, CL], // RST
    [IV, IV, IV, IV, IV, IV, IV, IV, IV, IV],
];

/// Where a segment leads from a state.
pub(super) fn next(state: TcpState, kind: Kind, reply: bool) -> Next {
    let table = if reply { &REPLY } else { &ORIGINAL };
    let row = table.get(kind as usize);
    row.and_then(|row| row.get(state as usize)).copied().unwrap_or(IV)
}

impl TcpState {
    /// The connection is on its way out (`tcp_can_early_drop`).
    pub(super) fn is_closing(self) -> bool {
        matches!(self, Self::FinWait | Self::CloseWait | Self::LastAck | Self::TimeWait | Self::Close)
    }
}
