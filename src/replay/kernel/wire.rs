//! Packets into the namespace with the rules, and what becomes of each.
//!
//! Whatever a packet causes happens on one processor, in the order of its queue (`process_backlog` of
//! `net/core/dev.c`). After each packet a marker is sent by a way of as many hops: through a namespace that only
//! forwards. What comes out before a packet's marker was caused by the packet; when the marker is there, nothing more
//! will come. So many packets can be on their way in one call, and nobody has to wait for those that were dropped.

use super::bench::{BEYOND_MAC, BOUNCER_MAC, Bench, INSIDE_MAC, MARK, OUTSIDE_MAC, setup};
use super::prepare::{Ready, addresses};
use super::sys::{self, BATCH, Received};
use super::{KernelError, PacketVerdict, SkipReason};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// A hardware address.
pub(super) type Mac = [u8; 6];

/// Every frame; `ETH_P_ALL` of `linux/if_ether.h`.
const ALL_FRAMES: i32 = 3;
/// Ethernet type for experiments: no stack looks at it.
const PROBE_TYPE: [u8; 2] = [0x88, 0xb5];
/// Sender of packets whose capture has no Ethernet header.
const ANY_MAC: Mac = [2, 0, 0, 0, 0, 1];
/// Longest wait for a marker, and for the links to come up.
const PATIENCE: Duration = Duration::from_secs(10);
/// Room for frames that wait to be looked at.
const BUFFER: i32 = 1 << 26;
/// Packets of a batch: each has a marker.
const PACKETS: usize = BATCH / 2;
/// Bytes of an Ethernet header.
const ETHERNET: usize = 14;

/// By which interface a packet comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Inside,
    Outside,
}

/// A frame to be sent, and the packet in it.
struct Queued {
    /// Place of its verdict.
    index: usize,
    interface: i32,
    frame: Vec<u8>,
    src: IpAddr,
    dst: IpAddr,
}

/// What came out because of a packet.
#[derive(Clone, Copy, Default)]
struct Seen {
    passed: bool,
    answered: bool,
}

impl Seen {
    fn verdict(self) -> PacketVerdict {
        match self {
            Self { passed: true, .. } => PacketVerdict::Accepted,
            Self { answered: true, .. } => PacketVerdict::Rejected,
            _ => PacketVerdict::Dropped,
        }
    }

    fn note(&mut self, frame: &[u8], src: IpAddr, dst: IpAddr) {
        let Some((from, to)) = frame.get(ETHERNET..).and_then(addresses) else { return };
        if (from, to) == (src, dst) {
            self.passed = true;
        } else if to == src {
            self.answered = true;
        } else if !to.is_multicast() {
            // The rules gave it other addresses.
            self.passed = true;
        }
    }
}

/// The generator's end of the links.
pub(super) struct Wire {
    sender: OwnedFd,
    receiver: OwnedFd,
    host: Option<HostSockets>,
    outside: i32,
    inside: i32,
    markers: i32,
    /// Frames are for somebody beyond a bridge.
    bridged: bool,
    /// Number of the next marker.
    next: u64,
    queue: Vec<Queued>,
    received: Vec<Received>,
    sent: u64,
}

impl Wire {
    /// Opens the sockets. `host`: packets can be sent as the host's own; `bridged`: they pass a bridge.
    pub fn new(bench: &Bench, host: bool, bridged: bool) -> Result<Self, KernelError> {
        let open = |error| setup("sockets", &error);
        let host = if host { Some(HostSockets::new().map_err(open)?) } else { None };
        bench.enter_generator()?;
        let (sender, receiver) = (sys::packet_socket(0).map_err(open)?, sys::packet_socket(ALL_FRAMES).map_err(open)?);
        sys::set_buffers(&sender, BUFFER).map_err(open)?;
        sys::set_buffers(&receiver, BUFFER).map_err(open)?;
        let [outside, inside, markers] = ["g0", "g1", "g2"].map(sys::interface_index);
        let wire = Self {
            sender,
            receiver,
            host,
            outside: outside.map_err(open)?,
            inside: inside.map_err(open)?,
            markers: markers.map_err(open)?,
            bridged,
            next: 0,
            queue: Vec::with_capacity(PACKETS),
            received: Vec::with_capacity(BATCH),
            sent: 0,
        };
        bench.enter_rules()?;
        Ok(wire)
    }

    /// Puts a packet into the batch that is sent next; `index` is the place of its verdict.
    pub fn queue(&mut self, index: usize, packet: &Ready, link: &[u8], side: Side) {
        let (interface, to) = match side {
            Side::Outside => (self.outside, OUTSIDE_MAC),
            Side::Inside => (self.inside, INSIDE_MAC),
        };
        let frame = frame(if self.bridged { BEYOND_MAC } else { to }, link, &packet.bytes);
        self.queue.push(Queued { index, interface, frame, src: packet.src, dst: packet.dst });
    }

    /// `true` if the batch should be sent.
    pub fn is_full(&self) -> bool {
        self.queue.len() >= PACKETS
    }

    /// Sends the batch, and puts the verdicts of its packets in their places.
    pub fn flush(&mut self, verdicts: &mut [PacketVerdict]) -> Result<(), KernelError> {
        let queue = std::mem::take(&mut self.queue);
        let first = self.next;
        let markers: Vec<_> = (first..).take(queue.len()).map(marker).collect();
        self.next += queue.len() as u64;
        self.sent += queue.len() as u64;
        let frames: Vec<(i32, &[u8])> = queue
            .iter()
            .zip(&markers)
            .flat_map(|(packet, marker)| [(packet.interface, &*packet.frame), (self.markers, &marker[..])])
            .collect();
        let refused = self.send_all(&frames)?;
        let mut seen = vec![Seen::default(); queue.len()];
        self.collect(first, &mut seen, |seen, at, frame| {
            if let Some(packet) = queue.get(at) {
                seen.note(frame, packet.src, packet.dst);
            }
        })?;
        for (packet, seen) in queue.iter().zip(seen) {
            if let Some(verdict) = verdicts.get_mut(packet.index) {
                *verdict = seen.verdict();
            }
        }
        for (at, error) in refused {
            if let Some(verdict) = queue.get(at).and_then(|packet| verdicts.get_mut(packet.index)) {
                *verdict = PacketVerdict::Skipped(SkipReason::SendFailed(error));
            }
        }
        self.queue = queue;
        self.queue.clear();
        Ok(())
    }

    /// Sends a packet as the host's own. The batch must have been sent.
    pub fn send_from_host(&mut self, packet: &Ready) -> Result<PacketVerdict, KernelError> {
        let sent = match &self.host {
            Some(host) => host.send(packet),
            None => Err(io::ErrorKind::Unsupported.into()),
        };
        let first = self.next;
        self.next += 1;
        self.sent += 1;
        self.send_all(&[(self.markers, &marker(first)[..])])?;
        let mut seen = [Seen::default()];
        self.collect(first, &mut seen, |seen, _, frame| seen.note(frame, packet.src, packet.dst))?;
        Ok(match (sent, seen) {
            (Ok(()), [seen]) => seen.verdict(),
            // The rules dropped it in OUTPUT or POSTROUTING.
            (Err(error), _) if error.kind() == io::ErrorKind::PermissionDenied => PacketVerdict::Dropped,
            (Err(error), _) => PacketVerdict::Skipped(SkipReason::SendFailed(error.raw_os_error().unwrap_or(0))),
        })
    }

    /// Frames that came out and could not be kept until they were looked at.
    pub fn dropped(&self) -> Result<u64, KernelError> {
        sys::dropped(&self.receiver).map_err(receiving)
    }

    /// Sends frames in order; gives the packets (every second frame) that the kernel did not take, with the error.
    fn send_all(&self, frames: &[(i32, &[u8])]) -> Result<Vec<(usize, i32)>, KernelError> {
        let mut refused = Vec::new();
        let mut at = 0;
        while at < frames.len() {
            match sys::send_frames(&self.sender, frames.iter().skip(at).copied()) {
                Ok(sent) => at += sent,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if frames.get(at).is_some_and(|(interface, _)| *interface != self.markers) => {
                    refused.push((at / 2, error.raw_os_error().unwrap_or(0)));
                    at += 1;
                }
                Err(source) => return Err(KernelError::Socket { what: "sending a marker", source }),
            }
        }
        Ok(refused)
    }

    /// Takes frames until the marker of the last packet is there.
    fn collect(
        &mut self,
        first: u64,
        seen: &mut [Seen],
        note: impl Fn(&mut Seen, usize, &[u8]),
    ) -> Result<(), KernelError> {
        let until = Instant::now() + PATIENCE;
        let mut at = 0;
        while at < seen.len() {
            sys::receive_frames(&self.receiver, &mut self.received).map_err(receiving)?;
            if self.received.is_empty() {
                let left = until.saturating_duration_since(Instant::now());
                match sys::wait_for_frames(&self.receiver, left) {
                    Ok(true) => continue,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted && !left.is_zero() => continue,
                    Ok(false) | Err(_) => return Err(KernelError::Stalled { sent: self.sent }),
                }
            }
            for frame in &self.received {
                if frame.interface == self.markers {
                    at += usize::from(marker_number(frame.bytes()) == Some(first + at as u64));
                } else if let Some(seen) = seen.get_mut(at) {
                    note(seen, at, frame.bytes());
                }
            }
        }
        Ok(())
    }
}

fn receiving(source: io::Error) -> KernelError {
    KernelError::Socket { what: "receiving frames", source }
}

/// A packet with an Ethernet header: from the captured sender, if there is one, to the interface.
fn frame(to: Mac, link: &[u8], packet: &[u8]) -> Vec<u8> {
    let ether_type = if packet.first().is_some_and(|first| first >> 4 == 6) { [0x86, 0xdd] } else { [8, 0] };
    let from = match link {
        [_, _, _, _, _, _, from @ .., high, low] if [*high, *low] == ether_type => from.try_into().ok(),
        _ => None,
    };
    [&to, &from.unwrap_or(ANY_MAC), &ether_type[..], packet].concat()
}

/// IPv4 header of markers: protocol 253 (for experiments), between addresses of TEST-NET-2.
const MARKER_HEADER: [u8; 20] = [0x45, 0, 0, 28, 0, 0, 0x40, 0, 64, 253, 0xe5, 0x7a, 198, 51, 100, 1, 198, 51, 100, 2];

fn marker(number: u64) -> [u8; ETHERNET + 28] {
    let mut frame = [0; ETHERNET + 28];
    let parts = [&BOUNCER_MAC[..], &ANY_MAC, &[8, 0], &MARKER_HEADER, &number.to_be_bytes()];
    for (to, from) in frame.iter_mut().zip(parts.into_iter().flatten()) {
        *to = *from;
    }
    frame
}

fn marker_number(frame: &[u8]) -> Option<u64> {
    frame.get(ETHERNET + 20..)?.first_chunk().map(|number| u64::from_be_bytes(*number))
}

/// Sockets of the replayed host.
struct HostSockets {
    v4: UdpSocket,
    v6: UdpSocket,
}

impl HostSockets {
    /// Opens them in this thread's namespace.
    fn new() -> io::Result<Self> {
        // `UdpSocket` is for its `send_to`, which is sendto(2) whatever the socket is.
        Ok(Self { v4: sys::raw_socket(false, MARK)?.into(), v6: sys::raw_socket(true, MARK)?.into() })
    }

    fn send(&self, packet: &Ready) -> io::Result<()> {
        let socket = if packet.dst.is_ipv4() { &self.v4 } else { &self.v6 };
        socket.send_to(&packet.bytes, SocketAddr::new(packet.dst, 0)).map(drop)
    }
}

/// Counts packets that a namespace's stack delivered to itself, after the INPUT hook.
pub(super) struct Deliveries {
    v4: File,
    v6: File,
}

impl Deliveries {
    /// Of this thread's namespace.
    pub fn open() -> Result<Self, KernelError> {
        let open = |name| File::open(format!("/proc/thread-self/net/{name}")).map_err(|error| setup(name, &error));
        Ok(Self { v4: open("snmp")?, v6: open("snmp6")? })
    }

    /// The count so far.
    pub fn count(&mut self) -> Result<u64, KernelError> {
        let mut text = String::new();
        let read = |file: &mut File, text: &mut String| file.rewind().and_then(|()| file.read_to_string(text));
        read(&mut self.v4, &mut text).map_err(|error| setup("snmp", &error))?;
        let mut lines = text.lines().filter(|line| line.starts_with("Ip:"));
        let names = lines.next().unwrap_or_default().split(' ');
        let values = lines.next().unwrap_or_default().split(' ');
        let v4 = names.zip(values).find(|(name, _)| *name == "InDelivers");
        let v4: u64 = v4.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
        text.clear();
        read(&mut self.v6, &mut text).map_err(|error| setup("snmp6", &error))?;
        let v6 = text.lines().find_map(|line| line.strip_prefix("Ip6InDelivers"));
        Ok(v4 + v6.and_then(|value| value.trim().parse::<u64>().ok()).unwrap_or(0))
    }
}

/// One end of links that are to be tried.
pub(super) struct Probe {
    socket: OwnedFd,
    interfaces: Vec<i32>,
}

impl Probe {
    /// Of interfaces of this thread's namespace.
    pub fn new(names: &[&str]) -> Result<Self, KernelError> {
        let open = |error| setup("links", &error);
        let socket = sys::packet_socket(i32::from(u16::from_be_bytes(PROBE_TYPE))).map_err(open)?;
        let interfaces = names.iter().map(|name| sys::interface_index(name)).collect::<io::Result<_>>();
        Ok(Self { socket, interfaces: interfaces.map_err(open)? })
    }

    fn send(&self) {
        let frame = [&[0xff; 6], &ANY_MAC, &PROBE_TYPE[..], &[0; 46]].concat();
        for interface in &self.interfaces {
            // A link that is not up yet is tried again.
            sys::send_frames(&self.socket, [(*interface, &*frame)].into_iter()).ok();
        }
    }

    /// Notes which interfaces got something; `true` once all have.
    fn hears(&self, heard: &mut Vec<i32>) -> Result<bool, KernelError> {
        let mut received = Vec::new();
        sys::receive_frames(&self.socket, &mut received).map_err(receiving)?;
        heard.extend(received.iter().map(|frame| frame.interface));
        Ok(self.interfaces.iter().all(|interface| heard.contains(interface)))
    }
}

/// Waits until frames come in by all interfaces.
pub(super) fn wait_until_connected(probes: &[Probe]) -> Result<(), KernelError> {
    let until = Instant::now() + PATIENCE;
    let mut heard = vec![Vec::new(); probes.len()];
    while Instant::now() < until {
        probes.iter().for_each(Probe::send);
        std::thread::sleep(Duration::from_millis(1));
        let mut connected = true;
        for (probe, heard) in probes.iter().zip(&mut heard) {
            connected &= probe.hears(heard)?;
        }
        if connected {
            return Ok(());
        }
    }
    Err(KernelError::Setup { what: "links", message: "they do not come up".to_owned() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // tests
mod tests {
    use super::*;
    use crate::packet::checksum::Sum;

    #[test]
    fn markers_are_sound_packets_and_keep_their_number() {
        let frame = marker(0x0102_0304_0506_0708);
        assert!(Sum::default().add(&frame[ETHERNET..ETHERNET + 20]).is_right());
        assert_eq!(marker_number(&frame), Some(0x0102_0304_0506_0708));
    }

    #[test]
    fn the_captured_sender_is_kept_if_there_is_one() {
        let ethernet = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 8, 0];
        assert_eq!(frame(OUTSIDE_MAC, &ethernet, &[0x45])[6..12], [7, 8, 9, 10, 11, 12]);
        assert_eq!(frame(OUTSIDE_MAC, &ethernet, &[0x60])[6..12], ANY_MAC);
        assert_eq!(frame(OUTSIDE_MAC, &[0; 16], &[0x45])[6..12], ANY_MAC);
        assert_eq!(frame(OUTSIDE_MAC, &[], &[0x60])[12..14], [0x86, 0xdd]);
    }
}
