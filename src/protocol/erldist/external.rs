//! External Term Format (erts "External Term Format"): bytes to [`Term`]s.
//!
//! Every tag is read that OTP ever sent over the distribution since R12, the deprecated ones too. Nothing is
//! allocated for a length that the bytes do not cover, nesting and the number of terms are limited, and what is beyond
//! a limit is walked over without an allocation and shows as [`Term::Elided`].
//!
//! LOCAL_EXT is opaque by definition: what follows it cannot be read by anyone but its writer.

use super::atoms::{MAX_ATOM_BYTES, latin1_atom, utf8_atom};
use super::skip::skip_term;
use super::tag;
use super::term::{Term, UNKNOWN_NODE};
use std::io::Read;

pub use super::atoms::CachedAtom;

/// First byte of a term that stands alone.
pub const VERSION_MAGIC: u8 = 131;

/// Deeper terms are elided: recursion, also of those who walk and drop the term, stays within any thread's stack.
/// The abstract code of an evaluator's fun nests to about sixty.
pub const MAX_DEPTH: usize = 160;

/// Terms kept of one message, about 16 MiB of memory; more are elided.
pub const MAX_TERMS: usize = 1 << 18;

/// Bytes that a compressed term may grow to, as for a message that is not compressed.
const MAX_INFLATED: u64 = 16 << 20;

/// Compressed terms that grow more than this are cut: zlib reaches 1032, terms that people send do not.
const MAX_INFLATE_RATIO: u64 = 256;

/// Why a term could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TermError {
    /// The bytes end inside the term.
    #[error("term ends early")]
    Short,
    /// No such tag, or one that may not stand here.
    #[error("tag {0} is not expected")]
    Tag(u8),
    /// A field holds what it cannot.
    #[error("bad {0}")]
    Value(&'static str),
}

/// Reads terms one after the other from one message.
#[derive(Debug)]
pub struct TermReader<'a> {
    rest: &'a [u8],
    atoms: &'a [CachedAtom],
    terms_left: usize,
    lenient: bool,
    cut: Option<TermError>,
}

impl<'a> TermReader<'a> {
    /// Terms of `bytes`; ATOM_CACHE_REFs are indexes into `atoms`. Anything wrong is an error.
    pub fn strict(bytes: &'a [u8], atoms: &'a [CachedAtom]) -> Self {
        Self { rest: bytes, atoms, terms_left: MAX_TERMS, lenient: false, cut: None }
    }

    /// As [`Self::strict`], but where a term is damaged or cut short, what stands before the damage is kept: the
    /// place of the damage is `Elided`, and so is what would follow it.
    pub fn lenient(bytes: &'a [u8], atoms: &'a [CachedAtom]) -> Self {
        Self { lenient: true, ..Self::strict(bytes, atoms) }
    }

    /// What a lenient reader met where it stopped.
    pub fn damage(&self) -> Option<TermError> {
        self.cut
    }

    /// The bytes not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next term, which may be compressed if the version byte stands before it.
    pub fn versioned(&mut self) -> Result<Term, TermError> {
        match self.byte()? {
            VERSION_MAGIC => {}
            other => return Err(TermError::Tag(other)),
        }
        if self.rest.first() == Some(&tag::COMPRESSED) {
            self.byte()?;
            return self.compressed();
        }
        self.term()
    }

    /// The next term.
    pub fn term(&mut self) -> Result<Term, TermError> {
        self.nested(MAX_DEPTH)
    }

    fn compressed(&mut self) -> Result<Term, TermError> {
        let declared = u64::from(self.u32()?);
        let allowed = (self.rest.len() as u64).saturating_mul(MAX_INFLATE_RATIO).min(MAX_INFLATED);
        let mut inflated = Vec::new();
        let mut decoder = flate2::bufread::ZlibDecoder::new(self.rest);
        let outcome = decoder.by_ref().take(declared.min(allowed)).read_to_end(&mut inflated);
        let used = usize::try_from(decoder.total_in()).unwrap_or(usize::MAX);
        self.rest = self.rest.get(used..).unwrap_or_default();
        let whole = outcome.is_ok() && inflated.len() as u64 == declared;
        let mut inner = TermReader {
            rest: &inflated,
            atoms: self.atoms,
            terms_left: self.terms_left,
            lenient: self.lenient || !whole,
            cut: None,
        };
        let term = inner.term()?;
        self.terms_left = inner.terms_left;
        self.cut = self.cut.or(inner.cut);
        Ok(term)
    }

    fn nested(&mut self, depth: usize) -> Result<Term, TermError> {
        if self.cut.is_some() {
            return Ok(Term::Elided);
        }
        let before = self.rest;
        let read = match (depth.checked_sub(1), self.terms_left.checked_sub(1)) {
            (Some(depth), Some(terms_left)) => {
                self.terms_left = terms_left;
                self.tagged(depth)
            }
            _ => skip_term(before).map(|rest| {
                self.rest = rest;
                Term::Elided
            }),
        };
        match read {
            Err(error) if self.lenient => {
                self.cut = Some(error);
                self.rest = &[];
                Ok(Term::Elided)
            }
            read => read,
        }
    }

    fn tagged(&mut self, depth: usize) -> Result<Term, TermError> {
        Ok(match self.byte()? {
            tag::SMALL_INTEGER_EXT => Term::Integer(i64::from(self.byte()?)),
            tag::INTEGER_EXT => Term::Integer(i64::from(i32::from_be_bytes(self.array()?))),
            tag::SMALL_BIG_EXT => {
                let length = usize::from(self.byte()?);
                self.big_integer(length)?
            }
            tag::LARGE_BIG_EXT => {
                let length = self.length()?;
                self.big_integer(length)?
            }
            tag::FLOAT_EXT => Term::Float(self.text_float()?),
            tag::NEW_FLOAT_EXT => Term::Float(f64::from_be_bytes(self.array()?)),
            name @ (tag::ATOM_EXT
            | tag::SMALL_ATOM_EXT
            | tag::ATOM_UTF8_EXT
            | tag::SMALL_ATOM_UTF8_EXT
            | tag::ATOM_CACHE_REF) => match self.atom_of(name)? {
                CachedAtom::Known(name) => Term::Atom(Box::from(&*name)),
                CachedAtom::Unknown(slot) => Term::UnknownAtom(slot),
            },
            tag::NIL_EXT => Term::List(Vec::new(), None),
            tag::STRING_EXT => {
                let length = usize::from(self.u16()?);
                Term::String(Box::from(self.take(length)?))
            }
            tag::LIST_EXT => self.list(depth)?,
            tag::BINARY_EXT => {
                let length = self.length()?;
                Term::Binary { bytes: Box::from(self.take(length)?), bits: 8 }
            }
            tag::BIT_BINARY_EXT => self.bit_string()?,
            tag::SMALL_TUPLE_EXT => {
                let arity = usize::from(self.byte()?);
                self.tuple(arity, depth)?
            }
            tag::LARGE_TUPLE_EXT => {
                let arity = self.length()?;
                self.tuple(arity, depth)?
            }
            tag::MAP_EXT => self.map(depth)?,
            pid @ (tag::PID_EXT | tag::NEW_PID_EXT) => self.pid(pid)?,
            port @ (tag::PORT_EXT | tag::NEW_PORT_EXT | tag::V4_PORT_EXT) => self.port(port)?,
            tag::REFERENCE_EXT => {
                let node = self.node()?;
                let id = self.u32()?;
                Term::Reference { node, creation: u32::from(self.byte()?), ids: vec![id] }
            }
            reference @ (tag::NEW_REFERENCE_EXT | tag::NEWER_REFERENCE_EXT) => self.reference(reference)?,
            tag::EXPORT_EXT => {
                let (module, function) = (self.name()?, self.name()?);
                let arity = u8::try_from(self.small()?).map_err(|_| TermError::Value("arity"))?;
                Term::Export { module, function, arity }
            }
            tag::NEW_FUN_EXT => self.new_fun(depth)?,
            tag::FUN_EXT => self.old_fun(depth)?,
            tag::LOCAL_EXT => {
                self.rest = &[];
                Term::Elided
            }
            other => return Err(TermError::Tag(other)),
        })
    }

    fn elements(&mut self, count: usize, depth: usize) -> Result<Vec<Term>, TermError> {
        // A count is only a claim: capacity grows with what is really there.
        let mut elements = Vec::with_capacity(count.min(self.rest.len()).min(32));
        for at in 0..count {
            if self.cut.is_some() || (self.terms_left == 0 && at > 0) {
                elements.push(Term::Elided);
                self.skip_many(count - at)?;
                break;
            }
            elements.push(self.nested(depth)?);
        }
        Ok(elements)
    }

    /// Walks over the terms that there is no room for.
    fn skip_many(&mut self, count: usize) -> Result<(), TermError> {
        for _ in 0..count {
            if self.cut.is_some() {
                break;
            }
            match skip_term(self.rest) {
                Ok(rest) => self.rest = rest,
                Err(error) if self.lenient => self.cut = Some(error),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn tuple(&mut self, arity: usize, depth: usize) -> Result<Term, TermError> {
        let mut elements = self.elements(arity, depth)?;
        // Patterns go by arity: what is missing of a small tuple is made up, so that the rest can be told.
        if elements.len() < arity && arity <= usize::from(u8::MAX) {
            elements.resize(arity, Term::Elided);
        }
        Ok(Term::Tuple(elements))
    }

    fn list(&mut self, depth: usize) -> Result<Term, TermError> {
        let count = self.length()?;
        let elements = self.elements(count, depth)?;
        if self.rest.first() == Some(&tag::NIL_EXT) {
            self.byte()?;
            return Ok(Term::List(elements, None));
        }
        Ok(match self.nested(depth)? {
            Term::Elided => Term::List(elements, None),
            tail => Term::List(elements, Some(Box::new(tail))),
        })
    }

    fn map(&mut self, depth: usize) -> Result<Term, TermError> {
        let count = self.length()?;
        let mut pairs = Vec::with_capacity(count.min(self.rest.len()).min(16));
        for at in 0..count {
            if self.cut.is_some() || (self.terms_left == 0 && at > 0) {
                pairs.push((Term::Elided, Term::Elided));
                self.skip_many((count - at).saturating_mul(2))?;
                break;
            }
            pairs.push((self.nested(depth)?, self.nested(depth)?));
        }
        Ok(Term::Map(pairs))
    }

    fn big_integer(&mut self, length: usize) -> Result<Term, TermError> {
        let negative = self.byte()? != 0;
        let magnitude = self.take(length)?;
        let significant = magnitude.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let magnitude = magnitude.get(..significant).unwrap_or_default();
        if let Some(value) = small_value(negative, magnitude) {
            return Ok(Term::Integer(value));
        }
        Ok(Term::BigInteger { negative, magnitude: Box::from(magnitude) })
    }

    fn text_float(&mut self) -> Result<f64, TermError> {
        let field = self.take(31)?;
        let text = field.split(|byte| *byte == 0).next().unwrap_or_default();
        std::str::from_utf8(text).ok().and_then(|text| text.trim().parse().ok()).ok_or(TermError::Value("float"))
    }

    fn bit_string(&mut self) -> Result<Term, TermError> {
        let length = self.length()?;
        let bits = self.byte()?;
        let bytes = Box::from(self.take(length)?);
        if !(1..=8).contains(&bits) {
            return Err(TermError::Value("bits of the last byte"));
        }
        Ok(Term::Binary { bytes, bits })
    }

    fn pid(&mut self, kind: u8) -> Result<Term, TermError> {
        let node = self.node()?;
        let (id, serial) = (self.u32()?, self.u32()?);
        Ok(Term::Pid { node, id, serial, creation: self.creation(kind == tag::NEW_PID_EXT)? })
    }

    fn port(&mut self, kind: u8) -> Result<Term, TermError> {
        let node = self.node()?;
        let id = match kind {
            tag::V4_PORT_EXT => u64::from_be_bytes(self.array()?),
            _ => u64::from(self.u32()?),
        };
        Ok(Term::Port { node, id, creation: self.creation(kind != tag::PORT_EXT)? })
    }

    fn reference(&mut self, kind: u8) -> Result<Term, TermError> {
        let count = usize::from(self.u16()?);
        // Three numbers until OTP 23, five since.
        if count > 8 {
            return Err(TermError::Value("reference"));
        }
        let node = self.node()?;
        let creation = self.creation(kind == tag::NEWER_REFERENCE_EXT)?;
        let ids = (0..count).map(|_| self.u32()).collect::<Result<_, _>>()?;
        Ok(Term::Reference { node, creation, ids })
    }

    fn new_fun(&mut self, depth: usize) -> Result<Term, TermError> {
        let size = self.length()?;
        let arity = self.byte()?;
        let _uniq_md5: [u8; 16] = self.array()?;
        let _index = self.u32()?;
        let free_count = self.length()?;
        if size < free_count {
            return Err(TermError::Value("fun size"));
        }
        let module = self.name()?;
        // Erlang prints a fun by its old index and unique number, so these are kept.
        let (index, uniq) = (self.small()?, self.small()?);
        let _creator = self.nested(depth)?;
        let free = self.elements(free_count, depth)?;
        Ok(Term::Fun { module, arity, index: index as u32, uniq: uniq as u64, free })
    }

    fn old_fun(&mut self, depth: usize) -> Result<Term, TermError> {
        let free_count = self.length()?;
        let _creator = self.nested(depth)?;
        let module = self.name()?;
        let (index, uniq) = (self.small()?, self.small()?);
        let free = self.elements(free_count, depth)?;
        // The old form tells no arity.
        Ok(Term::Fun { module, arity: 0, index: index as u32, uniq: uniq as u64, free })
    }

    /// An integer where the format allows nothing else.
    fn small(&mut self) -> Result<i64, TermError> {
        match self.byte()? {
            tag::SMALL_INTEGER_EXT => Ok(i64::from(self.byte()?)),
            tag::INTEGER_EXT => Ok(i64::from(i32::from_be_bytes(self.array()?))),
            tag::SMALL_BIG_EXT => {
                let length = usize::from(self.byte()?);
                match self.big_integer(length)? {
                    Term::Integer(value) => Ok(value),
                    _ => Err(TermError::Value("integer")),
                }
            }
            other => Err(TermError::Tag(other)),
        }
    }

    fn creation(&mut self, wide: bool) -> Result<u32, TermError> {
        if wide { self.u32() } else { self.byte().map(u32::from) }
    }

    /// An atom where the format allows nothing else; of an unknown slot, the name that no node has.
    fn name(&mut self) -> Result<Box<str>, TermError> {
        let tag = self.byte()?;
        Ok(match self.atom_of(tag)? {
            CachedAtom::Known(name) => Box::from(&*name),
            CachedAtom::Unknown(_) => Box::from(UNKNOWN_NODE),
        })
    }

    fn node(&mut self) -> Result<Box<str>, TermError> {
        self.name()
    }

    fn atom_of(&mut self, tag: u8) -> Result<CachedAtom, TermError> {
        let (length, utf8) = match tag {
            tag::ATOM_EXT => (usize::from(self.u16()?), false),
            tag::SMALL_ATOM_EXT => (usize::from(self.byte()?), false),
            tag::ATOM_UTF8_EXT => (usize::from(self.u16()?), true),
            tag::SMALL_ATOM_UTF8_EXT => (usize::from(self.byte()?), true),
            tag::ATOM_CACHE_REF => {
                let index = usize::from(self.byte()?);
                return self.atoms.get(index).cloned().ok_or(TermError::Value("atom cache reference"));
            }
            other => return Err(TermError::Tag(other)),
        };
        if length > MAX_ATOM_BYTES {
            return Err(TermError::Value("atom length"));
        }
        let bytes = self.take(length)?;
        Ok(CachedAtom::Known(if utf8 { utf8_atom(bytes) } else { latin1_atom(bytes) }))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], TermError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(TermError::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], TermError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(TermError::Short)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, TermError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Result<u16, TermError> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, TermError> {
        self.array().map(u32::from_be_bytes)
    }

    fn length(&mut self) -> Result<usize, TermError> {
        self.u32().map(|length| length as usize)
    }
}

/// The value of a big integer that fits, as bignums of 60 to 64 bits do.
fn small_value(negative: bool, magnitude: &[u8]) -> Option<i64> {
    let mut bytes = [0; 8];
    bytes.get_mut(..magnitude.len())?.copy_from_slice(magnitude);
    let value = u64::from_le_bytes(bytes);
    if negative { 0i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() }
}
