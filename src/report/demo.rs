//! A made-up case like real ones, for the tests of what people look at.

use super::case_info::{CaseInfo, DamagedAt, FindingCounts, Input, LinkType, Place, Skipped};
use super::findings::{FindingRecord, records};
use super::stats::{CaseStats, ProtocolTraffic, Talker, Timeline};
use crate::detect::{Evidence, Finding, Kind, Severity};
use crate::evidence::CaptureId;
use crate::secret::Masker;

/// 2026-03-01T10:00:00Z.
pub(super) const START: i64 = 1_772_359_200_000_000_000;

pub(super) fn finding(kind: Kind, seconds: i64, title: &str) -> Finding {
    Finding {
        kind,
        severity: kind.severity(),
        time_ns: START + seconds * 1_000_000_000 + 123_456_789,
        title: title.to_owned(),
        capture: CaptureId(0),
        frames: vec![12 + seconds as u64, 14 + seconds as u64],
        flow: Some("1:LQU9qZlK+B5F3KDmev6m5PMibrg=".to_owned()),
        protocol: "xmpp",
        src: Some("10.77.0.101:49152".to_owned()),
        dst: Some("10.77.0.10:5222".to_owned()),
        evidence: Vec::new(),
        filter: String::new(),
    }
}

pub(super) fn findings() -> Vec<Finding> {
    let mut all = vec![
        finding(Kind::CredentialCleartext, 131, "alice@alpha.test logs in with PLAIN over a readable stream")
            .with("mechanism", "PLAIN")
            .with("username", "alice")
            .with("jid", "alice@alpha.test")
            .with_secret("secret", "Wonder-land7")
            .with("outcome", "success")
            .with("encrypted", false),
        finding(Kind::CookieLeaked, 1300, "The Erlang cookie of ejabberd@alpha crosses readable in an RPC reply")
            .with_secret("cookie", "KXJDHQPZLMVTWYRBNSAC")
            .with("via", "rpc-reply")
            .with("node", "ejabberd@alpha"),
        finding(Kind::ErlangRemoteExec, 1310, "os:cmd/1 is run on ejabberd@alpha by intruder@10.77.0.66")
            .with("node", "ejabberd@alpha")
            .with("module", "os")
            .with("function", "cmd")
            .with("arguments", "[\"id; cat /etc/passwd\"]")
            .with("via", "spawn-request"),
        finding(
            Kind::XmppMaliciousLink,
            1500,
            "A link to a program: <a href=x onclick=alert(1)>\u{1b}[31m\u{202e}gnp.exe",
        )
        .with("url", "http://evil.test/\u{202e}gnp.exe?<script>alert(1)</script>"),
        finding(Kind::ScanPorts, 30, "10.77.0.66 tries 412 ports of 10.77.0.10").with("ports", 412),
        finding(Kind::EpmdEnumeration, 1201, "10.77.0.66 asks EPMD on 10.77.0.10 for all names")
            .with("request", "NAMES")
            .with("answer", Evidence::List(vec!["ejabberd 41234".into(), "rabbit 25672".into()])),
    ];
    for number in 0..14 {
        let title = format!("user{number}@alpha.test exchanges stanzas with alpha.test without TLS");
        all.push(finding(Kind::XmppCleartextStream, 60 + number * 97, &title).with("domain", "alpha.test"));
    }
    for number in 0..9 {
        let title = format!("report-{number}.pdf, 48.2 KiB, from alice@alpha.test to bob@beta.test by ibb");
        all.push(finding(Kind::TransferFile, 400 + number * 211, &title).with("name", format!("report-{number}.pdf")));
    }
    for number in 0..5 {
        let title = format!("SCRAM-SHA-1 login of user{number} can be guessed against offline");
        all.push(finding(Kind::CredentialGuessable, 700 + number * 31, &title).with("mechanism", "SCRAM-SHA-1"));
    }
    let mut milder = finding(Kind::CredentialCleartext, 2000, "carol@alpha.test logs in with PLAIN inside TLS");
    milder.severity = Severity::Low;
    all.push(milder.with("encrypted", true));
    all
}

pub(super) fn masker() -> Masker {
    Masker::new(false, [7; 16])
}

pub(crate) fn case() -> (CaseInfo, Vec<FindingRecord>) {
    let records = records(&findings(), &masker(), &["01.pcap".to_owned()]);
    let mut info =
        CaseInfo::new(["jabberscope", "analyze", "captures", "-o", "reports/demo"].map(str::to_owned).into());
    info.version = "0.0.0".to_owned();
    info.inputs = inputs();
    info.findings = FindingCounts::of(&records);
    let first = Place { capture: "01.pcap".into(), frame: 1042, time: "2026-03-01T10:04:17.000212Z".into() };
    info.skipped.insert("tcp.out-of-order-limit".into(), Skipped { count: 3, first: Some(first) });
    info.skipped.insert("ip.fragment-incomplete".into(), Skipped { count: 1, first: None });
    let group = |pairs: &[(&str, u64)]| pairs.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect();
    info.statistics.insert("packets".into(), group(&[("tcp", 14_010), ("udp", 512), ("icmp", 10), ("arp", 22)]));
    info.statistics.insert("flows".into(), group(&[("tcp", 212), ("udp", 88), ("gaps", 2)]));
    info.traffic = stats();
    for (table, rows) in [("flows", 300), ("stanzas", 3504), ("xmpp_streams", 24), ("credentials", 26), ("dns", 88)] {
        info.tables.insert(table.to_owned(), rows);
    }
    info.table_formats = vec!["parquet".to_owned()];
    info.threads = 8;
    info.wall_time_seconds = 0.412;
    (info, records)
}

fn inputs() -> Vec<Input> {
    vec![
        Input {
            path: "captures/01.pcap".into(),
            name: "01.pcap".into(),
            size: 12_903_412,
            sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
            format: "pcap".into(),
            link_types: vec![LinkType { number: 1, name: "ETHERNET".into() }],
            frames: 14_532,
            truncated_frames: 0,
            frame_bytes: 12_670_876,
            first_time: Some("2026-03-01T10:00:00.000000Z".into()),
            last_time: Some("2026-03-01T10:42:13.482911Z".into()),
            damage: Vec::new(),
        },
        Input {
            path: "captures/evening/<b>02</b>\u{1b}[2J.pcapng.gz".into(),
            name: "<b>02</b>\u{1b}[2J.pcapng.gz".into(),
            size: 48_121,
            sha256: "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752".into(),
            format: "pcapng+gzip".into(),
            link_types: vec![LinkType { number: 276, name: "LINUX_SLL2".into() }],
            frames: 211,
            truncated_frames: 7,
            frame_bytes: 88_120,
            first_time: Some("2026-03-01T10:30:00.000000Z".into()),
            last_time: Some("2026-03-01T10:31:02.000000Z".into()),
            damage: vec![DamagedAt {
                offset: 88_416,
                cause: "record of 3,735,928,559 bytes, more than any link carries".into(),
            }],
        },
    ]
}

fn stats() -> CaseStats {
    let protocol = |(protocol, bytes, packets, flows): (&str, u64, u64, u64)| ProtocolTraffic {
        protocol: protocol.to_owned(),
        bytes,
        packets,
        flows,
    };
    let protocols = [
        ("xmpp", 7_402_113, 9_201, 62),
        ("tls", 3_112_480, 2_800, 41),
        ("http", 1_655_200, 1_404, 18),
        ("erldist", 402_113, 801, 4),
        ("dns", 48_211, 212, 88),
        ("epmd", 3_120, 24, 6),
    ];
    let talker = |(address, sent, received): (&str, u64, u64)| Talker {
        address: address.to_owned(),
        sent,
        received,
        ..Talker::default()
    };
    let talkers = [
        ("10.77.0.10", 6_112_000, 5_401_120),
        ("10.77.0.101", 2_801_120, 3_240_110),
        ("10.77.0.102", 1_801_120, 1_240_110),
        ("2001:db8:85a3:8d3:1319:8a2e:370:7348", 701_120, 1_240_110),
        ("10.77.0.66", 212_000, 188_000),
        ("10.77.0.2", 30_100, 12_000),
    ];
    let wave = |number: u64| 4_000 + (number * number * 37 + number * 911) % 61_000 * (1 + (number / 40) % 3);
    CaseStats {
        traffic_by_protocol: protocols.into_iter().map(protocol).collect(),
        top_talkers: talkers.into_iter().map(talker).collect(),
        timeline: Timeline { start_ns: START, bucket_ns: 1 << 33, bytes: (0..295).map(wave).collect() },
    }
}
