//! A row of IP packets, each behind its length, the time since the one before, and what the ruleset does with it: the
//! table's bounds hold, nothing panics.

#![no_main]

use jabberscope::replay::conntrack::{Checksums, Conntrack, Manip, NatRange, NatStep, Settings, Verdict, Zone};
use jabberscope::replay::defrag::{Defrag, Limits, Outcome, User};
use jabberscope::replay::skb::Skb;
use jabberscope::ruleset::model::Hook;
use libfuzzer_sys::fuzz_target;

const SECOND_NS: i64 = 1_000_000_000;
const MAX_ENTRIES: usize = 16;

fuzz_target!(|input: &[u8]| {
    let settings = Settings { max_entries: MAX_ENTRIES, checksums: Checksums::Ignored, ..Settings::default() };
    let mut tracker = Conntrack::new(settings);
    let mut defrag = Defrag::new(Limits { bytes: 16 << 10, ..Limits::default() });
    let (mut rest, mut now_ns, mut number) = (input, 0, 0);
    while let Some(([len, seconds, rules], tail)) = rest.split_first_chunk() {
        let (packet, tail) = tail.split_at(tail.len().min(usize::from(*len)));
        rest = tail;
        now_ns += i64::from(*seconds) * SECOND_NS;
        number += 1;
        let Some(mut skb) = Skb::new(packet, &[], now_ns) else { continue };
        match defrag.push(&skb, User::Prerouting, number) {
            Outcome::Pass => pass(&mut tracker, &mut skb, *rules),
            Outcome::Whole(whole) => {
                let mut skb = whole.skb().expect("an IP packet");
                assert!(skb.bytes.len() <= skb.len as usize);
                pass(&mut tracker, &mut skb, *rules);
            }
            Outcome::Held | Outcome::Dropped => {}
        }
        assert!(tracker.len() <= MAX_ENTRIES);
    }
});

/// A packet under rules that its byte stands for.
fn pass(tracker: &mut Conntrack, skb: &mut Skb<'_>, rules: u8) {
    if rules & 1 != 0 {
        let zone = Zone { id: u16::from(rules >> 6), original_only: rules & 2 != 0, reply_only: false };
        skb.ct = Some(tracker.template(zone));
    }
    if tracker.track(skb) == Verdict::Drop {
        return;
    }
    for hook in [Hook::Prerouting, Hook::Postrouting] {
        let address = skb.dst();
        if tracker.nat_begin(skb, hook) == NatStep::Ask {
            if rules & 4 != 0 {
                let ports = (rules & 8 != 0).then_some((1, u16::from(rules >> 4)));
                let range = NatRange { addresses: Some((address, address)), ports, ..NatRange::default() };
                tracker.nat_setup(skb, Manip::of(hook), &range);
            }
            tracker.nat_finish(skb, hook);
        }
    }
    if rules & 32 != 0 {
        tracker.forget(skb);
    } else {
        tracker.confirm(skb);
    }
}
