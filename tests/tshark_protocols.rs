//! What is decoded agrees with Wireshark's: stanzas, DNS names and addresses.
//!
//! Runs where tshark is installed, over `captures/` and, where they are there, the shared captures beside the project.
#![allow(clippy::unwrap_used)] // tests

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use support::Run;
use support::tshark::{captures, tshark};

/// Captures in which tshark sees other stanzas, and why that is no fault here.
const OTHER_STANZAS: &[(&str, &str)] = &[
    ("t13-late-clientcert", "tshark loses the keys behind a late client certificate"),
    ("t13-early", "tshark reads no stanzas in early data"),
    ("06-zlib", "tshark reads nothing of the streams; what is before compression counts here"),
    ("08h-ft-ice", "tshark loses two stanzas when it puts segments in order, and has them when it does not"),
    ("06b-zlib-tls", "the same in TLS"),
    ("09c-websocket-tls", "tshark reads no stanzas inside WebSocket"),
    ("09d-bosh-tls", "tshark reads no stanzas inside HTTP"),
    ("09a-bosh", "tshark reads no stanzas inside HTTP"),
    ("09b-websocket", "tshark reads no stanzas inside WebSocket"),
    ("11a-hostile-xml", "tshark gives up streams that are not well-formed; here the next stanza is found"),
    ("23-starttls-and-http", "tshark reads no stanzas inside HTTP and WebSocket"),
    ("25-hostile-xml", "as 11a: what is not well-formed is counted by one and not by the other"),
    ("15c-snaplen", "tshark leaves out stanzas that the snapshot length cuts; here what came whole is told"),
];

/// The keys that lie beside a capture, as tshark takes them and as we do.
fn keys(capture: &Path) -> (Vec<String>, Vec<String>) {
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    let log = capture.with_extension("keys");
    if log.exists() {
        theirs.extend(["-o".to_owned(), format!("tls.keylog_file:{}", log.display())]);
        ours.extend(["--keylog".to_owned(), log.display().to_string()]);
    }
    let key = capture.with_extension("server.key");
    if key.exists() {
        theirs.extend(["-o".to_owned(), format!("uat:rsa_keys:\"{}\",\"\"", key.display())]);
        ours.extend(["--rsa-key".to_owned(), key.display().to_string()]);
    }
    (theirs, ours)
}

/// Tells tshark on which ports XMPP is spoken, where it would not look for it. What lies in TLS from the first byte takes
/// a script.
fn ports(streams: &[serde_json::Value], script: &Path) -> Vec<String> {
    let (mut clear, mut direct) = (BTreeSet::from([5269]), BTreeSet::new());
    for stream in streams {
        let port = stream["server"].as_str().unwrap().rsplit_once(':').unwrap().1.parse::<u16>().unwrap();
        if stream["tls"] == "direct" {
            direct.insert(port)
        } else {
            clear.insert(port)
        };
    }
    let add = |port| format!("DissectorTable.get('tls.port'):add({port}, Dissector.get('xmpp'))\n");
    std::fs::write(script, direct.into_iter().map(add).collect::<String>()).unwrap();
    let clear = clear.into_iter().flat_map(|port| ["-d".to_owned(), format!("tcp.port=={port},xmpp")]);
    clear.chain(["-X".to_owned(), format!("lua_script:{}", script.display())]).collect()
}

#[test]
fn stanzas_are_counted_alike() {
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for capture in captures() {
        let name = capture.display().to_string();
        let is_xmpp = name.contains("xmpp") || name.contains("/tls/");
        if !is_xmpp || OTHER_STANZAS.iter().any(|(other, _)| name.contains(other)) {
            continue;
        }
        let (their_keys, our_keys) = keys(&capture);
        let run = Run::analyze(&[vec![name.clone(), "--tables".to_owned(), "ndjson".to_owned()], our_keys].concat());
        let script = tempfile::NamedTempFile::with_suffix(".lua").unwrap();
        let ports = ports(&run.table("xmpp_streams"), script.path());
        let fields = ["-Y", "xmpp", "-T", "fields", "-E", "occurrence=a"];
        let kinds = ["-e", "xmpp.message", "-e", "xmpp.presence", "-e", "xmpp.iq"];
        let settings = [their_keys, ports].concat();
        let mut asked: Vec<&str> = settings.iter().map(String::as_str).collect();
        asked.extend(["-o", "tcp.reassemble_out_of_order:TRUE"].iter().chain(&fields).chain(&kinds));
        let Some(lines) = tshark(&capture, &asked) else { return };
        let mut theirs = [0usize; 3];
        for line in &lines {
            for (count, field) in theirs.iter_mut().zip(line.split('\t')) {
                *count += field.split(',').filter(|one| !one.is_empty()).count();
            }
        }
        let stanzas = run.table("stanzas");
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
