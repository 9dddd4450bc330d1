//! `-s -d -i -o -p -f`: what is compared before any extension.

use super::super::skb::{HookContext, Skb};
use super::super::world::Answer;
use super::view::View;
use super::{Backend, Preparation};
use crate::ruleset::xt::{self, IfName, Inv, Masked};
use std::net::IpAddr;

/// A head made ready.
#[derive(Debug)]
pub(super) struct Head {
    backend: Backend,
    v6: bool,
    protocol: Option<Inv<u8>>,
    addresses: Addresses,
    in_if: Option<Inv<IfName>>,
    out_if: Option<Inv<IfName>>,
    fragment: Option<bool>,
}

/// Source and destination are compared at once; a negated one on its own.
#[derive(Debug)]
enum Addresses {
    Any,
    V4 {
        both: Test<u64>,
        negated: Box<[Test<u64>]>,
    },
    V6(Box<[(Test<u128>, End, bool)]>),
    /// Of the other family.
    Never,
}

#[derive(Debug, Clone, Copy)]
struct Test<T> {
    mask: T,
    value: T,
}

#[derive(Debug, Clone, Copy)]
enum End {
    Source,
    Destination,
}

impl Head {
    pub fn new(head: &xt::Head, with: &Preparation<'_>) -> Self {
        let ends = [(&head.src, End::Source), (&head.dst, End::Destination)];
        let ends = ends.into_iter().filter_map(|(masked, end)| Some(((*masked)?, end)));
        Self {
            backend: with.backend,
            v6: with.v6,
            protocol: head.protocol,
            addresses: if with.v6 { Addresses::v6(ends) } else { Addresses::v4(ends) },
            in_if: head.in_if.clone(),
            out_if: head.out_if.clone(),
            fragment: head.fragment.map(|later| !later.not),
        }
    }

    /// What the packet's headers are for the rest of the rule, if the head fits.
    #[inline]
    pub fn fits(&self, skb: &Skb<'_>, hook: &HookContext) -> Result<View, Answer> {
        if skb.is_v6() != self.v6 || !self.addresses.fit(skb) || !self.interfaces_fit(hook) {
            return Err(Answer::No);
        }
        let view = View::of(skb, self.backend);
        if let Some(protocol) = self.protocol {
            match view.protocol {
                Some(found) if (found == protocol.value) != protocol.not => {}
                // `ip6_packet_match` gives up on a packet whose chain of headers is broken.
                None if self.backend == Backend::Legacy => return Err(Answer::HotDrop),
                _ => return Err(Answer::No),
            }
        }
        match self.fragment {
            Some(later) if view.is_later_fragment() != later => Err(Answer::No),
            _ => Ok(view),
        }
    }

    #[inline]
    fn interfaces_fit(&self, hook: &HookContext) -> bool {
        let fits = |wanted: &Option<Inv<IfName>>, name: Option<&str>| match wanted {
            Some(wanted) => wanted.value.fits(name) != wanted.not,
            None => true,
        };
        fits(&self.in_if, hook.in_if.as_deref()) && fits(&self.out_if, hook.out_if.as_deref())
    }
}

impl Addresses {
    fn v4(ends: impl Iterator<Item = (Inv<Masked>, End)>) -> Self {
        let mut both = Test { mask: 0, value: 0 };
        let mut negated = Vec::new();
        for (masked, end) in ends {
            let Masked { addr: IpAddr::V4(addr), mask: IpAddr::V4(mask) } = masked.value else { return Self::Never };
            let shift = match end {
                End::Source => 32,
                End::Destination => 0,
            };
            let mask = u64::from(u32::from(mask)) << shift;
            let value = u64::from(u32::from(addr)) << shift;
            if masked.not {
                negated.push(Test { mask, value });
            } else {
                both = Test { mask: both.mask | mask, value: both.value | value };
            }
        }
        match (both.mask, negated.is_empty()) {
            (0, true) if both.value == 0 => Self::Any,
            _ => Self::V4 { both, negated: negated.into() },
        }
    }

    fn v6(ends: impl Iterator<Item = (Inv<Masked>, End)>) -> Self {
        let mut tests = Vec::new();
        for (masked, end) in ends {
            let Masked { addr: IpAddr::V6(addr), mask: IpAddr::V6(mask) } = masked.value else { return Self::Never };
            tests.push((Test { mask: mask.into(), value: addr.into() }, end, masked.not));
        }
        if tests.is_empty() { Self::Any } else { Self::V6(tests.into()) }
    }

    #[inline]
    fn fit(&self, skb: &Skb<'_>) -> bool {
        match self {
            Self::Any => true,
            Self::V4 { both, negated } => {
                let Some(pair) = skb.array::<8>(12).map(u64::from_be_bytes) else { return false };
                pair & both.mask == both.value && negated.iter().all(|test| pair & test.mask != test.value)
            }
            Self::V6(tests) => tests.iter().all(|(test, end, not)| {
                let place = match end {
                    End::Source => 8,
                    End::Destination => 24,
                };
                let found = skb.array::<16>(place).map(u128::from_be_bytes);
                found.is_some_and(|addr| (addr & test.mask == test.value) != *not)
            }),
            Self::Never => false,
        }
    }
}
