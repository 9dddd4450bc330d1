//! Scripts against what ipset 7.17 makes of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // tests

use super::{IpSet, Value, members, parse, print};
use proptest::prelude::*;
use std::sync::Arc;

fn read(text: &str) -> Vec<IpSet> {
    let (mut sets, mut notes) = (Vec::new(), Vec::new());
    parse(text, &Arc::from("test.ipset"), &mut sets, &mut notes).unwrap();
    sets
}

fn refused(text: &str) -> String {
    let (mut sets, mut notes) = (Vec::new(), Vec::new());
    parse(text, &Arc::from("t"), &mut sets, &mut notes).unwrap_err().to_string()
}

/// Printed by `ipset save` 7.17.
const SAVED: &str = "\
create a1 bitmap:ip range 10.0.0.0-10.0.0.255 timeout 300 counters comment skbinfo
add a1 10.0.0.5 timeout 29 packets 5 bytes 10 comment \"hi there\" skbmark 0x10/0xff skbprio 1:10 skbqueue 3
create a2 bitmap:ip,mac range 10.0.0.0-10.0.0.255
add a2 10.0.0.7,01:02:03:04:05:0A
add a2 10.0.0.8
create a3 bitmap:port range 1-65535
add a3 5
create a4 hash:ip family inet hashsize 1024 maxelem 100 netmask 24 bucketsize 12 initval 0x52be8a4a
add a4 10.0.0.0
create a5 hash:ip family inet6 hashsize 1024 maxelem 65536 timeout 0 bucketsize 12 initval 0x5d860069
add a5 2001:db8::1 timeout 0
create a6 hash:net family inet hashsize 1024 maxelem 65536 timeout 5 counters comment skbinfo bucketsize 12 initval 0x6f35799d
add a6 10.1.2.3 timeout 4 packets 0 bytes 0
add a6 10.0.0.0/8 timeout 4 nomatch packets 0 bytes 0 comment \"x\"
create a7 hash:ip,port family inet hashsize 1024 maxelem 65536 bucketsize 12 initval 0xf16997a2
add a7 10.0.0.1,tcp:82
add a7 10.0.0.1,icmp:echo-request
add a7 10.0.0.1,udplite:53
add a7 10.0.0.1,99:0
add a7 10.0.0.1,icmp:8/1
add a7 10.0.0.1,gre:0
create a8 hash:ip,port,ip family inet hashsize 1024 maxelem 65536 bucketsize 12 initval 0xeea9a8ac
add a8 10.0.0.1,tcp:80,10.0.0.2
create a9 hash:ip,port,net family inet hashsize 1024 maxelem 65536 bucketsize 12 initval 0x8484f2ba
add a9 10.0.0.1,tcp:80,10.0.0.2
add a9 10.0.0.1,tcp:80,10.0.0.0/24
create a10 hash:net,port family inet hashsize 1024 maxelem 65536 bucketsize 12 initval 0x45599b4c
add a10 10.0.0.0/24,vrrp:0
create a11 hash:net,iface family inet hashsize 1024 maxelem 65536 bucketsize 12 initval 0x27aad2b6
add a11 10.0.0.0/24,eth0
add a11 10.0.0.0/24,eth wildcard
add a11 0.0.0.0/0,physdev:eth1
create a13 hash:ip family inet hashsize 1024 maxelem 65536 bitmask 255.0.255.0 bucketsize 12 initval 0x6c232fd5
add a13 10.0.2.0
create a14 bitmap:ip range 10.0.0.0-10.0.255.255 netmask 24
add a14 10.0.5.0
create a16 hash:ip,port family inet6 hashsize 1024 maxelem 65536 bucketsize 12 initval 0x7a89b8d7 netmask 64
add a16 2001:db8:0:1::,ipv6-icmp:echo-request
create a12 list:set size 8 timeout 100 counters
add a12 a6 timeout 99 packets 0 bytes 0
add a12 a3 timeout 99 packets 0 bytes 0
add a12 a1 timeout 9 packets 0 bytes 0
";

#[test]
fn what_is_saved_prints_the_same() {
    assert_eq!(print(&read(SAVED)), SAVED);
}

#[test]
fn lists_keep_the_places_they_were_told() {
    let sets = read(
        "create a hash:ip\ncreate b hash:ip\ncreate c hash:ip\ncreate l list:set\nadd l a\nadd l b before a\nadd l c after b",
    );
    let names: Vec<String> = print(&sets[3..]).lines().skip(1).map(str::to_string).collect();
    assert_eq!(names, ["add l b", "add l c", "add l a"]);
}

/// The members that the kernel listed after these lines.
#[test]
fn ranges_spread_as_in_the_kernel() {
    let cases = [
        ("hash:net", "10.0.0.3-10.0.0.10", vec!["10.0.0.3", "10.0.0.4/30", "10.0.0.8/31", "10.0.0.10"]),
        (
            "hash:net,port",
            "11.0.0.5-11.0.0.8,81-80",
            vec![
                "11.0.0.5,tcp:80",
                "11.0.0.5,tcp:81",
                "11.0.0.6/31,tcp:80",
                "11.0.0.6/31,tcp:81",
                "11.0.0.8,tcp:80",
                "11.0.0.8,tcp:81",
            ],
        ),
        ("hash:ip netmask 24", "10.0.0.200-10.0.2.3", vec!["10.0.0.0", "10.0.1.0", "10.0.2.0"]),
        ("bitmap:ip range 10.0.0.0/16 netmask 24", "10.0.4.7-10.0.6.3", vec!["10.0.4.0", "10.0.5.0"]),
        (
            "hash:ip,port,net",
            "1.2.4.0/31,80,1.2.3.5-1.2.3.9",
            vec![
                "1.2.4.0,tcp:80,1.2.3.5",
                "1.2.4.0,tcp:80,1.2.3.6/31",
                "1.2.4.0,tcp:80,1.2.3.8/31",
                "1.2.4.1,tcp:80,1.2.3.5",
                "1.2.4.1,tcp:80,1.2.3.6/31",
                "1.2.4.1,tcp:80,1.2.3.8/31",
            ],
        ),
        ("hash:ip", "10.0.0.4-10.0.0.3", vec!["10.0.0.3", "10.0.0.4"]),
    ];
    for (kind, entry, expected) in cases {
        let set = read(&format!("create s {kind}\nadd s {entry}")).remove(0);
        let mut one = IpSet { entries: Vec::new(), ..set.clone() };
        members::each(&set, &set.entries[0], &mut |values| {
            one.entries.push(super::Entry { values: values.to_vec(), ..set.entries[0].clone() });
            true
        });
        let text = one.to_string();
        let printed: Vec<&str> = text.lines().skip(1).map(|line| line.strip_prefix("add s ").unwrap()).collect();
        assert_eq!(printed, expected, "{kind} {entry}");
    }
}

#[test]
fn the_widest_range_ends() {
    let set = read("create s hash:net\nadd s 0.0.0.0-255.255.255.255").remove(0);
    let mut found = Vec::new();
    members::each(&set, &set.entries[0], &mut |values| {
        found.extend_from_slice(values);
        true
    });
    let half = |first: [u8; 4]| Value::Net(first.into(), 1);
    assert_eq!(found, [half([0, 0, 0, 0]), half([128, 0, 0, 0])]);
}

#[test]
fn deleting_from_a_range_leaves_the_rest() {
    let sets = read("create s hash:ip\nadd s 10.0.0.1-10.0.0.4\ndel s 10.0.0.2-10.0.0.3\nadd s 10.0.0.9");
    let text = print(&sets);
    assert_eq!(text.lines().skip(1).collect::<Vec<_>>(), ["add s 10.0.0.1", "add s 10.0.0.4", "add s 10.0.0.9"]);
}

#[test]
fn sets_are_renamed_swapped_flushed_and_destroyed() {
    let script = "ipset create a hash:ip\n/sbin/ipset -exist create a hash:ip\ncreate b hash:ip -exist\nadd a 1.2.3.4\n\
                  add b 5.6.7.8\nswap a b\nrename b c\ncreate d hash:ip\nadd d 1.1.1.1\nflush d\ncreate e hash:ip\ndestroy e\n# x\n";
    let sets = read(script);
    let found: Vec<(&str, usize)> = sets.iter().map(|set| (&*set.name, set.entries.len())).collect();
    assert_eq!(found, [("c", 1), ("a", 1), ("d", 0)]);
    assert!(print(&sets).contains("add a 5.6.7.8"));
    assert!(read("create a hash:ip\nadd a 1.2.3.4\ndestroy").is_empty());
}

#[test]
fn errors_tell_the_place_and_what_was_expected() {
    let cases = [
        (
            "create s hash:ip\nadd s 10.0.0.300",
            "t:2:7: expected an IPv4 address, a range or a network, found `10.0.0.300`",
        ),
        ("create s hash:ip,port\nadd s 10.0.0.1,tpc:80", "t:2:16: expected a protocol, found `tpc`"),
        (
            "create s hash:net\nadd s 0.0.0.0/0",
            "t:2:7: a network of prefix length 0 cannot be stored in this type of set",
        ),
        ("create s hash:ip\nadd s 10.0.0.1 timeout 5", "t:2:16: `timeout` needs a set that was created with `timeout`"),
        ("add s 10.0.0.1", "t:1:5: expected the name of a set, but there is no set `s`"),
        ("create s bitmap:port", "t:1:10: expected the option `range` after bitmap:port"),
        (
            "create s hash:ip timeout 2147484",
            "t:1:26: expected a number from 0 to 2147483 after timeout, found `2147484`",
        ),
        ("create l list:set\ncreate m list:set\nadd l m", "t:3:7: `m` is a list: a list cannot be in a list"),
        (
            "create s bitmap:ip range 10.0.0.0/24\nadd s 10.0.0.200-10.0.1.10",
            "t:2:7: `10.0.0.200-10.0.1.10` is out of the range of the set",
        ),
        (
            "create s hash:ip family inet6\nadd s 2001:db8::/120",
            "t:2:7: expected an IPv6 address, found `2001:db8::/120`",
        ),
        ("create a hash:ip\ncreate l list:set\nadd l a\ndestroy a", "t:4:9: `a` is in a list"),
        (
            "create s hash:net,iface\nadd s 10.0.0.0/8",
            "t:2:7: expected `,` and an interface, found the end of the entry",
        ),
        (
            "create s hash:ip comment\nadd s 10.0.0.1 comment \"no end",
            "t:2:24: expected a closing `\"`, found the end of the line",
        ),
    ];
    for (script, message) in cases {
        assert_eq!(refused(script), message);
    }
    assert!(refused("create s hash:foo").starts_with("t:1:10: expected a type of set (bitmap:ip, "));
}

#[test]
fn too_many_members_are_refused() {
    assert_eq!(
        refused("create s hash:ip\nadd s 10.0.0.0/8"),
        "t:2:7: 16777216 members are more than the set's maxelem of 65536"
    );
    let script = "create s hash:ip maxelem 4294967295\nadd s 10.0.0.0/8\nadd s 11.0.0.0/8";
    assert_eq!(refused(script), "t:3:7: expected at most 16777216 members in all sets");
}

proptest! {
    #[test]
    fn nothing_panics_and_what_is_read_prints_and_reads_the_same(
        lines in proptest::collection::vec(
            prop_oneof![
                "(create|add|del|flush|swap|rename|test) [ab] (hash:ip|hash:net,port|list:set|bitmap:port range 1-9|[0-9./:,-]{1,20})( [a-z]{1,9}( [0-9a-f:/]{1,9})?)?",
                "create [a-d] (hash:(ip|net|net,iface|ip,port,net)( family inet6)?|bitmap:ip range 10.0.0.0/24)( timeout 5)?( counters)?( comment)?",
                "add [a-d] 10.0.0.[0-9]{1,3}(/2[4-9]|-10.0.0.9)?(,(tcp|udp|gre):[0-9]{1,5})?(,10.0.0.0/8|,eth[01])?( nomatch| wildcard| comment x| packets 5)?",
                ".{0,40}",
            ],
            0..12,
        )
    ) {
        let (mut sets, mut notes) = (Vec::new(), Vec::new());
        for line in &lines {
            let mut next = sets.clone();
            if parse(line, &Arc::from("p"), &mut next, &mut notes).is_ok() {
                sets = next;
            }
        }
        let text = print(&sets);
        prop_assert_eq!(print(&read(&text)), text);
    }
}
