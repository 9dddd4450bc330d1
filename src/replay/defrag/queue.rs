//! One datagram's pieces: `ip_frag_queue`, `nf_ct_frag6_queue`, and what is made of them.

use super::super::skb::Skb;
use super::Whole;
use super::pieces::{Place, Places};
use crate::packet::checksum::Sum;

/// The longest IP packet; of IPv6 without its header.
const MAX_LEN: u32 = 65_535;

/// What a fragment says of itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fragment {
    pub id: u32,
    /// Bytes of the fragment's headers: the pieces' data comes after them.
    headers: u32,
    /// Bytes of these that the whole packet keeps.
    kept: u32,
    /// IPv6: where the type of the header after the fragment header is to be written, and what.
    next_header: Option<(u32, u8)>,
    start: u32,
    end: u32,
    more: bool,
    /// Bit of the two ECN bits' value.
    ecn: u8,
    dont_fragment: bool,
}

/// What became of a fragment.
pub(super) enum Added {
    /// Held, with so many bytes of memory.
    Kept(usize),
    Duplicate,
    /// Not taken; the others stay.
    Refused,
    /// The datagram cannot be.
    Corrupt,
    /// Of a length that cannot be: IPv6 gives the datagram up and lets the fragment pass.
    Unaligned,
    /// Nothing is missing.
    Complete,
}

#[derive(Debug)]
struct Piece {
    start: u32,
    end: u32,
    /// Shorter than its place if the capture cut it.
    data: Box<[u8]>,
}

/// What the piece at offset 0 brings.
#[derive(Debug)]
struct Head {
    bytes: Vec<u8>,
    link: Vec<u8>,
    vlan: Option<u16>,
    mark: u32,
    priority: u32,
}

/// A datagram.
#[derive(Debug)]
pub(super) struct Queue {
    pub ends_ns: i64,
    head: Option<Head>,
    pieces: Vec<Piece>,
    places: Places,
    frames: Vec<u64>,
    /// Highest end seen; the datagram's once its last piece was.
    len: u32,
    has_last: bool,
    taken: u32,
    ecn: u8,
    max_size: u32,
    max_dont_fragment: u32,
    bytes: usize,
    /// Fragments that the sender had sent when the last piece came.
    sender_count: u32,
}

impl Fragment {
    /// Of an IPv4 packet; `None` if it is whole.
    pub fn of_v4(skb: &Skb<'_>) -> Option<Self> {
        if !skb.headers.is_fragment {
            return None;
        }
        let [high, low] = skb.array::<2>(6)?;
        let field = u16::from_be_bytes([high, low]);
        let headers = skb.headers.transport;
        let start = u32::from(field & 0x1fff) * 8;
        Some(Self {
            id: skb.headers.fragment_id,
            headers,
            kept: headers,
            next_header: None,
            start,
            end: start + skb.len.saturating_sub(headers),
            more: field & 0x2000 != 0,
            ecn: 1 << (skb.byte(1)? & 3),
            dont_fragment: field & 0x4000 != 0,
        })
    }

    /// Of an IPv6 packet; `None` if it has no fragment header, or is to pass: a jumbogram, or a first fragment without
    /// its transport header (RFC 8200 section 4.5).
    pub fn of_v6(skb: &Skb<'_>) -> Option<Self> {
        if skb.array::<2>(4)? == [0, 0] {
            return None;
        }
        let (mut kind, mut place, mut named_at) = (skb.byte(6)?, 40_usize, 6_usize);
        while kind != 44 {
            let [next, len] = skb.array::<2>(place)?;
            named_at = place;
            place += match kind {
                0 | 43 | 60 => (usize::from(len) + 1) * 8,
                51 => (usize::from(len) + 2) * 4,
                _ => return None,
            };
            kind = next;
        }
        let [next, _, high, low, id @ ..] = skb.array::<8>(place)?;
        let field = u16::from_be_bytes([high, low]);
        let (start, headers) = (u32::from(field & 0xfff8), place as u32 + 8);
        if start == 0 && lacks_transport(skb, next, place + 8) {
            return None;
        }
        Some(Self {
            id: u32::from_be_bytes(id),
            headers,
            kept: place as u32,
            next_header: Some((named_at as u32, next)),
            start,
            end: start.checked_add(skb.len.checked_sub(headers)?)?,
            more: field & 1 != 0,
            ecn: 1 << ((skb.byte(1)? >> 4) & 3),
            dont_fragment: false,
        })
    }

    fn is_v6(&self) -> bool {
        self.next_header.is_some()
    }
}

/// `ipv6frag_thdr_truncated`.
fn lacks_transport(skb: &Skb<'_>, mut kind: u8, mut place: usize) -> bool {
    while let 0 | 43 | 51 | 60 = kind {
        let Some([next, len]) = skb.array::<2>(place) else { return false };
        place += if kind == 51 { (usize::from(len) + 2) * 4 } else { (usize::from(len) + 1) * 8 };
        kind = next;
    }
    let needed = match kind {
        59 => return false,
        6 => 20,
        17 | 58 => 8,
        _ => 1,
    };
    place + needed > skb.len as usize
}

impl Queue {
    pub fn new(ends_ns: i64) -> Self {
        Self {
            ends_ns,
            head: None,
            pieces: Vec::new(),
            places: Places::default(),
            frames: Vec::new(),
            len: 0,
            has_last: false,
            taken: 0,
            ecn: 0,
            max_size: 0,
            max_dont_fragment: 0,
            bytes: 0,
            sender_count: 0,
        }
    }

    /// Memory that its pieces take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Too many other fragments of the sender came since the last piece: this may be another datagram of the same id.
    pub fn is_too_far(&mut self, sender_count: u32, max_distance: u32) -> bool {
        let before = std::mem::replace(&mut self.sender_count, sender_count);
        !self.pieces.is_empty() && sender_count.wrapping_sub(before) > max_distance
    }

    /// Lets its pieces go and begins anew; gives the memory freed.
    pub fn restart(&mut self, ends_ns: i64) -> usize {
        let fresh = Self { sender_count: self.sender_count, ..Self::new(ends_ns) };
        std::mem::replace(self, fresh).bytes
    }

    /// Takes a piece in.
    pub fn add(&mut self, skb: &Skb<'_>, fragment: &Fragment, frame: u64) -> Added {
        let (v6, start, mut end) = (fragment.is_v6(), fragment.start, fragment.end);
        let refused = if v6 { Added::Refused } else { Added::Corrupt };
        if v6 && end > MAX_LEN {
            return Added::Refused;
        }
        if fragment.more {
            if !end.is_multiple_of(8) {
                if v6 {
                    return Added::Unaligned;
                }
                end &= !7;
            }
            if end > self.len {
                if self.has_last {
                    return refused;
                }
                self.len = end;
            }
        } else {
            if end < self.len || (self.has_last && end != self.len) {
                return refused;
            }
            self.has_last = true;
            self.len = end;
        }
        if end <= start {
            return refused;
        }
        match self.places.take(start, end) {
            Place::Free => self.keep(skb, fragment, end, frame),
            Place::Duplicate => Added::Duplicate,
            Place::Overlap => Added::Corrupt,
        }
    }

    fn keep(&mut self, skb: &Skb<'_>, fragment: &Fragment, end: u32, frame: u64) -> Added {
        let start = fragment.start;
        let data = skb.bytes.get(fragment.headers as usize..).unwrap_or_default();
        let data = data.get(..(end - start) as usize).unwrap_or(data);
        self.pieces.push(Piece { start, end, data: data.into() });
        self.frames.push(frame);
        self.taken += end - start;
        self.ecn |= fragment.ecn;
        let size = end - start + fragment.headers;
        self.max_size = self.max_size.max(size);
        if fragment.dont_fragment {
            self.max_dont_fragment = self.max_dont_fragment.max(size);
        }
        if start == 0 {
            self.head = Some(Head::of(skb, fragment));
        }
        if self.head.is_some() && self.has_last && self.taken == self.len {
            return Added::Complete;
        }
        let bytes = memory_of(skb.len as usize);
        self.bytes += bytes;
        Added::Kept(bytes)
    }

    /// The packet; `None` if it would be too long, or its pieces disagree on ECN (RFC 3168 section 5.3).
    pub fn whole(mut self, now_ns: i64) -> Option<Whole> {
        let ecn = ecn_of(self.ecn)?;
        let head = self.head?;
        let mut bytes = head.bytes;
        let len = bytes.len() as u32 + self.len;
        if bytes.first()? >> 4 == 6 {
            let payload = u16::try_from(len - 40).ok()?;
            bytes.get_mut(4..6)?.copy_from_slice(&payload.to_be_bytes());
            *bytes.get_mut(1)? |= ecn << 4;
        } else {
            let total = u16::try_from(len).ok()?;
            bytes.get_mut(2..4)?.copy_from_slice(&total.to_be_bytes());
            *bytes.get_mut(1)? |= ecn;
            let flags = if self.max_dont_fragment == self.max_size { 0x40 } else { 0 };
            bytes.get_mut(6..8)?.copy_from_slice(&[flags, 0]);
            bytes.get_mut(10..12)?.fill(0);
            let sum = Sum::default().add(&bytes).checksum();
            bytes.get_mut(10..12)?.copy_from_slice(&sum);
        }
        self.pieces.sort_unstable_by_key(|piece| piece.start);
        let mut seams = Vec::new();
        for piece in self.pieces {
            if piece.start > 0 {
                seams.push(u32::try_from(bytes.len()).ok()?);
            }
            bytes.extend_from_slice(&piece.data);
            if piece.data.len() < (piece.end - piece.start) as usize {
                break; // cut: what follows has no place
            }
        }
        let Head { link, vlan, mark, priority, .. } = head;
        Some(Whole { bytes, seams, len, link, vlan, mark, priority, now_ns, frames: self.frames })
    }
}

impl Head {
    fn of(skb: &Skb<'_>, fragment: &Fragment) -> Self {
        let mut bytes = skb.bytes.get(..fragment.kept as usize).unwrap_or_default().to_vec();
        if let Some((place, kind)) = fragment.next_header
            && let Some(named) = bytes.get_mut(place as usize)
        {
            *named = kind;
        }
        Self { bytes, link: skb.link.to_vec(), vlan: skb.vlan, mark: skb.mark, priority: skb.priority }
    }
}

/// What a socket buffer takes (`truesize`): its data and the kernel's own about it, in the sizes that are given out.
fn memory_of(len: usize) -> usize {
    const ABOUT_DATA: usize = 384;
    const ABOUT_PACKET: usize = 256;
    let data = len + ABOUT_DATA;
    ABOUT_PACKET + if data <= 8192 { data.next_power_of_two() } else { data.next_multiple_of(4096) }
}

/// `ip_frag_ecn_table`: ECN bits of the whole from those of its pieces, of which all or none support ECN.
fn ecn_of(seen: u8) -> Option<u8> {
    const NOT_CAPABLE: u8 = 1;
    const CONGESTED: u8 = 8;
    match seen {
        NOT_CAPABLE => Some(0),
        seen if seen & NOT_CAPABLE != 0 => None,
        seen if seen & CONGESTED != 0 => Some(3),
        _ => Some(0),
    }
}
