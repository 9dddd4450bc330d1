//! Rows of dns events: one a query with its answer; a further answer to the same query is a row of its own.

use crate::evidence::Seen;
use crate::protocol::dns::{DnsEvent, DnsExchange, DnsMessage, DnsRecord};
use crate::table::{TableId, Tables};
use std::fmt;

/// Appends the rows that an event stands for.
pub fn append(tables: &mut Tables, seen: &Seen<'_>, event: &DnsEvent) {
    let DnsEvent::Exchange(exchange) = event;
    append_exchange(tables, seen, exchange);
}

fn append_exchange(tables: &mut Tables, seen: &Seen<'_>, exchange: &DnsExchange) {
    let Some(subject) = exchange.subject() else { return };
    let answer = exchange.answer.as_deref();
    let (name, rtype) = about(subject, answer).unzip();
    let (client, server) = match exchange.query {
        Some(_) => (seen.sender(), seen.receiver()),
        None => (seen.receiver(), seen.sender()),
    };
    let first = exchange.asked.or(exchange.answered).unwrap_or(seen.first);
    let latest = answer.unwrap_or(subject);
    let edns = latest.edns.as_ref().or(subject.edns.as_ref());
    tables
        .row(TableId::Dns)
        .time(first.time_ns)
        .capture(first.capture)
        .number(exchange.asked.map(|stamp| stamp.frame))
        .number(exchange.answered.map(|stamp| stamp.frame))
        .str(&seen.flow.community_id)
        .display(client)
        .display(server)
        .display(seen.flow.transport)
        .number(u64::from(subject.id))
        .str(&subject.opcode_name())
        .text(name)
        .text(rtype.as_deref())
        .text(answer.map(DnsMessage::rcode_name).as_deref())
        .display(FlagsAndDefect(latest))
        .text(answer.map(|answer| joined(&answer.answers)).as_deref())
        .text(answer.map(|answer| joined(&answer.authority)).as_deref())
        .text(answer.map(|answer| joined(&answer.additional)).as_deref())
        .text(edns.map(ToString::to_string).as_deref())
        .number(exchange.round_trip_ns());
}

/// Name and type asked for; where nobody asked, as in announcements, those of the first record.
fn about<'a>(subject: &'a DnsMessage, answer: Option<&'a DnsMessage>) -> Option<(&'a str, String)> {
    let question = subject.questions.first().or_else(|| answer?.questions.first());
    let of_question = question.map(|question| (&*question.name, question.type_name()));
    of_question.or_else(|| answer?.answers.first().map(|record| (&*record.owner, record.type_name())))
}

/// `qr rd ra`, and what could not be read.
struct FlagsAndDefect<'a>(&'a DnsMessage);

impl fmt::Display for FlagsAndDefect<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.flags)?;
        match &self.0.error {
            Some(defect) => write!(f, " malformed ({defect})"),
            None => Ok(()),
        }
    }
}

fn joined(records: &[DnsRecord]) -> String {
    let mut text = String::new();
    for record in records {
        if !text.is_empty() {
            text.push_str("; ");
        }
        // Writing to a String cannot fail.
        let _ = fmt::Write::write_fmt(&mut text, format_args!("{record}"));
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::*;
    use crate::evidence::Transport;
    use crate::protocol::Event;
    use crate::protocol::dns::start_datagram;
    use crate::protocol::testing::{Step, flow, orig, play, resp};
    use crate::secret::Masker;
    use std::sync::Arc;

    /// The cells of each row by column, numbers as text.
    fn rows(steps: &[Step]) -> Vec<Vec<(&'static str, String)>> {
        let mut tables = Tables::new(Masker::new(false, [0; 16]), Arc::from(["01.pcap".to_owned()]));
        let flow = flow(Transport::Udp, "10.0.0.7:40000", "[fd00::53]:53");
        for (at, event) in play(start_datagram(), &flow, steps).events {
            let Event::Dns(event) = event else { panic!("{event:?}") };
            append(&mut tables, &at.as_seen(), &event);
        }
        let rows = tables.rows(TableId::Dns);
        let cells = |row: usize| {
            let columns = rows.spec().iter().zip(rows.columns());
            columns
                .filter_map(|((name, _), column)| {
                    let cell = match column {
                        crate::table::Column::Number(cells) => cells[row].map(|number| number.to_string()),
                        column => column.text(row).map(str::to_owned),
                    };
                    Some((*name, cell?))
                })
                .collect()
        };
        (0..rows.len()).map(cells).collect()
    }

    #[test]
    fn a_row_is_a_query_with_its_answer() {
        const QUESTION: &[u8] = b"\x05alpha\x04TEST\0\0\x01\0\x01";
        let query = [&[0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0], QUESTION].concat();
        let record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 1];
        let answer = [&[0, 7, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0], QUESTION, &record].concat();
        let rows = rows(&[orig(query.clone()), resp(answer), orig(query[..20].to_vec())]);
        let cell = |row: usize, name: &str| rows[row].iter().find(|cell| cell.0 == name).map(|cell| cell.1.as_str());
        let answered = ["capture", "frame", "answer_frame", "client", "server", "transport", "id", "opcode", "name"];
        assert_eq!(
            answered.map(|name| cell(0, name).unwrap()),
            ["01.pcap", "1", "2", "10.0.0.7:40000", "[fd00::53]:53", "udp", "7", "QUERY", "alpha.test"]
        );
        assert_eq!(
            (cell(0, "type"), cell(0, "rcode"), cell(0, "flags")),
            (Some("A"), Some("NOERROR"), Some("qr rd ra"))
        );
        assert_eq!((cell(0, "answers"), cell(0, "rtt_ns")), (Some("alpha.test 60 A 10.0.0.1"), Some("10000000")));
        // A query that was cut, and that nobody answered.
        assert_eq!((cell(1, "frame"), cell(1, "answer_frame"), cell(1, "rcode")), (Some("3"), None, None));
        assert!(cell(1, "flags").unwrap().starts_with("rd malformed (question"));
    }
}
