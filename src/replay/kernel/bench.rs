//! Namespaces, links, routes and settings, around the rules.
//!
//! ```text
//!   generator            rules                 bouncer
//!     g0 ---------------- outside (eth0)
//!     g1 ---------------- inside (eth1)
//!     g2 -------------------------------------- b0
//! ```

use super::prepare::{ROUTER_V4, ROUTER_V6};
use super::tool::{IP, NFT};
use super::wire::{Mac, Probe, wait_until_connected};
use super::{Interfaces, KernelError, KernelRun, Vantage, sys};
use std::fmt::Write;
use std::fs::{self, File};
use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

/// Mark of packets that the replayed host sends: they pass the guard, which takes the mark off.
pub(super) const MARK: u32 = 0x6e88_0001;
/// Table of the guard; never part of a listing.
pub(super) const GUARD: &str = "jabberscope_guard";
/// Hardware addresses of the interfaces in the namespace with the rules, and of the bouncer's.
pub(super) const OUTSIDE_MAC: Mac = [2, 0x6a, 0, 0, 0, 0];
pub(super) const INSIDE_MAC: Mac = [2, 0x6a, 0, 0, 0, 1];
pub(super) const BOUNCER_MAC: Mac = [2, 0x6a, 0, 0, 0, 2];
/// Whom frames are for that pass a bridge.
pub(super) const BEYOND_MAC: Mac = [2, 0x6a, 0, 0, 0, 3];
/// Name of the bridge.
const BRIDGE: &str = "jabberscope-br";

/// The three namespaces. They go with this value and the thread that made it.
pub(super) struct Bench {
    generator: File,
    bouncer: File,
    rules: File,
    /// Identity of the namespace that the process was started in.
    host: (u64, u64),
    /// Frames that were lost while the links came up.
    lost_before: u64,
}

impl Bench {
    /// Builds it; the calling thread is then in the namespace with the rules, and stays in one of the three.
    pub fn build(run: &KernelRun<'_>) -> Result<Self, KernelError> {
        check_names(&run.interfaces)?;
        let host = identity("/proc/self/ns/net").map_err(|error| setup("namespaces", &error))?;
        let [generator, bouncer, rules] = [new_namespace(host)?, new_namespace(host)?, new_namespace(host)?];
        let mut bench = Self { generator, bouncer, rules, host, lost_before: 0 };
        bench.link(&run.interfaces)?;
        bench.route(run)?;
        bench.wait_for_links(&run.interfaces)?;
        if run.is_bridge() {
            // Only now: a bridge takes frames away from who listens at its ports.
            bench.bridge(&run.interfaces)?;
        }
        bench.lost_before = bench.lost_frames()?;
        bench.enter_rules()?;
        Ok(bench)
    }

    /// Goes to where packets are sent from.
    pub fn enter_generator(&self) -> Result<(), KernelError> {
        sys::enter(&self.generator).map_err(|error| setup("entering a namespace", &error))
    }

    /// Goes to where the rules are.
    pub fn enter_rules(&self) -> Result<(), KernelError> {
        sys::enter(&self.rules).map_err(|error| setup("entering a namespace", &error))
    }

    /// To be asked before anything is loaded: this thread is in the namespace for the rules, and that is not the host's.
    pub fn check_isolation(&self) -> Result<(), KernelError> {
        let here = identity("/proc/thread-self/ns/net").map_err(|error| setup("namespaces", &error))?;
        let meant = self.rules.metadata().map_err(|error| setup("namespaces", &error))?;
        // Another user's first process may not be looked at: the process' own namespace is known in any case.
        let first = identity("/proc/1/ns/net").ok();
        let isolated = here == (meant.dev(), meant.ino()) && here != self.host && Some(here) != first;
        if isolated { Ok(()) } else { Err(KernelError::SameNamespace) }
    }

    /// Frames that the links' own queues dropped since the links were up.
    pub fn lost_frames(&self) -> Result<u64, KernelError> {
        let mut lost = 0;
        for namespace in [&self.generator, &self.bouncer, &self.rules] {
            sys::enter(namespace).map_err(|error| setup("entering a namespace", &error))?;
            let devices = fs::read_to_string("/proc/thread-self/net/dev").map_err(|error| setup("devices", &error))?;
            // Name, eight numbers of what was received, of what was sent: bytes, packets, errors, dropped.
            lost += devices
                .lines()
                .filter_map(|line| line.split_once(':')?.1.split_whitespace().nth(11)?.parse::<u64>().ok())
                .sum::<u64>();
        }
        self.enter_rules()?;
        Ok(lost.saturating_sub(self.lost_before))
    }

    fn link(&self, names: &Interfaces) -> Result<(), KernelError> {
        let (inside, outside) = (&names.inside, &names.outside);
        for (namespace, rules) in [(&self.generator, false), (&self.bouncer, false), (&self.rules, true)] {
            sys::enter(namespace).map_err(|error| setup("entering a namespace", &error))?;
            quiet(rules);
        }
        let mut batch = String::new();
        for (name, mac, peer) in [(outside, OUTSIDE_MAC, "g0"), (inside, INSIDE_MAC, "g1")] {
            link(&mut batch, name, mac, "", peer, &self.generator);
        }
        link(&mut batch, "b0", BOUNCER_MAC, &format!("netns {} ", path(&self.bouncer)), "g2", &self.generator);
        ip(&batch)?;
        for name in [inside, outside] {
            sys::offload_off(name).map_err(|error| setup("offload", &error))?;
        }
        up(&["lo", outside, inside])?;
        self.enter_generator()?;
        for name in ["g0", "g1", "g2"] {
            sys::offload_off(name).map_err(|error| setup("offload", &error))?;
        }
        up(&["g0", "g1", "g2"])?;
        sys::enter(&self.bouncer).map_err(|error| setup("entering a namespace", &error))?;
        up(&["b0"])?;
        ip("route add default dev b0\n")
    }

    fn route(&self, run: &KernelRun<'_>) -> Result<(), KernelError> {
        self.enter_rules()?;
        let (inside, outside) = (&run.interfaces.inside, &run.interfaces.outside);
        for name in [inside, outside, "lo"] {
            for (key, value) in [("rp_filter", 0), ("send_redirects", 0), ("accept_local", 1), ("secure_redirects", 0)]
            {
                set(&format!("ipv4/conf/{name}/{key}"), value);
            }
        }
        let mut batch = String::new();
        if let Vantage::Host { local } = &run.vantage {
            // First, for masquerading and redirecting take the first.
            for &address in local {
                let width = if address.is_ipv6() { "128 nodad" } else { "32" };
                lines(&mut batch, format_args!("addr replace {address}/{width} dev {outside}"));
            }
        }
        batch += &format!(
            "addr add {ROUTER_V4}/32 dev {outside}\naddr add {ROUTER_V6}/128 dev {outside} nodad\n\
             route add default dev {outside}\nroute add ::/0 dev {outside}\n"
        );
        // `replace`, because a network may be named twice.
        if let Vantage::Gateway { inside: networks } = &run.vantage {
            for &(address, prefix) in networks {
                let network = network(address, prefix);
                lines(&mut batch, format_args!("route replace {network} dev {inside}"));
            }
        }
        ip(&batch)
    }

    /// Makes the interfaces ports of a bridge that learns nothing: what comes in by one goes out by the other.
    fn bridge(&self, names: &Interfaces) -> Result<(), KernelError> {
        self.enter_rules()?;
        ip(&format!("link add name {BRIDGE} mtu 65535 type bridge mcast_snooping 0\n"))?;
        // It would announce itself.
        set(&format!("ipv6/conf/{BRIDGE}/disable_ipv6"), 1);
        let mut batch = String::new();
        for name in [&names.inside, &names.outside] {
            set(&format!("ipv6/conf/{name}/disable_ipv6"), 1);
            lines(&mut batch, format_args!("link set dev {name} master {BRIDGE}"));
            lines(&mut batch, format_args!("link set dev {name} type bridge_slave learning off"));
        }
        lines(&mut batch, format_args!("link set dev {BRIDGE} arp off up"));
        ip(&batch)
    }

    /// A link carries frames only some time after both of its ends are up.
    fn wait_for_links(&self, names: &Interfaces) -> Result<(), KernelError> {
        self.enter_rules()?;
        let rules = Probe::new(&[&names.outside, &names.inside])?;
        sys::enter(&self.bouncer).map_err(|error| setup("entering a namespace", &error))?;
        let bouncer = Probe::new(&["b0"])?;
        self.enter_generator()?;
        let generator = Probe::new(&["g0", "g1", "g2"])?;
        wait_until_connected(&[rules, bouncer, generator])
    }
}

/// The guard: nothing that the namespace's own stack sends by itself comes to the rules. On a router these are the
/// announcements of an interface that came up; on a host all answers, because the host's real ones are in the capture.
pub(super) fn guard(vantage: &Vantage) -> String {
    let rest = match vantage {
        Vantage::Gateway { .. } => "icmpv6 type 143 drop",
        Vantage::Host { .. } => "drop",
    };
    format!(
        "\ntable inet {GUARD}\ndelete table inet {GUARD}\ntable inet {GUARD} {{\n chain own {{\n  \
         type filter hook output priority -450; policy accept;\n  \
         meta mark {MARK:#x} meta mark set 0 accept\n  {rest}\n }}\n}}\n"
    )
}

/// Puts the guard up, or back after rules that flush everything.
pub(super) fn put_up_guard(vantage: &Vantage) -> Result<(), KernelError> {
    NFT.output(&["-f", "-"], guard(vantage).as_bytes()).map(drop)
}

fn new_namespace(host: (u64, u64)) -> Result<File, KernelError> {
    sys::unshare_net().map_err(|source| KernelError::NotPermitted { what: "making a network namespace", source })?;
    let namespace = File::open("/proc/thread-self/ns/net").map_err(|error| setup("namespaces", &error))?;
    match identity("/proc/thread-self/ns/net") {
        Ok(here) if here != host => Ok(namespace),
        _ => Err(KernelError::SameNamespace),
    }
}

/// Device and inode: what tells namespaces apart.
fn identity(path: &str) -> io::Result<(u64, u64)> {
    fs::metadata(path).map(|found| (found.dev(), found.ino()))
}

/// Stops what a namespace's stack would do by itself. Settings that this kernel does not have are passed over.
fn quiet(rules: bool) {
    for place in ["all", "default"] {
        for (key, value) in [("accept_dad", 0), ("accept_ra", 0), ("router_solicitations", 0), ("addr_gen_mode", 1)] {
            set(&format!("ipv6/conf/{place}/{key}"), value);
        }
        set(&format!("ipv4/conf/{place}/rp_filter"), 0);
        set(&format!("ipv4/conf/{place}/send_redirects"), 0);
        set(&format!("ipv4/conf/{place}/accept_local"), 1);
        set(&format!("ipv4/conf/{place}/secure_redirects"), 0);
        set(&format!("ipv6/conf/{place}/disable_ipv6"), i32::from(!rules));
    }
    // Answers of REJECT are not to be held back.
    for (key, value) in [
        ("ipv4/ip_forward", 1),
        ("ipv6/conf/all/forwarding", 1),
        ("ipv4/icmp_ratelimit", 0),
        ("ipv4/icmp_msgs_per_sec", 1_000_000),
        ("ipv4/icmp_msgs_burst", 1_000_000),
        ("ipv6/icmp/ratelimit", 0),
    ] {
        set(key, value);
    }
}

/// Sets a network setting of this thread's namespace.
pub(super) fn set(key: &str, value: i32) {
    fs::write(format!("/proc/sys/net/{key}"), value.to_string()).ok();
}

fn link(batch: &mut String, name: &str, mac: Mac, place: &str, peer: &str, peer_place: &File) {
    let [a, b, c, d, e, f] = mac;
    let peer_place = path(peer_place);
    lines(
        batch,
        format_args!(
            "link add name {name} {place}address {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x} mtu 65535 \
             type veth peer name {peer} mtu 65535 netns {peer_place}"
        ),
    );
}

fn up(names: &[&str]) -> Result<(), KernelError> {
    let mut batch = String::new();
    for name in names {
        let settings = if *name == "lo" { "up" } else { "mtu 65535 arp off up" };
        lines(&mut batch, format_args!("link set dev {name} {settings}"));
    }
    ip(&batch)
}

fn ip(batch: &str) -> Result<(), KernelError> {
    IP.output(&["-batch", "-"], batch.as_bytes()).map(drop)
}

/// A namespace as `ip` finds it.
fn path(namespace: &File) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), namespace.as_raw_fd())
}

fn lines(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    writeln!(text, "{line}").ok();
}

/// The network's text, without host bits, which `ip` does not take.
fn network(address: IpAddr, prefix: u8) -> String {
    let masked: IpAddr = match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32u32.saturating_sub(u32::from(prefix))).unwrap_or(0);
            std::net::Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128u32.saturating_sub(u32::from(prefix))).unwrap_or(0);
            std::net::Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    };
    format!("{masked}/{prefix}")
}

fn check_names(names: &Interfaces) -> Result<(), KernelError> {
    let refused = |name: &str, why| Err(KernelError::Interface { name: name.to_owned(), why });
    for name in [&names.inside, &names.outside] {
        let sound = |byte: u8| byte.is_ascii_graphic() && !b"/:%".contains(&byte);
        match name.as_str() {
            "" | "." | ".." | "lo" | "all" | "default" | BRIDGE => {
                return refused(name, "the kernel has it for something else");
            }
            long if long.len() > 15 => return refused(name, "it has more than 15 characters"),
            odd if !odd.bytes().all(sound) || odd.starts_with('-') => {
                return refused(name, "it has characters that are not allowed");
            }
            _ => {}
        }
    }
    if names.inside == names.outside { refused(&names.inside, "both interfaces have it") } else { Ok(()) }
}

pub(super) fn setup(what: &'static str, error: &io::Error) -> KernelError {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            KernelError::NotPermitted { what, source: io::Error::from(io::ErrorKind::PermissionDenied) }
        }
        _ => KernelError::Setup { what, message: error.to_string() },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::*;

    #[test]
    fn networks_lose_their_host_bits() {
        assert_eq!(network("10.1.2.3".parse().unwrap(), 8), "10.0.0.0/8");
        assert_eq!(network("10.1.2.3".parse().unwrap(), 32), "10.1.2.3/32");
        assert_eq!(network("10.1.2.3".parse().unwrap(), 0), "0.0.0.0/0");
        assert_eq!(network("2001:db8::5".parse().unwrap(), 64), "2001:db8::/64");
        assert_eq!(network("::1".parse().unwrap(), 0), "::/0");
    }

    #[test]
    fn names_that_would_be_options_or_paths_are_refused() {
        for bad in ["", "lo", "../x", "a b", "-x", "a\nb", "sixteencharacter", "eth0"] {
            let names = Interfaces { inside: bad.to_owned(), outside: "eth0".to_owned() };
            assert!(check_names(&names).is_err(), "{bad:?}");
        }
        check_names(&Interfaces::default()).unwrap();
        check_names(&Interfaces { inside: "br-lan.10".to_owned(), outside: "wan_1".to_owned() }).unwrap();
    }
}
