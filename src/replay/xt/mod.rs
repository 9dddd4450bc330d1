//! Judging a packet by iptables rules: what `net/netfilter/xt_*.c` and `net/ipv4/netfilter/ip_tables.c` do.
//!
//! Rules are prepared once: [`PreparedRule`] holds numbers and bytes only, with state where an extension keeps some.
//! The two backends differ: iptables-nft hands ports, flags and marks to nf_tables as loads and comparisons, which read
//! what the xtables modules refuse to read (fragments, cut headers).
//!
//! | file | judges |
//! |---|---|
//! | `head` | addresses, interfaces, protocol |
//! | `ports` | tcp, udp, sctp, dccp, multiport |
//! | `header` | fields of IP, ICMP, AH, ESP and of TCP options |
//! | `extension` | IPv6 extension headers |
//! | `connection` | conntrack, state, connmark |
//! | `place` | addresses by kind, devices, reverse path |
//! | `content` | string, u32, bpf |
//! | `stateful` | what remembers packets: limit, recent, sets … |
//! | `target`, `rewrite`, `reject` | targets, changes of packets, answers |

mod bpf;
mod connection;
mod content;
mod extension;
mod head;
mod header;
mod place;
mod ports;
mod reject;
mod rewrite;
pub mod stateful;
mod strings;
mod target;

pub use reject::reject_reply;
pub use stateful::Shared;
pub use strings::Strings;
pub use target::{Act, NatRequest, StatefulTarget};

use super::skb::{HookContext, Skb};
use super::world::{Answer, World};
use crate::ruleset::model::Ruleset;
use crate::ruleset::xt::{Match, RuleBody};
use head::PreparedHead;
use target::PreparedTarget;

/// Which iptables loaded the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Backend {
    /// `iptables-nft`: rules run in nf_tables.
    #[default]
    Nft,
    /// `iptables-legacy`: rules run in ip_tables.
    Legacy,
}

/// What is at hand while rules are made ready.
pub struct Preparation<'a> {
    /// `true` for ip6tables.
    pub v6: bool,
    /// Who will run the rule.
    pub backend: Backend,
    /// Sets and patterns that rules name.
    pub ruleset: &'a Ruleset,
    /// Where stateful matches put what they share.
    pub shared: &'a mut Shared,
    /// Where strings are put that packets are searched for.
    pub strings: &'a mut Strings,
}

/// A match that remembers packets.
pub trait StatefulMatch {
    /// Judges a packet, and remembers it.
    fn matches(&mut self, skb: &Skb<'_>, hook: &HookContext, world: &mut World<'_>) -> Answer;
}

/// An extension made ready.
enum Matcher {
    /// Judged from packet and connection alone.
    Pure(Match),
    /// A string: number of its pattern in the index, and its window.
    Text(Box<strings::TextMatch>),
    /// Classic BPF.
    Bpf(bpf::Program),
    /// Remembers packets.
    Stateful(Box<dyn StatefulMatch + Send>),
    /// Not modelled, or not to be known from a capture: does not match.
    Never,
}

/// A rule made ready.
pub struct PreparedRule {
    head: PreparedHead,
    matchers: Vec<Matcher>,
    target: PreparedTarget,
    backend: Backend,
}

impl PreparedRule {
    /// Makes a rule ready.
    pub fn new(body: &RuleBody, with: &mut Preparation<'_>) -> Self {
        let matchers = body.matches.iter().filter_map(|extension| prepare(extension, with)).collect();
        let target = PreparedTarget::new(&body.target, with);
        Self { head: PreparedHead::new(&body.head), matchers, target, backend: with.backend }
    }

    /// `true` if all of the rule's matches match. Stops at the first that does not, as the kernel does.
    pub fn matches(&mut self, skb: &Skb<'_>, hook: &HookContext, world: &mut World<'_>) -> Answer {
        if !self.head.matches(skb, hook) {
            return Answer::No;
        }
        for matcher in &mut self.matchers {
            let answer = match matcher {
                Matcher::Pure(extension) => pure(extension, skb, hook, world, self.backend),
                Matcher::Text(text) => Answer::from(text.matches(skb, world)),
                Matcher::Bpf(program) => Answer::from(program.run(skb)),
                Matcher::Stateful(stateful) => stateful.matches(skb, hook, world),
                Matcher::Never => Answer::No,
            };
            if answer != Answer::Yes {
                return answer;
            }
        }
        Answer::Yes
    }

    /// Lets the target act.
    pub fn act(&mut self, skb: &mut Skb<'_>, hook: &HookContext, world: &mut World<'_>) -> Act {
        self.target.act(skb, hook, world)
    }
}

/// `None` for an extension that says nothing.
fn prepare(extension: &Match, with: &mut Preparation<'_>) -> Option<Matcher> {
    Some(match extension {
        Match::Comment(_) => return None,
        Match::String(string) => Matcher::Text(Box::new(strings::TextMatch::new(string, with.strings))),
        Match::Bpf { program } => Matcher::Bpf(bpf::Program::new(program)),
        Match::Unknown { .. } | Match::Cpu(_) | Match::Socket { .. } | Match::DevGroup { .. } => Matcher::Never,
        Match::Policy { none: false, .. } => Matcher::Never,
        // Without bridge netfilter no packet has a physical device.
        Match::PhysDev { in_if, out_if, is_in, is_out, is_bridged } => {
            let positive = in_if.as_ref().is_some_and(|one| !one.not)
                || out_if.as_ref().is_some_and(|one| !one.not)
                || [is_in, is_out, is_bridged].into_iter().flatten().any(|one| !one.not);
            if positive { Matcher::Never } else { return None }
        }
        other => match stateful::prepare(other, with) {
            Some(stateful) => Matcher::Stateful(stateful),
            None => Matcher::Pure(other.clone()),
        },
    })
}

/// Judges by an extension that remembers nothing.
fn pure(extension: &Match, skb: &Skb<'_>, hook: &HookContext, world: &World<'_>, backend: Backend) -> Answer {
    match extension {
        Match::Tcp { sports, dports, flags, option } => {
            ports::tcp(skb, sports.as_ref(), dports.as_ref(), flags.as_ref(), option.as_ref(), backend)
        }
        Match::Udp { sports, dports } => ports::udp(skb, sports.as_ref(), dports.as_ref(), backend),
        Match::MultiPort { side, ports } => ports::multiport(skb, *side, ports),
        Match::Sctp { sports, dports, chunks } => ports::sctp(skb, sports.as_ref(), dports.as_ref(), chunks.as_ref()),
        Match::Dccp { sports, dports, types, option } => {
            ports::dccp(skb, sports.as_ref(), dports.as_ref(), types.as_ref(), option.as_ref())
        }
        Match::ConnTrack(wanted) => connection::conntrack(wanted, skb, world),
        Match::State(wanted) => Answer::from(connection::state(wanted, skb)),
        Match::ConnMark { mark, mask } => Answer::from(connection::connmark(mark, *mask, skb, world)),
        Match::Mark { mark, mask } => Answer::from((skb.mark & mask == mark.value) != mark.not),
        Match::Cluster { total, node_mask, seed } => {
            Answer::from(connection::cluster(*total, node_mask, *seed, skb, world))
        }
        Match::U32(tests) => Answer::from(content::u32(&tests.value, skb) != tests.not),
        Match::AddrType { src, dst, .. } => Answer::from(place::addr_type(src.as_ref(), dst.as_ref(), skb, world)),
        Match::IpRange { src, dst } => Answer::from(place::ip_range(src.as_ref(), dst.as_ref(), skb)),
        Match::Mac(wanted) => Answer::from(place::mac(wanted, skb)),
        Match::PktType(wanted) => Answer::from(place::packet_type(wanted, skb)),
        Match::RpFilter { loose, invert, .. } => Answer::from(place::reverse_path(*loose, *invert, skb, hook, world)),
        Match::Frag { .. }
        | Match::Rt { .. }
        | Match::Hbh { .. }
        | Match::Dst { .. }
        | Match::Ipv6Header { .. }
        | Match::Mh(_)
        | Match::Eui64 => extension::judge(extension, skb),
        // Without a route's realm every packet has realm 0.
        Match::Realm { realm, .. } => Answer::from((realm.value == 0) != realm.not),
        // No security association is known, so `--pol none` is every packet.
        Match::Policy { .. } => Answer::Yes,
        other => header::judge(other, skb),
    }
}
