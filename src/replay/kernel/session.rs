//! A whole run: bench, rules, packets, counters.

use super::bench::{self, Bench};
use super::counters::Snapshot;
use super::listing::Reader;
use super::load::load;
use super::prepare::Ready;
use super::wire::{Deliveries, Side, Wire};
use super::{CapturedPacket, KernelError, KernelResult, KernelRun, PacketVerdict, SkipReason, Timing, Vantage, sys};
use std::collections::HashSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Packets between two calls of `progress`.
const STEP: u64 = 1024;

/// Runs it in this thread, which must not be used for anything else after.
pub(super) fn run<'p>(
    run: &KernelRun<'_>,
    packets: impl Iterator<Item = CapturedPacket<'p>>,
    progress: &mut dyn FnMut(u64),
) -> Result<KernelResult, KernelError> {
    let bench = Bench::build(run)?;
    bench.check_isolation()?;
    bench::put_up_guard(&run.vantage)?;
    let mut notes = load(run, &bench)?;
    bench.check_isolation()?;
    bench::put_up_guard(&run.vantage)?;
    // After the rules, because the settings may come with the connection tracking that they ask for.
    bench::set("netfilter/nf_conntrack_tcp_be_liberal", i32::from(run.settings.liberal));
    bench::set("netfilter/nf_conntrack_tcp_loose", i32::from(run.settings.loose));
    let reader = Reader::new(run)?;
    if let Err(error) = sys::stay_on_this_cpu() {
        notes.push(format!("packets may overtake each other: this thread cannot stay on one processor: {error}"));
    }
    let mut session = Session::new(run, &bench, reader)?;
    session.send_all(packets, progress)?;
    session.finish(&bench, notes)
}

struct Session<'a> {
    run: &'a KernelRun<'a>,
    reader: Reader,
    wire: Wire,
    local: HashSet<IpAddr>,
    /// Packets delivered to the replayed host: their file, and the count so far.
    deliveries: Deliveries,
    delivered: u64,
    clock: Clock,
    verdicts: Vec<PacketVerdict>,
    fixed: u64,
    per_packet: Option<Vec<Vec<super::Moved>>>,
    before: Snapshot,
}

impl<'a> Session<'a> {
    fn new(run: &'a KernelRun<'a>, bench: &Bench, reader: Reader) -> Result<Self, KernelError> {
        let local: HashSet<IpAddr> = match &run.vantage {
            Vantage::Host { local } => local.iter().copied().collect(),
            Vantage::Gateway { .. } => HashSet::new(),
        };
        let mut deliveries = Deliveries::open()?;
        Ok(Self {
            run,
            wire: Wire::new(bench, matches!(run.vantage, Vantage::Host { .. }), run.is_bridge())?,
            local,
            delivered: deliveries.count()?,
            deliveries,
            clock: Clock::new(run.timing),
            verdicts: Vec::new(),
            fixed: 0,
            per_packet: run.settings.per_packet.then(Vec::new),
            before: if run.settings.per_packet { reader.read()? } else { Snapshot::default() },
            reader,
        })
    }

    fn send_all<'p>(
        &mut self,
        packets: impl Iterator<Item = CapturedPacket<'p>>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), KernelError> {
        let alone = self.per_packet.is_some() || self.run.timing != Timing::Max;
        let mut number = 0;
        for (time_ns, link, packet) in packets {
            number += 1;
            match Ready::new(packet, self.run.settings.keep_checksums) {
                Ok(ready) => {
                    self.clock.wait(time_ns, number)?;
                    self.send(ready, link)?;
                }
                Err(reason) => self.verdicts.push(PacketVerdict::Skipped(reason)),
            }
            if alone || self.wire.is_full() {
                self.wire.flush(&mut self.verdicts)?;
            }
            self.read_counters()?;
            if number % STEP == 0 {
                progress(number);
            }
        }
        self.wire.flush(&mut self.verdicts)?;
        progress(number);
        Ok(())
    }

    /// Sends a packet, or puts it into the batch. The batch must have been sent before a packet that goes another way.
    fn send(&mut self, mut ready: Ready, link: &[u8]) -> Result<(), KernelError> {
        let (from_host, to_host) = (self.local.contains(&ready.src), self.local.contains(&ready.dst));
        if from_host && to_host {
            self.verdicts.push(PacketVerdict::Skipped(SkipReason::HostToItself));
            return Ok(());
        }
        self.fixed += u64::from(ready.fixed);
        if from_host {
            self.wire.flush(&mut self.verdicts)?;
            let verdict = self.wire.send_from_host(&ready)?;
            self.verdicts.push(verdict);
        } else if to_host {
            self.wire.flush(&mut self.verdicts)?;
            self.queue(&ready, link, Side::Outside);
            self.wire.flush(&mut self.verdicts)?;
            self.note_delivery()?;
        } else {
            let side = self.side(ready.src);
            if !self.run.is_bridge() {
                ready.raise_ttl();
            }
            self.queue(&ready, link, side);
        }
        Ok(())
    }

    fn queue(&mut self, ready: &Ready, link: &[u8], side: Side) {
        self.wire.queue(self.verdicts.len(), ready, link, side);
        // Until the batch is sent.
        self.verdicts.push(PacketVerdict::Dropped);
    }

    /// A packet to the host does not come out again: whether it passed is told by the stack's own count.
    fn note_delivery(&mut self) -> Result<(), KernelError> {
        let delivered = self.deliveries.count()?;
        if delivered > self.delivered
            && let Some(verdict @ (PacketVerdict::Dropped | PacketVerdict::Rejected)) = self.verdicts.last_mut()
        {
            *verdict = PacketVerdict::Accepted;
        }
        self.delivered = delivered;
        Ok(())
    }

    fn side(&self, src: IpAddr) -> Side {
        match &self.run.vantage {
            Vantage::Gateway { inside } if inside.iter().any(|network| contains(*network, src)) => Side::Inside,
            _ => Side::Outside,
        }
    }

    fn read_counters(&mut self) -> Result<(), KernelError> {
        if let Some(per_packet) = &mut self.per_packet {
            let skipped = matches!(self.verdicts.last(), Some(PacketVerdict::Skipped(_)));
            let mut moved = Vec::new();
            if !skipped {
                let now = self.reader.read()?;
                moved = now.since(&self.before);
                self.before = now;
            }
            per_packet.push(moved);
        }
        Ok(())
    }

    fn finish(self, bench: &Bench, mut notes: Vec<String>) -> Result<KernelResult, KernelError> {
        let lost = self.wire.dropped()? + bench.lost_frames()?;
        if lost > 0 {
            return Err(KernelError::Lost { lost });
        }
        notes.extend(note_of_full_table());
        let listing = self.reader.text()?;
        notes.extend(note_of_clock(self.run.timing, &listing));
        let Snapshot { rules, chains, objects } = self.reader.read()?;
        let mut versions = vec![format!("Linux {}", sys::kernel_release())];
        versions.extend(self.reader.versions());
        Ok(KernelResult {
            rules,
            chains,
            objects,
            verdicts: self.verdicts,
            per_packet: self.per_packet,
            checksums_fixed: self.fixed,
            listing,
            versions,
            notes,
        })
    }
}

/// Keeps the capture's time.
struct Clock {
    timing: Timing,
    /// When the first packet was sent, and its time.
    start: Option<(Instant, i64)>,
}

impl Clock {
    fn new(timing: Timing) -> Self {
        Self { timing, start: None }
    }

    fn wait(&mut self, time_ns: i64, number: u64) -> Result<(), KernelError> {
        let Timing::Real { limit } = self.timing else { return Ok(()) };
        let (start, first) = *self.start.get_or_insert_with(|| (Instant::now(), time_ns));
        // Times may run backwards in a capture: such a packet is sent at once.
        let after = Duration::from_nanos(u64::try_from(time_ns.saturating_sub(first)).unwrap_or(0));
        if after > limit {
            return Err(KernelError::TooLong { limit: limit.as_secs(), packet: number });
        }
        std::thread::sleep((start + after).saturating_duration_since(Instant::now()));
        Ok(())
    }
}

/// Tells if the connection table was too small: then connections were forgotten that rules should have known.
fn note_of_full_table() -> Option<String> {
    let text = std::fs::read_to_string("/proc/thread-self/net/stat/nf_conntrack").ok()?;
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next()?.split_whitespace().collect();
    let wanted = |name: &&str| matches!(*name, "drop" | "early_drop");
    let full: u64 = lines
        .flat_map(|line| line.split_whitespace().zip(&names).filter(|(_, name)| wanted(name)))
        .filter_map(|(value, _)| u64::from_str_radix(value, 16).ok())
        .sum();
    (full > 0).then(|| {
        format!("the kernel's connection table was full {full} times: raise net.netfilter.nf_conntrack_max on the host")
    })
}

/// Tells which parts of the rules would have counted otherwise at the capture's own timing.
fn note_of_clock(timing: Timing, listing: &str) -> Option<String> {
    // `nf_conncount.c`, of connlimit and `ct count`, tidies up by the clock too.
    const BY_CLOCK: [&str; 9] = [
        "-m limit",
        "-m hashlimit",
        "-m connlimit",
        "-m time",
        "--seconds",
        "limit rate",
        "ct count",
        "timeout",
        "--ctexpire",
    ];
    let found: Vec<&str> = BY_CLOCK.into_iter().filter(|part| listing.contains(part)).collect();
    (timing == Timing::Max && !found.is_empty()).then(|| {
        format!(
            "packets were sent at full speed: what depends on the clock counts otherwise in time ({})",
            found.join(", ")
        )
    })
}

/// `true` if an address lies in a network.
fn contains((network, prefix): (IpAddr, u8), address: IpAddr) -> bool {
    let prefix = u32::from(prefix);
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            (network.to_bits() ^ address.to_bits()).checked_shr(32u32.saturating_sub(prefix)).unwrap_or(0) == 0
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            (network.to_bits() ^ address.to_bits()).checked_shr(128u32.saturating_sub(prefix)).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::*;

    #[test]
    fn networks_contain_what_their_prefix_says() {
        let inside = |network: &str, prefix, address: &str| {
            contains((network.parse().unwrap(), prefix), address.parse().unwrap())
        };
        assert!(inside("10.88.0.0", 16, "10.88.255.1"));
        assert!(!inside("10.88.0.0", 16, "10.89.0.1"));
        assert!(inside("10.88.1.1", 32, "10.88.1.1"));
        assert!(!inside("10.88.1.1", 32, "10.88.1.0"));
        assert!(inside("0.0.0.0", 0, "203.0.113.9"));
        assert!(!inside("0.0.0.0", 0, "2001:db8::1"));
        assert!(inside("2001:db8::", 32, "2001:db8:1::1"));
    }
}
