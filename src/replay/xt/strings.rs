//! `-m string`: where the patterns of a ruleset are in a packet.

use super::super::skb::Skb;

/// The strings of a ruleset, and where they are in the packet at hand.
#[derive(Debug, Default)]
pub struct Strings {}

impl Strings {
    /// A packet comes to a base chain: what was found in another one, or before it was changed, is forgotten.
    pub fn look_at(&mut self, _skb: &Skb) {}
}
