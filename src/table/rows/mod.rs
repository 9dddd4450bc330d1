//! What becomes a row of which table: one file a protocol.

use super::Tables;
use crate::evidence::Seen;
use crate::protocol::Event;

pub mod candidates;
pub mod contacts;
pub mod dns;
pub mod ejabberdctl;
pub mod epmd;
pub mod erldist;
pub mod flow;
pub mod http;
pub mod socks;
pub mod tls;
pub mod transfers;
pub mod xmpp;

/// Appends the rows that an event stands for, if any. What of it is too large for a table comes back by the name under
/// which it is to be counted.
pub fn append(tables: &mut Tables, seen: &Seen<'_>, event: &Event) -> Option<&'static str> {
    match event {
        Event::Xmpp(event) => xmpp::append(tables, seen, event),
        Event::Epmd(event) => epmd::append(tables, seen, event),
        Event::ErlDist(event) => return erldist::append(tables, seen, event),
        Event::Dns(event) => dns::append(tables, seen, event),
        Event::Tls(event) => tls::append(tables, seen, event),
        Event::Http(event) => http::append(tables, seen, event),
        Event::Text(_) => {}
        Event::Socks(event) => socks::append(tables, seen, event),
    }
    None
}
