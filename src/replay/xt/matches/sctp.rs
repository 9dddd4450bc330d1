//! `-m sctp` (`xt_sctp.c`).

use super::super::super::skb::Skb;
use super::super::super::world::Answer;
use super::super::view::View;
use super::within_any;
use crate::ruleset::xt::{Inv, Range, SctpChunks};

/// `-m sctp`.
#[derive(Debug)]
pub struct Sctp {
    sports: Option<Inv<Range<u16>>>,
    dports: Option<Inv<Range<u16>>>,
    chunks: Option<Chunks>,
}

/// `--chunk-types`.
#[derive(Debug)]
struct Chunks {
    not: bool,
    mode: Mode,
    types: Types,
    /// Type, mask and wanted value of its flags.
    flags: Box<[(u8, u8, u8)]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Any,
    All,
    Only,
}

/// A set of chunk types.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Types([u128; 2]);

impl Types {
    fn has(self, kind: u8) -> bool {
        let [low, high] = self.0;
        let half = if kind < 128 { low } else { high };
        half >> (kind & 127) & 1 == 1
    }

    fn set(&mut self, kind: u8, there: bool) {
        let [low, high] = &mut self.0;
        let half = if kind < 128 { low } else { high };
        let bit = 1 << (kind & 127);
        *half = if there { *half | bit } else { *half & !bit };
    }
}

impl Sctp {
    pub fn new(
        sports: Option<Inv<Range<u16>>>,
        dports: Option<Inv<Range<u16>>>,
        chunks: Option<&Inv<SctpChunks>>,
    ) -> Self {
        Self { sports, dports, chunks: chunks.map(Chunks::new) }
    }

    /// `sctp_mt`.
    pub fn matches(&self, skb: &Skb<'_>, view: &View) -> Answer {
        if view.is_later_fragment() {
            return Answer::No;
        }
        let Some([s0, s1, d0, d1, ..]) = skb.array::<12>(view.transport) else { return Answer::HotDrop };
        let ports = within_any(self.sports.as_ref(), u16::from_be_bytes([s0, s1]))
            && within_any(self.dports.as_ref(), u16::from_be_bytes([d0, d1]));
        match &self.chunks {
            Some(chunks) if ports => match chunks.fit(skb, view.transport + 12) {
                Some(fit) => (fit != chunks.not).into(),
                None => Answer::HotDrop,
            },
            _ => ports.into(),
        }
    }
}

impl Chunks {
    fn new(of: &Inv<SctpChunks>) -> Self {
        let mut types = Types::default();
        for (kind, _) in &of.value.chunks {
            types.set(*kind, true);
        }
        let flags =
            of.value.chunks.iter().filter_map(|(kind, flags)| flags.map(|(mask, wanted)| (*kind, mask, wanted)));
        let mode = match of.value.mode {
            0 => Mode::Any,
            1 => Mode::All,
            _ => Mode::Only,
        };
        Self { not: of.not, mode, types, flags: flags.collect() }
    }

    /// `match_packet`; `None` for a hot drop: a chunk header that is cut, or of no length.
    fn fit(&self, skb: &Skb<'_>, mut offset: usize) -> Option<bool> {
        let mut left = self.types;
        loop {
            let [kind, flags, high, low] = skb.array::<4>(offset)?;
            let len = u16::from_be_bytes([high, low]);
            if len == 0 {
                return None;
            }
            offset += usize::from(len).next_multiple_of(4);
            match self.mode {
                Mode::Any if self.types.has(kind) && self.flags_fit(kind, flags) => return Some(true),
                Mode::All if self.types.has(kind) && self.flags_fit(kind, flags) => left.set(kind, false),
                Mode::Only if !self.types.has(kind) || !self.flags_fit(kind, flags) => return Some(false),
                _ => {}
            }
            if offset >= skb.len as usize {
                break;
            }
        }
        Some(match self.mode {
            Mode::Any => false,
            Mode::All => left == Types::default(),
            Mode::Only => true,
        })
    }

    /// `match_flags`: the first condition on a type counts.
    fn flags_fit(&self, kind: u8, flags: u8) -> bool {
        let wanted = self.flags.iter().find(|(of, _, _)| *of == kind);
        wanted.is_none_or(|(_, mask, wanted)| flags & mask == *wanted)
    }
}
