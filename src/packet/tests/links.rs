//! One packet behind every link type, and through what may stand between a link and IP.

use super::*;

/// 24 bytes of 802.11 data header from an access point, then LLC and SNAP.
fn wifi(qos: Option<u8>, flags: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![if qos.is_some() { 0x88 } else { 0x08 }, flags, 0, 0];
    bytes.extend_from_slice(&[2; 18]);
    bytes.extend_from_slice(&[0x10, 0]);
    if flags & 3 == 3 {
        bytes.extend_from_slice(&[4; 6]);
    }
    if let Some(qos) = qos {
        bytes.extend_from_slice(&[qos, 0]);
    }
    bytes.extend_from_slice(body);
    bytes
}

fn snap(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    join(&[&[0xaa, 0xaa, 3, 0, 0, 0], &ether_type.to_be_bytes(), payload])
}

#[test]
fn ethernet_padding_is_no_payload() {
    let padded = join(&[&ethernet(0x0800, &tcp4(b"")), &[0; 6]]);
    assert_holds(1, &padded, b"", None);
}

#[test]
fn raw_ip_of_both_versions() {
    for link in [12, 14, 101, 228] {
        assert_holds(link, &tcp4(b"four"), b"four", None);
    }
    for link in [12, 14, 101, 229] {
        assert_holds(link, &tcp6(b"six"), b"six", None);
    }
}

#[test]
fn loopback_of_both_byte_orders() {
    for link in [0, 108] {
        assert_holds(link, &join(&[&[2, 0, 0, 0], &tcp4(b"x")]), b"x", None);
        assert_holds(link, &join(&[&[0, 0, 0, 2], &tcp4(b"x")]), b"x", None);
        for family in [10, 24, 28, 30] {
            assert_holds(link, &join(&[&[family, 0, 0, 0], &tcp6(b"x")]), b"x", None);
            assert_holds(link, &join(&[&[0, 0, 0, family], &tcp6(b"x")]), b"x", None);
        }
    }
}

#[test]
fn cooked_captures() {
    let v1 = join(&[&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0], &[0x08, 0x00], &tcp4(b"x")]);
    assert_holds(113, &v1, b"x", None);
    let v2 = join(&[&[0x86, 0xdd, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6], &[2, 0, 0, 0, 0, 1, 0, 0], &tcp6(b"x")]);
    assert_holds(276, &v2, b"x", None);
    let tagged = join(&[&[0; 14], &[0x81, 0x00, 0, 8, 0x08, 0x00], &tcp4(b"x")]);
    assert_holds(113, &tagged, b"x", Some("vlan 8"));
}

#[test]
fn serial_lines() {
    for link in [9, 50] {
        assert_holds(link, &join(&[&[0xff, 3, 0, 0x21], &tcp4(b"x")]), b"x", None);
        assert_holds(link, &join(&[&[0, 0x57], &tcp6(b"x")]), b"x", None);
        assert_holds(link, &join(&[&[0x21], &tcp4(b"x")]), b"x", None);
        assert_holds(link, &join(&[&[0x0f, 0, 8, 0], &tcp4(b"x")]), b"x", None);
    }
    assert_holds(204, &join(&[&[0, 0xff, 3, 0, 0x21], &tcp4(b"x")]), b"x", None);
    let control = decode(&frame(9, &[0xff, 3, 0xc0, 0x21, 1, 1, 0, 4]));
    assert!(matches!(control, Decoded::NotIp(NotIp::Ppp(0xc021))));
}

#[test]
fn ieee_802_3_with_llc_and_snap() {
    let body = snap(0x0800, &tcp4(b"x"));
    let framed = join(&[&ethernet(body.len() as u16, &body), &[0; 9]]);
    assert_holds(1, &framed, b"x", None);
    let plain = join(&[&[6, 6, 3], &tcp4(b"x")]);
    assert_holds(1, &ethernet(plain.len() as u16, &plain), b"x", None);
    let spanning_tree = decode(&frame(1, &ethernet(3, &[0x42, 0x42, 3])));
    assert!(matches!(spanning_tree, Decoded::NotIp(NotIp::Llc(0x42))));
}

#[test]
fn vlans_in_any_depth() {
    let one = |tpid: u16, id: u8, inner: Vec<u8>| join(&[&tpid.to_be_bytes(), &[0xe0, id], &inner]);
    let ip = join(&[&[8, 0], &tcp4(b"x")]);
    let tags = one(0x88a8, 5, one(0x9100, 6, one(0x8100, 7, ip)));
    let framed = join(&[&[2; 12], &tags]);
    assert_holds(1, &framed, b"x", Some("vlan 5/vlan 6/vlan 7"));
    let priority = ethernet(0x8100, &join(&[&[0x60, 0, 8, 0], &tcp4(b"x")]));
    assert_holds(1, &priority, b"x", None);
}

#[test]
fn mpls_and_its_pseudowires() {
    let stack = join(&[&[0, 1, 0x10, 64], &[0, 2, 0x21, 64]]);
    assert_holds(1, &ethernet(0x8847, &join(&[&stack, &tcp4(b"x")])), b"x", Some("mpls 17/mpls 34"));
    assert_holds(1, &ethernet(0x8848, &join(&[&[0, 1, 0x11, 64], &tcp6(b"x")])), b"x", Some("mpls 17"));
    let inner = ethernet(0x0800, &tcp4(b"x"));
    let wire = ethernet(0x8847, &join(&[&[0, 1, 0x11, 64], &inner]));
    assert_holds(1, &wire, b"x", Some("mpls 17"));
    let with_control_word = ethernet(0x8847, &join(&[&[0, 1, 0x11, 64], &[0; 4], &inner]));
    assert_holds(1, &with_control_word, b"x", Some("mpls 17"));
    // An address that begins like an IPv4 header.
    let mut like_ip = inner.clone();
    like_ip[0] = 0x45;
    let wire = ethernet(0x8847, &join(&[&[0, 1, 0x11, 64], &like_ip]));
    assert_holds(1, &wire, b"x", Some("mpls 17"));
}

#[test]
fn pppoe_sessions() {
    let ip = tcp4(b"x");
    let session = join(&[&[0x11, 0, 0, 136], &(ip.len() as u16 + 2).to_be_bytes(), &[0, 0x21], &ip]);
    assert_holds(1, &ethernet(0x8864, &session), b"x", Some("pppoe 136"));
    assert_holds(51, &session, b"x", None);
    let discovery = decode(&frame(1, &ethernet(0x8863, &[0x11, 9, 0, 0, 0, 0])));
    assert!(matches!(discovery, Decoded::NotIp(NotIp::EtherType(0x8863))));
}

#[test]
fn switch_tags() {
    let vn_tag = ethernet(0x8926, &join(&[&[0, 1, 0, 2, 8, 0], &tcp4(b"x")]));
    assert_holds(1, &vn_tag, b"x", None);
    let macsec = ethernet(0x88e5, &join(&[&[0x20, 0, 0, 0, 0, 1], &[2; 8], &[8, 0], &tcp4(b"x"), &[9; 16]]));
    assert_holds(1, &macsec, b"x", Some("macsec"));
    let encrypted = decode(&frame(1, &ethernet(0x88e5, &[0x2c, 0, 0, 0, 0, 1, 1, 1, 1, 1])));
    assert!(matches!(encrypted, Decoded::NotIp(NotIp::Encrypted("macsec"))));
    let provider = ethernet(0x88e7, &join(&[&[0, 0, 1, 0], &ethernet(0x0800, &tcp4(b"x"))]));
    assert_holds(1, &provider, b"x", Some("pbb 256"));
}

#[test]
fn wifi_data_frames() {
    let body = snap(0x0800, &tcp4(b"x"));
    assert_holds(105, &wifi(None, 2, &body), b"x", None);
    assert_holds(105, &wifi(Some(0), 1, &body), b"x", None);
    assert_holds(105, &wifi(None, 3, &body), b"x", None);
    let encrypted = decode(&frame(105, &wifi(None, 0x42, &body)));
    assert!(matches!(encrypted, Decoded::NotIp(NotIp::Encrypted("wifi"))));
    let beacon = decode(&frame(105, &[0x80, 0, 0, 0]));
    assert!(matches!(beacon, Decoded::NotIp(NotIp::Wifi(_))));
}

#[test]
fn wifi_aggregates_hold_several_packets() {
    let body = snap(0x0800, &tcp4(b"one"));
    let part = join(&[&[2; 12], &(body.len() as u16).to_be_bytes(), &body]);
    let padding = vec![0; part.len().next_multiple_of(4) - part.len()];
    let bytes = wifi(Some(0x80), 2, &join(&[&part, &padding, &part]));
    let Decoded::Several(packets) = decode(&frame(105, &bytes)) else { panic!("one packet") };
    assert_eq!(packets.len(), 2);
    for one in packets {
        let Decoded::Packet(packet) = one else { panic!("no packet: {one:?}") };
        assert_eq!(packet.payload(&bytes), b"one");
    }
}

#[test]
fn radio_headers() {
    let data = wifi(None, 2, &snap(0x0800, &tcp4(b"x")));
    // Time and flags; then the same with a second word of fields.
    let radiotap = [0, 0, 17, 0, 3, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0];
    assert_holds(127, &join(&[&radiotap, &data]), b"x", None);
    let longer = [0, 0, 13, 0, 2, 0, 0, 0x80, 0, 0, 0, 0, 0];
    assert_holds(127, &join(&[&longer, &data]), b"x", None);
    let padded = wifi(Some(0), 2, &join(&[&[0, 0], &snap(0x0800, &tcp4(b"x"))]));
    assert_holds(127, &join(&[&[0, 0, 9, 0, 2, 0, 0, 0, 0x20], &padded]), b"x", None);
    assert_holds(119, &join(&[&[0x44, 0, 0, 0, 144, 0, 0, 0], &[0; 136], &data]), b"x", None);
    let avs = join(&[&[0x80, 0x21, 0x10, 1, 0, 0, 0, 64], &[0; 56], &data]);
    assert_holds(163, &avs, b"x", None);
    assert_holds(119, &avs, b"x", None);
    assert_holds(192, &join(&[&[0, 0, 8, 0, 105, 0, 0, 0], &data]), b"x", None);
}

#[test]
fn log_and_tap_devices() {
    let ip = tcp4(b"x");
    let payload_len = (ip.len() as u16 + 4).to_le_bytes();
    let nflog = join(&[&[2, 0, 0, 30], &[6, 0, 10, 0, b'h', 0, 0, 0], &payload_len, &[9, 0], &ip]);
    assert_holds(239, &nflog, b"x", None);
    let firewall = join(&[&[61, 2], &[0; 62], &ip]);
    assert_holds(117, &firewall, b"x", None);
    let pktap = join(&[&[108, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0], &[0; 96], &ethernet(0x0800, &ip)]);
    assert_holds(258, &pktap, b"x", None);
}

#[test]
fn unknown_links_are_named() {
    let unknown = decode(&frame(195, &[0; 20]));
    assert!(matches!(unknown, Decoded::NotIp(NotIp::Link(195))));
    let mut counts = DecodeCounts::default();
    counts.add(&unknown);
    counts.add(&decode(&frame(1, &ethernet(0x0806, &[0; 28]))));
    counts.add(&decode(&frame(1, &[1, 2, 3])));
    let shown = serde_json::to_string(&counts).unwrap();
    assert!(shown.contains(r#""not_ip":{"ether-type 0x0806":1,"link-type 195":1}"#), "{shown}");
    assert!(shown.contains(r#""undecodable":{"ethernet.cut":1}"#), "{shown}");
}
