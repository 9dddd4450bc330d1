//! Named objects, shared by the rules that name them: `nft_objref.c`.

use super::state::{LimitState, QuotaState, State};
use crate::ruleset::nft::{Object, ObjectBody, ObjectKind};
use std::sync::Arc;

/// An object at work.
#[derive(Debug, Clone)]
pub(super) struct RuntimeObject {
    pub name: Arc<str>,
    pub kind: ObjectKind,
    /// `None` if it changes nothing here.
    pub state: Option<State>,
}

impl RuntimeObject {
    pub fn new(object: &Object) -> Self {
        let (kind, state) = match &object.object {
            ObjectBody::Counter { packets, bytes } => {
                (ObjectKind::Counter, Some(State::Counter { packets: *packets, bytes: *bytes }))
            }
            ObjectBody::Quota(quota) => (ObjectKind::Quota, Some(State::Quota(QuotaState::new(quota)))),
            ObjectBody::Limit(limit) => (ObjectKind::Limit, Some(State::Limit(LimitState::new(limit)))),
            ObjectBody::Other(kind) => (*kind, None),
        };
        Self { name: Arc::clone(&object.name), kind, state }
    }

    /// Packets and bytes of a counter; bytes used of a quota, which knows no packets.
    pub fn tally(&self) -> (Option<u64>, Option<u64>) {
        match &self.state {
            Some(State::Counter { packets, bytes }) => (Some(*packets), Some(*bytes)),
            Some(State::Quota(quota)) => (None, Some(quota.used())),
            _ => (None, None),
        }
    }
}
