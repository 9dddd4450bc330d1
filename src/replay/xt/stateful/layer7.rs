//! `-m layer7`: what application a connection is of, by its first words (`xt_layer7.c` of the l7-filter patch, which no
//! current kernel has).
//!
//! The module keeps for a connection the application data of its first packets (10, or what the rule says), of both
//! directions as they came, without NULs and in lower case, 2,047 bytes at most. Each rule that a packet meets runs its
//! pattern over what is there; the first that matches gives the connection its name, and from then on rules only compare
//! names. A connection that no pattern knew in time is `unknown` for good; before that it is `unset`.
//!
//! That is more than a string match, which sees one packet, and less than a reassembled stream: what is sent twice stands
//! there twice, what comes out of order stays so, the two directions are mixed, and offsets count from the beginning of
//! the connection, not of a message. A connection whose first packet no layer7 rule has met has no data and no name.

use crate::replay::conntrack::{Conn, ConnId};
use crate::replay::skb::{HookContext, Skb};
use crate::replay::world::{Answer, Connections, World};
use crate::replay::xt::StatefulMatch;
use crate::ruleset::l7::Pattern;
use crate::ruleset::xt::Inv;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::sync::Arc;

/// `num_packets`.
const PACKETS: u32 = 10;

/// `maxdatalen`, its closing NUL included.
const MAX_DATA: usize = 2048;

/// Masters of masters that are followed.
const MAX_MASTERS: usize = 8;

/// Connections before those that are gone are looked for.
const SWEEP_FROM: usize = 1 << 16;

/// What is known of connections.
#[derive(Debug)]
pub(super) struct Layer7 {
    connections: HashMap<ConnId, Known, RandomState>,
    sweep_at: usize,
}

impl Default for Layer7 {
    fn default() -> Self {
        Self { connections: HashMap::default(), sweep_at: SWEEP_FROM }
    }
}

/// What is known of one.
#[derive(Debug)]
enum Known {
    /// Data so far, and the packet that it was last told about: its connection and number.
    Trying { data: Vec<u8>, seen: (ConnId, u64) },
    /// Its name.
    Named(Arc<str>),
    /// Given up.
    Unknown,
}

/// A rule's match.
pub(super) struct Classifier {
    pattern: Arc<Pattern>,
    not: bool,
    packets: u64,
}

impl Classifier {
    pub fn new(pattern: &Inv<Arc<Pattern>>, packets: Option<u32>) -> Self {
        Self { pattern: Arc::clone(&pattern.value), not: pattern.not, packets: packets.unwrap_or(PACKETS).into() }
    }

    /// `true` if the connection is of this application.
    fn knows(&self, skb: &Skb<'_>, world: &mut World<'_>) -> bool {
        let Some(data) = application_data(skb) else { return false };
        let Some(conn) = skb.ct.and_then(|id| world.connections.get(id)) else { return false };
        let packet = (conn.id, packets_of(conn));
        let master = master_of(conn, world.connections);
        let (id, total) = (master.id, packets_of(master));
        let layer7 = &mut world.shared.layer7;
        layer7.sweep(world.connections);
        let known = layer7.connections.get_mut(&id);
        if total > self.packets || matches!(known, Some(Known::Named(_) | Known::Unknown)) {
            return match known {
                Some(Known::Named(name)) => **name == *self.pattern.name,
                Some(Known::Unknown) => &*self.pattern.name == "unknown",
                _ => {
                    // The rule that gives up does not yet answer to the name.
                    layer7.connections.insert(id, Known::Unknown);
                    false
                }
            };
        }
        if total <= 1 && known.is_none() {
            let nothing = Known::Trying { data: Vec::new(), seen: (id, 0) };
            layer7.connections.insert(id, nothing);
        }
        let Some(Known::Trying { data: gathered, seen }) = layer7.connections.get_mut(&id) else { return false };
        if *seen != packet {
            *seen = packet;
            if gather(gathered, data) == 0 {
                return false;
            }
        }
        match &*self.pattern.name {
            "unknown" => false,
            "unset" => true,
            _ if self.pattern.regex.is_match(gathered) => {
                layer7.connections.insert(id, Known::Named(Arc::clone(&self.pattern.name)));
                true
            }
            _ => false,
        }
    }
}

impl Layer7 {
    /// Forgets connections that are gone.
    fn sweep(&mut self, connections: &dyn Connections) {
        if self.connections.len() >= self.sweep_at {
            self.connections.retain(|id, _| connections.get(*id).is_some());
            self.sweep_at = SWEEP_FROM.max(self.connections.len() * 2);
        }
    }
}

/// `add_data`; gives the number of bytes that are new.
fn gather(gathered: &mut Vec<u8>, data: &[u8]) -> usize {
    let room = (MAX_DATA - 1).saturating_sub(gathered.len());
    let before = gathered.len();
    let new = data.iter().take(room).filter(|byte| **byte != 0);
    gathered.extend(new.map(u8::to_ascii_lowercase));
    gathered.len() - before
}

fn packets_of(conn: &Conn) -> u64 {
    let [(original, _), (reply, _)] = conn.counters;
    original.saturating_add(reply)
}

/// The connection that expected this one, or the one that expected that.
fn master_of<'a>(conn: &'a Conn, connections: &'a dyn Connections) -> &'a Conn {
    let mut conn = conn;
    for _ in 0..MAX_MASTERS {
        match conn.master.and_then(|id| connections.get(id)) {
            Some(master) => conn = master,
            None => break,
        }
    }
    conn
}

/// What follows the header of TCP, UDP or ICMP; `None` for other protocols, which the module does not handle.
fn application_data<'a>(skb: &'a Skb<'_>) -> Option<&'a [u8]> {
    let transport = skb.transport();
    let header = match skb.headers.protocol? {
        6 => usize::from(transport.get(12)? >> 4) * 4,
        17 | 1 | 58 => 8,
        _ => return None,
    };
    Some(transport.get(header..).unwrap_or_default())
}

impl StatefulMatch for Classifier {
    fn matches(&mut self, skb: &Skb<'_>, _: &HookContext, world: &mut World<'_>) -> Answer {
        Answer::from(self.knows(skb, world) != self.not)
    }
}
