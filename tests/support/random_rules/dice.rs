//! Chance from a seed: SplitMix64, the same on every machine and with every version of every crate.

use std::net::IpAddr;
use std::rc::Rc;

/// A source of chance, with what it chooses addresses, ports and words from.
#[derive(Debug, Clone)]
pub struct Dice(u64, Rc<Scene>);

/// What packets and rules have in common, if the packets are captured.
#[derive(Debug, Default)]
pub struct Scene {
    /// Addresses of IPv4 and of IPv6.
    pub addresses: [Vec<IpAddr>; 2],
    /// Ports.
    pub ports: Vec<u64>,
    /// Pieces of payloads, of letters and digits.
    pub words: Vec<String>,
}

impl Dice {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self::at(seed, Scene::default())
    }

    /// From a seed, among captured packets.
    pub fn at(seed: u64, scene: Scene) -> Self {
        let mut dice = Self(seed, Rc::new(scene));
        dice.next();
        dice
    }

    /// 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    /// A number from `low` to `high`.
    pub fn range(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True `n` times in `of`.
    pub fn chance(&mut self, n: u64, of: u64) -> bool {
        self.below(of) < n
    }

    /// One of them.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }

    /// `! ` now and then.
    pub fn not(&mut self) -> &'static str {
        if self.chance(1, 4) { "! " } else { "" }
    }

    /// Some of them with commas between; at least one.
    pub fn some(&mut self, of: &[&'static str]) -> String {
        let mut some: Vec<_> = of.iter().copied().filter(|_| self.chance(1, 2)).collect();
        if some.is_empty() {
            some.push(self.pick(of));
        }
        some.join(",")
    }
}

/// Ports that packets and rules have in common.
pub const PORTS: [u64; 9] = [53, 80, 443, 1024, 4369, 5222, 5269, 40000, 65535];

/// Texts that packets and rules have in common.
pub const WORDS: [&str; 8] = ["HELLO", "hello", "abcab", "ab", "<?xml", "password", "aaaaaaab", "x"];

/// An address of the inside or the outside networks.
pub fn address(d: &mut Dice, v6: bool) -> String {
    let scene = Rc::clone(&d.1);
    if let found @ [_, ..] = scene.addresses[usize::from(v6)].as_slice()
        && !d.chance(1, 8)
    {
        return d.pick(found).to_string();
    }
    let host = d.range(1, 4);
    match (d.chance(1, 2), v6) {
        (true, false) => format!("10.1.0.{host}"),
        (false, false) => format!("198.18.0.{host}"),
        (true, true) => format!("2001:db8:1::{host}"),
        (false, true) => format!("2001:db8:2::{host}"),
    }
}

/// An address, or a network around it.
pub fn network(d: &mut Dice, v6: bool) -> String {
    let address = address(d, v6);
    let widths: &[u64] = if v6 { &[128, 127, 126, 64, 48, 32] } else { &[32, 31, 30, 24, 16, 8] };
    format!("{address}/{}", d.pick(widths))
}

/// A port.
pub fn port(d: &mut Dice) -> u64 {
    let scene = Rc::clone(&d.1);
    if !scene.ports.is_empty() && !d.chance(1, 8) {
        return d.pick(&scene.ports);
    }
    d.pick(&PORTS)
}

/// A text that may be in a payload.
pub fn word(d: &mut Dice) -> String {
    let scene = Rc::clone(&d.1);
    if !scene.words.is_empty() && !d.chance(1, 8) {
        let words: Vec<&String> = scene.words.iter().collect();
        return d.pick(&words).clone();
    }
    d.pick(&WORDS).to_owned()
}

/// A port or a range `low SEPARATOR high`.
pub fn ports(d: &mut Dice, separator: &str) -> String {
    let (a, b) = (port(d), port(d));
    if a < b && d.chance(1, 2) { format!("{a}{separator}{b}") } else { a.to_string() }
}
