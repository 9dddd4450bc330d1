//! What an external term means once read: the Erlang values that cross the wire, and how to look inside them.
//!
//! Reading is in [`super::external`], printing in `print.rs`.

use std::borrow::Cow;

/// Stands for the node of an identifier whose atom cache slot is unknown. No node is called so: names have an `@`.
pub const UNKNOWN_NODE: &str = "?";

/// An Erlang term, owned.
#[derive(Debug, Clone, PartialEq)]
pub enum Term {
    /// Atom.
    Atom(Box<str>),
    /// Integer that fits.
    Integer(i64),
    /// Larger integer: sign and magnitude, little-endian.
    BigInteger {
        /// `true` below zero.
        negative: bool,
        /// Magnitude, least significant byte first.
        magnitude: Box<[u8]>,
    },
    /// Float.
    Float(f64),
    /// Binary, or bit string if `bits` is not 8: bits used of the last byte, counted from the most significant.
    Binary {
        /// Bytes.
        bytes: Box<[u8]>,
        /// 1..=8.
        bits: u8,
    },
    /// STRING_EXT: a list of bytes in compact form. Equal in meaning to a list of integers.
    String(Box<[u8]>),
    /// List without or with an improper tail.
    List(Vec<Term>, Option<Box<Term>>),
    /// Tuple.
    Tuple(Vec<Term>),
    /// Map, in wire order.
    Map(Vec<(Term, Term)>),
    /// Process identifier.
    Pid {
        /// Node.
        node: Box<str>,
        /// First number.
        id: u32,
        /// Second number.
        serial: u32,
        /// Creation of the node.
        creation: u32,
    },
    /// Port identifier.
    Port {
        /// Node.
        node: Box<str>,
        /// Number.
        id: u64,
        /// Creation of the node.
        creation: u32,
    },
    /// Reference.
    Reference {
        /// Node.
        node: Box<str>,
        /// Creation of the node.
        creation: u32,
        /// Numbers as on the wire.
        ids: Vec<u32>,
    },
    /// Fun with its free variables.
    Fun {
        /// Module.
        module: Box<str>,
        /// Arity.
        arity: u8,
        /// Index within the module.
        index: u32,
        /// Unique part.
        uniq: u64,
        /// Free variables: for funs of an evaluator, all its bindings and the code.
        free: Vec<Term>,
    },
    /// `fun Module:Function/Arity`.
    Export {
        /// Module.
        module: Box<str>,
        /// Function.
        function: Box<str>,
        /// Arity.
        arity: u8,
    },
    /// An atom cache slot that is unknown because bytes before it are missing.
    UnknownAtom(u16),
    /// What the decoder did not keep: the term was too large or too deep.
    Elided,
}

impl Term {
    /// The atom's name.
    pub fn atom(&self) -> Option<&str> {
        match self {
            Self::Atom(name) => Some(name),
            _ => None,
        }
    }

    /// `true` for this atom.
    pub fn is_atom(&self, name: &str) -> bool {
        self.atom() == Some(name)
    }

    /// The small integer.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// The tuple's elements.
    pub fn tuple(&self) -> Option<&[Term]> {
        match self {
            Self::Tuple(elements) => Some(elements),
            _ => None,
        }
    }

    /// The elements of a proper list. A list in the compact form of STRING_EXT is spelled out, which is why they may
    /// be owned.
    pub fn list(&self) -> Option<Cow<'_, [Term]>> {
        match self {
            Self::List(elements, None) => Some(Cow::Borrowed(elements)),
            Self::String(bytes) => Some(Cow::Owned(bytes.iter().map(|byte| Term::Integer(i64::from(*byte))).collect())),
            _ => None,
        }
    }

    /// The bytes of a binary of whole bytes.
    pub fn binary(&self) -> Option<&[u8]> {
        match self {
            Self::Binary { bytes, bits: 8 } => Some(bytes),
            _ => None,
        }
    }

    /// The node of a pid, port or reference.
    pub fn node(&self) -> Option<&str> {
        match self {
            Self::Pid { node, .. } | Self::Port { node, .. } | Self::Reference { node, .. } => {
                Some(node).filter(|node| &***node != UNKNOWN_NODE).map(|node| &**node)
            }
            _ => None,
        }
    }

    /// The text of a string, of a list of characters, of a binary, or of an iolist of these; `None` for anything else,
    /// and for what is not text. Binaries and strings that are not UTF-8 are taken as Latin-1.
    pub fn text(&self) -> Option<String> {
        let mut bytes = Vec::new();
        self.collect_text(&mut bytes, 0).then(|| match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => error.as_bytes().iter().map(|byte| char::from(*byte)).collect(),
        })
    }

    fn collect_text(&self, into: &mut Vec<u8>, depth: usize) -> bool {
        // Deeper iolists are no texts that people wrote.
        const MAX_DEPTH: usize = 16;
        match self {
            Self::String(bytes) | Self::Binary { bytes, bits: 8 } => into.extend_from_slice(bytes),
            Self::Integer(code) if depth > 0 => match u32::try_from(*code).ok().and_then(char::from_u32) {
                Some(character) => into.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
                None => return false,
            },
            Self::List(elements, tail) if depth < MAX_DEPTH => {
                let tail = tail.as_deref();
                return elements.iter().chain(tail).all(|element| element.collect_text(into, depth + 1));
            }
            _ => return false,
        }
        true
    }

    /// A copy that is safe to keep for long: what is beyond `bytes` of text and `terms` elements becomes `Elided`.
    pub fn abridged(&self, mut bytes: usize, mut terms: usize) -> Term {
        self.abridge(&mut bytes, &mut terms)
    }

    fn abridge(&self, bytes: &mut usize, terms: &mut usize) -> Term {
        let Some(left) = terms.checked_sub(1) else { return Term::Elided };
        *terms = left;
        let cost = match self {
            Self::String(content) | Self::Binary { bytes: content, .. } => content.len(),
            Self::BigInteger { magnitude, .. } => magnitude.len(),
            Self::Atom(name) => name.len(),
            _ => 0,
        };
        let Some(left) = bytes.checked_sub(cost) else { return Term::Elided };
        *bytes = left;
        // What was cut off ends the list with an `Elided`, so that it is not taken for the whole.
        let mut all = |elements: &[Term]| -> Vec<Term> {
            let mut kept = Vec::new();
            for element in elements {
                kept.push(element.abridge(bytes, terms));
                if *terms == 0 {
                    break;
                }
            }
            if kept.len() < elements.len() {
                kept.push(Term::Elided);
            }
            kept
        };
        match self {
            Self::Tuple(elements) => Term::Tuple(all(elements)),
            Self::List(elements, tail) => {
                let elements = all(elements);
                Term::List(elements, tail.as_ref().map(|tail| Box::new(tail.abridge(bytes, terms))))
            }
            Self::Map(pairs) => {
                let mut kept = Vec::new();
                for (key, value) in pairs {
                    if *terms == 0 {
                        kept.push((Term::Elided, Term::Elided));
                        break;
                    }
                    kept.push((key.abridge(bytes, terms), value.abridge(bytes, terms)));
                }
                Term::Map(kept)
            }
            Self::Fun { module, arity, index, uniq, free } => {
                Term::Fun { module: module.clone(), arity: *arity, index: *index, uniq: *uniq, free: all(free) }
            }
            other => other.clone(),
        }
    }
}
