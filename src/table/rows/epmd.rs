//! Rows of epmd events.

use crate::evidence::Seen;
use crate::protocol::epmd::{EpmdAnswer, EpmdEvent, EpmdRequest};
use crate::table::{TableId, Tables};

/// Appends the rows that an event stands for.
pub fn append(tables: &mut Tables, seen: &Seen<'_>, event: &EpmdEvent) {
    let cells = match event {
        EpmdEvent::Exchange { request, answer } => exchange(request, answer.as_ref()),
        EpmdEvent::Unregistered { name, port } => {
            Cells { request: "unregistered", name: Some(name), port: Some(*port), answer: None, detail: None }
        }
        EpmdEvent::Malformed { reason } => {
            Cells { request: "malformed", name: None, port: None, answer: None, detail: Some(reason.clone()) }
        }
    };
    tables
        .row(TableId::Epmd)
        .time(seen.first.time_ns)
        .capture(seen.first.capture)
        .number(seen.first.frame)
        .str(&seen.flow.community_id)
        .address(seen.sender())
        .address(seen.receiver())
        .str(cells.request)
        .text(cells.name)
        .number(cells.port.map(u64::from))
        .text(cells.answer.as_deref())
        .text(cells.detail.as_deref());
}

struct Cells<'a> {
    request: &'static str,
    name: Option<&'a str>,
    port: Option<u16>,
    answer: Option<String>,
    detail: Option<String>,
}

fn exchange<'a>(request: &'a EpmdRequest, answer: Option<&EpmdAnswer>) -> Cells<'a> {
    let (kind, name, port, asked) = match request {
        EpmdRequest::Alive2 { name, port, node_type, highest, lowest } => {
            let detail = format!("{} versions {lowest}-{highest}", node_kind(*node_type));
            ("alive2", Some(&**name), Some(*port), Some(detail))
        }
        EpmdRequest::PortPlease2 { name } => ("port-please2", Some(&**name), None, None),
        EpmdRequest::Names => ("names", None, None, None),
        EpmdRequest::Dump => ("dump", None, None, None),
        EpmdRequest::Kill => ("kill", None, None, None),
        EpmdRequest::Stop { name } => ("stop", Some(&**name), None, None),
    };
    let (port, answer, told) = match answer {
        None => (port, None, None),
        Some(EpmdAnswer::Alive2 { result: 0, creation }) => {
            (port, Some("registered".to_owned()), Some(format!("creation {creation}")))
        }
        Some(EpmdAnswer::Alive2 { result, .. }) => (port, Some(format!("refused {result}")), None),
        Some(EpmdAnswer::Port { port, node_type, versions: (highest, lowest), .. }) => {
            let told = format!("{} versions {lowest}-{highest}", node_kind(*node_type));
            (Some(*port), Some("found".to_owned()), Some(told))
        }
        Some(EpmdAnswer::NoSuchNode { result }) => (port, Some(format!("unknown {result}")), None),
        Some(EpmdAnswer::Listing { text, .. }) => (port, Some("listing".to_owned()), Some(text.clone())),
        Some(EpmdAnswer::Word(word)) => (port, Some(word.clone()), None),
    };
    let detail = asked.into_iter().chain(told).reduce(|asked, told| format!("{asked}, {told}"));
    Cells { request: kind, name, port, answer, detail }
}

fn node_kind(node_type: u8) -> String {
    match node_type {
        77 => "normal".to_owned(),
        72 => "hidden".to_owned(),
        other => format!("type {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_is_one_row_with_what_was_asked_and_told() {
        let request =
            EpmdRequest::Alive2 { name: "ejabberd".into(), port: 31337, node_type: 72, highest: 6, lowest: 5 };
        let cells = exchange(&request, Some(&EpmdAnswer::Alive2 { result: 0, creation: 3 }));
        assert_eq!((cells.request, cells.name, cells.port), ("alive2", Some("ejabberd"), Some(31337)));
        assert_eq!(cells.answer.as_deref(), Some("registered"));
        assert_eq!(cells.detail.as_deref(), Some("hidden versions 5-6, creation 3"));
        let silent = exchange(&EpmdRequest::Kill, None);
        assert_eq!((silent.request, silent.answer, silent.detail), ("kill", None, None));
    }
}
