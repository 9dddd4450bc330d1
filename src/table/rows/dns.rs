//! Rows of dns events.

use crate::evidence::Seen;
use crate::protocol::dns::DnsEvent;
use crate::table::Tables;

/// Appends the rows that an event stands for.
pub fn append(_tables: &mut Tables, _seen: &Seen<'_>, _event: &DnsEvent) {}
