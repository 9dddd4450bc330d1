//! Multiplies a real capture into one of any size, for measuring.
//!
//!     cargo run --release --example multiply -- IN OUT.pcap MEGABYTES [STAGGER_SECONDS]
//!
//! Every copy has addresses of its own and is shifted in time, so that conversations stay distinct and overlap as they
//! would; IP, TCP and UDP checksums stay as right as they were (RFC 1624). Frames other than Ethernet with IPv4 or IPv6
//! are left out and counted.
#![allow(clippy::print_stdout, clippy::print_stderr)] // a program

use jabberscope::capture::CaptureSet;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io::{BufWriter, Write};

/// A frame that can be copied under other addresses.
struct Template {
    time_ns: i64,
    bytes: Vec<u8>,
    /// First byte of the IP header.
    ip: usize,
    /// First byte of the checksum that covers the addresses, if the transport has one here.
    transport_checksum: Option<usize>,
    src: u32,
    dst: u32,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, output, megabytes, rest @ ..] = arguments.as_slice() else {
        return Err("usage: multiply IN OUT.pcap MEGABYTES [STAGGER_SECONDS]".into());
    };
    let wanted = megabytes.parse::<u64>()? * 1_000_000;
    let stagger_ns = (rest.first().map_or("2", String::as_str).parse::<f64>()? * 1e9) as i64;
    let (frames, hosts, left_out) = read(input)?;
    let size: u64 = frames.iter().map(|frame| frame.bytes.len() as u64 + 16).sum();
    if size == 0 {
        return Err("no Ethernet frame with IP in it".into());
    }
    let copies = u32::try_from((wanted / size).max(1))?;
    if u64::from(copies) * u64::from(hosts) >= 1 << 24 {
        return Err("more copies than 10.0.0.0/8 has addresses for".into());
    }
    let written = write(output, &frames, hosts, copies, stagger_ns)?;
    println!("{written} frames: {copies} copies of {}, {left_out} frames left out", frames.len());
    Ok(())
}

fn read(input: &str) -> Result<(Vec<Template>, u32, u64), Box<dyn std::error::Error>> {
    let mut captures = CaptureSet::open(&[input.to_owned()])?;
    let (mut frames, mut hosts, mut left_out) = (Vec::new(), HashMap::new(), 0);
    while let Some((batch, _)) = captures.next_batch(65_536, 64 << 20) {
        for index in 0..batch.len() {
            let Some(frame) = batch.frame(index) else { continue };
            match template(frame.link, frame.data, frame.stamp.time_ns, &mut hosts) {
                Some(template) => frames.push(template),
                None => left_out += 1,
            }
        }
    }
    Ok((frames, u32::try_from(hosts.len())?, left_out))
}

fn template(link: u16, data: &[u8], time_ns: i64, hosts: &mut HashMap<Vec<u8>, u32>) -> Option<Template> {
    let mut ip = 14;
    while matches!(data.get(ip - 2..ip)?, [0x81, 0] | [0x88, 0xa8]) {
        ip += 4;
    }
    let (addresses, protocol, transport) = match data.get(ip - 2..ip)? {
        [0x08, 0] => (data.get(ip + 12..ip + 20)?, *data.get(ip + 9)?, ip + usize::from(data.get(ip)? & 15) * 4),
        [0x86, 0xdd] => (data.get(ip + 8..ip + 40)?, *data.get(ip + 6)?, ip + 40),
        _ => return None,
    };
    if link != 1 {
        return None;
    }
    let is_v4 = addresses.len() == 8;
    let first_fragment = !is_v4 || u16::from_be_bytes([data[ip + 6], data[ip + 7]]) & 0x1fff == 0;
    let transport_checksum = match protocol {
        6 if first_fragment => Some(transport + 16),
        17 if first_fragment => Some(transport + 6),
        58 => Some(transport + 2),
        _ => None,
    }
    .filter(|at| data.len() >= at + 2);
    let mut host = |address: &[u8]| {
        let next = hosts.len() as u32;
        *hosts.entry(address.to_vec()).or_insert(next)
    };
    let (src, dst) = addresses.split_at(addresses.len() / 2);
    let (src, dst) = (host(src), host(dst));
    Some(Template { time_ns, bytes: data.to_vec(), ip, transport_checksum, src, dst })
}

fn write(
    output: &str,
    frames: &[Template],
    hosts: u32,
    copies: u32,
    stagger_ns: i64,
) -> Result<u64, Box<dyn std::error::Error>> {
    let mut file = BufWriter::with_capacity(1 << 20, std::fs::File::create(output)?);
    for word in [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 262_144, 1] {
        file.write_all(&word.to_le_bytes())?;
    }
    let time = |copy: u32, frame: usize| frames[frame].time_ns + i64::from(copy) * stagger_ns;
    let mut next: BinaryHeap<_> = (0..copies).map(|copy| Reverse((time(copy, 0), copy, 0))).collect();
    let mut written = 0;
    while let Some(Reverse((time_ns, copy, frame))) = next.pop() {
        let bytes = copy_of(&frames[frame], copy * hosts);
        let head = [(time_ns / 1_000_000_000) as u32, (time_ns % 1_000_000_000) as u32];
        for word in [head[0], head[1], bytes.len() as u32, bytes.len() as u32] {
            file.write_all(&word.to_le_bytes())?;
        }
        file.write_all(&bytes)?;
        written += 1;
        if frame + 1 < frames.len() {
            next.push(Reverse((time(copy, frame + 1), copy, frame + 1)));
        }
    }
    file.flush()?;
    Ok(written)
}

/// The frame with the addresses of a copy: 10.0.0.0/8 or fd00::/96 and the number of the host.
fn copy_of(frame: &Template, first_host: u32) -> Vec<u8> {
    let mut bytes = frame.bytes.clone();
    let is_v4 = bytes[frame.ip] >> 4 == 4;
    let (at, len) = if is_v4 { (frame.ip + 12, 4) } else { (frame.ip + 8, 16) };
    let mut sums = Vec::new();
    for (slot, host) in [(at, frame.src), (at + len, frame.dst)] {
        let number = (0x0a00_0000 + first_host + host + 1).to_be_bytes();
        let mut fresh = vec![0; len];
        fresh[len - 4..].copy_from_slice(&number);
        if !is_v4 {
            fresh[0] = 0xfd;
        }
        sums.push((bytes[slot..slot + len].to_vec(), fresh.clone()));
        bytes[slot..slot + len].copy_from_slice(&fresh);
    }
    let checksums = [is_v4.then_some(frame.ip + 10), frame.transport_checksum];
    for at in checksums.into_iter().flatten() {
        let old = u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let absent = old == 0 && bytes[frame.ip + 9] == 17;
        if !absent {
            let new = sums.iter().fold(old, |sum, (from, to)| update_checksum(sum, from, to));
            bytes[at..at + 2].copy_from_slice(&new.to_be_bytes());
        }
    }
    bytes
}

/// RFC 1624, equation 3.
fn update_checksum(checksum: u16, from: &[u8], to: &[u8]) -> u16 {
    let words = |bytes: &[u8]| -> Vec<u32> {
        bytes.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).collect()
    };
    let mut sum = u32::from(!checksum);
    sum += words(from).iter().map(|word| 0xffff - word).sum::<u32>() + words(to).iter().sum::<u32>();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
