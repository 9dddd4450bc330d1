//! Captures written byte by byte.

use crate::capture::order::ByteOrder;

/// 2026-03-01T10:00:00Z.
pub const SECONDS: u32 = 1_772_359_200;

/// Writes numbers in one byte order.
#[derive(Debug, Clone, Copy)]
pub struct Writer(pub ByteOrder);

pub const LITTLE: Writer = Writer(ByteOrder::Little);
pub const BIG: Writer = Writer(ByteOrder::Big);

impl Writer {
    pub fn u16(self, number: u16) -> [u8; 2] {
        if self.0 == ByteOrder::Little { number.to_le_bytes() } else { number.to_be_bytes() }
    }

    pub fn u32(self, number: u32) -> [u8; 4] {
        if self.0 == ByteOrder::Little { number.to_le_bytes() } else { number.to_be_bytes() }
    }

    pub fn words(self, numbers: &[u32]) -> Vec<u8> {
        numbers.iter().flat_map(|number| self.u32(*number)).collect()
    }

    /// Classic file header: magic, version 2.4, zone, accuracy, snapshot length, link type.
    pub fn pcap_header(self, magic: u32, link: u32) -> Vec<u8> {
        [&self.u32(magic)[..], &self.u16(2), &self.u16(4), &self.words(&[0, 0, 65_535, link])].concat()
    }

    /// Classic record; `extra` is what stands between header and frame in modified formats.
    pub fn record(self, seconds: u32, fraction: u32, extra: &[u8], data: &[u8]) -> Vec<u8> {
        let length = data.len() as u32;
        [&self.words(&[seconds, fraction, length, length]), extra, data].concat()
    }

    /// A classic file of frames one second apart.
    pub fn pcap(self, frames: &[Vec<u8>]) -> Vec<u8> {
        let mut file = self.pcap_header(0xa1b2_c3d4, 1);
        for (index, frame) in frames.iter().enumerate() {
            file.extend(self.record(SECONDS + index as u32, index as u32, &[], frame));
        }
        file
    }

    /// pcapng block, body padded.
    pub fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let padding = body.len().next_multiple_of(4) - body.len();
        let length = (12 + body.len() + padding) as u32;
        [&self.words(&[kind, length]), body, &[0; 3][..padding], &self.u32(length)].concat()
    }

    pub fn section(self, options: &[u8]) -> Vec<u8> {
        let body = [&self.u32(0x1a2b_3c4d)[..], &self.u16(1), &self.u16(0), &[0xff; 8], options].concat();
        self.block(0x0a0d_0d0a, &body)
    }

    pub fn interface(self, link: u16, snaplen: u32, options: &[u8]) -> Vec<u8> {
        self.block(1, &[&self.u16(link)[..], &[0; 2], &self.u32(snaplen), options].concat())
    }

    pub fn option(self, code: u16, value: &[u8]) -> Vec<u8> {
        let padding = value.len().next_multiple_of(4) - value.len();
        [&self.u16(code)[..], &self.u16(value.len() as u16), value, &[0; 3][..padding]].concat()
    }

    pub fn enhanced(self, interface: u32, ticks: u64, data: &[u8], options: &[u8]) -> Vec<u8> {
        let length = data.len() as u32;
        let head = self.words(&[interface, (ticks >> 32) as u32, ticks as u32, length, length]);
        let padding = data.len().next_multiple_of(4) - data.len();
        self.block(6, &[&head, data, &[0; 3][..padding], options].concat())
    }

    /// A pcapng file of frames one second apart.
    pub fn pcapng(self, frames: &[Vec<u8>]) -> Vec<u8> {
        let mut file = [self.section(&[]), self.interface(1, 0, &[])].concat();
        for (index, frame) in frames.iter().enumerate() {
            let ticks = u64::from(SECONDS + index as u32) * 1_000_000 + index as u64;
            file.extend(self.enhanced(0, ticks, frame, &[]));
        }
        file
    }
}

/// Frames of different lengths with bytes that look like no header.
pub fn frames(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|n| (0..40 + n * 7 % 90).map(|at| (at * 37 + n * 11) as u8 | 1).collect()).collect()
}
