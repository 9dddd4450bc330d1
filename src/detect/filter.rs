//! Wireshark display filters that show what a finding stands on.

use super::Finding;
use crate::evidence::{FlowInfo, Transport};
use std::fmt::Write;
use std::net::IpAddr;

/// Frames named in a filter: a longer one is beyond what a person reads, and the conversation shows them anyway.
const MAX_FRAMES: usize = 64;

/// The finding with a filter for its frames within the conversation.
pub fn shown(finding: Finding, flow: &FlowInfo) -> Finding {
    let filter = frames_of(flow, &finding.frames);
    finding.with_filter(filter)
}

/// Packets of a conversation: `ip.addr == 10.0.0.7 && ip.addr == 10.0.0.1 && tcp.port == 49152 && tcp.port == 5222`.
pub fn conversation(flow: &FlowInfo) -> String {
    let mut filter = String::new();
    for address in [flow.orig.ip(), flow.resp.ip()] {
        let field = if matches!(address, IpAddr::V4(_)) { "ip.addr" } else { "ipv6.addr" };
        let _ = write!(filter, "{field} == {address} && "); // a String takes everything
    }
    match flow.transport {
        Transport::Tcp | Transport::Udp | Transport::Sctp => {
            let (name, orig, resp) = (flow.transport, flow.orig.port(), flow.resp.port());
            let _ = write!(filter, "{name}.port == {orig} && {name}.port == {resp}");
        }
        other => {
            let _ = write!(filter, "ip.proto == {}", other.number());
        }
    }
    filter
}

/// Frames of a conversation; all of it if there are none, or too many to name.
pub fn frames_of(flow: &FlowInfo, frames: &[u64]) -> String {
    let mut filter = conversation(flow);
    if let (false, Some(frames)) = (frames.is_empty(), (frames.len() <= MAX_FRAMES).then_some(frames)) {
        let list: Vec<String> = frames.iter().map(u64::to_string).collect();
        let _ = write!(filter, " && frame.number in {{{}}}", list.join(", "));
    }
    filter
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::*;

    #[test]
    fn both_ends_and_the_frames_are_named() {
        let mut flow = FlowInfo {
            transport: Transport::Tcp,
            orig: "10.0.0.7:40000".parse().unwrap(),
            resp: "10.0.0.1:4369".parse().unwrap(),
            community_id: "1:x".into(),
            tunnel: "".into(),
            within: crate::evidence::Within::default(),
        };
        assert_eq!(
            frames_of(&flow, &[12, 14]),
            "ip.addr == 10.0.0.7 && ip.addr == 10.0.0.1 && tcp.port == 40000 && tcp.port == 4369 \
             && frame.number in {12, 14}"
        );
        flow.orig = "[2001:db8::7]:40000".parse().unwrap();
        assert!(frames_of(&flow, &[]).starts_with("ipv6.addr == 2001:db8::7 && ip.addr == 10.0.0.1"));
        assert!(!frames_of(&flow, &[1; 1000]).contains("frame"));
    }
}
