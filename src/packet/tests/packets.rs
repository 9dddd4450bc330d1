//! IP and transports: lengths, extension headers, checksums, cuts.

use super::*;

#[test]
fn a_packet_cut_at_every_length_is_read_as_far_as_it_goes() {
    let whole = ethernet(0x0800, &tcp4(b"payload"));
    for len in 0..whole.len() {
        let cut = Frame { original_len: whole.len() as u32, ..frame(1, &whole[..len]) };
        match (len, decode(&cut)) {
            (..34, decoded) => assert!(matches!(decoded, Decoded::Undecodable { .. }), "{len}: {decoded:?}"),
            (_, Decoded::Packet(packet)) => {
                assert_eq!(packet.src, IpAddr::from(CLIENT));
                assert_eq!(packet.dst_port, if len < 38 { 0 } else { 5222 }, "{len}");
                assert_eq!(packet.tcp.is_some(), len >= 48, "{len}");
                assert_eq!(packet.is_headless(), len < 48, "{len}");
                assert_eq!(packet.payload_len as usize, len.saturating_sub(54));
                assert!(packet.is_truncated() && !packet.bad_checksum, "{len}");
                if len >= 48 {
                    assert_eq!(packet.wire_payload_len, 7);
                }
            }
            (_, other) => panic!("{len}: {other:?}"),
        }
    }
}

#[test]
fn a_forgotten_length_is_told_by_the_ip_header() {
    let whole = ethernet(0x0800, &tcp4(&[7; 1000]));
    let packet = packet(1, &whole[..128]);
    assert_eq!((packet.payload_len, packet.wire_payload_len), (74, 1000));
    assert_eq!(packet.ip_len, 1040);
}

#[test]
fn segmentation_offload_leaves_the_length_to_the_capture() {
    let mut v4 = tcp4(&[7; 3000]);
    v4[2..4].fill(0);
    let big = packet(101, &v4);
    assert_eq!((big.payload_len, big.wire_payload_len, big.ip_len), (3000, 3000, 3040));
    let mut v6 = tcp6(&[7; 3000]);
    v6[4..6].fill(0);
    let jumbo = packet(101, &v6);
    assert_eq!((jumbo.payload_len, jumbo.wire_payload_len), (3000, 3000));
    assert!(!jumbo.bad_checksum, "cannot be told without the length");
}

#[test]
fn wrong_checksums_are_told() {
    for at in [8, 30, 45] {
        let mut bytes = tcp4(b"payload");
        bytes[at] ^= 1;
        assert!(packet(101, &bytes).bad_checksum, "{at}");
    }
    let mut udp = udp4(1, 2, b"x");
    assert!(!packet(101, &udp).bad_checksum);
    udp[28] ^= 1;
    assert!(packet(101, &udp).bad_checksum);
    udp[26..28].fill(0);
    assert!(!packet(101, &udp).bad_checksum, "0 is none");
}

#[test]
fn udp_ends_where_it_says() {
    let mut bytes = udp4(1, 2, b"seven77");
    bytes[25] = 8 + 5;
    assert_eq!(packet(101, &bytes).payload(&bytes), b"seven");
    bytes[25] = 200;
    assert_eq!(packet(101, &bytes).payload(&bytes), b"seven77");
}

#[test]
fn extension_headers_are_walked() {
    let tcp = &tcp6(b"x")[40..];
    let padding = [1, 4, 0, 0, 0, 0];
    let chain = join(&[
        &[60, 0],
        &padding, // hop-by-hop
        &[43, 0],
        &padding, // destination options
        &[51, 0],
        &[4, 0, 0, 0, 0, 0], // routing, used up
        &[135, 2],
        &[0; 14], // authentication
        &[44, 0],
        &[0; 6],                   // mobility
        &[6, 0, 0, 0, 0, 0, 0, 1], // a fragment header of a whole packet
        tcp,
    ]);
    assert_holds(101, &ip6(0, &chain), b"x", None);
    let mut authenticated = ip4(51, &join(&[&[6, 4], &[0; 22], &tcp4(b"x")[20..]]));
    authenticated[12..20].copy_from_slice(&[CLIENT, SERVER].concat());
    let packet = packet(101, &authenticated);
    assert_eq!((packet.protocol, packet.dst_port), (6, 5222));
}

#[test]
fn routed_and_mobile_packets_sum_with_their_final_addresses() {
    let tcp = &tcp6(b"x")[40..];
    let hop = [0xfe; 16];
    let routed = join(&[&[6, 2, 0, 1, 0, 0, 0, 0], &SERVER6, tcp]);
    let mut bytes = ip6(43, &routed);
    bytes[24..40].copy_from_slice(&hop);
    let packet_routed = packet(101, &bytes);
    assert!(!packet_routed.bad_checksum);
    assert_eq!(packet_routed.dst, IpAddr::from(hop));

    let mobile = join(&[&[6, 2, 1, 2, 0, 0, 201, 16], &CLIENT6, tcp]);
    let mut bytes = ip6(60, &mobile);
    bytes[8..24].copy_from_slice(&hop);
    assert!(!packet(101, &bytes).bad_checksum);
}

#[test]
fn fragments_are_told_with_their_place() {
    let mut bytes = udp4(1, 2, &[0; 24]);
    bytes[4..8].copy_from_slice(&[0xab, 0xcd, 0x20, 3]);
    let Decoded::Fragment(fragment) = decode(&frame(101, &bytes)) else { panic!("no fragment") };
    assert_eq!((fragment.id, fragment.offset, fragment.more), (0xabcd, 24, true));
    assert_eq!((fragment.payload_offset, fragment.payload_len, fragment.header_len), (20, 32, 20));

    let v6 = ip6(0, &join(&[&[44, 0, 1, 4, 0, 0, 0, 0], &[17, 0, 0, 8, 0, 0, 0, 9], &[1; 5]]));
    let Decoded::Fragment(fragment) = decode(&frame(101, &v6)) else { panic!("no fragment") };
    assert_eq!((fragment.id, fragment.offset, fragment.more, fragment.protocol), (9, 8, false, 17));
    assert_eq!((fragment.header_len, fragment.next_header, fragment.payload_len), (48, 40, 5));
}

#[test]
fn other_transports() {
    let sctp = packet(101, &ip4(132, &[0x14, 0x66, 0x14, 0x67, 0, 0, 0, 1, 0, 0, 0, 0, 9]));
    assert_eq!((sctp.src_port, sctp.dst_port, sctp.payload_len), (0x1466, 0x1467, 1));
    let ping = packet(101, &ip4(1, &[8, 0, 0xf7, 0xff, 0, 0, 0, 0]));
    assert_eq!((ping.src_port, ping.dst_port, ping.bad_checksum), (8, 0, false));
    let ospf = packet(101, &ip4(89, &[1, 2, 3]));
    assert_eq!((ospf.protocol, ospf.src_port, ospf.payload_len), (89, 0, 3));
}

#[test]
fn icmp_errors_tell_what_they_are_about() {
    let expected = Embedded {
        src: IpAddr::from(CLIENT),
        dst: IpAddr::from(SERVER),
        protocol: 6,
        src_port: 49_152,
        dst_port: 5222,
    };
    let quote = tcp4(b"gone");
    let error = ip4(1, &join(&[&[3, 3, 0, 0, 0, 0, 0, 0], &quote[..28]]));
    assert_eq!(embedded(&packet(101, &error), &error), Some(expected));
    let short = ip4(1, &join(&[&[11, 0, 0, 0, 0, 0, 0, 0], &quote[..20]]));
    assert_eq!(embedded(&packet(101, &short), &short), Some(Embedded { src_port: 0, dst_port: 0, ..expected }));
    let ping = ip4(1, &join(&[&[8, 0, 0, 0, 0, 0, 0, 0], &quote]));
    assert_eq!(embedded(&packet(101, &ping), &ping), None);

    let too_big = ip6(58, &join(&[&[2, 0, 0, 0, 0, 0, 5, 0], &tcp6(b"gone")]));
    let about = embedded(&packet(101, &too_big), &too_big).unwrap();
    assert_eq!((about.src, about.dst_port), (IpAddr::from(CLIENT6), 5222));
}

#[test]
fn impossible_headers_are_undecodable() {
    for (bytes, what) in [
        (vec![], "ip.cut"),
        (vec![0x55; 40], "ip.version"),
        (join(&[&[0x44], &[0; 30]]), "ipv4.header"),
        (join(&[&[0x45, 0, 0, 19], &[0; 30]]), "ipv4.length"),
        (vec![0x60; 39], "ipv6.header"),
    ] {
        let decoded = decode(&frame(101, &bytes));
        assert!(matches!(decoded, Decoded::Undecodable { what: told } if told == what), "{decoded:?}");
    }
    let mut bytes = tcp4(b"x");
    bytes[32] = 0x10;
    let packet = packet(101, &bytes);
    assert!(packet.is_headless() && packet.dst_port == 5222 && packet.payload_len == 0);
}
