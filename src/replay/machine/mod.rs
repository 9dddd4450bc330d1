//! A host with a ruleset loaded: packets in, verdicts and counters out.
//!
//! A packet takes the way that [`Wiring`] gives it (`way`); each hook on it runs the stages of [`Order`]. A rule counts a packet
//! when all its matches match, before its target acts; a policy counts what runs out of a base chain. What a REJECT
//! answers is sent through OUTPUT and POSTROUTING and counted there, in the gateway vantage: in the host vantage the
//! answers of the host itself are in the capture.

mod chains;
mod device;
mod order;
#[cfg(test)]
mod tests;
mod way;

use super::conntrack::{self, Conntrack, Manip, NatRange, NatStep, Verdict};
use super::defrag::{self, Defrag};
use super::hits::{ChainHits, ObjectHits};
use super::skb::{HookContext, Skb};
use super::wiring::{Vantage, Wiring};
use super::world::{Routes, World};
use super::xt::{Backend, Shared, Strings, reject_reply};
use crate::ruleset::model::{Family, Hook, Ruleset};
use crate::ruleset::nft::Reject;
pub use chains::Audited;
use chains::{Chains, NatAsk, Walked};
use device::Devices;
use order::{Order, Stage};
use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

/// The host under test.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Vantage, addresses, interfaces.
    pub wiring: Wiring,
    /// Which iptables.
    pub backend: Backend,
    /// Sysctls of connection tracking.
    pub conntrack: conntrack::Settings,
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// It went its way.
    Accept,
    /// It ended.
    Drop,
    /// It ended, and the sender was told; `reset`: by a TCP reset, which ends the connection.
    Reject {
        /// See above.
        reset: bool,
    },
    /// A fragment: waits for the others.
    Held,
}

/// What decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecidedBy {
    /// A rule, by its number in [`Ruleset::rules`].
    Rule(u32),
    /// The policy of a base chain, by its number in [`Machine::chains`].
    Policy(u32),
    /// The kernel itself.
    Kernel(&'static str),
}

/// A verdict and who gave it; nobody for what was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// The verdict.
    pub judgement: Judgement,
    /// Who gave it.
    pub by: Option<DecidedBy>,
}

impl Judged {
    const ACCEPTED: Self = Self { judgement: Judgement::Accept, by: None };
    const HELD: Self = Self { judgement: Judgement::Held, by: None };

    fn dropped(by: DecidedBy) -> Self {
        Self { judgement: Judgement::Drop, by: Some(by) }
    }
}

/// A host at work.
pub struct Machine {
    wiring: Wiring,
    /// For IPv4, IPv6 and frames that are bridged.
    orders: [Order; 3],
    devices: Devices,
    device_notes: Vec<String>,
    /// The host is a bridge: IP is none of its business.
    bridges: bool,
    conntrack: Conntrack,
    defrag: Defrag,
    chains: Chains,
    shared: Shared,
    strings: Strings,
}

/// Whoever judges packets: the model, or what the kernel said.
pub trait Judge: Send {
    /// Judges the next packet. The numbers of the rules that counted it are added to `hits`.
    fn run(&mut self, skb: Skb<'_>, hits: &mut Vec<u32>) -> Judged;
    /// `true` if a rule that stops packets would have matched the last packet but for a part that is not modelled.
    fn last_was_doubtful(&self) -> bool;
    /// Number of rules.
    fn rule_count(&self) -> usize;
    /// Packets and bytes of a rule.
    fn counters(&self, rule: u32) -> (u64, u64);
    /// Base chains with what their policies judged.
    fn chains(&self) -> Vec<ChainHits>;
    /// Named counters and quotas.
    fn objects(&self) -> Vec<ObjectHits>;
    /// What the packets say of a rule beside its counters, if that was asked for.
    fn audited(&self, _rule: u32) -> Option<Audited> {
        None
    }
    /// What a person should know of answers that cannot be given.
    fn notes(&self) -> Vec<String>;
    /// Where the model would have counted otherwise; `None` for the model itself.
    fn disagreements(&self) -> Option<Vec<String>> {
        None
    }
}

/// What a hook came to.
enum Passed {
    /// On to what comes next.
    On,
    /// The end of its way.
    End(Judged),
}

impl Machine {
    /// Loads a ruleset.
    pub fn new(ruleset: Arc<Ruleset>, settings: &Settings) -> Self {
        Self::load(&ruleset, settings, false)
    }

    /// Loads a ruleset, and will tell which rules its packets show to be needless or robbed of packets.
    pub fn audited(ruleset: &Ruleset, settings: &Settings) -> Self {
        Self::load(ruleset, settings, true)
    }

    fn load(ruleset: &Ruleset, settings: &Settings, audited: bool) -> Self {
        let (mut shared, mut strings) = (Shared::new(&ruleset.ipsets), Strings::default());
        let devices = Devices::new(ruleset);
        Self {
            wiring: settings.wiring.clone(),
            orders: [Family::Ip, Family::Ip6, Family::Bridge].map(|family| Order::new(ruleset, family)),
            device_notes: devices.notes(ruleset, &settings.wiring),
            devices,
            bridges: ruleset.is_for_bridge(),
            conntrack: Conntrack::new(settings.conntrack.clone()),
            defrag: Defrag::new(defrag::Limits::default()),
            chains: Chains::new(ruleset, (settings.backend, audited), &mut shared, &mut strings),
            shared,
            strings,
        }
    }

    /// Runs the stages of a hook.
    fn hook(
        &mut self,
        hook: Hook,
        from: Option<&Arc<str>>,
        to: Option<&Arc<str>>,
        skb: &mut Skb<'_>,
        hits: &mut Vec<u32>,
    ) -> Passed {
        let context = HookContext { hook, in_if: from.cloned(), out_if: to.cloned() };
        let version = if self.bridges { 2 } else { usize::from(skb.is_v6()) };
        let mut number = 0;
        while let Some(stage) = self.orders.get(version).and_then(|order| order.stage(hook, number)) {
            number += 1;
            if let Passed::End(judged) = self.stage(stage, version, &context, skb, hits) {
                return Passed::End(judged);
            }
        }
        Passed::On
    }

    fn stage(
        &mut self,
        stage: Stage,
        version: usize,
        context: &HookContext,
        skb: &mut Skb<'_>,
        hits: &mut Vec<u32>,
    ) -> Passed {
        match stage {
            Stage::Defragment => {
                let user = if context.hook == Hook::Output { defrag::User::Output } else { defrag::User::Prerouting };
                if self.defragment(user, skb) { Passed::On } else { Passed::End(Judged::HELD) }
            }
            Stage::Track => {
                let verdict = match context.hook {
                    Hook::Output => self.conntrack.track_output(skb),
                    _ => self.conntrack.track(skb),
                };
                passed(verdict, "connection tracking")
            }
            Stage::Nat { .. } => {
                let passed = self.nat(version, context, skb, hits);
                self.strings.next_packet();
                passed
            }
            Stage::Chain { table, chain } => {
                let walked = self.walk((table, chain), context, skb, hits);
                self.settle(walked, None, skb, hits)
            }
            Stage::Confirm => passed(self.conntrack.confirm(skb), "connection tracking"),
        }
    }

    fn walk(&mut self, at: (usize, usize), context: &HookContext, skb: &mut Skb<'_>, hits: &mut Vec<u32>) -> Walked {
        let mut world = World {
            connections: &mut self.conntrack,
            routes: &self.wiring.routes,
            shared: &mut self.shared,
            strings: &mut self.strings,
        };
        self.chains.walk(at, context, skb, &mut world, hits)
    }

    /// What a walk means for the packet. Answers are sent while the packet still holds its connection: through the
    /// host's own hooks, or straight out by the device at which the packet was rejected.
    fn settle(&mut self, walked: Walked, at: Option<&Arc<str>>, skb: &mut Skb<'_>, hits: &mut Vec<u32>) -> Passed {
        match walked {
            Walked::On | Walked::Nat(_) => Passed::On,
            Walked::Dropped(by) => Passed::End(Judged::dropped(by)),
            Walked::Rejected(how, by) => {
                let reset = how == Reject::TcpReset;
                self.answer(how, at, skb, hits);
                Passed::End(Judged { judgement: Judgement::Reject { reset }, by: Some(by) })
            }
        }
    }

    /// The nat chains, asked about the first packet of a connection (`nf_nat_inet_fn`).
    fn nat(&mut self, version: usize, context: &HookContext, skb: &mut Skb<'_>, hits: &mut Vec<u32>) -> Passed {
        if let NatStep::Done(verdict) = self.conntrack.nat_begin(skb, context.hook) {
            return passed(verdict, "address translation");
        }
        let mut number = 0;
        while let Some(at) = self.orders.get(version).and_then(|order| order.nat_chain(context.hook, number)) {
            number += 1;
            match self.walk(at, context, skb, hits) {
                Walked::Nat(ask) => {
                    let range = self.range_of(&ask, context, skb);
                    if self.conntrack.nat_setup(skb, ask.manip, &range) == Verdict::Drop {
                        return Passed::End(Judged::dropped(DecidedBy::Kernel("address translation")));
                    }
                }
                other => {
                    if let Passed::End(judged) = self.settle(other, None, skb, hits) {
                        return Passed::End(judged);
                    }
                }
            }
            if self.conntrack.nat_is_decided(skb, context.hook) {
                break;
            }
        }
        passed(self.conntrack.nat_finish(skb, context.hook), "address translation")
    }

    /// Masquerade takes the address of the interface, redirect that of the host.
    fn range_of(&self, ask: &NatAsk, context: &HookContext, skb: &Skb<'_>) -> NatRange {
        if !ask.own {
            return ask.range.clone();
        }
        let to_itself = ask.manip == Manip::Dst && context.hook == Hook::Output;
        let address = match (self.wiring.routes.first_local(skb.is_v6()), skb.is_v6()) {
            (None, false) if to_itself => IpAddr::from([127, 0, 0, 1]),
            (None, true) if to_itself => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
            (local, v6) => local.unwrap_or(Routes::standing(v6)),
        };
        NatRange { addresses: Some((address, address)), ..ask.range.clone() }
    }

    /// Sends what REJECT answers. The host's own answers are in a capture taken at the host; a gateway's would be new.
    fn answer(&mut self, how: Reject, at: Option<&Arc<str>>, skb: &Skb<'_>, hits: &mut Vec<u32>) {
        if self.bridges || self.wiring.vantage == Vantage::Host {
            return;
        }
        let Some(packet) = reject_reply(skb, how, &self.wiring.routes, self.conntrack.checksums()) else { return };
        let Some(mut reply) = Skb::new(&packet, &[], skb.now_ns) else { return };
        self.conntrack.attach(&mut reply, skb);
        if let (Reject::TcpReset, Some(id)) = (how, skb.ct) {
            self.conntrack.set_closing(id, skb.now_ns);
        }
        self.strings.next_packet();
        let _ = match at {
            Some(device) => self.leave(device, &mut reply, hits),
            None => self.send(&mut reply, hits),
        };
        if reply.ct != skb.ct {
            // Only its own new connection may go, not the one it answers for.
            self.conntrack.forget(&mut reply);
        }
        self.strings.next_packet();
    }

    /// `true` if the packet goes on: whole, or put together with this last fragment.
    fn defragment(&mut self, user: defrag::User, skb: &mut Skb<'_>) -> bool {
        // IPv6 packets lose a fragment header even if it says that they are whole (RFC 6946).
        let has_fragment_header = skb.is_v6() && skb.byte(6).is_some_and(|next| matches!(next, 0 | 43 | 44 | 51 | 60));
        if !skb.headers.is_fragment && !has_fragment_header {
            return true;
        }
        match self.defrag.push(skb, user, 0) {
            defrag::Outcome::Pass => true,
            defrag::Outcome::Held | defrag::Outcome::Dropped => false,
            defrag::Outcome::Whole(whole) => {
                let Some(together) = whole.skb() else { return false };
                (skb.len, skb.mark, skb.priority) = (together.len, together.mark, together.priority);
                skb.seams = together.seams;
                skb.bytes = Cow::Owned(together.bytes.into_owned());
                self.strings.next_packet();
                skb.find_headers().is_some()
            }
        }
    }
}

fn passed(verdict: Verdict, by: &'static str) -> Passed {
    match verdict {
        Verdict::Accept => Passed::On,
        Verdict::Drop => Passed::End(Judged::dropped(DecidedBy::Kernel(by))),
    }
}

impl Judge for Machine {
    fn run(&mut self, mut skb: Skb<'_>, hits: &mut Vec<u32>) -> Judged {
        self.chains.doubtful = false;
        self.shared.start(skb.now_ns);
        self.strings.next_packet();
        let judged = self.travel(&mut skb, hits);
        if judged.judgement != Judgement::Accept {
            self.conntrack.forget(&mut skb);
        }
        judged
    }

    fn notes(&self) -> Vec<String> {
        let counts = self.conntrack.counts();
        let numbers = [
            (counts.early_dropped, "connections were given up for others because the table was full"),
            (counts.refused, "packets were dropped because the connection table was full"),
        ];
        let counted = numbers.into_iter().filter(|(count, _)| *count > 0);
        let mut notes = self.device_notes.clone();
        notes.extend(counted.map(|(count, what)| format!("{count} {what}")));
        let cut = "many rules, many packets: not all packets were asked what rules that counted nothing would match";
        notes.extend(self.chains.audit_is_cut_short().then(|| cut.to_owned()));
        notes
    }

    fn rule_count(&self) -> usize {
        self.chains.rule_count()
    }

    fn counters(&self, rule: u32) -> (u64, u64) {
        self.chains.counters(rule)
    }

    fn audited(&self, rule: u32) -> Option<Audited> {
        self.chains.audited(rule)
    }

    fn chains(&self) -> Vec<ChainHits> {
        self.chains.policies()
    }

    fn objects(&self) -> Vec<ObjectHits> {
        self.chains.objects()
    }

    fn last_was_doubtful(&self) -> bool {
        self.chains.doubtful
    }
}
