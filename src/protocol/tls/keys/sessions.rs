//! Sessions that were opened: with a private key alone, one that is resumed (RFC 5246, 7.3; RFC 5077) can be opened only
//! by what its first handshake gave.

use super::super::schedule::Master;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, VecDeque};

/// Sessions remembered, the latest.
const MAX_SESSIONS: usize = 4096;

/// Master secrets by session id, and by ticket.
#[derive(Default)]
pub struct Sessions {
    masters: HashMap<[u8; 32], Master>,
    /// In the order in which they were learned.
    order: VecDeque<[u8; 32]>,
}

impl Sessions {
    /// Remembers a session by its id or ticket.
    pub(in super::super) fn learn(&mut self, name: &[u8], master: &Master) {
        if name.is_empty() {
            return;
        }
        let name = Sha256::digest(name).into();
        if self.masters.insert(name, *master).is_none() {
            self.order.push_back(name);
        }
        if self.order.len() > MAX_SESSIONS
            && let Some(oldest) = self.order.pop_front()
        {
            self.masters.remove(&oldest);
        }
    }

    /// The master secret of a session.
    pub(in super::super) fn find(&self, name: &[u8]) -> Option<Master> {
        self.masters.get::<[u8; 32]>(&Sha256::digest(name).into()).copied()
    }
}
