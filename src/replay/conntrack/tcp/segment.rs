//! A TCP header as the tracker reads it.

use super::states::Kind;

pub(super) const FIN: u8 = 1;
pub(super) const SYN: u8 = 2;
pub(super) const RST: u8 = 4;
pub(super) const ACK: u8 = 16;
const URG: u8 = 32;

/// A segment's header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment<'p> {
    pub seq: u32,
    pub ack: u32,
    pub flags: u8,
    pub window: u16,
    /// Sequence number after its last byte; SYN and FIN count as one.
    pub end: u32,
    options: &'p [u8],
}

/// What the options of a SYN offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Offer {
    pub window_scale: Option<u8>,
    pub sack: bool,
}

impl<'p> Segment<'p> {
    /// Header of a transport of `len` bytes, of which `payload` may hold less. `None` if it is cut or absurd.
    pub fn of(payload: &'p [u8], len: u32) -> Option<Self> {
        let head = payload.first_chunk::<20>()?;
        let header_len = u32::from(head[12] >> 4) * 4;
        if header_len < 20 || len < header_len {
            return None;
        }
        let (seq, ack) = (number(head, 4), number(head, 8));
        let flags = head[13];
        let counted = u32::from(flags & SYN != 0) + u32::from(flags & FIN != 0);
        Some(Self {
            seq,
            ack,
            flags,
            window: u16::from_be_bytes([head[14], head[15]]),
            end: seq.wrapping_add(len - header_len).wrapping_add(counted),
            options: payload.get(20..header_len as usize).unwrap_or_default(),
        })
    }

    pub fn has(&self, flags: u8) -> bool {
        self.flags & flags != 0
    }

    pub fn kind(&self) -> Kind {
        match self.flags {
            flags if flags & RST != 0 => Kind::Rst,
            flags if flags & (SYN | ACK) == SYN | ACK => Kind::SynAck,
            flags if flags & SYN != 0 => Kind::Syn,
            flags if flags & FIN != 0 => Kind::Fin,
            flags if flags & ACK != 0 => Kind::Ack,
            _ => Kind::None,
        }
    }

    /// `false` for scans and garbage: PSH, ECE and CWR may stand anywhere.
    pub fn has_valid_flags(&self) -> bool {
        const FIN_ACK: u8 = FIN | ACK;
        const SYN_ACK: u8 = SYN | ACK;
        const RST_ACK: u8 = RST | ACK;
        let flags = self.flags & (FIN | SYN | RST | ACK | URG);
        match flags & !URG {
            SYN | FIN_ACK | ACK => true,
            SYN_ACK | RST | RST_ACK => flags & URG == 0,
            _ => false,
        }
    }

    /// `true` if there are options at all, of whatever kind.
    pub fn has_options(&self) -> bool {
        !self.options.is_empty()
    }

    /// Window scale and "SACK permitted".
    pub fn offer(&self) -> Offer {
        let mut offer = Offer::default();
        for (kind, value) in options(self.options) {
            match (kind, value) {
                (3, [scale]) => offer.window_scale = Some((*scale).min(14)), // RFC 7323
                (4, []) => offer.sack = true,
                _ => {}
            }
        }
        offer
    }

    /// The highest right edge of a SACK block, if above what is acknowledged.
    pub fn highest_sack(&self) -> u32 {
        let is_sack = |(kind, value): &(u8, &[u8])| *kind == 5 && !value.is_empty() && value.len() % 8 == 0;
        let Some((_, blocks)) = options(self.options).find(is_sack) else { return self.ack };
        blocks
            .as_chunks::<8>()
            .0
            .iter()
            .map(|block| number(block, 4))
            .fold(self.ack, |highest, edge| if after(edge, highest) { edge } else { highest })
    }
}

/// Options up to the first that is cut or absurd: kind and value.
fn options(mut rest: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        while let [1, after @ ..] = rest {
            rest = after; // no operation
        }
        let [kind @ 2..=255, len, ..] = *rest else { return None };
        let value = rest.get(2..usize::from(len))?;
        rest = rest.get(usize::from(len)..)?;
        Some((kind, value))
    })
}

/// Number at a place of a header, which is long enough.
fn number<const N: usize>(bytes: &[u8; N], at: usize) -> u32 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).copied().map(u32::from_be_bytes).unwrap_or_default()
}

/// `a` comes after `b`, modulo 2^32.
pub(super) fn after(a: u32, b: u32) -> bool {
    (b.wrapping_sub(a) as i32) < 0
}

/// `a` comes before `b`, modulo 2^32.
pub(super) fn before(a: u32, b: u32) -> bool {
    after(b, a)
}
