//! Rows of erldist events.

use crate::evidence::Seen;
use crate::protocol::erldist::term::Term;
use crate::protocol::erldist::{Call, DistEvent, Handshake, HandshakeOutcome, Message};
use crate::table::columns::RowWriter;
use crate::table::{TableId, Tables};

/// Terms are cut to this many characters: rows are for finding a message, the evidence is in the capture.
const MAX_TERM_CHARS: usize = 512;

/// Appends the rows that an event stands for.
pub fn append(tables: &mut Tables, seen: &Seen<'_>, event: &DistEvent) {
    if let DistEvent::Ejabberdctl(command) = event {
        return super::ejabberdctl::append(tables, seen, command);
    }
    let mut row = tables.row(TableId::ErlDist);
    row.time(seen.last.time_ns)
        .capture(seen.last.capture)
        .number(seen.last.frame)
        .str(&seen.flow.community_id)
        .address(seen.sender())
        .address(seen.receiver());
    match event {
        DistEvent::Handshake(handshake) => handshake_cells(&mut row, handshake),
        DistEvent::Message(message) => message_cells(&mut row, message),
        DistEvent::Ejabberdctl(_) => {}
    }
}

fn handshake_cells(row: &mut RowWriter<'_>, handshake: &Handshake) {
    let outcome = match handshake.outcome {
        HandshakeOutcome::Success => "success",
        HandshakeOutcome::Rejected => "rejected",
        HandshakeOutcome::Unfinished => "unfinished",
    };
    let detail = format!(
        "version {}, status {}, flags {:#x} and {:#x}",
        handshake.version,
        handshake.status.as_deref().unwrap_or("unseen"),
        handshake.initiator_flags,
        handshake.acceptor_flags
    );
    row.str(&handshake.initiator)
        .text(handshake.acceptor.as_deref())
        .str("HANDSHAKE")
        .text(None)
        .text(None)
        .text(None)
        .text(None)
        .text(None)
        .str(outcome)
        .str(&detail);
}

fn message_cells(row: &mut RowWriter<'_>, message: &Message) {
    let answered = message.reply.as_ref().and_then(|reply| reply.call.as_ref());
    let call = message.call.as_ref().or(answered);
    let sensitive = call.is_some_and(is_sensitive)
        || message.reply.as_ref().is_some_and(|reply| is_cookie(&reply.value))
        || answered.is_some_and(|call| reads_cookie_file(&call.arguments));
    let short = |term: &Term| term.to_text(MAX_TERM_CHARS);
    let term = |row: &mut RowWriter<'_>, value: Option<String>| {
        if sensitive {
            row.secret(value.as_deref())
        } else {
            row.text(value.as_deref())
        };
    };
    row.text(message.node.as_deref()).text(message.peer.as_deref()).str(message.operation);
    row.text(message.sender().map(short).as_deref()).text(message.receiver().map(short).as_deref());
    row.text(call.map(|call| &*call.module)).text(call.map(|call| &*call.function));
    term(row, message.call.as_ref().map(|call| short(&call.arguments)));
    term(row, message.reply.as_ref().map(|reply| short(&reply.value)));
    // Reasons and options stand in the control message where there is no payload.
    term(row, Some(short(message.payload.as_ref().unwrap_or(&message.control))));
}

/// Calls whose arguments or results are passwords or cookies.
fn is_sensitive(call: &Call) -> bool {
    match (&*call.module, &*call.function) {
        ("erlang", "set_cookie" | "get_cookie") | ("auth", _) => true,
        ("ejabberd_ctl", function) => function.starts_with("process"),
        ("ejabberd_admin" | "ejabberd_auth", _) => true,
        _ => false,
    }
}

/// Calls that name the cookie file: what comes back may be its content.
fn reads_cookie_file(arguments: &Term) -> bool {
    let Some(arguments) = arguments.list() else { return false };
    arguments.iter().filter_map(Term::text).any(|argument| argument.contains(".erlang.cookie"))
}

/// Twenty capital letters, as Erlang makes cookies.
fn is_cookie(value: &Term) -> bool {
    let text = match value {
        Term::Atom(name) => Some(name.to_string()),
        Term::Tuple(elements) => elements.last().and_then(Term::text),
        other => other.text(),
    };
    text.is_some_and(|text| {
        let text = text.trim();
        text.len() == 20 && text.bytes().all(|byte| byte.is_ascii_uppercase())
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // tests
mod tests {
    use super::*;
    use crate::evidence::{Direction, FlowInfo, Stamp, Transport};
    use crate::protocol::erldist::Reply;
    use crate::secret::Masker;
    use std::sync::Arc;

    /// The last six cells of the row of a message from one node to the other: module to term.
    fn cells(call: Option<Call>, reply: Option<Reply>, payload: &str) -> Vec<Option<String>> {
        let flow = Arc::new(FlowInfo {
            transport: Transport::Tcp,
            orig: "10.0.0.7:40000".parse().unwrap(),
            resp: "10.0.0.1:44245".parse().unwrap(),
            community_id: "1:test".into(),
            tunnel: "".into(),
            within: crate::evidence::Within::default(),
        });
        let seen =
            Seen { flow: &flow, direction: Direction::FromOrig, first: Stamp::default(), last: Stamp::default() };
        let message = Message {
            node: Some("a@h".into()),
            peer: None,
            initiator: Direction::FromOrig,
            operation: "REG_SEND",
            control: Term::Tuple(vec![Term::Integer(6)]),
            payload: Some(text(payload)),
            call,
            reply,
        };
        let mut tables = Tables::new(Masker::new(false, [7; 16]), Arc::from([String::from("a.pcap")]));
        append(&mut tables, &seen, &DistEvent::Message(Box::new(message)));
        let rows = tables.rows(TableId::ErlDist);
        rows.columns().iter().skip(11).map(|column| column.text(0).map(str::to_owned)).collect()
    }

    fn text(text: &str) -> Term {
        Term::String(text.as_bytes().into())
    }

    fn call(module: &str, function: &str, argument: &str) -> Call {
        let arguments = Term::List(vec![text(argument)], None);
        Call { via: "rex", module: module.into(), function: function.into(), arguments }
    }

    #[test]
    fn terms_of_calls_are_shown() {
        let cells = cells(Some(call("os", "cmd", "id")), None, "payload");
        let shown = ["os", "cmd", "[\"id\"]", "", "\"payload\""];
        assert_eq!(cells.iter().map(|cell| cell.as_deref().unwrap_or_default()).collect::<Vec<_>>(), shown);
    }

    #[test]
    fn terms_that_hold_cookies_and_passwords_are_masked() {
        let hidden = |cells: Vec<Option<String>>| {
            let shown = cells.into_iter().flatten().collect::<Vec<_>>().join(" ");
            assert!(shown.contains("[masked "), "{shown}");
            !shown.contains("SESAME")
        };
        assert!(hidden(cells(Some(call("ejabberd_ctl", "process", "SESAME")), None, "SESAME")));
        assert!(hidden(cells(Some(call("erlang", "set_cookie", "SESAME")), None, "SESAME")));
        let reply = |call, value: &str| Some(Reply { call, value: text(value) });
        assert!(hidden(cells(None, reply(Some(call("erlang", "get_cookie", "")), "SESAME"), "SESAME")));
        assert!(hidden(cells(None, reply(Some(call("os", "cmd", "cat /root/.erlang.cookie")), "SESAME"), "SESAME")));
        assert!(hidden(cells(None, reply(None, "ABCDEFGHIJKLMNSESAME"), "ABCDEFGHIJKLMNSESAME")));
    }
}
