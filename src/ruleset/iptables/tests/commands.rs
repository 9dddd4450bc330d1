//! Commands carried out: chains, policies, and what a rule becomes.

use super::{Context, Family, parse_save, rule, save, script};
use crate::ruleset::iptables::print_save;
use crate::ruleset::l7::Pattern;
use crate::ruleset::model::{Base, Body, ChainKind, Hook, Policy};
use crate::ruleset::xt::{HashLimit, Inv, Match, Range, Target, U32Op};
use std::sync::Arc;

#[test]
fn a_script_leaves_what_the_tools_leave() {
    let parsed = script(include_str!("../testdata/firewall.sh")).unwrap();
    assert_eq!(print_save(&parsed.tables, None), include_str!("../testdata/firewall.save"));
    let notes: Vec<&str> = parsed.notes.iter().map(|note| note.message.as_str()).collect();
    assert_eq!(notes, ["`modprobe` is not carried out: only rules are read", "chain INPUT has no such rule to delete"]);
}

#[test]
fn base_chains_hang_where_the_kernel_hangs_them() {
    let parsed = save(
        "*nat\n:POSTROUTING ACCEPT [0:0]\n:PREROUTING ACCEPT [0:0]\n:INPUT DROP [1:2]\n:zz - [0:0]\n:aa - [0:0]\nCOMMIT\n\
         *mangle\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n*raw\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n*security\nCOMMIT\n",
    )
    .unwrap();
    let chains: Vec<(String, Option<Base>)> = parsed
        .tables
        .iter()
        .flat_map(|table| &table.chains)
        .map(|chain| (chain.name.to_string(), chain.base.clone()))
        .collect();
    let base = |kind, hook, priority, policy| Some(Base { kind, hook, priority, policy, devices: Vec::new() });
    assert_eq!(
        chains,
        [
            ("PREROUTING".into(), base(ChainKind::Nat, Hook::Prerouting, -100, Policy::Accept)),
            ("INPUT".into(), base(ChainKind::Nat, Hook::Input, 100, Policy::Drop)),
            ("POSTROUTING".into(), base(ChainKind::Nat, Hook::Postrouting, 100, Policy::Accept)),
            ("aa".into(), None),
            ("zz".into(), None),
            ("OUTPUT".into(), base(ChainKind::Route, Hook::Output, -150, Policy::Accept)),
            ("PREROUTING".into(), base(ChainKind::Filter, Hook::Prerouting, -300, Policy::Accept)),
        ]
    );
    assert_eq!(parsed.tables.len(), 3, "a table in which nothing happened is not there");
}

#[test]
fn commands_within_a_save_file() {
    let parsed = save(
        "*filter\n:a - [0:0]\n-N b\n[5:6] -A FORWARD -j b\n-I FORWARD -p tcp -j a\n-A a -j ACCEPT\n-P INPUT DROP\n\
         -R FORWARD 2 -p udp\n-D FORWARD 1\n-F a\n-X a\n-X b\n-E c d\n",
    );
    assert_eq!(parsed.unwrap_err().to_string(), "rules:13:4: there is no chain `c` in table filter");
    let parsed = save(
        "*filter\n:a - [0:0]\n-A FORWARD -s 1.1.1.1,2.2.2.2 -j a\n-D FORWARD -s 2.2.2.2 -j a\n-I FORWARD 2 -j a\n\
         -6 -A FORWARD -j a\nCOMMIT\n",
    )
    .unwrap();
    let forward = parsed.tables.first().unwrap().chains.first().unwrap();
    let texts: Vec<(u32, &str)> = forward.rules.iter().map(|rule| (rule.n, rule.text.as_str())).collect();
    assert_eq!(texts, [(1, "-s 1.1.1.1/32 -j a"), (2, "-j a")]);
    assert_eq!(forward.rules.first().unwrap().place.line, 3);
}

#[test]
fn jumps_lead_to_chains_as_they_are_listed() {
    let parsed = save("*filter\n:zz - [0:0]\n:aa - [0:0]\n-A FORWARD -j zz\n-A FORWARD -g aa\nCOMMIT\n").unwrap();
    let table = parsed.tables.first().unwrap();
    let rules = &table.chains.first().unwrap().rules;
    let led: Vec<(&str, bool)> = rules
        .iter()
        .map(|rule| match &rule.body {
            Body::Xt(body) => match body.target {
                Target::Chain { chain, goto } => (&*table.chains[chain.0 as usize].name, goto),
                _ => panic!("{rule:?}"),
            },
            Body::Nft(_) => panic!("{rule:?}"),
        })
        .collect();
    assert_eq!(led, [("zz", false), ("aa", true)]);
}

fn only_match(spec: &str) -> Match {
    match rule(spec).body {
        Body::Xt(body) => body.matches.into_iter().next().unwrap(),
        Body::Nft(_) => panic!("{spec}"),
    }
}

#[test]
fn parameters_are_those_of_the_kernel() {
    let Match::Limit(limit) = only_match("-m limit --limit 10/minute") else { panic!() };
    assert_eq!((limit.average, limit.burst), (60_000, 5));
    let Match::HashLimit(limit) =
        only_match("-m hashlimit --hashlimit-above 500b/s --hashlimit-mode srcip,dstport --hashlimit-name h")
    else {
        panic!()
    };
    assert_eq!(
        *limit,
        HashLimit {
            name: "h".into(),
            above: true,
            mode: 6,
            bytes: true,
            average: 134_217_727,
            burst: 0,
            src_mask: 32,
            dst_mask: 32,
            size: 0,
            max: 0,
            gc_interval: 1_000,
            expire: 15_000,
            rate_match: None,
        }
    );
    let Match::U32(tests) = only_match("-m u32 --u32 \"0>>22&0x3C@12=1:2,5\"") else { panic!() };
    let test = tests.value.first().unwrap();
    assert_eq!(test.location, [(U32Op::And, 0), (U32Op::RightShift, 22), (U32Op::And, 0x3c), (U32Op::At, 12)]);
    assert_eq!(test.ranges, [Range { low: 1, high: 2 }, Range { low: 5, high: 5 }]);
    let Match::ConnTrack(tracked) = only_match("-m conntrack --ctorigsrc 10.1.2.3/16") else { panic!() };
    let Some(Inv { not: false, value }) = tracked.orig_src else { panic!() };
    assert_eq!((value.addr.to_string(), value.mask.to_string()), ("10.1.0.0".into(), "255.255.0.0".into()));
}

#[test]
fn what_is_not_modelled_is_said() {
    let known = rule("-m ipvs ! --ipvs --vport 80 -j ACCEPT");
    assert_eq!(known.text, "-m ipvs ! --ipvs --vport 80 -j ACCEPT");
    assert_eq!(known.unknown.first().unwrap().what, "-m ipvs");
    let stranger = rule("-p tcp -m geoip ! --src-cc DE,AT --x=1 -m tcp --dport 5222 -j TARPIT --hotdrop");
    assert_eq!(stranger.text, "-p tcp -m geoip ! --src-cc DE,AT --x=1 -m tcp --dport 5222 -j TARPIT --hotdrop");
    assert_eq!(stranger.unknown.len(), 2);
    assert!(stranger.unknown.iter().all(|unknown| unknown.effect.contains("not known")));
    let parsed = save("*filter\n-A FORWARD -m geoip --src-cc DE\nCOMMIT\n").unwrap();
    assert!(parsed.notes.first().unwrap().message.contains("not an extension of stock Debian"));
    assert!(rule("-m conntrack --ctstate NEW -j ACCEPT").unknown.is_empty());
}

#[test]
fn l7_patterns_are_found_by_name() {
    let pattern = Pattern {
        name: Arc::from("jabber"),
        source: "<stream:stream".into(),
        regex: regex::bytes::Regex::new("<stream:stream").unwrap(),
        place: Default::default(),
    };
    let context = Context { patterns: vec![Arc::new(pattern)], sets: Some(vec![Arc::from("s")]) };
    let read = |spec: &str| {
        let text = format!("*filter\n-A FORWARD {spec}\nCOMMIT\n");
        parse_save(&text, &Arc::from("rules"), Family::Ip, &context)
    };
    let parsed = read("-m layer7 ! --l7proto jabber -j DROP").unwrap();
    assert!(print_save(&parsed.tables, None).contains("-A FORWARD -m layer7 ! --l7proto jabber -j DROP\n"));
    let error = read("-m layer7 --l7proto http").unwrap_err().to_string();
    assert_eq!(error, "rules:2:32: -m layer7: --l7proto: there is no pattern `http`; known patterns: jabber");
    assert!(read("-m set --match-set s src").is_ok());
    assert!(read("-m set --match-set t src").unwrap_err().to_string().contains("there is no set `t`"));
}

#[test]
fn ipset_lines_are_handed_on() {
    let parsed = script("ipset create s hash:ip\nsudo /sbin/ipset add s '1.2.3.4' comment \"a b\"\n").unwrap();
    let lines: Vec<(u32, &str)> = parsed.ipset.iter().map(|(place, text)| (place.line, text.as_str())).collect();
    assert_eq!(lines, [(1, "create s hash:ip"), (2, "add s 1.2.3.4 comment \"a b\"")]);
}
