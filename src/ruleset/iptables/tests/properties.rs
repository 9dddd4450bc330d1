//! Whatever is read: no panic, and what is printed reads the same.

use super::{save, script};
use crate::ruleset::iptables::print_save;
use proptest::prelude::*;

/// Pieces of rules, right and wrong.
const PIECES: &[&str] = &[
    "-p tcp",
    "-p udp",
    "-p icmp",
    "! -p tcp",
    "-s 10.0.0.0/8",
    "-d 1.2.3.4,5.6.7.8",
    "! -i eth+",
    "-o eth0",
    "-f",
    "--dport 80",
    "--sport 1024:",
    "! --syn",
    "--tcp-flags ALL SYN",
    "-m tcp",
    "-m udp",
    "-m multiport --dports 1,2:3",
    "-m conntrack --ctstate NEW",
    "--ctorigsrc 1.2.3.4/8",
    "-m state --state NEW",
    "-m mark --mark 1/2",
    "-m string --algo bm --string \"a b\"",
    "--hex-string \"|00 ff|\"",
    "--icase",
    "-m limit --limit 3/min",
    "-m comment --comment \"it's \\\"x\\\"\"",
    "-m u32 --u32 \"0>>22&0x3C@4=1:5,7\"",
    "-m recent --set",
    "--name x",
    "-m time --weekdays Mo,Fr",
    "-m set --match-set s src,dst",
    "! --update-counters",
    "-m length --length 5:",
    "-m hashlimit --hashlimit-upto 5kb/s --hashlimit-name h",
    "--hashlimit-burst 9kb",
    "-m owner --uid-owner root",
    "-m statistic --mode random --probability 0.3",
    "-m foo --bar 1 2",
    "-m ttl --ttl-gt 5",
    "-j ACCEPT",
    "-j other",
    "-g other",
    "-j LOG --log-prefix \"x: \"",
    "-j REJECT",
    "--reject-with tcp-reset",
    "-j MARK --or-mark 5",
    "-j NFQUEUE --queue-balance 1:3",
    "-j SET --add-set s src --exist",
    "-j TARPIT --x",
    "!",
    "-",
    "--",
    "-m",
    "\"",
    "-c 1 2",
    "-m tos --tos 0x10",
    "-m connlimit --connlimit-above 3",
    "-m addrtype --dst-type LOCAL",
    "\u{e9}",
    "\\",
];

fn rule() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(PIECES), 0..6).prop_map(|pieces| pieces.join(" "))
}

fn file() -> impl Strategy<Value = String> {
    proptest::collection::vec(rule(), 1..3).prop_map(|rules| {
        let rules: String = rules.iter().map(|rule| format!("-A FORWARD {rule}\n")).collect();
        format!("*filter\n:FORWARD DROP [0:0]\n:other - [0:0]\n{rules}COMMIT\n")
    })
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC*", lines in proptest::collection::vec("[-:*!#\"'$|a-zA-Z0-9 ./,]{0,60}", 0..5)) {
        for text in [text, lines.join("\n"), format!("*filter\n{}\nCOMMIT", lines.join("\n-A INPUT "))] {
            let _ = save(&text);
            let _ = script(&text);
        }
    }

    #[test]
    fn printed_files_read_the_same(text in file()) {
        if let Ok(parsed) = save(&text) {
            let printed = print_save(&parsed.tables, None);
            let again = save(&printed);
            prop_assert!(again.is_ok(), "{printed}: {:?}", again.err());
            prop_assert_eq!(print_save(&again.unwrap().tables, None), printed);
        }
    }

    #[test]
    fn scripts_of_rules_are_save_files_of_rules(rule in rule()) {
        // What a shell reads otherwise.
        let shell = rule.contains(['\\', '|', '&', '>', '\'']) || rule.matches('"').count() % 2 == 1;
        let rule = if shell { "-p tcp" } else { &rule };
        let from_save = save(&format!("*filter\n:other - [0:0]\n-A FORWARD {rule}\nCOMMIT\n"));
        let from_script = script(&format!("iptables -N other\niptables -A FORWARD {rule}\n"));
        let print = |parsed: crate::ruleset::iptables::Parsed| print_save(&parsed.tables, None);
        prop_assert_eq!(from_save.map(print).ok(), from_script.map(print).ok());
    }
}
