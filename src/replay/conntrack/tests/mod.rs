//! The tracker against what kernel 6.18 said of the same packets.
//!
//! Each `data/*.pcap` was sent through a router of its own with rules on `ct state`, `ct direction` and `ct status`, and
//! the connection table was listed after each packet. `data/*.truth` has for each packet its number, A or D (it came out
//! at the other side or not), its length and the rules that matched; then `+` lines: entries of the table that were new
//! or had changed (protocol, seconds left, state, tuples, flags), and `-` lines: entries that were gone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // tests

mod hostile;
mod nat;
mod table;

use super::*;
use crate::replay::defrag::{Defrag, Limits, Outcome, User};
use crate::replay::skb::Skb;
use crate::replay::world::Connections;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Frames of a small pcap file of Ethernet frames: capture time and the packet after the link header.
pub(super) fn packets(file: &[u8]) -> Vec<(i64, &[u8])> {
    assert_eq!(file[..4], [0xd4, 0xc3, 0xb2, 0xa1], "little-endian, microseconds");
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    let (mut at, mut found) = (24, Vec::new());
    while at + 16 <= file.len() {
        let (seconds, micros, len) = (word(at), word(at + 4), word(at + 8) as usize);
        let frame = &file[at + 16..at + 16 + len];
        found.push((i64::from(seconds) * 1_000_000_000 + i64::from(micros) * 1000, &frame[14..]));
        at += 16 + len;
    }
    found
}

/// What is recorded of one packet.
struct Truth<'t> {
    /// Length and rules; `-` if no rule saw it.
    seen: &'t str,
    changed: Vec<&'t str>,
    gone: Vec<&'t str>,
}

fn truths(text: &str) -> Vec<Truth<'_>> {
    let mut found: Vec<Truth<'_>> = Vec::new();
    for line in text.lines() {
        match line.split_at(2) {
            ("+ ", entry) => found.last_mut().unwrap().changed.push(entry),
            ("- ", entry) => found.last_mut().unwrap().gone.push(entry),
            _ => {
                let seen = line.splitn(3, ' ').nth(2).unwrap();
                found.push(Truth { seen, changed: Vec::new(), gone: Vec::new() });
            }
        }
    }
    found
}

/// What the recording rules would have matched.
fn judged(tracker: &Conntrack, skb: &Skb<'_>) -> String {
    let mut text = skb.len.to_string();
    let state = match skb.ct_info {
        CtInfo::None => "inv",
        CtInfo::Untracked => "unt",
        CtInfo::New => "new",
        CtInfo::Established | CtInfo::EstablishedReply => "est",
        CtInfo::Related | CtInfo::RelatedReply => "rel",
    };
    write!(text, " {state}").unwrap();
    if let Some(conn) = skb.ct.and_then(|id| tracker.get(id)) {
        text += if skb.ct_info.is_reply() { " reply" } else { " orig" };
        let names = [
            (status::EXPECTED, " expected"),
            (status::SEEN_REPLY, " seen"),
            (status::ASSURED, " assured"),
            (status::CONFIRMED, " confirmed"),
            (status::SRC_NAT, " snat"),
            (status::DST_NAT, " dnat"),
            (status::DYING, " dying"),
        ];
        names.iter().filter(|(bit, _)| conn.status & bit != 0).for_each(|(_, name)| text += name);
    }
    text
}

/// An entry as recorded, without its time.
fn listed(tracker: &Conntrack, conn: &Conn) -> String {
    let [original, answers] = conn.tuples;
    let side = |t: Tuple| format!("{}>{} {},{}", t.src, t.dst, t.src_port, t.dst_port);
    let state = tracker.tcp_state(conn.id).map_or(String::from("-"), |state| format!("{state:?}"));
    let mut flags = String::new();
    if conn.status & status::SEEN_REPLY == 0 {
        flags += " UNREPLIED";
    }
    if conn.status & status::ASSURED != 0 {
        flags += " ASSURED";
    }
    format!("{} {state} {} {}{flags}", original.protocol, side(original), side(answers))
}

/// Runs a capture through the tracker, and compares packets and the whole table with the record.
fn check(name: &str, file: &[u8], truth: &str, settings: Settings) {
    let (packets, truths) = (packets(file), truths(truth));
    assert_eq!(packets.len(), truths.len(), "{name}");
    let (mut tracker, mut defrag) = (Conntrack::new(settings), Defrag::new(Limits::default()));
    let (mut wrong, mut kernel) = (String::new(), Listed::new());
    for (n, ((now_ns, packet), truth)) in packets.iter().zip(&truths).enumerate() {
        let mut skb = Skb::new(packet, &[], *now_ns).unwrap();
        let seen = match defrag.push(&skb, User::Prerouting, n as u64) {
            Outcome::Pass => pass(&mut tracker, &mut skb),
            Outcome::Whole(whole) => pass(&mut tracker, &mut whole.skb().unwrap()),
            Outcome::Held | Outcome::Dropped => String::from("-"),
        };
        if seen != truth.seen {
            writeln!(wrong, "{}: {seen}; the kernel: {}", n + 1, truth.seen).unwrap();
        }
        compare_table(&tracker, n + 1, *now_ns, truth, &mut kernel, &mut wrong);
    }
    assert!(wrong.is_empty(), "{name}:\n{wrong}");
}

/// Forwards a packet. The recording ruleset drops TCP to port 9 after its other rules.
fn pass(tracker: &mut Conntrack, skb: &mut Skb<'_>) -> String {
    if tracker.track(skb) == Verdict::Drop {
        return String::from("-");
    }
    let seen = judged(tracker, skb);
    if skb.headers.protocol == Some(6) && skb.transport().get(2..4) == Some(&[0, 9]) {
        tracker.forget(skb);
    } else {
        tracker.confirm(skb);
    }
    seen
}

/// The table was listed so long after its packet, at most.
const LISTING_NS: i64 = 100_000_000;
const SECOND_NS: i64 = 1_000_000_000;

/// Entries that the kernel has, with the time when they go.
type Listed<'t> = BTreeMap<&'t str, i64>;

fn compare_table<'t>(
    tracker: &Conntrack,
    n: usize,
    now_ns: i64,
    truth: &Truth<'t>,
    kernel: &mut Listed<'t>,
    wrong: &mut String,
) {
    for gone in &truth.gone {
        kernel.remove(gone);
    }
    for changed in &truth.changed {
        let (seconds, entry) = changed.split_once(' ').unwrap();
        kernel.insert(entry, now_ns + seconds.parse::<i64>().unwrap() * SECOND_NS);
    }
    let entries = tracker.table.confirmed().filter(|conn| conn.expires_ns > now_ns);
    let mut ours: BTreeMap<String, i64> = entries.map(|conn| (listed(tracker, conn), conn.expires_ns)).collect();
    for (entry, expires_ns) in kernel.iter() {
        let our_ns = ours.remove(*entry);
        if our_ns.is_none_or(|our_ns| (our_ns - expires_ns).abs() > 3 * SECOND_NS) {
            let left = |ns: i64| (ns - now_ns) / SECOND_NS;
            writeln!(wrong, "{n}: kernel has {entry} for {} s, here {:?}", left(*expires_ns), our_ns.map(left))
                .unwrap();
        }
    }
    ours.retain(|_, expires_ns| *expires_ns > now_ns + LISTING_NS);
    ours.keys().for_each(|entry| writeln!(wrong, "{n}: only here: {entry}").unwrap());
}

macro_rules! recorded {
    ($($name:ident $settings:expr;)*) => {$(
        #[test]
        fn $name() {
            let file = include_bytes!(concat!("data/", stringify!($name), ".pcap"));
            let truth = include_str!(concat!("data/", stringify!($name), ".truth"));
            check(stringify!($name), file, truth, $settings);
        }
    )*};
}

/// What the recording host had set for `times`: seconds that a test can wait for.
fn short_times() -> Settings {
    let mut settings = Settings::default();
    let times = &mut settings.timeouts;
    (times.udp, times.udp_stream, times.icmp) = (2 * SECOND_NS, 4 * SECOND_NS, SECOND_NS);
    let tcp = &mut times.tcp;
    (tcp.syn_sent, tcp.syn_recv, tcp.established) = (2 * SECOND_NS, SECOND_NS, 4 * SECOND_NS);
    (tcp.fin_wait, tcp.time_wait, tcp.close) = (2 * SECOND_NS, SECOND_NS, SECOND_NS);
    tcp.unacknowledged = 3 * SECOND_NS;
    settings
}

recorded! {
    // One of each of many things.
    micro Settings::default();
    // The same with its wrong checksum, which the other record has put right.
    keepcsum Settings { checksums: Checksums::Verified, ..Settings::default() };
    // UDP, UDP-Lite, ICMP requests and answers, GRE, other protocols; cut headers; packets to oneself; a dropped SYN.
    datagrams Settings::default();
    // ICMP errors about known and unknown packets, cut and absurd quotes; every kind of ICMPv6; extension headers.
    errors Settings::default();
    discovery_and_udplite Settings::default();
    sctp Settings::default();
    // TCP: connections by the book, disturbed by random flags, numbers, windows, options and repetitions.
    tcp Settings::default();
    tcp6 Settings::default();
    liberal Settings { tcp_be_liberal: true, ..Settings::default() };
    strict Settings { tcp_loose: false, ..Settings::default() };
    simultaneous_open Settings::default();
    challenge_acks Settings::default();
    ignored_syns Settings::default();
    // Entries that expire, by the clock.
    times short_times();
    // Fragments in every order, twice, overlapping, with two ends, of odd lengths, with ECN.
    fragments4 Settings::default();
    fragments6 Settings::default();
    // Fragments between which 63, and 64, others of the same sender came.
    distance Settings::default();
}
