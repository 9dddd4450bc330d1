//! Rows of erldist events.

use crate::evidence::Seen;
use crate::protocol::erldist::DistEvent;
use crate::table::Tables;

/// Appends the rows that an event stands for.
pub fn append(_tables: &mut Tables, _seen: &Seen<'_>, _event: &DistEvent) {}
