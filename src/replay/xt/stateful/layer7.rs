//! `-m layer7` of l7-filter (`xt_layer7.c`): the first packets of a connection, one regular expression.
//!
//! The module joins the application data of the first packets (10 unless said otherwise, both directions, at most 2,048
//! bytes), drops NULs and folds case, and asks the expression after each packet until it matches or the packets are
//! spent. So it differs from a search of the stream: both directions are mixed in the order of packets, retransmitted
//! data counts twice, nothing after the first packets is seen, and what is split over packets is found.

use crate::replay::conntrack::ConnId;
use crate::replay::skb::{HookContext, Skb};
use crate::replay::world::{Answer, World};
use crate::replay::xt::StatefulMatch;
use crate::ruleset::l7::Pattern;
use crate::ruleset::xt::Inv;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::sync::Arc;

const PACKETS: u64 = 10;
const BYTES: usize = 2_048;
/// Connections whose first bytes are kept; beyond it all begin anew.
const MAX_CONNECTIONS: usize = 1 << 16;

/// The match.
pub(super) struct Layer7 {
    pattern: Inv<Arc<Pattern>>,
    packets: u64,
    connections: HashMap<ConnId, Seen, RandomState>,
}

/// What is known of a connection.
enum Seen {
    Data(Vec<u8>),
    Is(bool),
}

impl Layer7 {
    pub(super) fn new(pattern: &Inv<Arc<Pattern>>, packets: Option<u32>) -> Self {
        Self { pattern: pattern.clone(), packets: packets.map_or(PACKETS, u64::from), connections: HashMap::default() }
    }

    fn is_match(&mut self, id: ConnId, packets: u64, data: &[u8]) -> bool {
        if self.connections.len() >= MAX_CONNECTIONS {
            self.connections.clear();
        }
        let seen = self.connections.entry(id).or_insert_with(|| Seen::Data(Vec::new()));
        let bytes = match seen {
            Seen::Is(matched) => return *matched,
            Seen::Data(bytes) => bytes,
        };
        let room = BYTES.saturating_sub(bytes.len());
        bytes.extend(data.iter().filter(|byte| **byte != 0).map(u8::to_ascii_lowercase).take(room));
        let matched = !data.is_empty() && self.pattern.value.regex.is_match(bytes);
        if matched || packets > self.packets {
            *seen = Seen::Is(matched);
        }
        matched
    }
}

impl StatefulMatch for Layer7 {
    fn matches(&mut self, skb: &Skb<'_>, _hook: &HookContext, world: &mut World<'_>) -> Answer {
        let at = skb.headers.transport as usize;
        let header = match skb.headers.protocol {
            Some(6) => usize::from(skb.byte(at + 12).unwrap_or(0x50) >> 4) * 4,
            Some(17) => 8,
            Some(1 | 58) => 8,
            _ => return Answer::from(self.pattern.not),
        };
        let conn = skb.ct.and_then(|id| world.connections.get(id));
        let Some((id, packets)) = conn.map(|conn| (conn.id, conn.counters[0].0 + conn.counters[1].0)) else {
            return Answer::from(self.pattern.not);
        };
        let data = skb.bytes.get(at + header..).unwrap_or_default();
        Answer::from(self.is_match(id, packets, data) != self.pattern.not)
    }
}
