//! One packet through every tunnel, and what only looks like one.

use super::*;

fn inner_frame() -> Vec<u8> {
    ethernet(0x0800, &tcp4(b"x"))
}

fn over_udp(port: u16, parts: &[&[u8]]) -> Vec<u8> {
    udp4(40_000, port, &join(parts))
}

#[test]
fn ip_in_ip() {
    assert_holds(101, &ip4(4, &tcp4(b"x")), b"x", Some("ipip"));
    assert_holds(101, &ip4(41, &tcp6(b"x")), b"x", Some("6in4"));
    assert_holds(101, &ip6(4, &tcp4(b"x")), b"x", Some("4in6"));
    assert_holds(101, &ip6(41, &tcp6(b"x")), b"x", Some("6in6"));
    assert_holds(101, &ip4(97, &join(&[&[0x30, 0], &inner_frame()])), b"x", Some("etherip"));
    assert_holds(101, &ip4(137, &join(&[&[0, 1, 0x11, 64], &tcp4(b"x")])), b"x", Some("mpls 17"));
}

#[test]
fn gre_with_every_field() {
    assert_holds(101, &ip4(47, &join(&[&[0, 0, 8, 0], &tcp4(b"x")])), b"x", Some("gre"));
    assert_holds(101, &ip4(47, &join(&[&[0, 0, 0x86, 0xdd], &tcp6(b"x")])), b"x", Some("gre"));
    let full = join(&[&[0xb0, 0, 8, 0], &[1, 2, 0, 0], &[0, 0, 0, 88], &[0, 0, 0, 1], &tcp4(b"x")]);
    assert_holds(101, &ip4(47, &full), b"x", Some("gre 88"));
    let bridged = join(&[&[0x20, 0, 0x65, 0x58], &[0, 0, 1, 0], &inner_frame()]);
    assert_holds(101, &ip4(47, &bridged), b"x", Some("gre 256"));
    let routed = join(&[&[0x40, 0, 8, 0], &[0; 4], &[0, 1, 0, 4, 9, 9, 9, 9], &[0, 0, 0, 0], &tcp4(b"x")]);
    assert_holds(101, &ip4(47, &routed), b"x", Some("gre"));
    let redirected = join(&[&[0, 0, 0x88, 0x3e], &[0, 0, 0, 0], &tcp4(b"x")]);
    assert_holds(101, &ip4(47, &redirected), b"x", Some("gre"));
}

#[test]
fn pptp() {
    let ppp = join(&[&[0xff, 3, 0, 0x21], &tcp4(b"x")]);
    let len = (ppp.len() as u16).to_be_bytes();
    let call = join(&[&[0x30, 0x81, 0x88, 0x0b], &len, &[0, 5], &[0; 8], &ppp]);
    assert_holds(101, &ip4(47, &call), b"x", Some("pptp 5"));
}

#[test]
fn mirrored_frames() {
    let first = join(&[&[0, 0, 0x88, 0xbe], &inner_frame()]);
    assert_holds(101, &ip4(47, &first), b"x", Some("erspan 0"));
    let second = join(&[&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1], &[0x10, 0, 0, 9, 0, 0, 0, 0], &inner_frame()]);
    assert_holds(101, &ip4(47, &second), b"x", Some("erspan 9"));
    let third = join(&[&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1], &[0x20, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1], &[0; 8]]);
    assert_holds(101, &ip4(47, &join(&[&third, &inner_frame()])), b"x", Some("erspan 9"));
}

#[test]
fn overlays() {
    let vxlan = over_udp(4789, &[&[8, 0, 0, 0, 0, 0x22, 0x68, 0], &inner_frame()]);
    assert_holds(1, &ethernet(0x8100, &join(&[&[0, 8, 8, 0], &vxlan])), b"x", Some("vlan 8/vxlan 8808"));
    assert_holds(101, &over_udp(8472, &[&[8, 0, 0, 0, 0, 0, 1, 0], &inner_frame()]), b"x", Some("vxlan 1"));
    assert_holds(101, &over_udp(4790, &[&[12, 0, 0, 1, 0, 0, 1, 0], &tcp4(b"x")]), b"x", Some("vxlan 1"));
    let geneve = [0x02, 0, 0x65, 0x58, 0, 0, 7, 0, 1, 2, 3, 1, 9, 9, 9, 9];
    assert_holds(101, &over_udp(6081, &[&geneve, &inner_frame()]), b"x", Some("geneve 7"));
    assert_holds(101, &over_udp(6635, &[&[0, 1, 0x11, 64], &tcp4(b"x")]), b"x", Some("mpls 17"));
}

#[test]
fn mobile_user_plane() {
    let ip = tcp4(b"x");
    let len = (ip.len() as u16).to_be_bytes();
    assert_holds(101, &over_udp(2152, &[&[0x30, 0xff], &len, &[0, 0, 0, 9], &ip]), b"x", Some("gtp 9"));
    let len = (ip.len() as u16 + 8).to_be_bytes();
    let extension = [0, 0, 0, 0x85, 1, 0x10, 1, 0];
    let extended = over_udp(2152, &[&[0x34, 0xff], &len, &[0, 0, 0, 9], &extension, &ip]);
    assert_holds(101, &extended, b"x", Some("gtp 9"));
    let echo = packet(101, &over_udp(2152, &[&[0x30, 0x01], &len, &[0, 0, 0, 9], &extension, &ip]));
    assert_eq!((echo.dst_port, echo.tunnel), (2152, None));
}

#[test]
fn teredo() {
    let mut ip = tcp6(b"x");
    assert_eq!(packet(101, &over_udp(3544, &[&ip])).dst_port, 3544, "neither side is a Teredo client");
    // The client's address becomes 2001:0:..., and the checksum that much smaller.
    ip[8..12].copy_from_slice(&[0x20, 1, 0, 0]);
    let origin = [0, 0, 0x12, 0x34, 1, 2, 3, 4];
    let secured = join(&[&[0, 1, 0, 0], &[0; 9], &origin, &ip]);
    for bytes in [over_udp(3544, &[&ip]), over_udp(3544, &[&secured])] {
        let packet = packet(101, &bytes);
        assert_eq!(packet.tunnel.as_deref(), Some("teredo"));
        assert_eq!((packet.src_port, packet.dst_port), (49_152, 5222));
    }
}

#[test]
fn layer_two_tunnelling() {
    let ppp = join(&[&[0xff, 3, 0, 0x21], &tcp4(b"x")]);
    let len = (ppp.len() as u16 + 8).to_be_bytes();
    let data = over_udp(1701, &[&[0x40, 2], &len, &[0, 3, 0, 4], &ppp]);
    assert_holds(101, &data, b"x", Some("l2tp 4"));
}

#[test]
fn a_port_alone_is_no_tunnel() {
    for port in [4789, 8472, 4790, 6081, 2152, 3544, 1701, 6635] {
        let payload = b"\x08\0\0\0 nothing but text, some of it on a port of a tunnel";
        let packet = packet(101, &udp4(40_000, port, payload));
        assert_eq!((packet.dst_port, packet.tunnel), (port, None));
        assert_eq!(packet.payload_len as usize, payload.len());
    }
}

#[test]
fn what_does_not_fit_is_no_tunnel() {
    let mut inner = inner_frame();
    inner[16..18].copy_from_slice(&[5, 0]);
    let packet = packet(101, &over_udp(4789, &[&[8, 0, 0, 0, 0, 0, 1, 0], &inner]));
    assert_eq!((packet.dst_port, packet.tunnel), (4789, None));
}

#[test]
fn a_tunnel_that_carries_no_ip_is_the_packet_that_it_is() {
    let arp = ethernet(0x0806, &[0; 28]);
    let outer = packet(101, &over_udp(4789, &[&[8, 0, 0, 0, 0, 0, 1, 0], &arp]));
    assert_eq!((outer.dst_port, outer.tunnel), (4789, None));
    let keepalive = packet(101, &ip4(47, &[0, 0, 0, 0]));
    assert_eq!((keepalive.protocol, keepalive.payload_len), (47, 4));
}

#[test]
fn tunnels_in_tunnels_end_somewhere() {
    let mut bytes = tcp4(b"x");
    for _ in 0..60 {
        bytes = ip4(4, &bytes);
    }
    // The outer ones count as far as they are peeled.
    let packet = packet(101, &bytes);
    assert_eq!(packet.protocol, 4);
    assert_eq!(packet.tunnel.unwrap().matches("ipip").count(), 16);
}
