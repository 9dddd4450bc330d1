//! Streams that are none, and those without an end.

use super::*;

#[test]
fn hostile_xml_is_counted_and_passed() {
    let deep = "<a>".repeat(3000);
    let attributes: String = (0..200).map(|n| format!(" a{n}='v'")).collect();
    let told = run(&[
        (C, "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a '>]'> <!ENTITY b \"&a;&a;\">]>"),
        (C, &CLIENT_HEADER["<?xml version='1.0'?>".len()..]),
        (C, "<!-- <message> --><?php x?><message to='a@x.test'><!-- </message> --><?x ?><body>&b;</body></message>"),
        (C, &format!("<presence{attributes} to='late@x.test'/>")),
        (C, "<message to='b@x.test'><body>x</message></body>"),
        (C, &format!("<message>{deep}{}</message>", "</a>".repeat(3000))),
        (C, "<message to='c@x.test'><body <x></body></message><presence/>"),
        (C, "text<presence id='found'/>"),
        (C, "<presence id='last'/>"),
    ]);
    let ids: Vec<_> = told.stanzas.iter().map(|stanza| stanza.as_str()).collect();
    assert_eq!(
        ids,
        [
            "Message ->a@x.test - - [&b;] ",
            "Presence ->- - - [-] ",
            "Message ->- - - [-] ",
            "Presence ->- - - [-] ",
            "Presence ->- - last [-] ",
        ]
    );
    for name in ["xmpp.doctype", "xmpp.comment", "xmpp.processing-instruction", "xmpp.limit", "xmpp.malformed"] {
        assert!(told.skipped.contains(&name), "{name}: {:?}", told.skipped);
    }
}

#[test]
fn what_is_deep_or_in_utf_16_is_told_as_such() {
    let flaws = |told: &Told| -> Vec<String> {
        let flaw = |event: &String| event.split("flaw: ").nth(1)?.split([',', ' ']).next().map(str::to_owned);
        told.events.iter().filter_map(flaw).collect()
    };
    let deep = run(&[(C, CLIENT_HEADER), (C, &"<a>".repeat(9000))]);
    assert_eq!(flaws(&deep), ["Nesting"]);
    for mark in ["\u{feff}", ""] {
        let mut conversation = Conversation::new();
        let text: Vec<u8> = format!("{mark}{CLIENT_HEADER}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        conversation.say(C, &text);
        conversation.say(S, SERVER_HEADER.as_bytes());
        assert_eq!(flaws(&conversation.end()), ["Encoding"]);
    }
    let foreign = run(&[(C, &CLIENT_HEADER.replace("jabber:client", "urn:foo"))]);
    assert_eq!(flaws(&foreign), ["WrongNamespace"]);
}

#[test]
fn what_never_ends_is_given_up() {
    let mut conversation = Conversation::new();
    conversation.say(C, CLIENT_HEADER.as_bytes());
    conversation.say(C, b"<message><body>");
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..17 {
        conversation.say(C, &piece);
    }
    assert_eq!(conversation.told.skipped, ["xmpp.limit", "xmpp.resync"]);
    conversation.say(C, b"</body></message><presence/>");
    let told = conversation.end();
    assert_eq!(told.stanzas, ["Presence ->- - - [-] "]);
}

#[test]
fn many_marks_take_no_more_time_than_few() {
    let mut conversation = Conversation::new();
    conversation.lose(C);
    // Each `<` is a candidate: were the rest looked at for each, this would take minutes.
    for piece in ["<".repeat(4 << 20), "</message><iq".repeat(300_000), "<iq ".repeat(1 << 20)] {
        conversation.say(C, piece.as_bytes());
    }
    assert!(conversation.end().stanzas.is_empty());
}

proptest! {
    #[test]
    fn any_cuts_give_the_same(cuts in proptest::collection::vec(proptest::collection::vec(0usize..400, 0..6), 17)) {
        let told = tell_session(|index, _| {
            let mut places = cuts[index].clone();
            places.sort_unstable();
            places
        });
        prop_assert_eq!(told, tell_session(|_, _| vec![]));
    }

    #[test]
    fn any_bytes_do_no_harm(pieces in proptest::collection::vec((any::<bool>(), any::<bool>(), proptest::collection::vec(any::<u8>(), 0..200)), 0..12)) {
        let mut conversation = Conversation::new();
        for (client, gap, bytes) in pieces {
            let direction = if client { C } else { S };
            if gap {
                conversation.lose(direction);
            }
            conversation.say(direction, &bytes);
        }
        conversation.end();
    }

    #[test]
    fn any_xml_like_text_does_no_harm(pieces in proptest::collection::vec((any::<bool>(), proptest::sample::select(vec![
        "<", ">", "/", "</", "/>", "'", "\"", "=", " ", "message", "<iq type='set' id='1'>", "</iq>", "<stream:stream ", "xmlns='", "jabber:client",
        "<data xmlns='http://jabber.org/protocol/ibb' sid='s' seq='1'>", "</data>", "QUJD", "&amp;", "&", "<![CDATA[", "]]>", "<!--", "-->", "<?", "?>",
        "<!DOCTYPE", "[", "]", "é", "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>", "</auth>", "<jingle xmlns='urn:xmpp:jingle:1' sid='",
        "<si xmlns='http://jabber.org/protocol/si' id='1'>", "</si>", "<query xmlns='jabber:iq:auth'>", "</query>", "<password>", "</password>",
    ])), 0..60)) {
        let mut conversation = Conversation::new();
        for (client, text) in pieces {
            conversation.say(if client { C } else { S }, text.as_bytes());
        }
        conversation.end();
    }
}
