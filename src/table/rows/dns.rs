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
