//! What of a rule a capture cannot answer, and what then follows.

use crate::ruleset::model::Unknown;
use crate::ruleset::xt::{Match, Statistic, Target};

/// Matches of xtables-addons, patch-o-matic and other systems: known by name, never in stock Debian.
const THIRD_PARTY_MATCHES: &[&str] = &[
    "account",
    "asn",
    "condition",
    "fuzzy",
    "geoip",
    "gradm",
    "iface",
    "ipp2p",
    "ipv4options",
    "length2",
    "lscan",
    "ndpi",
    "psd",
    "pknock",
    "quota2",
    "random",
    "sshcurl",
    "tls",
    "unclean",
    "webstr",
    "weburl",
    "l2tp",
    "udplite",
];

/// Targets of the same.
const THIRD_PARTY_TARGETS: &[&str] = &[
    "ACCOUNT",
    "ASN",
    "CHAOS",
    "DELUDE",
    "DHCPMAC",
    "DNETMAP",
    "ECHO",
    "FULLCONENAT",
    "IFB",
    "IMQ",
    "IPMARK",
    "ISG",
    "LOGMARK",
    "MIRROR",
    "NDPI",
    "NETFLOW",
    "PROTO",
    "RAWDNAT",
    "RAWSNAT",
    "ROUTE",
    "SAME",
    "STEAL",
    "SYSRQ",
    "TARPIT",
    "XOR",
];

/// Whether a match is known from elsewhere.
pub(super) fn is_third_party_match(name: &str) -> bool {
    THIRD_PARTY_MATCHES.contains(&name)
}

/// Whether a target is known from elsewhere.
pub(super) fn is_third_party_target(name: &str) -> bool {
    THIRD_PARTY_TARGETS.contains(&name)
}

/// What is not known of a match.
pub(super) fn of_match(one: &Match) -> Option<Unknown> {
    const NOT_MATCHING: &str = "the rule is taken as not matching";
    let (what, why): (&str, &str) = match one {
        Match::Unknown { name, .. } => (
            name,
            match name.as_str() {
                "owner" => "the sending process is not in a capture",
                "cgroup" => "the process's control group is not in a capture",
                "nfacct" => "accounting objects are not modelled",
                "osf" => "passive fingerprints of systems are not modelled",
                "ipvs" => "virtual servers of the host are not in a capture",
                "rateest" => "rate estimators are not modelled",
                "bpf" => "a pinned program of the host is not in a capture",
                "ipcomp" => "compressed payloads are not modelled",
                "srh" => "segment routing is not modelled",
                _ => "this extension is not known",
            },
        ),
        Match::Cpu(_) => ("cpu", "the processor that took a packet is not in a capture"),
        Match::DevGroup { .. } => ("devgroup", "groups of interfaces are not in a capture"),
        Match::Policy { none: false, .. } => ("policy", "security associations are not in a capture"),
        Match::Realm { .. } => ("realm", "routing realms are not in a capture"),
        Match::Socket { .. } => ("socket", "the host's sockets are not in a capture"),
        Match::Statistic(Statistic::Random(chance)) if !matches!(chance.value, 0 | 0x8000_0000) => {
            return Some(Unknown {
                what: "-m statistic --mode random".into(),
                effect: "which packets it takes is chance: counters differ from run to run".into(),
            });
        }
        _ => return None,
    };
    Some(Unknown { what: format!("-m {what}"), effect: format!("{why}; {NOT_MATCHING}") })
}

/// What is not known of a target.
pub(super) fn of_target(target: &Target) -> Option<Unknown> {
    let (name, why) = match target {
        Target::Unknown { name, .. } => (
            name.as_str(),
            match name.as_str() {
                "HMARK" => "the mark that it computes is not modelled",
                "SNPT" | "DNPT" => "the translation of prefixes is not modelled",
                "CLUSTERIP" => "the sharing of an address by a cluster is not modelled",
                _ => "this extension is not known",
            },
        ),
        Target::SynProxy { .. } => ("SYNPROXY", "the handshakes that it answers are not modelled"),
        Target::Tproxy { .. } => ("TPROXY", "the proxy's sockets are not in a capture"),
        _ => return None,
    };
    Some(Unknown { what: format!("-j {name}"), effect: format!("{why}; the packet goes on with the next rule") })
}
