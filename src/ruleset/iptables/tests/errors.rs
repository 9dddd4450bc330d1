//! Every error names its place and what was expected.

use super::{save, script};

#[track_caller]
fn fails(spec: &str, column: u32, words: &str) {
    let line = format!("-A FORWARD {spec}");
    let error = save(&format!("*filter\n:FORWARD ACCEPT [0:0]\n{line}\nCOMMIT\n")).unwrap_err();
    assert_eq!((error.place.line, error.place.column), (3, column), "{spec}: {error}");
    assert!(error.message.contains(words), "{spec}: {error}");
}

#[test]
fn errors_of_rules() {
    fails("-p tcp --dports 80", 19, "belongs to `-p tcp` or `-m multiport`");
    fails("--dport 80", 12, "unknown option `--dport`: it belongs to `-p tcp` or `-m tcp`");
    fails("-p tcp --dport", 19, "expects a value");
    fails("-p tcp --dport 99999", 27, "port from 0 to 65535");
    fails("-p tpc", 15, "unknown protocol `tpc`");
    fails("-s example.org", 15, "host names are not resolved");
    fails("-s 2001:db8::1", 15, "is an IPv6 address, but an IPv4 address is expected");
    fails("-j NOWHERE", 15, "neither a chain of table filter declared so far nor a target");
    fails("-g ACCEPT", 15, "neither a chain");
    fails("-j INPUT", 15, "a rule cannot lead into the built-in chain INPUT");
    fails("-m tcp --dport 80", 15, "`-p tcp` is missing");
    fails("-m conntrack --ctstate NEW,BOGUS", 35, "`BOGUS` is not known; one of INVALID, NEW");
    fails("-m limit ! --limit 5/s", 21, "cannot be inverted");
    fails("-m string --string x", 15, "--algo is missing");
    fails("-m hl --hl-eq 5", 15, "for IPv6 only");
    fails("-j DNAT --to-destination 1.2.3.4", 15, "possible in table nat only");
    fails("-j SNAT --to-source 1.2.3.4 -p tcp x", 47, "`x` stands where an option is expected");
    fails("-m conntrack --ctorig 1.2.3.4", 25, "may be short for --ctorigsrc or --ctorigdst");
    fails("-t nat", 15, "`-t` cannot be used here");
    fails("! -j DROP", 12, "`!` cannot stand before `-j`");
    fails("-p tcp !", 19, "an option is expected after `!`");
    fails("-o eth0 -m comment --comment \"x", 41, "not closed");
}

#[test]
fn errors_of_files() {
    for (text, line, words) in [
        ("-A INPUT\n", 1, "a table is expected here"),
        ("*filter\n:INPUT ACCEPT [0:0]\n", 2, "COMMIT is missing"),
        ("*filter\n*nat\nCOMMIT\n", 2, "COMMIT is expected before the next table"),
        ("*fliter\nCOMMIT\n", 1, "there is no table `fliter`: one of filter, nat"),
        ("*filter\n:INPUT\nCOMMIT\n", 2, "the policy is missing"),
        ("*filter\n:INPUT QUEUE [0:0]\nCOMMIT\n", 2, "ACCEPT, DROP or -"),
        ("*filter\n:INPUT DROP [0]\nCOMMIT\n", 2, "not `[packets:bytes]`"),
        ("*filter\n-A NOSUCH -j DROP\nCOMMIT\n", 2, "there is no chain `NOSUCH` in table filter"),
        ("*raw\n-A FORWARD\nCOMMIT\n", 2, "there is no chain `FORWARD` in table raw"),
        ("*filter\nfoo\nCOMMIT\n", 2, "is expected here"),
        ("*filter\n-p tcp\nCOMMIT\n", 2, "no command"),
        ("*filter\n-I INPUT 3 -p tcp\nCOMMIT\n", 2, "a number from 1 to 1"),
        ("*filter\n-N LOG\nCOMMIT\n", 2, "is a target"),
        ("*filter\n:a - [0:0]\n:b - [0:0]\n-A a -j b\n-A b -j a\n-A INPUT -j a\nCOMMIT\n", 5, "refuses loops"),
    ] {
        let error = save(text).unwrap_err();
        assert_eq!(error.place.line, line, "{text}: {error}");
        assert!(error.message.contains(words), "{text}: {error}");
    }
    // A loop that no packet can get into is taken by the kernel, too.
    assert!(save("*filter\n:a - [0:0]\n:b - [0:0]\n-A a -j b\n-A b -j a\nCOMMIT\n").is_ok());
}

#[test]
fn errors_of_scripts() {
    for (text, place, words) in [
        ("#!/bin/sh\nIPT=/sbin/iptables\n$IPT -F\n", (3, 1), "variables and loops are not evaluated"),
        ("iptables -A INPUT -s \"$HOST\"\n", (1, 23), "variables and loops are not evaluated"),
        ("for i in 1 2; do\n iptables -A INPUT\ndone\n", (1, 1), "loops, conditions and functions"),
        ("if [ -x /sbin/iptables ]; then\n", (1, 1), "loops, conditions"),
        ("start() {\n", (1, 6), "functions"),
        ("iptables -A INPUT -s `hostname`\n", (1, 22), "the output of a command"),
        ("iptables-save | grep x\n", (1, 15), "pipes"),
        ("iptables-restore < /etc/rules\n", (1, 18), "give that file itself"),
        ("nft add table ip x\n", (1, 1), "`nft` is no command that is understood"),
        ("iptables -A INPUT -j NOSUCH\n", (1, 22), "neither a chain"),
        ("iptables -6 -A INPUT\n", (1, 1), "`-6` with ip6tables"),
        ("iptables -A INPUT || iptables -A OUTPUT\n", (1, 22), "`||`"),
        ("iptables -D INPUT 1\n", (1, 19), "there is no rule 1"),
    ] {
        let error = script(text).unwrap_err();
        assert_eq!((error.place.line, error.place.column), place, "{text}: {error}");
        assert!(error.message.contains(words), "{text}: {error}");
    }
}

#[test]
fn hostile_sizes_are_refused_not_computed() {
    let list = vec!["1.2.3.4"; 400].join(",");
    let error = save(&format!("*filter\n-A INPUT -s {list} -d {list}\nCOMMIT\n")).unwrap_err();
    assert!(error.message.contains("rules of one"), "{error}");
    let error = save(&format!("*filter\n-A INPUT {}\nCOMMIT\n", "-v ".repeat(300))).unwrap_err();
    assert!(error.message.contains("more than 255 words"), "{error}");
}
