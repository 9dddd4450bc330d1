//! Words to write rules with.

use crate::ruleset::model::{ChainId, Verdict};
use crate::ruleset::xt::*;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

pub fn yes<T>(value: T) -> Inv<T> {
    Inv { not: false, value }
}

pub fn not<T>(value: T) -> Inv<T> {
    Inv { not: true, value }
}

pub fn rule(matches: Vec<Match>) -> RuleBody {
    RuleBody { head: Head::default(), matches, target: Target::None }
}

pub fn of_protocol(protocol: u8, matches: Vec<Match>) -> RuleBody {
    RuleBody { head: Head { protocol: Some(yes(protocol)), ..Head::default() }, ..rule(matches) }
}

pub fn flags(mask: u8, wanted: u8) -> Match {
    Match::Tcp { sports: None, dports: None, flags: Some(yes((mask, wanted))), option: None }
}

pub fn dport(port: u16) -> Match {
    Match::Tcp { sports: None, dports: Some(yes(Range { low: port, high: port })), flags: None, option: None }
}

pub fn udp(matches: Vec<Match>) -> RuleBody {
    of_protocol(17, matches)
}

pub fn tcp(matches: Vec<Match>) -> RuleBody {
    of_protocol(6, matches)
}

pub fn syn(matches: Vec<Match>) -> RuleBody {
    tcp([vec![flags(0x17, 0x02)], matches].concat())
}

pub fn limit(average: u32, burst: u32) -> Match {
    Match::Limit(RateLimit { average, burst })
}

/// Mode `m` of addresses and ports as bits; a packet limit of so many in so many seconds.
pub fn hashlimit(name: &str, above: bool, rate: (u64, u64), burst: u64, mode: u32) -> HashLimit {
    HashLimit {
        name: name.into(),
        above,
        mode,
        bytes: false,
        average: 1_000_000 * rate.1 / rate.0,
        burst,
        src_mask: 32,
        dst_mask: 32,
        size: 0,
        max: 0,
        gc_interval: 1000,
        expire: rate.1 as u32 * 1000,
        rate_match: None,
    }
}

/// As [`hashlimit`], of bytes a second; the burst in seconds' worth.
pub fn byte_limit(name: &str, above: bool, bytes: u64, burst: u64) -> HashLimit {
    let average = u64::from(u32::MAX) / ((bytes >> 4) + 1);
    let expire = if burst > 0 { 60_000 } else { 15_000 };
    HashLimit { bytes: true, average, burst, expire, ..hashlimit(name, above, (1, 1), 0, 4) }
}

pub fn hash(limit: HashLimit) -> Match {
    Match::HashLimit(Box::new(limit))
}

pub fn recent(name: &str, action: RecentAction) -> Recent {
    Recent {
        name: name.into(),
        not: false,
        action,
        seconds: None,
        reap: false,
        hit_count: None,
        rttl: false,
        by_destination: false,
        mask: IpAddr::from(Ipv4Addr::BROADCAST),
    }
}

pub fn list(recent: Recent) -> Match {
    Match::Recent(Box::new(recent))
}

pub fn connlimit(limit: Inv<u32>, mask: u8, by_destination: bool) -> Match {
    Match::ConnLimit { limit, mask, by_destination }
}

fn sources(flags: &str) -> Vec<bool> {
    flags.split(',').map(|flag| flag == "src").collect()
}

pub fn set(name: Inv<&str>, flags: &str) -> SetMatch {
    SetMatch {
        set: Inv { not: name.not, value: name.value.into() },
        flags: sources(flags),
        return_nomatch: false,
        no_update_counters: false,
        no_update_subcounters: false,
        packets: None,
        bytes: None,
    }
}

pub fn in_set(name: &str, flags: &str) -> Match {
    Match::Set(Box::new(set(yes(name), flags)))
}

pub fn not_in_set(name: &str, flags: &str) -> Match {
    Match::Set(Box::new(set(not(name), flags)))
}

/// `-j SET`.
#[derive(Default)]
pub struct Change<'a> {
    pub add: Option<(&'a str, &'a str)>,
    pub del: Option<(&'a str, &'a str)>,
    pub map: Option<(&'a str, &'a str)>,
    pub exist: bool,
    pub timeout: Option<u32>,
}

impl Change<'_> {
    pub fn of(self, body: RuleBody) -> RuleBody {
        let named = |one: Option<(&str, &str)>| one.map(|(name, flags)| (Arc::from(name), sources(flags)));
        let target = Target::Set {
            add: named(self.add),
            del: named(self.del),
            map: named(self.map),
            exist: self.exist,
            timeout: self.timeout,
            map_flags: vec!["--map-mark".into()],
        };
        RuleBody { target, ..body }
    }
}

pub fn jump(body: RuleBody) -> RuleBody {
    RuleBody { target: Target::Chain { chain: ChainId(1), goto: false }, ..body }
}

pub fn verdict(body: RuleBody, verdict: Verdict) -> RuleBody {
    RuleBody { target: Target::Verdict(verdict), ..body }
}

pub fn nth(every: Inv<u32>, packet: u32) -> Match {
    Match::Statistic(Statistic::Nth { every, packet })
}

pub fn connbytes(range: Inv<(u64, u64)>, mode: ConnBytesMode, direction: ConnBytesDirection) -> Match {
    let (low, high) = range.value;
    Match::ConnBytes { range: Inv { not: range.not, value: Range { low, high } }, mode, direction }
}

pub fn status(bits: u32) -> Match {
    Match::ConnTrack(Box::new(ConnTrack { status: Some(yes(bits)), ..ConnTrack::default() }))
}

pub fn established() -> Match {
    Match::ConnTrack(Box::new(ConnTrack { state: Some(yes(CtState::ESTABLISHED)), ..ConnTrack::default() }))
}

fn host() -> Option<Inv<Masked>> {
    Some(yes(Masked { addr: IpAddr::from([10, 88, 32, 50]), mask: IpAddr::from([255; 4]) }))
}

pub fn from_inside(body: RuleBody) -> RuleBody {
    RuleBody { head: Head { src: host(), ..body.head.clone() }, ..body }
}

pub fn to_inside(body: RuleBody) -> RuleBody {
    RuleBody { head: Head { dst: host(), ..body.head.clone() }, ..body }
}
