//! Whole conversations through the decoder: what is told, however the bytes are cut.
#![allow(clippy::unwrap_used, clippy::expect_used)] // tests

mod hostile;

use super::*;
use crate::evidence::{Direction, FlowInfo, Seen, Stamp, Transport};
use crate::protocol::content::FileContent;
use crate::protocol::{Chunk, End, Event, Gap, Next, Sink};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use std::sync::Arc;

const C: Direction = Direction::FromOrig;
const S: Direction = Direction::FromResp;

const CLIENT_HEADER: &str = "<?xml version='1.0'?><stream:stream to='x.test' xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";
const SERVER_HEADER: &str = "<?xml version='1.0'?><stream:stream id='s1' from='x.test' xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";

/// Stanzas, events and skips, as text; places in the capture are left out where chunks decide on them.
#[derive(Debug, Default, PartialEq)]
struct Told {
    stanzas: Vec<String>,
    events: Vec<String>,
    skipped: Vec<&'static str>,
    summaries: Vec<StreamSummary2>,
    ibb: Vec<IbbTransfer>,
}

/// The parts of a summary that do not depend on how bytes were cut.
#[derive(Debug, PartialEq)]
struct StreamSummary2 {
    kind: StreamKind,
    client: String,
    domain: Option<String>,
    jid: Option<String>,
    tls: Option<&'static str>,
    offered_starttls: Option<bool>,
    mechanism: Option<String>,
    outcome: Option<Outcome>,
    stanzas: [u64; 2],
    error: Option<String>,
}

impl Sink for Told {
    fn stanza(&mut self, _seen: &Seen<'_>, stanza: &Stanza<'_>) {
        let show = |text: Option<&str>| text.unwrap_or("-").to_owned();
        self.stanzas.push(format!(
            "{:?} {}>{} {} {} [{}] {}",
            stanza.kind,
            show(stanza.from),
            show(stanza.to),
            show(stanza.stanza_type),
            show(stanza.id),
            show(stanza.body),
            stanza.children,
        ));
    }

    fn event(&mut self, seen: &Seen<'_>, event: Event) {
        let Event::Xmpp(event) = event else { return };
        match event {
            XmppEvent::Stream(summary) => self.summaries.push(StreamSummary2 {
                kind: summary.kind,
                client: summary.client.to_string(),
                domain: summary.domain,
                jid: summary.jid,
                tls: summary.tls,
                offered_starttls: summary.offered_starttls,
                mechanism: summary.mechanism,
                outcome: summary.outcome,
                stanzas: summary.stanzas,
                error: summary.error,
            }),
            XmppEvent::Ibb(transfer) => self.ibb.push(*transfer),
            XmppEvent::Sharing(_) => {}
            XmppEvent::Login(login) => self.events.push(format!(
                "{} {:?} {:?} {:?} {:?} {:?}",
                login.mechanism, login.username, login.jid, login.disclosure, login.outcome, seen.direction
            )),
            XmppEvent::Federation(step) => self.events.push(format!(
                "{:?} {} {} {:?} {:?} {:?}",
                step.kind, step.originating, step.receiving, step.stream_id, step.key, step.verdict
            )),
            other => self.events.push(format!("{other:?}")),
        }
    }

    fn skipped(&mut self, what: &'static str, _stamp: Stamp) {
        self.skipped.push(what);
    }
}

fn flow() -> Arc<FlowInfo> {
    Arc::new(FlowInfo {
        transport: Transport::Tcp,
        orig: "10.0.0.1:40000".parse().unwrap(),
        resp: "10.0.0.2:5222".parse().unwrap(),
        community_id: "1:x".into(),
        tunnel: "".into(),
        within: crate::evidence::Within::default(),
    })
}

struct Conversation {
    decoder: Box<dyn Decoder>,
    flow: Arc<FlowInfo>,
    told: Told,
    opaque: bool,
}

impl Conversation {
    fn new() -> Self {
        Self { decoder: start(), flow: flow(), told: Told::default(), opaque: false }
    }

    fn say(&mut self, direction: Direction, data: &[u8]) {
        if data.is_empty() || self.opaque {
            return;
        }
        let chunk = Chunk { flow: &self.flow, direction, data, offset: 0, stamp: Stamp::default() };
        match self.decoder.data(&chunk, &mut self.told) {
            Next::Continue => {}
            Next::Opaque => self.opaque = true,
            Next::Handover { to, .. } => self.decoder = to,
        }
    }

    fn lose(&mut self, direction: Direction) {
        let gap = Gap { flow: &self.flow, direction, bytes: 1000, stamp: Stamp::default() };
        self.decoder.gap(&gap, &mut self.told);
    }

    fn end(mut self) -> Told {
        self.decoder.end(&End { flow: &self.flow, stamp: Stamp::default() }, &mut self.told);
        self.told
    }
}

fn run(script: &[(Direction, &str)]) -> Told {
    let mut conversation = Conversation::new();
    for (direction, text) in script {
        conversation.say(*direction, text.as_bytes());
    }
    conversation.end()
}

fn plain(username: &str, password: &str) -> String {
    let message = STANDARD.encode(format!("\0{username}\0{password}"));
    format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{message}</auth>")
}

/// A login that fails, one that succeeds, a binding, and stanzas of all kinds.
fn session() -> Vec<(Direction, String)> {
    let sasl = "urn:ietf:params:xml:ns:xmpp-sasl";
    let said = |direction, text: &str| (direction, text.to_owned());
    vec![
        said(C, CLIENT_HEADER),
        said(S, SERVER_HEADER),
        said(
            S,
            "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><mechanisms \
             xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms></stream:features>",
        ),
        (C, plain("ann", "wrong")),
        (S, format!("<failure xmlns='{sasl}'><not-authorized/></failure>")),
        (C, plain("ann", "pä&ss<")),
        (S, format!("<success xmlns='{sasl}'/>")),
        said(C, CLIENT_HEADER),
        said(S, SERVER_HEADER),
        said(S, "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></stream:features>"),
        said(C, "<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"),
        said(
            S,
            "<iq type='result' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
             <jid>Ann@X.test/R&amp;D</jid></bind></iq>",
        ),
        said(C, "<presence/> \n<presence to=\"Bob@x.test\" type='subscribe'><status>I'm \"here\"</status></presence>"),
        said(
            C,
            "<message to='bob@x.test/é' id='m1' type='chat'><body>1 &lt; 2 &amp;&#x20;<![CDATA[<b>]]> é👍</body>\
             <active xmlns='http://jabber.org/protocol/chatstates'/><x:y xmlns:x='urn:x'/></message>",
        ),
        said(
            S,
            "<message from='x.test'><result xmlns='urn:xmpp:mam:2'><forwarded xmlns='urn:xmpp:forward:0'><message \
             xmlns='jabber:client' from='eve@x.test/1' to='ann@x.test'><body>inner</body></message></forwarded>\
             </result></message><r xmlns='urn:xmpp:sm:3'/><presence from='bob@x.test/é' to='ann@x.test/R&amp;D'/>",
        ),
        said(C, "</stream:stream>"),
        said(S, "</stream:stream>"),
    ]
}

fn tell_session(cut: impl Fn(usize, &[u8]) -> Vec<usize>) -> Told {
    let mut conversation = Conversation::new();
    for (index, (direction, text)) in session().into_iter().enumerate() {
        let mut from = 0;
        for to in cut(index, text.as_bytes()) {
            let to = to.clamp(from, text.len());
            conversation.say(direction, &text.as_bytes()[from..to]);
            from = to;
        }
        conversation.say(direction, &text.as_bytes()[from..]);
    }
    conversation.end()
}

#[test]
fn a_session_is_told() {
    let told = tell_session(|_, _| vec![]);
    assert_eq!(
        told.events,
        [
            "PLAIN Some(\"ann\") Some(\"ann@x.test\") Password(\"wrong\") Failure FromOrig",
            "PLAIN Some(\"ann\") Some(\"ann@x.test\") Password(\"pä&ss<\") Success FromOrig",
            "Copy(CopiedStanza { via: \"mam-result\", owner: Some(\"ann@x.test/R&D\"), from: Some(\"eve@x.test/1\"), to: Some(\"ann@x.test\"), stanza_type: None, id: None, body: Some(\"inner\"), stamp: None })",
        ]
    );
    assert_eq!(
        told.stanzas,
        [
            "Iq ->- set b1 [-] urn:ietf:params:xml:ns:xmpp-bind",
            "Iq ->- result b1 [-] urn:ietf:params:xml:ns:xmpp-bind",
            "Presence ann@x.test/R&D>- - - [-] ",
            "Presence ann@x.test/R&D>bob@x.test subscribe - [-] ",
            "Message ann@x.test/R&D>bob@x.test/é chat m1 [1 < 2 & <b> é👍] http://jabber.org/protocol/chatstates urn:x",
            "Message x.test>ann@x.test/R&D - - [-] urn:xmpp:mam:2",
            "Presence bob@x.test/é>ann@x.test/R&D - - [-] ",
        ]
    );
    assert_eq!(told.skipped, [] as [&str; 0]);
    let [summary] = &told.summaries[..] else { panic!("one summary") };
    assert_eq!(
        *summary,
        StreamSummary2 {
            kind: StreamKind::C2s,
            client: "10.0.0.1:40000".to_owned(),
            domain: Some("x.test".to_owned()),
            jid: Some("ann@x.test/R&D".to_owned()),
            tls: None,
            offered_starttls: Some(true),
            mechanism: Some("PLAIN".to_owned()),
            outcome: Some(Outcome::Success),
            stanzas: [4, 3],
            error: None,
        }
    );
}

#[test]
fn cuts_do_not_matter() {
    let whole = tell_session(|_, _| vec![]);
    for step in [1, 2, 3, 5, 7, 64] {
        assert_eq!(tell_session(|_, bytes| (0..bytes.len()).step_by(step).collect()), whole, "every {step} bytes");
    }
    // One cut, at every place of every part.
    let longest = session().iter().map(|(_, text)| text.len()).max().unwrap();
    for place in 0..longest {
        assert_eq!(tell_session(|_, _| vec![place]), whole, "cut at {place}");
    }
}

#[test]
fn prefixes_may_be_any() {
    let told = run(&[
        (C, "<s:stream to='x.test' xmlns:c='jabber:client' xmlns:s='http://etherx.jabber.org/streams'>"),
        (C, "<c:message to='b@x.test'><c:body>hi</c:body><x xmlns='urn:x'/></c:message><message to='no'/>"),
        (S, "<s:stream id='1' from='x.test' xmlns='urn:other' xmlns:s='http://etherx.jabber.org/streams'>"),
        (
            S,
            "<s:features/><message xmlns='jabber:client' from='b@x.test'><body>ho</body></message><message>no</message>",
        ),
        (S, "<foo:bar/><s:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></s:error>"),
    ]);
    assert_eq!(told.stanzas.len(), 3, "{:?}", told.stanzas);
    assert_eq!(told.stanzas[0], "Message ->b@x.test - - [hi] urn:x");
    assert_eq!(told.stanzas[2], "Message b@x.test>- - - [ho] ");
    assert_eq!(told.skipped, ["xmpp.malformed"], "foo is bound nowhere");
    assert_eq!(told.summaries[0].error.as_deref(), Some("conflict"));
    assert_eq!(told.summaries[0].offered_starttls, Some(false));
}

#[test]
fn after_a_gap_the_next_stanza_is_found() {
    let mut conversation = Conversation::new();
    conversation.say(C, CLIENT_HEADER.as_bytes());
    conversation.say(C, b"<message to='a@x.test'><body>one</body></message><message to='b@x.test'><bo");
    conversation.lose(C);
    conversation.say(C, b"<delay/><message xmlns='jabber:client'><body>nested</body></message></forwarded></message>");
    conversation.say(C, b"ail</body></message><message to='c@x.test'><body>two</body></message>");
    conversation.lose(C);
    // A nested one at the start of a chunk shows by what follows it.
    conversation
        .say(C, b"<message><body>nested</body></message></forwarded></result></message><iq type='get' id='1'/>");
    let told = conversation.end();
    // Of the stanza that was cut, what came whole is told.
    let want = [
        "Message ->a@x.test - - [one] ",
        "Message ->b@x.test - - [-] ",
        "Message ->c@x.test - - [two] ",
        "Iq ->- get 1 [-] ",
    ];
    assert_eq!(told.stanzas, want);
    assert_eq!(told.skipped, ["xmpp.resync", "xmpp.resync"]);
}

#[test]
fn a_stream_joined_in_the_middle_shows_whose_it_is() {
    let told = run(&[
        (S, "ab</body></message><message from='bob@x.test/2' to='ann@x.test/1'><body>hi</body></message>"),
        (C, "<message to='bob@x.test/2'><body>ho</body></message>"),
        (S, "<iq type='get' from='x.test' to='ann@x.test/1' id='p'/>"),
        (C, "<iq type='result' id='p'/>"),
        (C, "<message to='bob@x.test/2'><body>ho again</body></message>"),
    ]);
    assert_eq!(told.stanzas[0], "Message bob@x.test/2>ann@x.test/1 - - [hi] ");
    assert_eq!(told.stanzas[3], "Iq ann@x.test/1>- result p [-] ");
    assert_eq!(told.stanzas[4], "Message ann@x.test/1>bob@x.test/2 - - [ho again] ");
    assert_eq!(told.summaries[0].jid.as_deref(), Some("ann@x.test/1"));
    assert!(told.events.is_empty());
}

#[test]
fn starttls_ends_what_can_be_read() {
    let mut conversation = Conversation::new();
    for (direction, text) in [
        (C, CLIENT_HEADER),
        (S, SERVER_HEADER),
        (C, "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
        (S, "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>"),
        (C, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
    ] {
        conversation.say(direction, text.as_bytes());
        assert_eq!(conversation.decoder.protocol(), "xmpp", "{text}");
    }
    conversation.say(S, b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    assert_eq!(conversation.decoder.protocol(), "tls");
    let told = conversation.end();
    assert_eq!(told.summaries.len(), 1);
    assert_eq!(told.summaries[0].tls, Some("starttls"));
    assert_eq!(told.skipped, [] as [&str; 0]);
}

#[test]
fn legacy_logins_and_registrations_have_outcomes() {
    let auth = |id, secret: &str| {
        format!(
            "<iq type='set' id='{id}'><query xmlns='jabber:iq:auth'><username>old</username>{secret}\
             <resource>Exodus</resource></query></iq>"
        )
    };
    let told = run(&[
        (C, "<stream:stream to='x.test' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"),
        (S, SERVER_HEADER),
        (
            C,
            "<iq type='set' id='0'><query xmlns='jabber:iq:register'><username>old</username><password>p&amp;q</password></query></iq>",
        ),
        (S, "<iq type='error' id='0'><error/></iq>"),
        (C, &auth("1", "<password>bad</password>")),
        (S, "<iq type='error' id='1'><query xmlns='jabber:iq:auth'><password>bad</password></query></iq>"),
        (C, &auth("2", "<digest>00</digest>")),
        (S, "<iq type='result' id='2'/>"),
        (C, "<presence/>"),
        (
            C,
            "<iq type='set' id='3'><query xmlns='jabber:iq:register'><username>old</username><password>new</password></query></iq>",
        ),
    ]);
    assert_eq!(
        told.events,
        [
            "register Some(\"old\") Some(\"old@x.test\") Password(\"p&q\") Failure FromOrig",
            "iq-auth Some(\"old\") Some(\"old@x.test\") Password(\"bad\") Failure FromOrig",
            "iq-auth-digest Some(\"old\") Some(\"old@x.test\") Guessable Success FromOrig",
            "change-password Some(\"old\") Some(\"old@x.test\") Password(\"new\") Unknown FromOrig",
        ]
    );
    assert!(told.stanzas.contains(&"Presence old@x.test/Exodus>- - - [-] ".to_owned()), "{:?}", told.stanzas);
    assert_eq!(told.summaries[0].mechanism.as_deref(), Some("iq-auth-digest"));
}

#[test]
fn components_and_servers_are_told_from_clients() {
    let header = "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' ";
    let told = run(&[
        (C, &format!("{header} to='bot.x.test'>")),
        (S, &format!("{header} from='bot.x.test' id='9'>")),
        (C, "<handshake>0d28</handshake>"),
        (S, "<handshake/><message from='a@x.test/1' to='bot.x.test'><body>help</body></message>"),
    ]);
    assert_eq!(told.events, ["component Some(\"bot.x.test\") Some(\"bot.x.test\") Guessable Success FromOrig"]);
    assert_eq!((told.summaries[0].kind, told.summaries[0].jid.as_deref()), (StreamKind::Component, Some("bot.x.test")));

    let header = "<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' \
                  xmlns:stream='http://etherx.jabber.org/streams' ";
    let told = run(&[
        (C, &format!("{header} id='' from='a.test' to='b.test'>")),
        (S, &format!("{header} id='7' from='b.test' to='a.test'>")),
        (C, "<db:result from='a.test' to='b.test'>k3y</db:result>"),
        (S, "<db:result from='b.test' to='a.test' type='valid'>k3y</db:result>"),
        (C, "<message from='x@a.test' to='y@b.test'/>"),
    ]);
    assert_eq!(
        told.events,
        ["Result a.test b.test None Some(\"k3y\") None", "Result a.test b.test None Some(\"k3y\") Some(\"valid\")"]
    );
    assert_eq!((told.summaries[0].kind, told.summaries[0].stanzas), (StreamKind::S2s, [1, 0]));
}

fn ibb(from_to: &str, stanza_type: &str, what: &str) -> String {
    format!("<iq type='{stanza_type}' id='i' {from_to}>{what}</iq>")
}

fn data(seq: u32, bytes: &[u8]) -> String {
    format!("<data xmlns='http://jabber.org/protocol/ibb' seq='{seq}' sid='s'>{}</data>", STANDARD.encode(bytes))
}

#[test]
fn in_band_bytes_are_put_together() {
    let out = "from='a@x.test/1' to='b@x.test/2'";
    let back = "from='b@x.test/2' to='a@x.test/1'";
    let open = "<open xmlns='http://jabber.org/protocol/ibb' sid='s' block-size='4'/>";
    let close = "<close xmlns='http://jabber.org/protocol/ibb' sid='s'/>";
    let told = run(&[
        (C, CLIENT_HEADER),
        (C, &ibb(out, "set", open)),
        (C, &ibb(out, "set", &data(0, b"abcd"))),
        (C, &ibb(out, "set", &data(0, b"abcd"))),
        (S, &ibb(back, "set", &data(0, b"answer"))),
        // What comes back as an error is not sent again.
        (S, &ibb(back, "error", &data(1, b"never"))),
        (C, &format!("<message {out}>{}</message>", data(1, b"ef"))),
        (C, &ibb(out, "set", close)),
        // An empty file, and one of which a block is missing.
        (C, &ibb(out, "set", open)),
        (C, &ibb(out, "set", close)),
        (C, &ibb(out, "set", open)),
        (C, &ibb(out, "set", &data(0, b"ab"))),
        (C, &ibb(out, "set", &data(2, b"ef"))),
        (C, &ibb(out, "set", close)),
        // One that was opened before, and goes on when the capture ends.
        (C, &ibb(out, "set", &data(65_535, b"y"))),
        (C, &ibb(out, "set", &data(0, b"z"))),
    ]);
    let transfer = |from: &str, to: &str, bytes: &[u8], complete, missing_blocks| IbbTransfer {
        sid: "s".to_owned(),
        from: Some(from.to_owned()),
        to: Some(to.to_owned()),
        content: FileContent::of(bytes, None),
        complete,
        missing_blocks,
        part: None,
    };
    let (a, b) = ("a@x.test/1", "b@x.test/2");
    assert_eq!(
        told.ibb,
        [
            transfer(a, b, b"abcdef", true, 0),
            transfer(b, a, b"answer", true, 0),
            transfer(a, b, b"", true, 0),
            transfer(a, b, b"abef", false, 1),
            IbbTransfer {
                part: Some(Box::new(IbbPart::Rest {
                    first: 65_535,
                    bytes: b"yz".to_vec(),
                    ends: vec![1, 2],
                    closed: false,
                })),
                ..transfer(a, b, b"yz", false, 65_535)
            },
        ]
    );
}

#[test]
fn a_refused_opening_is_no_transfer() {
    let told = run(&[
        (C, CLIENT_HEADER),
        (C, "<iq type='set' id='o' to='b@x.test/2'><open xmlns='http://jabber.org/protocol/ibb' sid='s'/></iq>"),
        (S, "<iq type='error' id='o' from='b@x.test/2'><error/></iq>"),
    ]);
    assert_eq!(told.ibb, []);
}
