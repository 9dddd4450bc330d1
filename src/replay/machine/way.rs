//! The ways of packets through the host: in by a device, through its hooks, out by another device.

use super::device::{ETHERNET, apart, as_skb};
use super::{DecidedBy, Judged, Machine, Passed};
use crate::replay::conntrack::CtInfo;
use crate::replay::defrag;
use crate::replay::skb::{HookContext, Skb};
use crate::replay::wiring::Way;
use crate::replay::world::Routes;
use crate::ruleset::model::Hook;
use std::net::IpAddr;
use std::sync::Arc;

impl Machine {
    /// From where the wiring says that it comes to where it says that it goes.
    pub(super) fn travel(&mut self, skb: &mut Skb<'_>, hits: &mut Vec<u32>) -> Judged {
        match self.wiring.way(skb) {
            Way::Nowhere(reason) => Judged::dropped(DecidedBy::Kernel(reason)),
            Way::Out => self.send(skb, hits),
            Way::In { from } if self.bridges => match self.come_in(&from, skb, hits) {
                Passed::On => self.deliver(&from, skb, hits),
                Passed::End(judged) => judged,
            },
            Way::Through { from } if self.bridges => match self.come_in(&from, skb, hits) {
                Passed::On => self.forward(&from, self.other_port(&from), skb, hits),
                Passed::End(judged) => judged,
            },
            Way::In { from } => self.receive(&from, skb, hits),
            Way::Through { from } => {
                // FORWARD sees the TTL as captured, so the packet came with one more.
                skb.set_ttl(skb.ttl().saturating_add(1));
                self.receive(&from, skb, hits)
            }
        }
    }

    /// Destination NAT may make a packet the host's own, or no longer its own.
    fn receive(&mut self, from: &Arc<str>, skb: &mut Skb<'_>, hits: &mut Vec<u32>) -> Judged {
        let meant_for = skb.dst();
        match self.come_in(from, skb, hits) {
            Passed::On if self.is_own(skb.dst(), meant_for) => self.deliver(from, skb, hits),
            Passed::On if skb.ttl() <= 1 => Judged::dropped(DecidedBy::Kernel("time to live")),
            Passed::On => {
                skb.set_ttl(skb.ttl().saturating_sub(1));
                self.strings.next_packet();
                self.forward(from, self.wiring.interface_to(skb.dst()), skb, hits)
            }
            Passed::End(judged) => judged,
        }
    }

    /// An address that stands for the host's own is so only where translation put it.
    fn is_own(&self, address: IpAddr, before: IpAddr) -> bool {
        self.wiring.is_local(address) || address != before && address == Routes::standing(address.is_ipv6())
    }

    fn come_in(&mut self, from: &Arc<str>, skb: &mut Skb<'_>, hits: &mut Vec<u32>) -> Passed {
        match self.at_device(Hook::Ingress, from, skb, hits) {
            Passed::On => self.hook(Hook::Prerouting, Some(from), None, skb, hits),
            end => end,
        }
    }

    fn deliver(&mut self, from: &Arc<str>, skb: &mut Skb<'_>, hits: &mut Vec<u32>) -> Judged {
        // ip_local_deliver puts fragments together before INPUT; IPv6 does so only after it.
        let puts_together = !self.bridges && !skb.is_v6() && skb.ct_info != CtInfo::Untracked;
        if puts_together && !self.defragment(defrag::User::Prerouting, skb) {
            return Judged::HELD;
        }
        match self.hook(Hook::Input, Some(from), None, skb, hits) {
            Passed::On => Judged::ACCEPTED,
            Passed::End(judged) => judged,
        }
    }

    fn forward(&mut self, from: &Arc<str>, to: Arc<str>, skb: &mut Skb<'_>, hits: &mut Vec<u32>) -> Judged {
        // `ip_output` still knows by which device the packet came, a bridge does not.
        let known = (!self.bridges).then_some(from);
        match self.hook(Hook::Forward, Some(from), Some(&to), skb, hits) {
            Passed::On => self.go_out(known, &to, skb, hits),
            Passed::End(judged) => judged,
        }
    }

    /// A frame that was captured at a bridge went through it.
    fn other_port(&self, from: &Arc<str>) -> Arc<str> {
        let routes = &self.wiring.routes;
        Arc::clone(if *from == routes.outside_if { &routes.inside_if } else { &routes.outside_if })
    }

    /// What the host itself sends.
    pub(super) fn send(&mut self, skb: &mut Skb<'_>, hits: &mut Vec<u32>) -> Judged {
        let to = self.wiring.interface_to(skb.dst());
        match self.hook(Hook::Output, None, Some(&to), skb, hits) {
            Passed::On => self.go_out(None, &to, skb, hits),
            Passed::End(judged) => judged,
        }
    }

    fn go_out(&mut self, from: Option<&Arc<str>>, to: &Arc<str>, skb: &mut Skb<'_>, hits: &mut Vec<u32>) -> Judged {
        match self.hook(Hook::Postrouting, from, Some(to), skb, hits) {
            Passed::On => self.leave(to, skb, hits),
            Passed::End(judged) => judged,
        }
    }

    /// Out by a device, in fragments if it came in them. Once one of them is dropped, the rest are not sent.
    pub(super) fn leave(&mut self, to: &Arc<str>, skb: &mut Skb<'_>, hits: &mut Vec<u32>) -> Judged {
        if self.devices.has_no_egress() {
            return Judged::ACCEPTED;
        }
        let pieces = apart(skb);
        if pieces.is_empty() {
            return self.leave_whole(to, skb, hits);
        }
        for bytes in &pieces {
            let Some(mut piece) = as_skb(bytes, skb) else { continue };
            let judged = self.leave_whole(to, &mut piece, hits);
            if judged != Judged::ACCEPTED {
                return judged;
            }
        }
        Judged::ACCEPTED
    }

    fn leave_whole(&mut self, to: &Arc<str>, skb: &mut Skb<'_>, hits: &mut Vec<u32>) -> Judged {
        skb.len = skb.len.saturating_add(ETHERNET);
        let passed = self.at_device(Hook::Egress, to, skb, hits);
        skb.len = skb.len.saturating_sub(ETHERNET);
        match passed {
            Passed::On => Judged::ACCEPTED,
            Passed::End(judged) => judged,
        }
    }

    /// The chains that hang on a device.
    fn at_device(&mut self, hook: Hook, device: &Arc<str>, skb: &mut Skb<'_>, hits: &mut Vec<u32>) -> Passed {
        // `nft_reject_netdev` answers past layer 3; it is for ingress alone.
        let answers = Some(device);
        let mut number = 0;
        while let Some((at, next)) = self.devices.next(hook, device, number) {
            number = next;
            let here = Some(Arc::clone(device));
            let (in_if, out_if) = if hook == Hook::Ingress { (here, None) } else { (None, here) };
            let context = HookContext { hook, in_if, out_if };
            let walked = self.walk(at, &context, skb, hits);
            if let Passed::End(judged) = self.settle(walked, answers, skb, hits) {
                return Passed::End(judged);
            }
        }
        Passed::On
    }
}
