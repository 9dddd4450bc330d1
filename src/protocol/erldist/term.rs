//! External terms (erts "External Term Format").

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
