//! Making statements and expressions of the rule model ready to run.

use super::exthdr::{Family as Header, Field};
use super::fib::{Fib, Rt};
use super::load::{Binary, Bitwise, Hash, Load, Lookup, NumGen, Shift};
use super::nat::PreparedNat;
use super::packet::Read;
use super::set::RuntimeSet;
use super::state::State;
use super::step::{BytesTest, DynSet, Step, WideTest};
use super::value::{NUMBER_WIDTH, number_of};
use crate::ruleset::model::{Family, SetId};
use crate::ruleset::nft::{Ct, Expr, Meta, Op, Statement};

/// Expressions nest no deeper than this; the kernel's registers would not hold them.
const DEPTH: u32 = 32;

/// What expressions are made ready with.
pub(super) struct Maker<'m> {
    pub family: Family,
    pub sets: &'m [RuntimeSet],
    /// Bytes that maps give.
    pub data_widths: &'m [usize],
}

impl Maker<'_> {
    pub fn load(&self, expr: &Expr) -> Load {
        self.nested(expr, DEPTH).unwrap_or(Load::Never)
    }

    fn nested(&self, expr: &Expr, depth: u32) -> Option<Load> {
        let depth = depth.checked_sub(1)?;
        let field =
            |family, kind, offset, bits, exists| Field::new(family, kind, offset, bits, exists).map(Load::Field);
        Some(match expr {
            Expr::Constant(value) => Load::Constant(value.as_slice().into()),
            Expr::Payload(payload) => Load::Payload(Read::new(payload)?),
            Expr::Meta(key) => Load::Meta(*key, 0),
            Expr::Ct { key, direction } => Load::Ct(*key, *direction),
            Expr::ExtHdr { header, offset, bits, exists } => field(Header::Ipv6, *header, *offset, *bits, *exists)?,
            Expr::TcpOption { kind, offset, bits, exists } => field(Header::Tcp, *kind, *offset, *bits, *exists)?,
            Expr::IpOption { kind, offset, bits, exists } => field(Header::Ipv4, *kind, *offset, *bits, *exists)?,
            Expr::SctpChunk { kind, offset, bits, exists } => field(Header::Sctp, *kind, *offset, *bits, *exists)?,
            Expr::DccpOption { kind } => field(Header::Dccp, *kind, 0, 8, true)?,
            Expr::Fib { flags, result } => Load::Fib(Fib::new(*flags, *result)),
            Expr::Rt(key) => Load::Rt(Rt::new(key)?),
            Expr::Osf => Load::Osf,
            Expr::Socket(_) | Expr::Xfrm(_) | Expr::Unknown(_) => Load::Never,
            Expr::NumGen { random, modulus, offset } => Load::NumGen(Box::new(NumGen {
                random: *random,
                modulus: *modulus,
                offset: *offset,
                last: modulus.saturating_sub(1),
                seed: 0,
            })),
            Expr::Hash { of, seed, modulus, offset } => {
                let of = of.as_ref().map(|of| self.nested(of, depth)).map_or(Some(None), |of| of.map(Some))?;
                Load::Hash(Box::new(Hash { of, seed: seed.unwrap_or(0), modulus: *modulus, offset: *offset }))
            }
            Expr::Bitwise { of, mask, xor } => Load::Bitwise(Box::new(Bitwise {
                of: self.nested(of, depth)?,
                mask_number: number_of(mask).unwrap_or(0),
                xor_number: number_of(xor).unwrap_or(0),
                mask: mask.as_slice().into(),
                xor: xor.as_slice().into(),
            })),
            Expr::Shift { of, left, by } => {
                let of = self.nested(of, depth)?;
                Load::Shift(Box::new(Shift { width: of.width(self.family), of, left: *left, by: *by }))
            }
            Expr::Binary { op, left, right } => Load::Binary(Box::new(Binary {
                op: *op,
                left: self.nested(left, depth)?,
                right: self.nested(right, depth)?,
            })),
            Expr::Concat(fields) => {
                let fields = fields.iter().map(|field| {
                    let load = self.nested(field, depth)?;
                    let width = load.width(self.family);
                    Some((load, width))
                });
                Load::Concat(fields.collect::<Option<_>>()?)
            }
            Expr::Map { key, set } => {
                let set = set.0 as usize;
                let width = self.data_widths.get(set).copied()?;
                Load::Map(Box::new(self.fitted(self.nested(key, depth)?, set)), width)
            }
        })
    }

    /// A key for a set, its fields as wide as the set's.
    pub fn lookup(&self, key: &Expr, set: usize) -> Lookup {
        self.fitted(self.load(key), set)
    }

    fn fitted(&self, mut key: Load, set: usize) -> Lookup {
        if let (Load::Concat(fields), Some(set)) = (&mut key, self.sets.get(set)) {
            for ((_, width), of_set) in fields.iter_mut().zip(set.widths()) {
                *width = *of_set;
            }
        }
        Lookup { key, set }
    }
}

impl Maker<'_> {
    /// A statement made ready; `None` if it does nothing here.
    pub fn step(&self, statement: &Statement) -> Option<Step> {
        let lookup = |key, set: SetId| Box::new(self.lookup(key, set.0 as usize));
        let boxed = |expr| Box::new(self.load(expr));
        Some(match statement {
            Statement::Compare { left, op, right } => self.compare(self.load(left), *op, right),
            Statement::CompareExprs { left, op, right } => {
                Step::Exprs(Box::new((self.load(left), *op, self.load(right))))
            }
            Statement::Range { of, not, low, high } => self.within(self.load(of), low, high, *not),
            Statement::Lookup { of, not, set } => Step::Lookup(lookup(of, *set), *not),
            Statement::Counter { packets, bytes } => Step::Counter { packets: *packets, bytes: *bytes },
            Statement::Limit(_) | Statement::Quota(_) | Statement::ConnLimit { .. } => {
                Step::State(Box::new(State::new(statement)?))
            }
            Statement::Object(id) => Step::Object(id.0 as usize),
            Statement::ObjectMap { key, set, .. } => Step::ObjectMap(lookup(key, *set)),
            Statement::Verdict(verdict) => Step::Verdict(*verdict),
            Statement::VerdictMap { key, set } => Step::VerdictMap(lookup(key, *set)),
            Statement::SetMeta { key, value } => Step::SetMeta(*key, boxed(value)),
            Statement::SetCt { key, direction, value } => Step::SetCt(*key, *direction, boxed(value)),
            Statement::SetPayload { field, value } => match Read::new(field) {
                Some(field) => Step::SetPayload(Box::new((field, self.load(value)))),
                None => Step::Break,
            },
            Statement::SetTcpOption { kind, offset, bits, value } => Step::SetTcpOption {
                kind: *kind,
                first: *offset as usize / 8,
                width: bits.div_ceil(8) as usize,
                value: boxed(value),
            },
            Statement::ResetTcpOption { kind } => Step::ResetTcpOption(*kind),
            Statement::NoTrack => Step::NoTrack,
            Statement::Reject(how) => Step::Reject(*how),
            Statement::Nat(nat) => Step::Nat(Box::new(PreparedNat::new(nat, self))),
            Statement::Fwd => Step::Fwd,
            // Without a listening socket, as in a replay, the kernel breaks.
            Statement::Tproxy => Step::Break,
            Statement::Queue { bypass } => Step::Queue { bypass: *bypass },
            Statement::Synproxy => Step::Synproxy,
            Statement::FlowOffload(_) => Step::FlowOffload,
            Statement::DynSet { op, set, key, data, timeout, statements } => Step::DynSet(Box::new(DynSet {
                op: *op,
                lookup: self.lookup(key, set.0 as usize),
                data: data.as_ref().map(|data| self.load(data)),
                timeout_ms: *timeout,
                states: statements.iter().filter_map(State::new).collect(),
            })),
            Statement::Unknown { stops: true, .. } => Step::Break,
            Statement::Unknown { stops: false, .. } | Statement::Last | Statement::Log | Statement::Dup => return None,
        })
    }

    fn compare(&self, load: Load, op: Op, value: &[u8]) -> Step {
        if let Load::Meta(key @ (Meta::IifName | Meta::OifName), _) = &load
            && matches!(op, Op::Eq | Op::Ne)
        {
            let prefix = value.len() < NUMBER_WIDTH;
            let name: Vec<u8> = value.iter().copied().take_while(|byte| *byte != 0).collect();
            let name = String::from_utf8_lossy(&name).into();
            return Step::Interface { incoming: *key == Meta::IifName, name, prefix, not: op == Op::Ne };
        }
        let width = load.width(self.family);
        let (mut low, mut high) = (value.to_vec(), value.to_vec());
        if value.len() < width && matches!(load, Load::Meta(..) | Load::Ct(Ct::Helper, _)) && width == NUMBER_WIDTH {
            low.resize(width, 0);
            high.resize(width, 0xff);
        }
        let (lowest, highest) = (vec![0; high.len()], vec![0xff; low.len()]);
        match op {
            Op::Eq => self.within(load, &low, &high, false),
            Op::Ne => self.within(load, &low, &high, true),
            Op::Le => self.within(load, &lowest, &high, false),
            Op::Gt => self.within(load, &lowest, &high, true),
            Op::Ge => self.within(load, &low, &highest, false),
            Op::Lt => self.within(load, &low, &highest, true),
        }
    }

    fn within(&self, load: Load, low: &[u8], high: &[u8], not: bool) -> Step {
        let width = load.width(self.family);
        let (Some(low_number), Some(high_number), true) = (number_of(low), number_of(high), width <= NUMBER_WIDTH)
        else {
            return Step::BytesTest(Box::new(BytesTest { load, low: low.to_vec(), high: high.to_vec(), not }));
        };
        let (load, mask) = match load {
            Load::Bitwise(bitwise) if bitwise.xor_number == 0 => (bitwise.of, bitwise.mask_number),
            load => (load, u128::MAX),
        };
        if width <= 8
            && let (Ok(low), Ok(high)) = (u64::try_from(low_number), u64::try_from(high_number))
        {
            return Step::Test { load, mask: mask as u64, low, high, not };
        }
        Step::WideTest(Box::new(WideTest { load, mask, low: low_number, high: high_number, not }))
    }
}
