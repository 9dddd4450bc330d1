//! Statements at work: one step of a rule after the other.

use super::divert::{offload, synproxy};
use super::load::{Context, Found, Load, Lookup, run_element, run_state};
use super::meta::{set_ct, set_meta};
use super::nat::{Asked, NatRequest, PreparedNat};
use super::packet::Read;
use super::rewrite::{reset_tcp_option, set_payload, set_tcp_option};
use super::set::Data;
use super::state::{State, Then};
use super::value::{Buffer, NUMBER_WIDTH};
use crate::replay::conntrack::CtInfo;
use crate::ruleset::model::{ChainId, Verdict};
use crate::ruleset::nft::{Ct, DynSetOp, Meta, ObjectKind, Op, Reject};

/// What a rule decides about a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// On to the next rule.
    Continue,
    /// This base chain lets the packet through.
    Accept,
    /// The packet ends here.
    Drop,
    /// Back to the rule after the jump, or to the policy.
    Return,
    /// Into a chain, and back.
    Jump(ChainId),
    /// Into a chain, not back.
    Goto(ChainId),
    /// Dropped, and an answer is sent.
    Reject(Reject),
    /// Let through with other addresses.
    Nat(Box<NatRequest>),
    /// To a program; with `bypass` let through if there is none, else dropped.
    Queue {
        /// `bypass`.
        bypass: bool,
    },
    /// Taken off its way: answered by a SYN proxy, or sent out of another device.
    Stolen,
}

impl From<Verdict> for Act {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Accept => Self::Accept,
            Verdict::Drop => Self::Drop,
            Verdict::Continue => Self::Continue,
            Verdict::Return => Self::Return,
            Verdict::Jump(chain) => Self::Jump(chain),
            Verdict::Goto(chain) => Self::Goto(chain),
        }
    }
}

/// How a rule goes on after a step.
pub(super) enum Flow {
    Go,
    Break,
    Done(Act),
}

impl From<Then> for Flow {
    fn from(then: Then) -> Self {
        match then {
            Then::Go => Self::Go,
            Then::Break => Self::Break,
            Then::Drop => Self::Done(Act::Drop),
        }
    }
}

impl From<Verdict> for Flow {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            // As an expression's verdict this is `NFT_CONTINUE`: the same rule goes on.
            Verdict::Continue => Self::Go,
            verdict => Self::Done(verdict.into()),
        }
    }
}

fn go_if(yes: bool) -> Flow {
    if yes { Flow::Go } else { Flow::Break }
}

/// A statement made ready.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Up to 8 bytes, masked, within bounds (or not).
    Test {
        load: Load,
        mask: u64,
        low: u64,
        high: u64,
        not: bool,
    },
    /// Up to 16 bytes.
    WideTest(Box<WideTest>),
    /// Any width.
    BytesTest(Box<BytesTest>),
    /// Name of the interface in (or out).
    Interface {
        incoming: bool,
        name: Box<str>,
        prefix: bool,
        not: bool,
    },
    Exprs(Box<(Load, Op, Load)>),
    Lookup(Box<Lookup>, bool),
    Counter {
        packets: u64,
        bytes: u64,
    },
    State(Box<State>),
    Object(usize),
    ObjectMap(Box<Lookup>),
    Verdict(Verdict),
    VerdictMap(Box<Lookup>),
    SetMeta(Meta, Box<Load>),
    SetCt(Ct, Option<bool>, Box<Load>),
    SetPayload(Box<(Read, Load)>),
    SetTcpOption {
        kind: u8,
        first: usize,
        width: usize,
        value: Box<Load>,
    },
    ResetTcpOption(u8),
    NoTrack,
    Reject(Reject),
    Nat(Box<PreparedNat>),
    Fwd,
    Queue {
        bypass: bool,
    },
    Synproxy,
    FlowOffload,
    DynSet(Box<DynSet>),
    Break,
}

#[derive(Debug, Clone)]
pub(super) struct WideTest {
    pub load: Load,
    pub mask: u128,
    pub low: u128,
    pub high: u128,
    pub not: bool,
}

#[derive(Debug, Clone)]
pub(super) struct BytesTest {
    pub load: Load,
    pub low: Vec<u8>,
    pub high: Vec<u8>,
    pub not: bool,
}

#[derive(Debug, Clone)]
pub(super) struct DynSet {
    pub op: DynSetOp,
    pub lookup: Lookup,
    pub data: Option<Load>,
    pub timeout_ms: Option<u64>,
    pub states: Vec<State>,
}

impl Step {
    /// Runs the step.
    #[inline]
    pub fn run(&mut self, cx: &mut Context) -> Flow {
        match self {
            Self::Test { load, mask, low, high, not } => match load.small(cx) {
                Some(value) => go_if((*low..=*high).contains(&(value & *mask)) != *not),
                None => Flow::Break,
            },
            Self::Counter { packets, bytes } => {
                *packets += 1;
                *bytes += u64::from(cx.skb.len);
                Flow::Go
            }
            Self::Interface { incoming, name, prefix, not } => {
                let interface = if *incoming { &cx.hook.in_if } else { &cx.hook.out_if };
                let interface = interface.as_deref().unwrap_or_default();
                let fits = if *prefix { interface.starts_with(&**name) } else { interface == &**name };
                go_if(fits != *not)
            }
            Self::Verdict(verdict) => (*verdict).into(),
            Self::Lookup(lookup, not) => run_lookup(lookup, *not, cx),
            Self::WideTest(test) => match test.load.number(cx) {
                Some(value) => go_if((test.low..=test.high).contains(&(value & test.mask)) != test.not),
                None => Flow::Break,
            },
            _ => self.run_rare(cx),
        }
    }

    fn run_rare(&mut self, cx: &mut Context) -> Flow {
        match self {
            Self::BytesTest(test) => test.run(cx),
            Self::Exprs(exprs) => run_exprs(exprs, cx),
            Self::State(state) => run_state(state, cx).into(),
            Self::Object(id) => run_object(*id, cx),
            Self::ObjectMap(lookup) => run_object_map(lookup, cx),
            Self::VerdictMap(lookup) => run_verdict_map(lookup, cx),
            Self::SetMeta(key, value) => match value.number(cx) {
                Some(value) => {
                    set_meta(*key, value, cx.skb);
                    Flow::Go
                }
                None => Flow::Break,
            },
            Self::SetCt(key, direction, value) => match value.number(cx) {
                Some(value) => {
                    set_ct(*key, *direction, value, cx.skb, cx.world);
                    Flow::Go
                }
                None => Flow::Break,
            },
            Self::SetPayload(written) => {
                let (field, value) = &mut **written;
                with_bytes(value, field.width(), cx, |cx, value| set_payload(cx.skb, &cx.info, field, value))
            }
            Self::SetTcpOption { kind, first, width, value } => {
                with_bytes(value, *width, cx, |cx, value| set_tcp_option(cx.skb, &cx.info, *kind, *first, value))
            }
            Self::ResetTcpOption(kind) => reset_tcp_option(cx.skb, &cx.info, *kind).into(),
            Self::NoTrack => {
                if cx.skb.ct.is_none() {
                    cx.skb.ct_info = CtInfo::Untracked;
                }
                Flow::Go
            }
            Self::Reject(how) => Flow::Done(Act::Reject(*how)),
            Self::Nat(nat) => match nat.request(cx) {
                Asked::Request(request) => Flow::Done(Act::Nat(Box::new(request))),
                Asked::NotMine => Flow::Go,
                Asked::Break => Flow::Break,
            },
            Self::Fwd => Flow::Done(Act::Stolen),
            Self::Queue { bypass } => Flow::Done(Act::Queue { bypass: *bypass }),
            Self::Synproxy => synproxy(cx),
            Self::FlowOffload => go_if(offload(cx).is_some()),
            Self::DynSet(dynset) => dynset.run(cx),
            Self::Break => Flow::Break,
            // The rest is run above.
            _ => Flow::Go,
        }
    }

    /// Packets and bytes, if it is a counter.
    pub fn tally(&self) -> Option<(u64, u64)> {
        match self {
            Self::Counter { packets, bytes } => Some((*packets, *bytes)),
            _ => None,
        }
    }
}

/// The value in so many bytes.
fn with_bytes(load: &mut Load, width: usize, cx: &mut Context, then: impl FnOnce(&mut Context, &[u8]) -> Then) -> Flow {
    let mut buffer = Buffer::new();
    let read = if width <= NUMBER_WIDTH {
        load.number(cx).and_then(|number| buffer.push_number(number, width))
    } else {
        load.bytes(cx, &mut buffer)
    };
    match read {
        Some(()) => then(cx, buffer.as_slice()).into(),
        None => Flow::Break,
    }
}

impl BytesTest {
    fn run(&mut self, cx: &mut Context) -> Flow {
        let mut buffer = Buffer::new();
        if self.load.bytes(cx, &mut buffer).is_none() {
            return Flow::Break;
        }
        let value = buffer.as_slice();
        // Only the bytes of a shorter bound are compared.
        let first = |bound: &[u8]| value.get(..bound.len().min(value.len())).unwrap_or_default();
        let within = first(&self.low) >= self.low.as_slice() && first(&self.high) <= self.high.as_slice();
        go_if(within != self.not)
    }
}

fn run_exprs((left, op, right): &mut (Load, Op, Load), cx: &mut Context) -> Flow {
    let order = match (left.width(cx.family), right.width(cx.family)) {
        (0..=NUMBER_WIDTH, 0..=NUMBER_WIDTH) => left.number(cx).and_then(|left| Some(left.cmp(&right.number(cx)?))),
        _ => {
            let (mut first, mut second) = (Buffer::new(), Buffer::new());
            let read = left.bytes(cx, &mut first).and_then(|()| right.bytes(cx, &mut second));
            read.map(|()| first.as_slice().cmp(second.as_slice()))
        }
    };
    let Some(order) = order else { return Flow::Break };
    go_if(match op {
        Op::Eq => order.is_eq(),
        Op::Ne => order.is_ne(),
        Op::Lt => order.is_lt(),
        Op::Le => order.is_le(),
        Op::Gt => order.is_gt(),
        Op::Ge => order.is_ge(),
    })
}

/// `nft_lookup_eval`: with a catch-all element every key is in the set.
#[inline]
fn run_lookup(lookup: &mut Lookup, not: bool, cx: &mut Context) -> Flow {
    match find_or_catch(lookup, cx) {
        Found::Unreadable => Flow::Break,
        Found::Nothing => go_if(not),
        Found::Element(_) if not => Flow::Break,
        Found::Element(place) => run_element(cx, lookup.set, place).into(),
    }
}

/// The element of a key, or else the catch-all one.
#[inline]
fn find_or_catch(lookup: &mut Lookup, cx: &mut Context) -> Found {
    match lookup.find(cx) {
        Found::Nothing => {
            let place = cx.sets.get(lookup.set).and_then(|set| set.catch_all(cx.skb.now_ns));
            place.map_or(Found::Nothing, Found::Element)
        }
        found => found,
    }
}

fn run_verdict_map(lookup: &mut Lookup, cx: &mut Context) -> Flow {
    let Found::Element(place) = find_or_catch(lookup, cx) else { return Flow::Break };
    match run_element(cx, lookup.set, place) {
        Then::Go => {}
        then => return then.into(),
    }
    match cx.sets.get(lookup.set).and_then(|set| set.entry_at(place)).map(|entry| &entry.data) {
        Some(Data::Verdict(verdict)) => (*verdict).into(),
        _ => Flow::Go,
    }
}

fn run_object_map(lookup: &mut Lookup, cx: &mut Context) -> Flow {
    let Some(place) = lookup.hit(cx) else { return Flow::Break };
    match cx.sets.get(lookup.set).and_then(|set| set.entry_at(place)).map(|entry| &entry.data) {
        Some(Data::Object(id)) => run_object(*id as usize, cx),
        _ => Flow::Break,
    }
}

fn run_object(id: usize, cx: &mut Context) -> Flow {
    let Context { objects, skb, info, world, .. } = cx;
    let Some(object) = objects.get_mut(id) else { return Flow::Break };
    if object.kind == ObjectKind::Synproxy {
        return synproxy(cx);
    }
    match &mut object.state {
        Some(state) => {
            let mut subject = super::state::Subject { skb, info, connections: &mut *world.connections };
            state.run(&mut subject).into()
        }
        None => Flow::Go,
    }
}

impl DynSet {
    /// `nft_dynset_eval`.
    fn run(&mut self, cx: &mut Context) -> Flow {
        let now_ns = cx.skb.now_ns;
        if self.op == DynSetOp::Delete {
            return match self.lookup.with_key(cx, |set, key| set.remove(key)) {
                Some(()) => Flow::Go,
                None => Flow::Break,
            };
        }
        let mut value = Buffer::new();
        let data = match &mut self.data {
            None => Data::None,
            Some(load) => match load.bytes(cx, &mut value) {
                Some(()) => Data::Value(value.as_slice().into()),
                None => return Flow::Break,
            },
        };
        let (timeout_ms, states) = (self.timeout_ms, &self.states);
        let refresh = self.op == DynSetOp::Update;
        let added = self.lookup.with_key(cx, |set, key| {
            let place = set.add(key, data, timeout_ms, states, now_ns)?;
            if refresh {
                set.refresh(place, timeout_ms, now_ns);
            }
            Some(place)
        });
        match added.flatten() {
            Some(place) => run_element(cx, self.lookup.set, place).into(),
            None => Flow::Break,
        }
    }
}
