#![allow(clippy::unwrap_used)] // tests
use super::Audited;
use crate::replay::machine::{Judge, Judgement, Machine, Settings};
use crate::replay::skb::Skb;
use crate::replay::wiring::{Vantage, Wiring};
use crate::replay::world::Routes;
use crate::ruleset::load::{self, RuleFile};
use crate::ruleset::model::Ruleset;
use proptest::prelude::*;

fn loaded(text: &str) -> Ruleset {
    let language = load::told_by(text, "fw", None).unwrap();
    load::assemble(&[RuleFile { path: "fw".to_owned(), language, text: text.to_owned() }]).unwrap()
}

fn settings() -> Settings {
    let routes = Routes {
        local: vec!["10.0.0.1".parse().unwrap()],
        inside: Vec::new(),
        inside_if: "eth1".into(),
        outside_if: "eth0".into(),
    };
    Settings { wiring: Wiring { vantage: Vantage::Host, routes }, ..Settings::default() }
}

/// A UDP datagram to the host: last byte of the sender, destination port.
fn packet(sender: u8, port: u16) -> Vec<u8> {
    let mut bytes = vec![0x45, 0, 0, 32, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, sender, 10, 0, 0, 1];
    bytes.extend([0x30, 0x39]);
    bytes.extend(port.to_be_bytes());
    bytes.extend([0, 12, 0, 0, b'a', b'b', b'c', b'd']);
    let sum = bytes.chunks(2).take(10).map(|two| u32::from(two[0]) << 8 | u32::from(two[1])).sum::<u32>();
    let sum = !(((sum >> 16) + (sum & 0xffff)) as u16);
    bytes[10..12].copy_from_slice(&sum.to_be_bytes());
    bytes
}

/// Verdicts of packets a tenth of a second apart, and what is known of each rule.
fn run(text: &str, packets: &[(u8, u16)]) -> (Vec<Judgement>, Vec<Audited>, Vec<u64>) {
    let ruleset = loaded(text);
    let mut machine = Machine::audited(&ruleset, &settings());
    let verdicts = packets.iter().enumerate().map(|(at, (sender, port))| {
        let bytes = packet(*sender, *port);
        machine.run(Skb::new(&bytes, &[], 1_000_000_000 + at as i64 * 100_000_000).unwrap(), &mut Vec::new()).judgement
    });
    let verdicts = verdicts.collect();
    let rules = 0..machine.rule_count() as u32;
    let audited = rules.clone().map(|rule| machine.audited(rule).unwrap()).collect();
    (verdicts, audited, rules.map(|rule| machine.counters(rule).0).collect())
}

fn save(rules: &str) -> String {
    format!("*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:X - [0:0]\n{rules}COMMIT\n")
}

fn nft(rules: &str) -> String {
    format!(
        "table ip f {{\nset s {{ type ipv4_addr; flags dynamic; }}\nchain x {{\nudp dport 7 accept\n}}\n\
         chain c {{ type filter hook input priority 0; policy drop;\n{rules}}}\n}}\n"
    )
}

/// Rules that the packets show to be needless, and those that were robbed, counted from 0.
fn found(text: &str, packets: &[(u8, u16)]) -> (Vec<usize>, Vec<usize>) {
    let (_, audited, _) = run(text, packets);
    let of = |is: &dyn Fn(&Audited) -> bool| {
        audited.iter().enumerate().filter(|(_, one)| is(one)).map(|(at, _)| at).collect()
    };
    (of(&|one| one.needless.is_some()), of(&|one| one.taken.is_some()))
}

#[test]
fn what_others_decide_likewise_is_needless() {
    let packets = [(2, 53), (3, 53)];
    let text = save("-A INPUT -p udp --dport 53 -j ACCEPT\n-A INPUT -s 10.0.0.2/31 -j ACCEPT\n");
    assert_eq!(found(&text, &packets), (vec![0], vec![1]), "the second takes over, and was robbed");
    let text = save("-A INPUT -p udp --dport 53 -j ACCEPT\n-A INPUT -s 10.0.0.2/32 -j ACCEPT\n");
    assert_eq!(found(&text, &packets).0, [] as [usize; 0], "it takes over for one of them only");
    let text = save("-A INPUT -s 10.0.0.2/32 -j DROP\n-A INPUT -s 10.0.0.3/32 -j ACCEPT\n");
    assert_eq!(found(&text, &packets).0, [0], "the policy drops too");
}

#[test]
fn who_logs_or_remembers_in_between_makes_a_rule_needed() {
    for between in ["-j LOG", "-m limit --limit 1/sec -j ACCEPT", "-j MARK --set-mark 1"] {
        let text = |also: &str| {
            save(&format!("-A INPUT -p udp -j ACCEPT\n-A INPUT {also}{between}\n-A INPUT -p udp -j ACCEPT\n"))
        };
        assert_eq!(found(&text(""), &[(2, 53)]).0, [] as [usize; 0], "{between}");
        assert_eq!(found(&text("-p tcp "), &[(2, 53)]).0, [0], "{between} of other packets");
    }
}

#[test]
fn rules_of_other_chains_are_robbed_too() {
    let text = save(
        "-A INPUT -p udp --dport 53 -j ACCEPT\n-A INPUT -p udp -j X\n-A INPUT -p tcp -j ACCEPT\n\
         -A X -s 10.0.0.2/32 -j LOG\n-A X -s 10.0.0.9/32 -j LOG\n",
    );
    assert_eq!(found(&text, &[(2, 53), (3, 53)]).1, [1, 3]);
    let (_, audited, _) = run(&text, &[(2, 53), (3, 53)]);
    assert_eq!(audited[3].taken, Some((1, 0)));
}

#[test]
fn nftables_rules_are_asked_without_a_trace() {
    let text = nft("udp dport 53 counter accept\nip saddr 10.0.0.2 counter accept\njump x\n");
    assert_eq!(found(&text, &[(2, 53)]), (vec![1], vec![2]));
    assert_eq!(run(&text, &[(2, 53)]).2[2], 0, "asking counts nothing");
    let text = nft("udp dport 53 accept\nadd @s { ip saddr }\nudp dport 53 accept\n");
    assert_eq!(found(&text, &[(2, 53)]).0, [] as [usize; 0]);
}

const XT: [&str; 14] = [
    "-A INPUT -p udp --dport 53 -j ACCEPT",
    "-A INPUT -p udp --dport 7 -j DROP",
    "-A INPUT -s 10.0.0.2/32 -j ACCEPT",
    "-A INPUT -s 10.0.0.3/32 -j DROP",
    "-A INPUT -m conntrack --ctstate NEW -j ACCEPT",
    "-A INPUT -p udp --dport 53 -j X",
    "-A INPUT -p udp -g X",
    "-A INPUT -m limit --limit 1/sec --limit-burst 1 -j ACCEPT",
    "-A INPUT -p udp --dport 7 -m limit --limit 1/sec --limit-burst 2 -j DROP",
    "-A INPUT -s 10.0.0.2/32 -m recent --set --name r",
    "-A INPUT -m recent --rcheck --hitcount 2 --seconds 60 --name r -j DROP",
    "-A X -s 10.0.0.3/32 -j RETURN",
    "-A X -p udp --dport 53 -j ACCEPT",
    "-A X -s 10.0.0.2/32 -j REJECT",
];

const NFT: [&str; 11] = [
    "udp dport 53 accept",
    "udp dport 7 drop",
    "ip saddr 10.0.0.2 counter accept",
    "ip saddr { 10.0.0.3, 10.0.0.4 } drop",
    "ct state new accept",
    "udp dport vmap { 7 : drop, 53 : jump x }",
    "goto x",
    "limit rate 1/second burst 1 packets accept",
    "add @s { ip saddr }",
    "ip saddr @s drop",
    "udp dport 7 reject",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The oracle: the same packets through the same rules without that one.
    #[test]
    fn a_needless_rule_can_be_left_out(
        (is_nft, chosen) in (any::<bool>(), proptest::collection::vec(0usize..14, 1..8)),
        packets in proptest::collection::vec((2u8..5, prop_oneof![Just(7u16), Just(53), Just(80)]), 1..12),
    ) {
        let menu: &[&str] = if is_nft { &NFT } else { &XT };
        let lines: Vec<&str> = chosen.iter().map(|at| menu[at % menu.len()]).collect();
        let write = |lines: &[&str]| {
            let all: String = lines.iter().map(|line| format!("{line}\n")).collect();
            if is_nft { nft(&all) } else { save(&all) }
        };
        let text = write(&lines);
        let lines_of: Vec<u32> = loaded(&text).rules().map(|(_, _, rule)| rule.place.line).collect();
        let (verdicts, audited, counted) = run(&text, &packets);
        for (rule, line) in lines_of.iter().enumerate() {
            // After the chosen lines come the ends of table and chain; the chain that is always there is left alone.
            let before = text.lines().count() - lines.len() - if is_nft { 2 } else { 1 };
            let Some(at) = (*line as usize - 1).checked_sub(before) else { continue };
            prop_assert_eq!(text.lines().nth(*line as usize - 1), Some(lines[at]));
            let mut fewer = lines.clone();
            fewer.remove(at);
            if audited[rule].needless.is_some() {
                prop_assert!(counted[rule] > 0);
                prop_assert_eq!(&run(&write(&fewer), &packets).0, &verdicts, "{} in {}", lines[at], text);
            }
        }
    }

    /// An audit changes nothing: verdicts and counters are those without one.
    #[test]
    fn an_audit_leaves_no_trace(
        (is_nft, chosen) in (any::<bool>(), proptest::collection::vec(0usize..14, 1..8)),
        packets in proptest::collection::vec((2u8..5, prop_oneof![Just(7u16), Just(53), Just(80)]), 1..12),
    ) {
        let menu: &[&str] = if is_nft { &NFT } else { &XT };
        let all: String = chosen.iter().map(|at| format!("{}\n", menu[at % menu.len()])).collect();
        let text = if is_nft { nft(&all) } else { save(&all) };
        let (verdicts, _, counted) = run(&text, &packets);
        let mut plain = Machine::new(std::sync::Arc::new(loaded(&text)), &settings());
        for (at, (sender, port)) in packets.iter().enumerate() {
            let bytes = packet(*sender, *port);
            let skb = Skb::new(&bytes, &[], 1_000_000_000 + at as i64 * 100_000_000).unwrap();
            prop_assert_eq!(plain.run(skb, &mut Vec::new()).judgement, verdicts[at]);
        }
        let plain: Vec<u64> = (0..plain.rule_count() as u32).map(|rule| plain.counters(rule).0).collect();
        prop_assert_eq!(plain, counted);
    }
}
