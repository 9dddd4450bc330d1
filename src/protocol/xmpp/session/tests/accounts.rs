//! Whose a stream is where no binding says it, and what is given away on the way.

use super::*;

const SASL: &str = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";
/// NUL, `ann`, NUL, `s3cret`.
const PLAIN: &str = "AGFubgBzM2NyZXQ=";

fn beginning() -> Vec<Step> {
    vec![
        orig(header("jabber:client", "to='x.test'")),
        resp(header("jabber:client", "from='x.test' id='1'")),
        orig(format!("<auth {SASL} mechanism='PLAIN'>{PLAIN}</auth>")),
    ]
}

fn logins(events: &[XmppEvent]) -> Vec<(&str, Option<&str>, Outcome)> {
    let login = |event| match event {
        &XmppEvent::Login(Login { ref mechanism, ref jid, outcome, .. }) => {
            Some((mechanism.as_str(), jid.as_deref(), outcome))
        }
        _ => None,
    };
    events.iter().filter_map(login).collect()
}

#[test]
fn who_is_served_has_logged_in_though_nobody_was_seen_to_say_so() {
    let mut steps = beginning();
    steps.push(resp(
        "<iq type='result' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>ann@x.test/r</jid></bind></iq>",
    ));
    let (events, stream) = told(&steps);
    assert_eq!(logins(&events), [("PLAIN", Some("ann@x.test"), Outcome::Success)]);
    assert_eq!(stream.outcome, Some(Outcome::Success));
    steps.pop();
    steps.push(resp("<message to='bob@x.test/r'/>"));
    assert_eq!(logins(&told(&steps).0), [("PLAIN", Some("ann@x.test"), Outcome::Unknown)]);
}

#[test]
fn a_password_said_too_late_is_told() {
    let mut steps = beginning();
    steps.truncate(2);
    let late = orig(format!("<response {SASL}>{PLAIN}</response>"));
    let refused = || resp(format!("<failure {SASL}><not-authorized/></failure>"));
    steps.push(late.clone());
    assert_eq!(logins(&told(&steps).0), [("PLAIN", Some("ann@x.test"), Outcome::Unknown)], "the beginning was lost");
    steps.pop();
    steps.extend([orig(format!("<auth {SASL} mechanism='PLAIN'/>")), refused(), late, refused()]);
    assert_eq!(
        logins(&told(&steps).0),
        [("PLAIN", None, Outcome::Failure), ("PLAIN", Some("ann@x.test"), Outcome::Failure)]
    );
}

#[test]
fn a_session_that_is_resumed_is_of_who_logged_in() {
    let mut steps = beginning();
    steps.extend([
        resp(format!("<success {SASL}/>")),
        orig("<resume xmlns='urn:xmpp:sm:3' previd='s1' h='0'/>"),
        resp("<resumed xmlns='urn:xmpp:sm:3' previd='s1' h='0'/>"),
    ]);
    let (_, stream) = told(&steps);
    assert_eq!((stream.jid.as_deref(), stream.resumes.as_deref()), (Some("ann@x.test"), Some("s1")));
    let (_, inline) = told(&[
        orig(header("jabber:client", "to='x.test'")),
        orig(format!(
            "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>{PLAIN}</initial-response>\
             <resume xmlns='urn:xmpp:sm:3' previd='s1' h='0'/></authenticate>"
        )),
        resp(
            "<success xmlns='urn:xmpp:sasl:2'><authorization-identifier>ann@x.test</authorization-identifier>\
             <resumed xmlns='urn:xmpp:sm:3' previd='s1' h='0'/></success>",
        ),
    ]);
    assert_eq!((inline.jid.as_deref(), inline.resumes.as_deref()), (Some("ann@x.test"), Some("s1")));
}

#[test]
fn a_room_takes_a_password_or_does_not() {
    let join = |password: &str| {
        orig(format!(
            "<presence to='r@c.x.test/Ann'><x xmlns='http://jabber.org/protocol/muc'><password>{password}</password></x></presence>"
        ))
    };
    let mut steps = beginning();
    steps.extend([
        resp(format!("<success {SASL}/>")),
        join("wrong"),
        resp("<presence from='r@c.x.test/Ann' to='ann@x.test/r' type='error'/>"),
        join("right"),
        resp("<presence from='r@c.x.test/Bob' to='ann@x.test/r'/><presence from='r@c.x.test/Ann' to='ann@x.test/r'/>"),
        resp(
            "<message from='bob@x.test' to='ann@x.test'><x xmlns='jabber:x:conference' jid='q@c.x.test' password='p'/></message>\
             <message from='eve@x.test' to='ann@x.test'><x xmlns='jabber:x:conference' jid='q@c.x.test' password='p'/></message>",
        ),
    ]);
    let (events, stream) = told(&steps);
    assert_eq!(
        logins(&events),
        [
            ("PLAIN", Some("ann@x.test"), Outcome::Success),
            ("muc", Some("r@c.x.test"), Outcome::Failure),
            ("muc", Some("r@c.x.test"), Outcome::Success),
            ("muc", Some("q@c.x.test"), Outcome::Unknown),
        ]
    );
    assert_eq!((stream.mechanism.as_deref(), stream.outcome), (Some("PLAIN"), Some(Outcome::Success)));
}
