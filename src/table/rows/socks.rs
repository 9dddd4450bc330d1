//! Rows of SOCKS 5 conversations, and of logins to them.

use crate::evidence::Seen;
use crate::protocol::socks5::{SocksEvent, SocksSession};
use crate::table::{TableId, Tables};

/// Appends the rows that an event stands for.
pub fn append(tables: &mut Tables, seen: &Seen<'_>, event: &SocksEvent) {
    match event {
        SocksEvent::Login(login) => super::xmpp::append_login(tables, seen, login, "socks5"),
        SocksEvent::Session(session) => append_session(tables, seen, session),
    }
}

fn append_session(tables: &mut Tables, seen: &Seen<'_>, session: &SocksSession) {
    let content = |index: usize| session.streams.get(index).and_then(Option::as_ref).map(|stream| &stream.content);
    let (out, back) = (content(0), content(1));
    let [bytes_out, bytes_in] = session.bytes;
    tables
        .row(TableId::Socks)
        .time(seen.first.time_ns)
        .time(seen.last.time_ns)
        .capture(seen.first.capture)
        .number(seen.first.frame)
        .number(seen.last.frame)
        .str(&seen.flow.community_id)
        .address(seen.sender())
        .address(seen.receiver())
        .text(session.method.as_deref())
        .text(session.username.as_deref())
        .text(session.command.as_deref())
        .text(session.destination.as_deref())
        .number(session.reply.map(u64::from))
        .flag(session.bytestream.is_some())
        .number(bytes_out)
        .number(bytes_in)
        .text(out.map(|content| content.sha256_hex()).as_deref())
        .text(back.map(|content| content.sha256_hex()).as_deref());
}
