//! Expressions at work: what a rule reads into registers.

use super::exthdr::Field;
use super::fib::{Fib, Rt};
use super::hash::{random, scale, symmetric};
use super::meta::{ct, ct_is_host_order, ct_width, meta, meta_is_host_order, meta_width, state_bit};
use super::packet::{Info, Read, protocol};
use super::set::{Data, Key, RuntimeSet};
use super::state::{State, Subject, Then, run_all};
use super::value::{Buffer, NUMBER_WIDTH, name_number, number_of, ones};
use crate::replay::jhash;
use crate::replay::skb::{HookContext, Skb};
use crate::replay::world::World;
use crate::ruleset::model::{Family, Hook};
use crate::ruleset::nft::{Ct, Meta};

/// What a running rule sees and changes.
pub(super) struct Context<'c, 'p, 'w> {
    pub skb: &'c mut Skb<'p>,
    pub info: Info,
    pub hook: &'c HookContext,
    pub family: Family,
    pub world: &'c mut World<'w>,
    pub sets: &'c mut [RuntimeSet],
    pub objects: &'c mut [super::object::RuntimeObject],
}

impl Context<'_, '_, '_> {
    /// The link-layer header as rules see it here: what the host itself sends gets one only below IP.
    fn link(&self) -> &[u8] {
        let hook = self.hook;
        let is_own = hook.hook == Hook::Output || (hook.hook == Hook::Postrouting && hook.in_if.is_none());
        if is_own && self.family != Family::Bridge { &[] } else { self.skb.link }
    }
}

/// An expression made ready.
#[derive(Debug, Clone)]
pub(super) enum Load {
    Constant(Box<[u8]>),
    Payload(Read),
    /// The state that `meta random` draws from is the number.
    Meta(Meta, u64),
    Ct(Ct, Option<bool>),
    Field(Field),
    Fib(Fib),
    Rt(Rt),
    /// `osf name` without fingerprints loaded.
    Osf,
    NumGen(Box<NumGen>),
    Hash(Box<Hash>),
    Bitwise(Box<Bitwise>),
    Shift(Box<Shift>),
    Binary(Box<Binary>),
    /// Fields and the bytes of each.
    Concat(Vec<(Load, usize)>),
    Map(Box<Lookup>, usize),
    /// Always breaks.
    Never,
}

#[derive(Debug, Clone)]
pub(super) struct NumGen {
    pub random: bool,
    pub modulus: u32,
    pub offset: u32,
    pub last: u32,
    pub seed: u64,
}

#[derive(Debug, Clone)]
pub(super) struct Hash {
    pub of: Option<Load>,
    pub seed: u32,
    pub modulus: u32,
    pub offset: u32,
}

#[derive(Debug, Clone)]
pub(super) struct Bitwise {
    pub of: Load,
    pub mask: Box<[u8]>,
    pub xor: Box<[u8]>,
    pub mask_number: u128,
    pub xor_number: u128,
}

#[derive(Debug, Clone)]
pub(super) struct Shift {
    pub of: Load,
    pub left: bool,
    pub by: u32,
    pub width: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Binary {
    pub op: char,
    pub left: Load,
    pub right: Load,
}

/// An expression that is looked for in a set.
#[derive(Debug, Clone)]
pub(super) struct Lookup {
    pub key: Load,
    pub set: usize,
}

impl Load {
    /// Bytes of the value.
    pub fn width(&self, family: Family) -> usize {
        match self {
            Self::Constant(value) => value.len(),
            Self::Payload(read) => read.width(),
            Self::Meta(key, _) => meta_width(*key),
            Self::Ct(key, _) => ct_width(*key, family),
            Self::Field(field) => field.width(),
            Self::Fib(fib) => fib.width(),
            Self::Rt(rt) => rt.width(),
            Self::Osf => 16,
            Self::NumGen(_) | Self::Hash(_) => 4,
            Self::Bitwise(bitwise) => bitwise.of.width(family),
            Self::Shift(shift) => shift.width,
            Self::Binary(binary) => binary.left.width(family).max(binary.right.width(family)),
            Self::Concat(fields) => fields.iter().fold(0, |sum, (_, width)| sum.saturating_add(*width)),
            Self::Map(_, width) => *width,
            Self::Never => 0,
        }
    }

    /// The value as a number of up to 8 bytes; the way that most tests go.
    #[inline]
    pub fn small(&mut self, cx: &mut Context) -> Option<u64> {
        match self {
            Self::Payload(read) => read.small(cx.skb, &cx.info, cx.link()),
            Self::Meta(Meta::L4Proto, _) => cx.info.protocol.map(u64::from),
            Self::Meta(Meta::Mark, _) => Some(cx.skb.mark.into()),
            Self::Meta(Meta::Length, _) => Some(cx.skb.len.into()),
            Self::Ct(Ct::State, _) => Some(state_bit(cx.skb).into()),
            _ => u64::try_from(self.number(cx)?).ok(),
        }
    }

    /// The value as a number; `None` breaks, as do values of more than 16 bytes.
    pub fn number(&mut self, cx: &mut Context) -> Option<u128> {
        Some(match self {
            Self::Constant(value) => number_of(value)?,
            Self::Payload(read) if read.span() <= NUMBER_WIDTH => read.number(cx.skb, &cx.info, cx.link())?,
            Self::Payload(_) | Self::Never => return None,
            Self::Meta(key, seed) => meta(*key, cx.skb, &cx.info, cx.hook, cx.family, cx.world, seed)?,
            Self::Ct(key, direction) => ct(*key, *direction, cx.skb, cx.world)?,
            Self::Field(field) => field.number(cx.skb, &cx.info)?,
            Self::Fib(fib) => fib.number(cx.skb, cx.hook, cx.world.routes),
            Self::Rt(rt) => rt.number(cx.skb, cx.hook)?,
            Self::Osf => {
                let flags = cx.skb.array::<20>(cx.info.transport as usize)?[13];
                let is_syn = cx.info.starts_with(protocol::TCP) && flags & 2 != 0;
                is_syn.then(|| name_number("unknown"))?
            }
            Self::NumGen(gen_) => gen_.next().into(),
            Self::Hash(hash) => hash.number(cx)?.into(),
            Self::Bitwise(bitwise) => bitwise.of.number(cx)? & bitwise.mask_number ^ bitwise.xor_number,
            Self::Shift(shift) => {
                let value = shift.of.number(cx)?;
                let moved = if shift.left { value.checked_shl(shift.by) } else { value.checked_shr(shift.by) };
                moved.unwrap_or(0) & ones(shift.width)
            }
            Self::Binary(binary) => {
                let (left, right) = (binary.left.number(cx)?, binary.right.number(cx)?);
                match binary.op {
                    '&' => left & right,
                    '|' => left | right,
                    '^' => left ^ right,
                    _ => return None,
                }
            }
            Self::Concat(_) => {
                let mut buffer = Buffer::new();
                self.bytes(cx, &mut buffer)?;
                number_of(buffer.as_slice())?
            }
            Self::Map(lookup, _) => {
                let place = lookup.hit(cx)?;
                match &cx.sets.get(lookup.set)?.entry_at(place)?.data {
                    Data::Value(value) | Data::Range(value, _) => number_of(value)?,
                    _ => return None,
                }
            }
        })
    }

    /// Appends the value's bytes; `None` breaks.
    pub fn bytes(&mut self, cx: &mut Context, out: &mut Buffer) -> Option<()> {
        let width = self.width(cx.family);
        self.bytes_as(cx, width, out)
    }

    fn bytes_as(&mut self, cx: &mut Context, width: usize, out: &mut Buffer) -> Option<()> {
        match self {
            Self::Constant(value) if value.len() > NUMBER_WIDTH => out.push(value),
            Self::Payload(read) if read.is_whole() && read.span() == width => {
                read.bytes(cx.skb, &cx.info, cx.link(), out.grow(width)?)
            }
            Self::Concat(fields) => fields.iter_mut().try_for_each(|(field, width)| field.bytes_as(cx, *width, out)),
            Self::Bitwise(bitwise) if width > NUMBER_WIDTH => {
                let mut value = Buffer::new();
                bitwise.of.bytes(cx, &mut value)?;
                let bits = bitwise.mask.iter().zip(&bitwise.xor);
                for (byte, (mask, xor)) in value.as_mut_slice().iter_mut().zip(bits) {
                    *byte = *byte & mask ^ xor;
                }
                out.push(value.as_slice())
            }
            Self::Map(lookup, _) if width > NUMBER_WIDTH => {
                let place = lookup.hit(cx)?;
                match &cx.sets.get(lookup.set)?.entry_at(place)?.data {
                    Data::Value(value) | Data::Range(value, _) => out.push(value),
                    _ => None,
                }
            }
            _ => {
                let number = self.number(cx)?;
                out.push_number(number, width)
            }
        }
    }

    /// Appends the value as the kernel has it in registers, where hashes read it: numbers of the machine in its own
    /// order, fields of a concatenation padded to 4 bytes.
    fn registers(&mut self, cx: &mut Context, out: &mut Buffer) -> Option<()> {
        if let Self::Concat(fields) = self {
            for (field, _) in fields {
                field.registers(cx, out)?;
                let padding = out.as_slice().len().next_multiple_of(4) - out.as_slice().len();
                out.grow(padding)?.fill(0);
            }
            return Some(());
        }
        let start = out.as_slice().len();
        self.bytes(cx, out)?;
        if self.is_host_order() {
            out.as_mut_slice().get_mut(start..)?.reverse();
        }
        Some(())
    }

    fn is_host_order(&self) -> bool {
        match self {
            Self::Meta(key, _) => meta_is_host_order(*key),
            Self::Ct(key, _) => ct_is_host_order(*key),
            Self::Fib(fib) => fib.width() == 4,
            Self::Rt(rt) => matches!(rt, Rt::ClassId | Rt::Mss),
            Self::NumGen(_) | Self::Hash(_) => true,
            Self::Bitwise(bitwise) => bitwise.of.is_host_order(),
            Self::Shift(shift) => shift.of.is_host_order(),
            Self::Binary(binary) => binary.left.is_host_order(),
            _ => false,
        }
    }
}

impl NumGen {
    fn next(&mut self) -> u32 {
        let number = if self.random {
            scale(random(&mut self.seed), self.modulus)
        } else {
            self.last = self.last.checked_add(1).filter(|next| *next < self.modulus).unwrap_or(0);
            self.last
        };
        number.wrapping_add(self.offset)
    }
}

impl Hash {
    fn number(&mut self, cx: &mut Context) -> Option<u32> {
        let hash = match &mut self.of {
            Some(of) => {
                let mut key = Buffer::new();
                of.registers(cx, &mut key)?;
                jhash::bytes(key.as_slice(), self.seed)
            }
            None => symmetric(cx.skb, &cx.info),
        };
        Some(scale(hash, self.modulus).wrapping_add(self.offset))
    }
}

/// What a set said.
pub(super) enum Found {
    /// The key could not be read: the rule breaks.
    Unreadable,
    Nothing,
    Element(u32),
}

impl Lookup {
    /// The element of the key, not the catch-all one.
    #[inline]
    pub fn find(&mut self, cx: &mut Context) -> Found {
        let now_ns = cx.skb.now_ns;
        let found = self.with_key(cx, |set, key| set.find(key, now_ns));
        match found {
            None => Found::Unreadable,
            Some(None) => Found::Nothing,
            Some(Some(place)) => Found::Element(place),
        }
    }

    /// Does something with the set and the key; `None` if the key cannot be read.
    #[inline]
    pub fn with_key<T>(&mut self, cx: &mut Context, then: impl FnOnce(&mut RuntimeSet, Key) -> T) -> Option<T> {
        if cx.sets.get(self.set)?.wants_bytes() {
            let mut buffer = Buffer::new();
            self.key.bytes(cx, &mut buffer)?;
            Some(then(cx.sets.get_mut(self.set)?, Key::Bytes(buffer.as_slice())))
        } else {
            let number = self.key.number(cx)?;
            Some(then(cx.sets.get_mut(self.set)?, Key::Number(number)))
        }
    }

    /// The element of the key or the catch-all one, after its statements have run; `None` breaks.
    pub fn hit(&mut self, cx: &mut Context) -> Option<u32> {
        let place = match self.find(cx) {
            Found::Unreadable => return None,
            Found::Element(place) => place,
            Found::Nothing => cx.sets.get(self.set)?.catch_all(cx.skb.now_ns)?,
        };
        // A drop by an element's `ct count` in the middle of an expression is taken as a break.
        (run_element(cx, self.set, place) == Then::Go).then_some(place)
    }
}

/// Runs the statements of an element.
#[inline]
pub(super) fn run_element(cx: &mut Context, set: usize, place: u32) -> Then {
    let Some(entry) = cx.sets.get_mut(set).and_then(|set| set.entry_at_mut(place)) else { return Then::Break };
    if entry.states.is_empty() {
        return Then::Go;
    }
    let mut subject = Subject { skb: cx.skb, info: &cx.info, connections: &mut *cx.world.connections };
    run_all(&mut entry.states, &mut subject)
}

/// Runs one statement with memory.
#[inline]
pub(super) fn run_state(state: &mut State, cx: &mut Context) -> Then {
    state.run(&mut Subject { skb: cx.skb, info: &cx.info, connections: &mut *cx.world.connections })
}
