//! Sessions, federation and commands through the decoder.
#![allow(clippy::unwrap_used, clippy::panic)] // tests

mod accounts;

use crate::evidence::{Direction, Seen, Stamp, Transport};
use crate::protocol::testing::{Step, flow, orig, play, resp};
use crate::protocol::xmpp::*;
use crate::protocol::{Chunk, End, Event, Sink};

const STREAMS: &str = "xmlns:stream='http://etherx.jabber.org/streams' version='1.0'";

/// Events but for the stream's own, and its summary.
fn told(steps: &[Step]) -> (Vec<XmppEvent>, StreamSummary) {
    let flow = flow(Transport::Tcp, "10.0.0.7:4000", "10.0.0.1:5222");
    let mut events: Vec<XmppEvent> = Vec::new();
    let mut summary = None;
    for (_, event) in play(start(), &flow, steps).events {
        match event {
            Event::Xmpp(XmppEvent::Stream(stream)) => summary = Some(*stream),
            Event::Xmpp(event) => events.push(event),
            other => panic!("{other:?}"),
        }
    }
    (events, summary.unwrap())
}

fn header(namespace: &str, attributes: &str) -> String {
    format!("<stream:stream xmlns='{namespace}' {STREAMS} {attributes}>")
}

#[test]
fn sasl2_logs_in_binds_and_names_the_session_in_one_go() {
    let (events, stream) = told(&[
        orig(header("jabber:client", "to='x.test'")),
        resp(header("jabber:client", "from='x.test' id='1'")),
        orig(
            "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>AGFubgBzM2NyZXQ=\
             </initial-response><user-agent id='d4'><software>Dino</software><device>laptop</device></user-agent>\
             <bind xmlns='urn:xmpp:bind:0'><tag>Dino</tag></bind><request-token xmlns='urn:xmpp:fast:0' \
             mechanism='HT-SHA-256-NONE'/></authenticate>",
        ),
        resp(
            "<success xmlns='urn:xmpp:sasl:2'><authorization-identifier>Ann@x.test/Dino.7</authorization-identifier>\
             <bound xmlns='urn:xmpp:bind:0'><enabled xmlns='urn:xmpp:sm:3' id='sm-1' resume='true'/></bound>\
             <token xmlns='urn:xmpp:fast:0' token='t0ken' expiry='2026-12-01T00:00:00Z'/></success>",
        ),
        orig("<presence/></stream:stream>"),
    ]);
    assert_eq!(stream.jid.as_deref(), Some("ann@x.test/Dino.7"));
    assert_eq!((stream.resumable.as_deref(), stream.software.as_deref()), (Some("sm-1"), Some("Dino (laptop)")));
    assert_eq!((stream.mechanism.as_deref(), stream.outcome), (Some("PLAIN"), Some(Outcome::Success)));
    assert_eq!(stream.ended, Some("client"));
    let [XmppEvent::Login(token), XmppEvent::Login(login)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(login.disclosure, Disclosure::Password("s3cret".to_owned()));
    assert_eq!((login.username.as_deref(), login.jid.as_deref()), (Some("ann"), Some("ann@x.test")));
    assert_eq!(
        (token.mechanism.as_str(), &token.disclosure),
        ("HT-SHA-256-NONE", &Disclosure::Token("t0ken".to_owned()))
    );
}

#[test]
fn sasl2_failures_are_failed_logins() {
    let (events, stream) = told(&[
        orig(header("jabber:client", "to='x.test'")),
        resp(header("jabber:client", "from='x.test' id='1'")),
        orig(
            "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='SCRAM-SHA-1'><initial-response>biwsbj1hbm4scj14</initial-response></authenticate>",
        ),
        // What only the server may say ends nothing if the client says it.
        orig("<success xmlns='urn:xmpp:sasl:2'/>"),
        resp("<challenge xmlns='urn:xmpp:sasl:2'>cj14eQ==</challenge>"),
        orig("<response xmlns='urn:xmpp:sasl:2'>Yz1iaXdzLHI9eHkscD1BQUFB</response>"),
        resp("<failure xmlns='urn:xmpp:sasl:2'><not-authorized/></failure>"),
    ]);
    let [XmppEvent::Login(login)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((login.outcome, &login.disclosure), (Outcome::Failure, &Disclosure::Guessable));
    assert_eq!((stream.jid, stream.resumable), (None, None));
}

#[test]
fn a_resumed_stream_tells_what_it_resumes() {
    let (_, stream) = told(&[
        orig(header("jabber:client", "to='x.test'")),
        resp(header("jabber:client", "from='x.test' id='1'")),
        orig("<resume xmlns='urn:xmpp:sm:3' previd='sm-1' h='3'/>"),
        resp("<resumed xmlns='urn:xmpp:sm:3' previd='sm-1' h='4'/>"),
        resp("<message from='b@x.test/1' to='ann@x.test/r'><body>hi</body></message></stream:stream>"),
    ]);
    assert_eq!((stream.resumes.as_deref(), stream.jid.as_deref()), (Some("sm-1"), Some("ann@x.test/r")));
    assert_eq!(stream.ended, Some("server"));
    let refused = told(&[
        orig("<resume xmlns='urn:xmpp:sm:3' previd='sm-1' h='3'/>"),
        resp("<failed xmlns='urn:xmpp:sm:3'><item-not-found/></failed>"),
    ]);
    assert_eq!(refused.1.resumes, None);
}

#[test]
fn certificates_and_both_directions_are_steps_between_servers() {
    let (events, stream) = told(&[
        orig(header("jabber:server", "from='a.test' to='b.test'")),
        resp(header("jabber:server", "from='b.test' to='a.test' id='7'")),
        orig("<bidi xmlns='urn:xmpp:bidi'/>"),
        orig("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>"),
        resp("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"),
        orig("<db:verify xmlns:db='jabber:server:dialback' from='a.test' to='b.test' id='9'>k</db:verify>"),
        // Who wants to be believed says so itself.
        orig("<db:result xmlns:db='jabber:server:dialback' from='b.test' to='a.test' type='valid'/>"),
        resp("<db:verify xmlns:db='jabber:server:dialback' from='b.test' to='a.test' id='9' type='invalid'/>"),
    ]);
    let steps: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            XmppEvent::Federation(step) => {
                Some((step.kind.name(), step.originating.as_str(), step.receiving.as_str(), step.verdict.as_deref()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        steps,
        [
            ("bidi", "a.test", "b.test", None),
            ("external", "a.test", "b.test", Some("success")),
            ("dialback-verify", "b.test", "a.test", None),
            ("dialback-verify", "b.test", "a.test", Some("invalid")),
        ]
    );
    assert_eq!((stream.kind, stream.outcome), (StreamKind::S2s, Some(Outcome::Success)));
}

fn command(attributes: &str, form: &str) -> String {
    format!(
        "<command xmlns='http://jabber.org/protocol/commands' node='http://jabber.org/protocol/admin#{attributes}>{form}\
         </command>"
    )
}

fn form(fields: &[(&str, &str)]) -> String {
    let field = |(name, value): &(&str, &str)| format!("<field var='{name}'><value>{value}</value></field>");
    let fields: String = fields.iter().map(field).collect();
    format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>")
}

#[test]
fn a_command_is_one_from_its_first_request_to_its_end() {
    let iq =
        |kind, id, inner: String| format!("<iq type='{kind}' id='{id}' from='adm@x.test/1' to='x.test'>{inner}</iq>");
    let filled = form(&[("accountjid", "ann@x.test"), ("password", "n3w"), ("password-verify", "n3w")]);
    let shown = form(&[("accountjid", "bob@x.test"), ("password", "0ld")]);
    let (events, stream) = told(&[
        orig(header("jabber:client", "to='x.test'")),
        resp(header("jabber:client", "from='x.test' id='1'")),
        orig(iq("set", "1", command("add-user' action='execute'", ""))),
        resp(iq("result", "1", command("add-user' status='executing' sessionid='s1'", ""))),
        orig(iq("set", "2", command("add-user' sessionid='s1'", &filled))),
        resp(iq("result", "2", command("add-user' status='completed' sessionid='s1'", ""))),
        orig(iq("set", "3", command("get-user-password'", &form(&[("accountjid", "bob@x.test")])))),
        resp(iq("result", "3", command("get-user-password' status='completed'", &shown))),
        orig(iq("set", "4", command("delete-user'", ""))),
        resp(iq("error", "4", "<error type='auth'/>".to_owned())),
        orig(iq("set", "5", command("shutdown'", ""))),
    ]);
    let told: Vec<String> = events
        .iter()
        .map(|event| match event {
            XmppEvent::Command(command) => {
                let name = command.node.rsplit('#').next().unwrap();
                format!("{name} {} {}", command.accounts.join(","), command.outcome.name())
            }
            XmppEvent::Login(login) => {
                format!("{} {:?} {:?} {}", login.mechanism, login.username, login.disclosure, login.outcome.name())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        told,
        [
            "add-user ann@x.test success",
            "admin-command Some(\"ann@x.test\") Password(\"n3w\") success",
            "admin-command Some(\"bob@x.test\") Password(\"0ld\") success",
            "get-user-password bob@x.test success",
            "delete-user  failure",
            "shutdown  unknown",
        ]
    );
    assert_eq!(stream.mechanism, None, "a password that is set is no login");
}

/// Meanings and legs of stanzas.
#[derive(Default)]
struct Meant(Vec<String>);

impl Sink for Meant {
    fn stanza(&mut self, _: &Seen<'_>, stanza: &Stanza<'_>) {
        self.0.push(format!("{:?} {}", stanza.leg, stanza.meaning));
    }
    fn event(&mut self, _: &Seen<'_>, _: Event) {}
    fn skipped(&mut self, what: &'static str, _: Stamp) {
        panic!("{what}");
    }
}

fn meant(direction: Direction, stanzas: &str) -> Vec<String> {
    let (flow, mut meant) = (flow(Transport::Tcp, "10.0.0.7:4000", "10.0.0.1:5222"), Meant::default());
    let mut decoder = start();
    let texts = [
        (Direction::FromOrig, header("jabber:client", "to='x.test'")),
        (Direction::FromResp, header("jabber:client", "from='x.test' id='1'")),
        (direction, stanzas.to_owned()),
    ];
    for (direction, text) in texts {
        let chunk = Chunk { flow: &flow, direction, data: text.as_bytes(), offset: 0, stamp: Stamp::default() };
        decoder.data(&chunk, &mut meant);
    }
    decoder.end(&End { flow: &flow, stamp: Stamp::default() }, &mut meant);
    meant.0
}

#[test]
fn stanzas_tell_what_they_are_for() {
    let sent = meant(
        Direction::FromOrig,
        "<message type='groupchat' to='r@c.x'><body>hi</body><request xmlns='urn:xmpp:receipts'/></message>\
         <message to='b@x'><received xmlns='urn:xmpp:receipts' id='1'/></message>\
         <message to='b@x'><encrypted xmlns='eu.siacs.conversations.axolotl'/><body>no OMEMO here</body></message>\
         <message to='b@x'><body>?OTR:AAM=.</body></message>\
         <iq type='set' id='1'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='urn:xmpp:avatar:data'/></pubsub></iq>\
         <iq type='set' id='2'><query xmlns='jabber:iq:roster'><item jid='b@x'/></query></iq>\
         <message to='x.test/announce/online'><body>all</body></message>\
         <presence type='subscribe' to='b@x'/>",
    );
    assert_eq!(
        sent,
        [
            "Sent muc-groupchat receipt-request",
            "Sent receipt",
            "Sent encrypted omemo",
            "Sent encrypted otr",
            "Sent pubsub-publish avatar",
            "Sent roster",
            "Sent announce",
            "Sent subscription",
        ]
    );
    let delivered = meant(
        Direction::FromResp,
        "<message from='a@x'><received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'><message \
         xmlns='jabber:client'><encrypted xmlns='urn:xmpp:omemo:2'/></message></forwarded></received></message>\
         <message from='a@x'><archived xmlns='urn:xmpp:mam:tmp' by='a@x'/><body>x</body></message>\
         <message from='x.test'><x xmlns='http://jabber.org/protocol/muc#user'><invite from='b@x'/></x></message>\
         <iq type='set' id='2'><query xmlns='jabber:iq:roster'><item jid='b@x'/></query></iq>",
    );
    assert_eq!(
        delivered,
        ["Delivered encrypted omemo carbon-received", "Delivered ", "Delivered muc-invite", "Delivered roster-push"]
    );
}
