//! What can still be read of a stanza whose end is not in the capture (a snapshot length cuts packets, captures lose
//! them): everything that came whole before the cut.

use quick_xml::Reader;
use quick_xml::events::Event;

/// Closes what a cut stanza left open. A tag that was cut is left out, and so is an element whose text was: half a
/// body or half a password is none. `None` if the bytes are no stanza, or nothing of it came whole.
pub(super) fn close(bytes: &[u8]) -> Option<String> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // A character was cut, or is none: what is before it counts.
        Err(error) => std::str::from_utf8(bytes.get(..error.valid_up_to())?).ok()?,
    };
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_end_names = false;
    reader.config_mut().allow_unmatched_ends = true;
    let mut open: Vec<(String, usize)> = Vec::new();
    let mut whole = 0;
    let mut just_opened = false;
    loop {
        let start = whole;
        let Ok(event) = reader.read_event() else { break };
        let end = usize::try_from(reader.buffer_position()).ok()?;
        match event {
            // All that the element holds lies behind the cut.
            Event::Eof if just_opened && open.len() > 1 => {
                whole = open.pop()?.1;
                break;
            }
            Event::Start(ref tag) => open.push((tag.name().as_ref().to_owned(), start)),
            Event::End(_) => {
                open.pop();
            }
            Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) if end >= text.len() => {
                // The text goes on behind the cut.
                if open.len() > 1 {
                    whole = open.pop()?.1;
                }
                break;
            }
            Event::Eof => break,
            _ => {}
        }
        just_opened = matches!(event, Event::Start(_));
        whole = end;
    }
    let (name, _) = open.first()?;
    let local = name.rsplit(':').next().unwrap_or_default();
    if !matches!(local, "message" | "presence" | "iq") {
        return None;
    }
    let mut closed = text.get(..whole)?.to_owned();
    for (name, _) in open.iter().rev() {
        closed.push_str("</");
        closed.push_str(name);
        closed.push('>');
    }
    Some(closed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_whole_is_kept() {
        let cases = [
            ("<message to='a'><body>hello</bo", Some("<message to='a'><body>hello</body></message>")),
            ("<message to='a'><body>hel", Some("<message to='a'></message>")),
            (
                "<message to='a'><body>hello</body><active/><x><y>1</y",
                Some("<message to='a'><body>hello</body><active/><x><y>1</y></x></message>"),
            ),
            ("<iq id='1'><query><password>sec", Some("<iq id='1'><query></query></iq>")),
            ("<message to='a'><x/><body>", Some("<message to='a'><x/></message>")),
            ("<p:presence id='1'><show>aw", Some("<p:presence id='1'></p:presence>")),
            ("<message to='a", None),
            ("<auth mechanism='PLAIN'>AGFs", None),
            ("", None),
        ];
        for (cut, want) in cases {
            assert_eq!(close(cut.as_bytes()).as_deref(), want, "{cut}");
        }
        assert_eq!(close(b"<message><body>caf\xc3").as_deref(), Some("<message></message>"));
    }
}
