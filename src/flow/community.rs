//! Community ID v1: one name for a conversation that other tools (Zeek, Suricata, Wireshark) give it too.
//!
//! <https://github.com/corelight/community-id-spec>

use super::key::icmp_counterpart;
use crate::evidence::Transport;
use base64::Engine;
use sha1::{Digest, Sha1};
use std::net::{IpAddr, SocketAddr};

/// The Community ID of a conversation, seed 0. Ports as [`super::FlowKey::of`] gives them.
pub fn community_id(transport: Transport, src: SocketAddr, dst: SocketAddr) -> String {
    let one_way =
        matches!(transport, Transport::Icmp | Transport::Icmpv6) && icmp_counterpart(transport, src.port()).is_none();
    let (low, high) = if one_way || sort_key(src) <= sort_key(dst) { (src, dst) } else { (dst, src) };
    let mut hash = Sha1::new();
    hash.update([0, 0]);
    update_address(&mut hash, low.ip());
    update_address(&mut hash, high.ip());
    hash.update([transport.number(), 0]);
    if !matches!(transport, Transport::Other(_)) {
        hash.update(low.port().to_be_bytes());
        hash.update(high.port().to_be_bytes());
    }
    let mut text = String::with_capacity(30);
    text.push_str("1:");
    base64::engine::general_purpose::STANDARD.encode_string(hash.finalize(), &mut text);
    text
}

fn sort_key(end: SocketAddr) -> (IpAddr, u16) {
    (end.ip(), end.port())
}

fn update_address(hash: &mut Sha1, address: IpAddr) {
    match address {
        IpAddr::V4(address) => hash.update(address.octets()),
        IpAddr::V6(address) => hash.update(address.octets()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(transport: Transport, src: &str, src_port: u16, dst: &str, dst_port: u16) -> Option<String> {
        let src = SocketAddr::new(src.parse().ok()?, src_port);
        let dst = SocketAddr::new(dst.parse().ok()?, dst_port);
        Some(community_id(transport, src, dst))
    }

    /// Values published in the specification's baseline and in the tests of its reference implementation.
    #[test]
    fn published_values() {
        let cases = [
            (Transport::Tcp, "128.232.110.120", 34855, "66.35.250.204", 80, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
            (Transport::Tcp, "66.35.250.204", 80, "128.232.110.120", 34855, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
            (Transport::Udp, "192.168.1.52", 54585, "8.8.8.8", 53, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
            (Transport::Icmp, "192.168.0.89", 8, "192.168.0.1", 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
            (Transport::Icmp, "192.168.0.1", 0, "192.168.0.89", 8, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
        ];
        for (transport, src, src_port, dst, dst_port, want) in cases {
            assert_eq!(id(transport, src, src_port, dst, dst_port).as_deref(), Some(want));
        }
    }
}
