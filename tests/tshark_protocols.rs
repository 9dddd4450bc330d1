//! What is decoded agrees with Wireshark's: stanzas, DNS names and addresses.
//!
//! Runs where tshark is installed, over `captures/` and, where they are there, the shared captures beside the project.
#![allow(clippy::unwrap_used)] // tests

mod support;

use std::collections::BTreeSet;
use support::Run;
use support::tshark::{captures, tshark};

/// Captures in which tshark sees other stanzas, and why that is no fault here.
const OTHER_STANZAS: &[(&str, &str)] = &[
    ("05-starttls-dsb", "tshark opens TLS with the keys in the file"),
    ("06-zlib", "tshark reads nothing of the streams; what is before compression counts here"),
    ("09a-bosh", "tshark reads no stanzas inside HTTP"),
    ("09b-websocket", "tshark reads no stanzas inside WebSocket"),
    ("10-component", "tshark does not know the component's port"),
    ("11a-hostile-xml", "tshark gives up streams that are not well-formed; here the next stanza is found"),
    ("15c-snaplen", "tshark leaves out stanzas that the snapshot length cuts; here what came whole is told"),
    ("15d-disorder", "tshark does not put disordered segments back in order unless asked"),
];

#[test]
fn stanzas_are_counted_alike() {
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for capture in captures() {
        let name = capture.display().to_string();
        let is_xmpp = name.contains("/xmpp/") || name.contains("xmpp");
        if !is_xmpp || OTHER_STANZAS.iter().any(|(other, _)| name.contains(other)) {
            continue;
        }
        let fields = ["-d", "tcp.port==5269,xmpp", "-Y", "xmpp", "-T", "fields", "-E", "occurrence=a"];
        let kinds = ["-e", "xmpp.message", "-e", "xmpp.presence", "-e", "xmpp.iq"];
        let Some(lines) = tshark(&capture, &[&fields[..], &kinds[..]].concat()) else { return };
        let mut theirs = [0usize; 3];
        for line in &lines {
            for (count, field) in theirs.iter_mut().zip(line.split('\t')) {
                *count += field.split(',').filter(|one| !one.is_empty()).count();
            }
        }
        let stanzas = Run::analyze(&[&name, "--tables", "ndjson"]).table("stanzas");
        let count = |kind| stanzas.iter().filter(|stanza| stanza["kind"] == kind).count();
        let ours = ["message", "presence", "iq"].map(count);
        compared += stanzas.len();
        if ours != theirs {
            wrong.push(format!("{name}: tshark {theirs:?} messages, presences, iqs; jabberscope {ours:?}"));
        }
    }
    assert!(compared > 1_000, "only {compared} stanzas were compared");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Captures in which tshark sees other names or addresses, and why.
const OTHER_NAMES: &[(&str, &str)] =
    &[("suricata--dns-answer-name", "an answer record inside a query: the table shows answers of answers")];

#[test]
fn dns_names_and_addresses_are_alike() {
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for capture in captures() {
        let name = capture.display().to_string();
        let is_dns = name.contains("dns") || name.contains("raw-bens") || name.contains("/xmpp/");
        if !is_dns || OTHER_NAMES.iter().any(|(other, _)| name.contains(other)) {
            continue;
        }
        let filter = ["-Y", "(dns || mdns || llmnr) && !icmp && !icmpv6", "-T", "fields", "-E", "separator=|"];
        let fields = ["-E", "occurrence=a", "-e", "dns.qry.name", "-e", "dns.a", "-e", "dns.aaaa"];
        let Some(lines) = tshark(&capture, &[&filter[..], &fields[..]].concat()) else { return };
        let mut theirs = BTreeSet::new();
        for value in lines.iter().flat_map(|line| line.split(['|', ','])) {
            // Bytes that are no ASCII are shown in different ways.
            if !value.is_empty() && value.is_ascii() && !value.contains(['\\', '<', '\u{1}']) {
                theirs.insert(value.to_lowercase().trim_end_matches('.').to_owned());
            }
        }
        let run = Run::analyze(&[&name, "--tables", "ndjson"]);
        let mut ours = BTreeSet::new();
        for row in run.table("dns") {
            ours.insert(row["name"].as_str().unwrap_or_default().to_owned());
            for section in ["answers", "authority", "additional"] {
                for record in row[section].as_str().unwrap_or_default().split("; ") {
                    let words: Vec<&str> = record.split(' ').collect();
                    if let [_, _, "A" | "AAAA", address, ..] = words[..] {
                        ours.insert(address.to_owned());
                    }
                }
            }
        }
        compared += theirs.len();
        let missing: Vec<_> = theirs.difference(&ours).collect();
        if !missing.is_empty() {
            wrong.push(format!("{name}: only tshark has {missing:?}"));
        }
    }
    assert!(compared > 60, "only {compared} names and addresses were compared");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn community_ids_are_those_of_wireshark() {
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for capture in captures() {
        // The public captures have malformed packets in plenty, of which each program reads another part.
        let name = capture.display().to_string();
        if name.contains("/public/") {
            continue;
        }
        let fields = ["--enable-protocol", "communityid", "-T", "fields", "-E", "occurrence=l", "-e", "communityid"];
        let Some(lines) = tshark(&capture, &fields) else { return };
        // More than ours: fragments behind the first have one of their own there.
        let theirs: BTreeSet<String> = lines.into_iter().collect();
        for row in Run::analyze(&[&name, "--tables", "ndjson"]).table("flows") {
            compared += 1;
            let ours = row["flow"].as_str().unwrap_or_default();
            if !theirs.contains(ours) {
                wrong.push(format!("{name}: only jabberscope has {ours}, {} {}", row["src"], row["dst"]));
            }
        }
    }
    assert!(compared > 200, "only {compared} flows were compared");
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong.join("\n"));
}
