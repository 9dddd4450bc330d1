//! Rows of erldist events.

use crate::detect::erlang::{asks_for_secret, shows_secret};
use crate::evidence::Seen;
use crate::protocol::erldist::term::Term;
use crate::protocol::erldist::{Call, DistEvent, Handshake, HandshakeOutcome, INPUT, Message, flag_names};
use crate::table::columns::RowWriter;
use crate::table::{TableId, Tables};

/// Arguments and results are cut to this many characters: they are for reading, the whole term stands beside them.
const MAX_SHORT_CHARS: usize = 512;

/// The whole term is cut to so many characters after all,
const MAX_TERM_CHARS: usize = 1 << 20;
/// and to so many for each byte that it took, so that what is sent compressed, or names long atoms by their place in the
/// cache, cannot make tables much larger than captures. No other term prints longer.
const MAX_CHARS_A_BYTE: usize = 8;

/// Appends the rows that an event stands for, and says what had to be cut.
pub fn append(tables: &mut Tables, seen: &Seen<'_>, event: &DistEvent) -> Option<&'static str> {
    if let DistEvent::Ejabberdctl(command) = event {
        super::ejabberdctl::append(tables, seen, command);
        return None;
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
        DistEvent::Message(message) => return message_cells(&mut row, message),
        DistEvent::Ejabberdctl(_) => {}
    }
    None
}

fn handshake_cells(row: &mut RowWriter<'_>, handshake: &Handshake) {
    let outcome = match handshake.outcome {
        HandshakeOutcome::Success => "success",
        HandshakeOutcome::Rejected => "rejected",
        HandshakeOutcome::Unfinished => "unfinished",
    };
    let detail = format!(
        "version {}, status {}, flags of the initiator {}, of the acceptor {}",
        handshake.version,
        handshake.status.as_deref().unwrap_or("unseen"),
        flag_names(handshake.initiator_flags),
        flag_names(handshake.acceptor_flags)
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

fn message_cells(row: &mut RowWriter<'_>, message: &Message) -> Option<&'static str> {
    let answered = message.reply.as_ref().and_then(|reply| reply.call.as_ref());
    let call = message.call.as_ref().or(answered);
    let short = |term: &Term| term.to_text(MAX_SHORT_CHARS);
    let arguments = message.call.as_ref().map(|call| short(&call.arguments));
    // What was typed at a remote shell stands among the arguments.
    let result = message.reply.as_ref().filter(|_| message.call.as_ref().is_none_or(|call| call.function != INPUT));
    let result = result.map(|reply| short(&reply.value));
    // Reasons and options stand in the control message where there is no payload.
    let whole = message.payload.as_ref().unwrap_or(&message.control);
    let max_chars = message.size.saturating_mul(MAX_CHARS_A_BYTE).saturating_add(MAX_SHORT_CHARS).min(MAX_TERM_CHARS);
    let (whole, is_cut) = match whole.to_text_within(max_chars) {
        Ok(whole) => (whole, None),
        Err(cut) => (cut, Some("erldist.term-beyond-table")),
    };
    let asked = answered.map(|call| short(&call.arguments));
    let sensitive = call.is_some_and(is_sensitive)
        || answered.is_some_and(is_sensitive)
        || message.reply.as_ref().is_some_and(|reply| is_cookie(&reply.value))
        || asked.is_some_and(|asked| asks_for_secret(&asked) || asked.contains("get_cookie"))
        || shows_secret(&whole);
    row.text(message.node.as_deref()).text(message.peer.as_deref()).str(message.operation);
    for party in [message.sender(), message.receiver()] {
        match party {
            // Identifiers and names are short.
            Some(party @ (Term::Atom(_) | Term::Pid { .. } | Term::Reference { .. })) => row.display(party),
            other => row.text(other.map(short).as_deref()),
        };
    }
    row.text(call.map(|call| &*call.module)).text(call.map(|call| &*call.function));
    for term in [arguments, result, Some(whole)] {
        if sensitive {
            row.secret(term.as_deref());
        } else {
            row.text(term.as_deref());
        }
    }
    is_cut
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

    fn flow() -> Arc<FlowInfo> {
        Arc::new(FlowInfo {
            transport: Transport::Tcp,
            orig: "10.0.0.7:40000".parse().unwrap(),
            resp: "10.0.0.1:44245".parse().unwrap(),
            community_id: "1:test".into(),
            tunnel: "".into(),
            within: crate::evidence::Within::default(),
        })
    }

    fn seen(flow: &Arc<FlowInfo>) -> Seen<'_> {
        Seen { flow, direction: Direction::FromOrig, first: Stamp::default(), last: Stamp::default() }
    }

    /// A message from one node to the other.
    fn message(call: Option<Call>, reply: Option<Reply>, payload: &str) -> Message {
        Message {
            node: Some("a@h".into()),
            peer: None,
            initiator: Direction::FromOrig,
            operation: "REG_SEND",
            size: payload.len(),
            control: Term::Tuple(vec![Term::Integer(6)]),
            payload: Some(text(payload)),
            call,
            reply,
        }
    }

    /// The last cells of the row of a message: module to term.
    fn cells(call: Option<Call>, reply: Option<Reply>, payload: &str) -> Vec<Option<String>> {
        let mut tables = Tables::new(Masker::new(false, [7; 16]), Arc::from([String::from("a.pcap")]));
        append(&mut tables, &seen(&flow()), &DistEvent::Message(Box::new(message(call, reply, payload))));
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
    fn the_whole_term_stands_beside_what_is_cut() {
        let long = "x".repeat(5000);
        let cells = cells(Some(call("os", "cmd", &long)), None, &long);
        let [Some(arguments), Some(term)] = [&cells[2], &cells[4]] else { panic!("{cells:?}") };
        assert_eq!((arguments.chars().count(), term.chars().count()), (MAX_SHORT_CHARS + 3, long.len() + 2));
        assert!(arguments.ends_with("..."));
    }

    #[test]
    fn a_term_that_was_sent_smaller_than_it_prints_is_cut_and_told() {
        let mut tables = Tables::new(Masker::new(false, [7; 16]), Arc::from([]));
        let mut told = |size, chars| {
            let message = Message { size, payload: Some(text(&"x".repeat(chars))), ..message(None, None, "") };
            append(&mut tables, &seen(&flow()), &DistEvent::Message(Box::new(message)))
        };
        assert_eq!(told(1000, 8000), None);
        assert_eq!(told(1000, 9000), Some("erldist.term-beyond-table"));
        assert_eq!(told(1 << 21, MAX_TERM_CHARS), Some("erldist.term-beyond-table"));
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
        let typed = call("shell", INPUT, "B = erlang:get_cookie().");
        assert!(hidden(cells(None, reply(Some(typed), "SESAME"), "SESAME")));
        assert!(hidden(cells(Some(call("os", "cmd", "erl -setcookie SESAME")), None, "erl -setcookie SESAME")));
        assert!(hidden(cells(None, reply(None, "ABCDEFGHIJKLMNSESAME"), "ABCDEFGHIJKLMNSESAME")));
    }
}
