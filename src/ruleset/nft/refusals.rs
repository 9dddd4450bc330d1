//! What is wrong with a script, where, and what defines stand for.
#![allow(clippy::unwrap_used)] // tests

use super::{parse_script, print};
use std::fmt::Write as _;
use std::sync::Arc;

fn refusal(text: &str) -> String {
    match parse_script(text, &Arc::from("f")) {
        Ok(script) => panic!("taken:\n{}", print(&script)),
        Err(error) => error.to_string(),
    }
}

fn rule_refusal(rule: &str) -> String {
    refusal(&format!("table ip t {{\n\tchain c {{\n\t\t{rule}\n\t}}\n}}\n"))
}

#[test]
fn errors_say_where_and_what_was_expected() {
    assert_eq!(rule_refusal("tpc dport 22"), "f:3:3: expected a match or a statement, found `tpc`");
    assert_eq!(
        rule_refusal("udp dprt 22"),
        "f:3:7: expected a field after `udp` (`sport`, `dport`, `length` or `checksum`), found `dprt`"
    );
    assert_eq!(rule_refusal("tcp dport"), "f:3:12: expected a value, found the end of the line");
    assert_eq!(rule_refusal("tcp dport { 22 80 }"), "f:3:18: expected `,` or `}` after an element, found `80`");
    assert_eq!(rule_refusal("accept comment \"x"), "f:3:18: this text is not closed: expected `\"` on the same line");
    assert_eq!(
        rule_refusal("limit rate 5/fortnight"),
        "f:3:25: expected `second`, `minute`, `hour`, `day` or `week` before this, found `fortnight`"
    );
    assert_eq!(
        rule_refusal("ip saddr 10.0.0.300"),
        "f:3:12: `10.0.0.300` is not an IPv4 address: expected four numbers up to 255"
    );
    assert_eq!(rule_refusal("jump"), "f:3:7: expected the name of a chain, found the end of the line");
    assert_eq!(rule_refusal("dnat to"), "f:3:10: expected a value, found the end of the line");
    assert_eq!(
        rule_refusal("iifname \"a\" ;; € accept"),
        "f:3:18: expected a word, a number or an operator, found '€'"
    );
    assert_eq!(
        refusal("tabel ip t { }"),
        "f:1:1: expected a command like `table`, `add`, `insert`, `delete` or `flush`, found `tabel`"
    );
    assert_eq!(
        refusal("table ip t {"),
        "f:1:13: expected `chain`, `set`, `map`, `counter` or another part of a table, or `}`, found the end of the file"
    );
    assert_eq!(
        refusal("table ip t { chain c { accept } } }"),
        "f:1:35: expected the end of the line or `;`, found `}`"
    );
    assert_eq!(
        refusal("delete rule ip t c"),
        "f:1:19: expected `handle` and the handle of a rule, found the end of the file"
    );
    assert_eq!(refusal("add set ip t s { size 5; }"), "f:1:14: expected `type` or `typeof` in the block of this set");
    assert_eq!(
        refusal("include \"other.nft\""),
        "f:1:1: `include` is not followed: give the included file too, joined to this one by a comma"
    );
}

#[test]
fn depth_is_bounded() {
    let deep = format!("meta mark set {}1{}", "(".repeat(100_000), ")".repeat(100_000));
    assert!(rule_refusal(&deep).contains("too deep"));
    assert!(rule_refusal(&format!("tcp flags {}syn", "syn | ".repeat(100_000))).contains("too deep"));
    assert!(rule_refusal(&format!("ip saddr {}", "{ ".repeat(100_000))).contains("too deep"));
    assert!(rule_refusal(&format!("meta mark set {}", "jhash ".repeat(100_000))).contains("too deep"));
    let mut nested = String::from("define a0 = 1\n");
    for level in 1..100 {
        writeln!(nested, "define a{level} = ($a{})", level - 1).unwrap();
    }
    assert!(refusal(&nested).contains("too deep"));
}

#[test]
fn variables_stand_for_their_values() {
    let script = "define wan = eth0\ndefine ports = { 22, 80 }\ndefine more = { $ports, 443 }\ndefine prio = -5\n\
                  table ip t {\n define net = 10.0.0.0/8\n set s { type inet_service; elements = $more; }\n\
                  chain c { type filter hook input priority $prio; policy accept;\n\
                  iifname $wan ip saddr $net tcp dport $more log prefix \"$wan: \" jump $wan\n} }\n\
                  redefine wan = eth1\nadd rule ip t c iifname { $wan, lo } accept\n";
    let printed = print(&parse_script(script, &Arc::from("f")).unwrap());
    assert_eq!(
        printed,
        "table ip t {\n\tset s {\n\t\ttype inet_service\n\t\telements = { 22, 80, 443 }\n\t}\n\n\
         \tchain c {\n\t\ttype filter hook input priority -5; policy accept;\n\
         \t\tiifname eth0 ip saddr 10.0.0.0/8 tcp dport { 22, 80, 443 } log prefix \"eth0: \" jump eth0\n\t}\n}\n\
         add rule ip t c iifname { eth1, lo } accept\n"
    );
    assert_eq!(refusal("define a = $a"), "f:1:13: expected the name of a variable that is defined, found `a`");
    assert!(refusal("define a = 1\ndefine a = 2").starts_with("f:2:8: `a` is defined already"));
    assert!(refusal("define a = 1\nundefine a\nadd rule ip t c tcp dport $a").starts_with("f:3:28: "));
    assert!(refusal("table ip t { define a = 1; }\nadd rule ip t c tcp dport $a").starts_with("f:2:28: "));
}

#[test]
fn variables_cannot_expand_without_bound() {
    let mut script = String::from("define a0 = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }\n");
    for level in 1..20 {
        let uses = vec![format!("$a{}", level - 1); 10].join(", ");
        writeln!(script, "define a{level} = {{ {uses} }}").unwrap();
    }
    assert!(refusal(&script).contains("variables expand to too much"));
    let long = format!(
        "define a = \"{}\"\n{}",
        "x".repeat(1 << 20),
        "define b = { $a, $a, $a, $a }\nundefine b\n".repeat(100)
    );
    assert!(refusal(&long).contains("variables expand to too much"));
}

#[test]
fn shell_scripts_of_commands_are_read() {
    let script = "#!/bin/sh\nnft flush ruleset\nnft add table inet f\n\
                  nft add chain inet f c '{ type filter hook input priority 0 ; policy drop ; }'\n\
                  nft add chain inet f d { type filter hook output priority 0 \\; }\n\
                  nft 'add rule inet f c tcp dport { 22, 80 } \\\n   counter accept'\n\
                  nft insert rule inet f c index 0 iif lo accept # loopback\n";
    let printed = print(&parse_script(script, &Arc::from("f")).unwrap());
    assert_eq!(
        printed,
        "flush ruleset\nadd table inet f\nadd chain inet f c { type filter hook input priority 0; policy drop; }\n\
         add chain inet f d { type filter hook output priority 0; }\n\
         add rule inet f c tcp dport { 22, 80 } counter accept\ninsert rule inet f c index 0 iif lo accept\n"
    );
}

/// Forms that this kernel or version of nft refuses to load, but that others list.
#[test]
fn forms_of_other_versions_are_kept() {
    let rules = [
        "ip saddr 10.0.0.1 last used 5s accept",
        "last used never",
        "queue flags bypass,fanout to 1-3",
        "queue to numgen inc mod 4",
        "flow add @ft",
        "socket cgroupv2 level 2 \"a/b\" accept",
        "socket transparent 1 meta mark set 0x00000001",
        "udp dport 4789 vxlan ip saddr 10.0.0.1 counter",
        "vxlan vni 10 counter",
        "dccp option 5 exists",
        "add @m { ip saddr . tcp dport timeout 30s : jump c2 }",
        "ip saddr vmap { 10.0.0.1 counter : accept, 10.0.0.2 comment \"x\" : drop, * : goto c2 }",
        "meta secmark set tcp dport map { 22 : \"x\" }",
        "meta ibrname \"br0\" meta ibrpvid 5 counter",
        "dnat ip addr . port to ip saddr map { 10.0.0.1 : 10.1.0.1 . 80 }",
        "snat ip interval to ip saddr map { 10.0.0.1 : 10.1.0.1-10.1.0.9 }",
        "ip daddr 10.0.0.1 xt match string counter packets 0 bytes 0 xt target LOG",
        "rt4 sid[1] fe80::1 counter",
        "ct count over 3 reject with icmpx type admin-prohibited comment \"too many\"",
    ];
    for rule in rules {
        let text = format!("table inet t {{\n\tchain c {{\n\t\t{rule}\n\t}}\n}}\n");
        assert_eq!(print(&parse_script(&text, &Arc::from("f")).unwrap()), text);
    }
}

/// Older forms are printed in the present one.
#[test]
fn old_forms_become_new_ones() {
    let forms = [
        ("snat ip saddr map { 10.0.0.1 : 10.1.0.1 }", "snat to ip saddr map { 10.0.0.1 : 10.1.0.1 }"),
        ("dnat 10.0.0.1 : 80", "dnat to 10.0.0.1:80"),
        ("redirect to 80", "redirect to :80"),
        ("queue num 1 bypass", "queue flags bypass to 1"),
        ("set update ip saddr timeout 5s @s", "update @s { ip saddr timeout 5s }"),
        ("meta secpath exists", "meta ipsec exists"),
        ("mark and 0x3 eq 1", "meta mark & 0x3 == 1"),
        ("quota until 5 kbytes", "quota 5 kbytes"),
        ("tcp option sack-permitted exists", "tcp option sack-perm exists"),
    ];
    for (old, new) in forms {
        let text = |rule: &str| format!("table inet t {{\n\tchain c {{\n\t\t{rule}\n\t}}\n}}\n");
        assert_eq!(print(&parse_script(&text(old), &Arc::from("f")).unwrap()), text(new));
    }
}

#[test]
fn warnings_of_listings_stay_before_their_table() {
    let text = "# Warning: table ip filter is managed by iptables-nft, do not touch!\ntable ip filter {\n}\n";
    assert_eq!(print(&parse_script(text, &Arc::from("f")).unwrap()), text);
}

/// The layout is what nft 1.0.6 lists.
#[test]
fn chains_without_a_name_are_kept() {
    let text = "table ip t {\n\tchain c {\n\t\ttcp dport 22 counter packets 0 bytes 0 jump {\n\
                \t\t\tip saddr 10.0.0.1 accept comment \"x\"\n\t\t\tdrop\n\t\t} # handle 5\n\
                \t\ttcp dport 5 goto {\n\t\t\tcounter\n\t\t}\n\t}\n}\n";
    let script = parse_script(text, &Arc::from("f")).unwrap();
    assert_eq!(print(&script), text);
    let one_line = "add rule ip t c tcp dport 22 jump { ip saddr 10.0.0.1 accept; drop; }\n";
    assert_eq!(print(&parse_script(one_line, &Arc::from("f")).unwrap()), one_line);
    assert!(rule_refusal(&"jump { ".repeat(100_000)).contains("too deep"));
}

#[test]
fn flowtables_are_kept() {
    let text = "table inet t {\n\tflowtable ft {\n\t\thook ingress priority filter - 3\n\t\tdevices = { d0, lo }\n\
                \t\tflags offload\n\t\tcounter\n\t}\n}\n";
    assert_eq!(print(&parse_script(text, &Arc::from("f")).unwrap()), text);
}
