//! Random packets: conversations that reach the states of connection tracking, and what disturbs them.

use super::OwnedPacket;
use super::dice::{Dice, WORDS};
use super::talk::{ACK, FIN, PSH, RST, SYN, Talk, checksum, crc32c};

pub const START_NS: i64 = 1_700_000_000_000_000_000;
/// So small that nothing that is measured in days or hours comes nearer.
pub const STEP_NS: i64 = 20_000;

/// Packets of one family, or of both; with wrong checksums now and then if those are kept.
pub fn packets(d: &mut Dice, (v6, both): (bool, bool), wrong_sums: bool, about: usize) -> Vec<OwnedPacket> {
    let mut conversations: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut packets = 0;
    while packets < about {
        let v6 = if both { d.chance(1, 2) } else { v6 };
        let mut conversation = conversation(d, v6, wrong_sums);
        if conversation.len() > 1 && d.chance(1, 10) {
            swap_two(d, &mut conversation);
        }
        packets += conversation.len();
        conversations.push(conversation);
    }
    let packets = interleave(d, conversations).into_iter().enumerate();
    packets.map(|(at, ip)| OwnedPacket { time_ns: START_NS + STEP_NS * at as i64, link: link(&ip), ip }).collect()
}

/// An Ethernet header from the same sender for all, as behind a router.
pub fn link(ip: &[u8]) -> Vec<u8> {
    let ether_type = if ip.first().is_some_and(|first| first >> 4 == 6) { [0x86, 0xdd] } else { [8, 0] };
    [&[2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1][..], &ether_type].concat()
}

/// Some conversations at a time, each in its own order.
fn interleave(d: &mut Dice, conversations: Vec<Vec<Vec<u8>>>) -> Vec<Vec<u8>> {
    let mut waiting = conversations.into_iter().map(Vec::into_iter);
    let mut open: Vec<_> = waiting.by_ref().take(3).collect();
    let mut out = Vec::new();
    while !open.is_empty() {
        let at = usize::try_from(d.below(open.len() as u64)).unwrap();
        match open[at].next() {
            Some(packet) => out.push(packet),
            None => {
                open.remove(at);
                open.extend(waiting.next());
            }
        }
    }
    out
}

fn swap_two(d: &mut Dice, packets: &mut [Vec<u8>]) {
    let (a, b) = (d.below(packets.len() as u64), d.below(packets.len() as u64));
    packets.swap(usize::try_from(a).unwrap(), usize::try_from(b).unwrap());
}

fn conversation(d: &mut Dice, v6: bool, wrong_sums: bool) -> Vec<Vec<u8>> {
    let mut talk = Talk::new(d, v6, wrong_sums);
    match d.below(12) {
        0..=3 => tcp(d, &mut talk),
        4 | 5 => udp(d, &mut talk),
        6 => echo(d, &mut talk),
        7 => fragments(d, &mut talk),
        8 => stray_tcp(d, &mut talk),
        9 => sctp(d, &mut talk),
        10 => other(d, &mut talk),
        _ => error_message(d, &mut talk),
    }
    talk.packets
}

fn payload(d: &mut Dice) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..d.pick(&[0, 1, 1, 2, 3, 20]) {
        bytes.extend(d.pick(&WORDS).as_bytes());
        if d.chance(1, 4) {
            bytes.push(b' ');
        }
    }
    bytes
}

/// A connection: perhaps only a part of it, with repeated, forged and reset segments.
fn tcp(d: &mut Dice, talk: &mut Talk) {
    let mut next = [d.next() as u32, d.next() as u32];
    if !d.chance(1, 6) {
        talk.tcp(d, 0, (next[0], 0), SYN, b"");
        if d.chance(1, 8) {
            talk.tcp(d, 0, (next[0], 0), SYN, b"");
        }
        next[0] = next[0].wrapping_add(1);
        if d.chance(1, 10) {
            talk.tcp(d, 1, (0, next[0]), RST | ACK, b"");
            return;
        }
        talk.tcp(d, 1, (next[1], next[0]), SYN | ACK, b"");
        next[1] = next[1].wrapping_add(1);
        talk.tcp(d, 0, (next[0], next[1]), ACK, b"");
    }
    for _ in 0..d.range(0, 5) {
        let from = usize::from(d.chance(1, 2));
        let data = payload(d);
        talk.tcp(d, from, (next[from], next[1 - from]), PSH | ACK, &data);
        if d.chance(1, 10) {
            talk.tcp(d, from, (next[from], next[1 - from]), PSH | ACK, &data);
        }
        next[from] = next[from].wrapping_add(u32::try_from(data.len()).unwrap());
        if d.chance(2, 3) {
            talk.tcp(d, 1 - from, (next[1 - from], next[from]), ACK, b"");
        }
        if d.chance(1, 12) {
            // Far out of the window.
            talk.tcp(d, from, (next[from].wrapping_add(1 << 24), next[1 - from]), ACK, b"x");
        }
    }
    match d.below(4) {
        0 => talk.tcp(d, 0, (next[0], next[1]), RST, b""),
        1 => {}
        _ => {
            talk.tcp(d, 0, (next[0], next[1]), FIN | ACK, b"");
            next[0] = next[0].wrapping_add(1);
            talk.tcp(d, 1, (next[1], next[0]), FIN | ACK, b"");
            next[1] = next[1].wrapping_add(1);
            talk.tcp(d, 0, (next[0], next[1]), ACK, b"");
            if d.chance(1, 4) {
                // The same ports again.
                talk.tcp(d, 0, (next[0].wrapping_add(1 << 20), 0), SYN, b"");
            }
        }
    }
}

/// Segments that belong to nothing, with flags of all kinds; some cut within their header.
fn stray_tcp(d: &mut Dice, talk: &mut Talk) {
    for _ in 0..d.range(1, 3) {
        let flags = d.pick(&[
            0,
            0xff,
            FIN | PSH | 32,
            SYN | FIN,
            SYN | RST,
            ACK,
            FIN,
            RST | ACK,
            SYN | ACK,
            d.clone().next() as u8,
        ]);
        let numbers = (d.next() as u32, d.next() as u32);
        talk.tcp(d, 0, numbers, flags, b"HELLO");
    }
    if d.chance(1, 3) {
        let cut = d.pick(&[0usize, 3, 8, 13, 19]);
        let packet = talk.ip_header(
            d,
            0,
            6,
            &[0x14, 0x66, 0, 53, 1, 2, 3, 4, 5, 6, 7, 8, 0x50, 2, 1, 1, 0, 0, 0][..cut.min(19)],
            None,
        );
        talk.packets.push(packet);
    }
}

fn udp(d: &mut Dice, talk: &mut Talk) {
    for at in 0..d.range(1, 5) {
        let data = payload(d);
        let from = if at > 0 && d.chance(1, 2) { 1 } else { 0 };
        talk.udp(d, from, &data);
    }
    if d.chance(1, 8) {
        let packet = talk.ip_header(d, 0, 17, &[0, 53, 0, 53, 0][..], None);
        talk.packets.push(packet);
    }
}

fn echo(d: &mut Dice, talk: &mut Talk) {
    let (protocol, request, reply) = if talk.v6 { (58, 128, 129) } else { (1, 8, 0) };
    for sequence in 0..u8::try_from(d.range(1, 3)).unwrap() {
        let mut message = vec![request, 0, 0, 0, 0, 7, 0, sequence];
        message.extend(payload(d));
        if !d.chance(1, 6) {
            let packet = talk.ip(d, 0, protocol, &message);
            talk.packets.push(packet);
        }
        message[0] = reply;
        if d.chance(3, 4) {
            let packet = talk.ip(d, 1, protocol, &message);
            talk.packets.push(packet);
        }
    }
}

/// A datagram in pieces: in order, backwards, with one missing, or with one twice.
fn fragments(d: &mut Dice, talk: &mut Talk) {
    let data: Vec<u8> = (0..d.range(3, 12)).flat_map(|_| b"HELLOabcab<?xml ".to_vec()).collect();
    let mut datagram = talk.datagram(0, &data);
    // IPv4 takes no checksum for a right one; IPv6 needs it.
    let mut summed = talk.ends.concat();
    summed.extend(u32::try_from(datagram.len()).unwrap().to_be_bytes());
    summed.extend([0, 0, 0, 17]);
    summed.extend(&datagram);
    let sum = checksum(&summed);
    datagram[6..8].copy_from_slice(&sum.to_be_bytes());
    let id = d.next() as u8;
    let piece = 8 * usize::try_from(d.range(2, 6)).unwrap();
    let pieces: Vec<_> = datagram.chunks(piece).collect();
    let mut packets: Vec<_> = pieces
        .iter()
        .enumerate()
        .map(|(at, bytes)| {
            let place = (id, u16::try_from(at * piece).unwrap(), at + 1 < pieces.len());
            talk.ip_header(d, 0, 17, bytes, Some(place))
        })
        .collect();
    match d.below(5) {
        0 => packets.reverse(),
        1 => drop(packets.pop()),
        2 => packets.insert(1, packets[0].clone()),
        _ => {}
    }
    talk.packets.extend(packets);
}

fn sctp(d: &mut Dice, talk: &mut Talk) {
    let chunk = |kind: u8, flags: u8, body: &[u8]| {
        let mut chunk = vec![kind, flags];
        chunk.extend(u16::try_from(4 + body.len()).unwrap().to_be_bytes());
        chunk.extend(body);
        chunk.resize(chunk.len().next_multiple_of(4), 0);
        chunk
    };
    let init = [0, 0, 0, 9, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1];
    let steps = [
        (0, 0u32, chunk(1, 0, &init)),
        (1, 9, chunk(2, 0, &init)),
        (0, 9, chunk(10, 0, b"cook")),
        (1, 9, chunk(11, 0, b"")),
        (0, 9, chunk(0, 3, b"\0\0\0\x01\0\0\0\0\0\0\0\0HELLO")),
        (1, 9, chunk(3, 0, &[0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0])),
        (0, 9, [chunk(3, 0, &[0; 12]), chunk(0, 3, b"\0\0\0\x02\0\0\0\0\0\0\0\0ab")].concat()),
        (0, 9, chunk(7, 0, &[0, 0, 0, 1])),
        (1, 9, chunk(8, 0, b"")),
        (0, 9, chunk(14, 0, b"")),
    ];
    for (from, tag, chunks) in steps.into_iter().take(usize::try_from(d.range(1, 10)).unwrap()) {
        let mut packet = talk.ports[from].to_be_bytes().to_vec();
        packet.extend(talk.ports[1 - from].to_be_bytes());
        packet.extend(tag.to_be_bytes());
        packet.extend([0; 4]);
        packet.extend(chunks);
        let sum = crc32c(&packet).to_le_bytes();
        packet[8..12].copy_from_slice(&sum);
        let packet = talk.ip(d, from, 132, &packet);
        talk.packets.push(packet);
    }
}

/// Protocols without ports.
fn other(d: &mut Dice, talk: &mut Talk) {
    let (protocol, bytes): (u8, &[u8]) = d.pick(&[
        (50, &[0, 0, 1, 0, 0, 0, 0, 1, 0x61, 0x62, 0x61, 0x62][..]),
        (51, &[59, 4, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]),
        (47, &[0, 0, 8, 0, 0x45, 0, 0, 0]),
        (33, &[0x14, 0x66, 0, 53, 4, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]),
        (136, &[0x14, 0x66, 0, 53, 0, 8, 0, 0, 0x61, 0x62]),
        (99, b"HELLO"),
        (59, b""),
    ]);
    for _ in 0..d.range(1, 2) {
        let from = usize::from(d.chance(1, 2));
        let packet = talk.ip_header(d, from, protocol, bytes, None);
        talk.packets.push(packet);
    }
}

/// A datagram, and the message that its port is not there: for this datagram, or for one that never was.
fn error_message(d: &mut Dice, talk: &mut Talk) {
    talk.udp(d, 0, b"HELLO");
    let mut about = talk.packets.last().cloned().unwrap_or_default();
    if d.chance(1, 4) {
        let at = about.len() - 12;
        about[at] ^= 1;
    }
    let (protocol, head) = if talk.v6 { (58, [1, 4, 0, 0, 0, 0, 0, 0]) } else { (1, [3, 3, 0, 0, 0, 0, 0, 0]) };
    let message = [&head[..], &about].concat();
    let packet = talk.ip(d, 1, protocol, &message);
    talk.packets.push(packet);
}
