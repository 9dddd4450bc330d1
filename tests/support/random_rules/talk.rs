//! Two ends that send each other IP packets.

use super::dice::{Dice, PORTS};

pub const FIN: u8 = 1;
pub const SYN: u8 = 2;
pub const RST: u8 = 4;
pub const PSH: u8 = 8;
pub const ACK: u8 = 16;

/// Two ends, and what they have sent.
pub struct Talk {
    pub v6: bool,
    pub ends: [Vec<u8>; 2],
    pub ports: [u16; 2],
    /// Now and then a checksum is wrong.
    pub wrong_sums: bool,
    ttl: u8,
    tos: u8,
    pub packets: Vec<Vec<u8>>,
}

impl Talk {
    pub fn new(d: &mut Dice, v6: bool, wrong_sums: bool) -> Self {
        let end = |inside: bool, d: &mut Dice| {
            let host = u8::try_from(d.range(1, 4)).unwrap();
            match (v6, inside) {
                (false, true) => vec![10, 1, 0, host],
                (false, false) => vec![198, 18, 0, host],
                (true, _) => {
                    let mut address = vec![0x20, 1, 0xd, 0xb8, 0, if inside { 1 } else { 2 }];
                    address.resize(15, 0);
                    address.push(host);
                    address
                }
            }
        };
        let opener_inside = d.chance(1, 2);
        let ends = [end(opener_inside, d), end(!opener_inside, d)];
        let server = u16::try_from(d.pick(&PORTS)).unwrap();
        let client = if d.chance(1, 4) { d.pick(&PORTS) } else { d.range(20000, 60000) };
        Self {
            v6,
            ends,
            ports: [u16::try_from(client).unwrap(), server],
            wrong_sums,
            ttl: d.pick(&[64, 64, 64, 1, 63, 128, 254, 255]),
            tos: d.pick(&[0, 0, 0, 0x10, 0xb8, 0x03]),
            packets: Vec::new(),
        }
    }

    /// An IP packet from one of the ends; checksums are put right where that can be done here.
    pub fn ip(&self, d: &mut Dice, from: usize, protocol: u8, payload: &[u8]) -> Vec<u8> {
        let mut payload = payload.to_vec();
        let place = match protocol {
            6 => Some(16),
            17 => Some(6),
            1 | 58 => Some(2),
            _ => None,
        };
        if let Some(place) = place.filter(|place| payload.len() >= place + 2) {
            let mut summed = Vec::new();
            if protocol != 1 {
                summed.extend(self.ends.concat());
                summed.extend(u32::try_from(payload.len()).unwrap().to_be_bytes());
                summed.extend([0, 0, 0, protocol]);
            }
            payload[place..place + 2].fill(0);
            summed.extend(&payload);
            let mut sum = checksum(&summed);
            if protocol == 17 && sum == 0 {
                sum = 0xffff;
            }
            payload[place..place + 2].copy_from_slice(&sum.to_be_bytes());
            if self.wrong_sums && d.chance(1, 20) {
                payload[place] ^= 0x5a;
            }
        }
        self.ip_header(d, from, protocol, &payload, None)
    }

    /// `fragment`: identification, offset in bytes, more.
    pub fn ip_header(
        &self,
        d: &mut Dice,
        from: usize,
        protocol: u8,
        payload: &[u8],
        fragment: Option<(u8, u16, bool)>,
    ) -> Vec<u8> {
        let (src, dst) = (&self.ends[from], &self.ends[1 - from]);
        if self.v6 {
            return self.header_of_v6(d, (src, dst), protocol, payload, fragment);
        }
        let options: &[u8] = match fragment {
            None if d.chance(1, 25) => d.pick(&[&[148, 4, 0, 0][..], &[1, 1, 1, 0]]),
            _ => &[],
        };
        let header = 20 + options.len();
        let len = u16::try_from(header + payload.len()).unwrap();
        let field = fragment.map_or(if d.chance(1, 2) { 0x4000 } else { 0 }, |(_, offset, more)| {
            (offset / 8) | (u16::from(more) << 13)
        });
        let id = fragment.map_or_else(|| d.range(1, 60_000) as u16, |(id, _, _)| u16::from(id));
        let mut packet = vec![0x40 | u8::try_from(header / 4).unwrap(), self.tos];
        packet.extend(len.to_be_bytes());
        packet.extend(id.to_be_bytes());
        packet.extend(field.to_be_bytes());
        packet.extend([self.ttl, protocol, 0, 0]);
        packet.extend(src);
        packet.extend(dst);
        packet.extend(options);
        let sum = checksum(&packet);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        packet.extend(payload);
        packet
    }

    fn header_of_v6(
        &self,
        d: &mut Dice,
        (src, dst): (&[u8], &[u8]),
        protocol: u8,
        payload: &[u8],
        fragment: Option<(u8, u16, bool)>,
    ) -> Vec<u8> {
        let (mut next, mut extensions) = (protocol, Vec::new());
        if let Some((id, offset, more)) = fragment {
            extensions = vec![protocol, 0];
            extensions.extend((offset | u16::from(more)).to_be_bytes());
            extensions.extend([0, 0, 0, id]);
            next = 44;
        } else if d.chance(1, 12) {
            // Hop-by-hop or destination options of padding only, or an atomic fragment.
            let (kind, body) = d.pick(&[(0, [1, 4, 0, 0, 0, 0]), (60, [1, 4, 0, 0, 0, 0]), (44, [0, 0, 0, 0, 0, 9])]);
            next = kind;
            extensions = [&[protocol, 0][..], &body].concat();
        }
        let len = u16::try_from(extensions.len() + payload.len()).unwrap();
        let mut packet = vec![0x60 | (self.tos >> 4), self.tos << 4, 0, 0];
        packet.extend(len.to_be_bytes());
        packet.extend([next, self.ttl]);
        packet.extend(src);
        packet.extend(dst);
        packet.extend(extensions);
        packet.extend(payload);
        packet
    }

    pub fn tcp(&mut self, d: &mut Dice, from: usize, numbers: (u32, u32), flags: u8, payload: &[u8]) {
        let options: &[u8] = match (flags & SYN != 0, d.below(4)) {
            (true, 0) => &[2, 4, 5, 0xb4],
            (true, 1) => &[2, 4, 3, 0xe8, 4, 2, 1, 1, 3, 3, 7, 0],
            (_, 2) => &[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2],
            _ => &[],
        };
        let mut segment = self.ports[from].to_be_bytes().to_vec();
        segment.extend(self.ports[1 - from].to_be_bytes());
        segment.extend(numbers.0.to_be_bytes());
        segment.extend(numbers.1.to_be_bytes());
        segment.extend([u8::try_from(5 + options.len() / 4).unwrap() << 4, flags]);
        segment.extend(d.pick(&[64240u16, 512, 1000, 0]).to_be_bytes());
        segment.extend([0, 0, 0, 0]);
        segment.extend(options);
        segment.extend(payload);
        let packet = self.ip(d, from, 6, &segment);
        self.packets.push(packet);
    }

    pub fn udp(&mut self, d: &mut Dice, from: usize, payload: &[u8]) {
        let datagram = self.datagram(from, payload);
        let packet = self.ip(d, from, 17, &datagram);
        self.packets.push(packet);
    }

    pub fn datagram(&self, from: usize, payload: &[u8]) -> Vec<u8> {
        let mut datagram = self.ports[from].to_be_bytes().to_vec();
        datagram.extend(self.ports[1 - from].to_be_bytes());
        datagram.extend(u16::try_from(8 + payload.len()).unwrap().to_be_bytes());
        datagram.extend([0, 0]);
        datagram.extend(payload);
        datagram
    }
}

/// The Internet checksum of RFC 1071.
pub fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 =
        bytes.chunks(2).map(|pair| (u32::from(pair[0]) << 8) | u32::from(*pair.get(1).unwrap_or(&0))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// SCTP's checksum (RFC 9260, appendix A).
pub fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}
