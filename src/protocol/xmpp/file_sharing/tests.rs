#![allow(clippy::unwrap_used, clippy::expect_used)] // tests
use super::*;
use crate::evidence::Transport as IpProtocol;
use crate::protocol::testing::{Step, flow, orig, play, resp};

const HEADER: &str = "<stream:stream to='x.test' xmlns='jabber:client' \
                      xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";
const BOUND: &str = "<iq type='result' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>a@x.test/1</jid>\
                     </bind></iq>";

/// What stanzas tell: `true` for those of the client.
fn told(stanzas: &[(bool, &str)]) -> Vec<SharingEvent> {
    let mut steps: Vec<Step> = vec![orig(HEADER), resp(HEADER), resp(BOUND)];
    steps.extend(stanzas.iter().map(|(client, xml)| if *client { orig(*xml) } else { resp(*xml) }));
    let noted = play(crate::protocol::xmpp::start(), &flow(IpProtocol::Tcp, "10.0.0.7:4000", "10.0.0.1:5222"), &steps);
    let events = noted.events.into_iter().filter_map(|(_, event)| match event {
        Event::Xmpp(XmppEvent::Sharing(event)) => Some(*event),
        _ => None,
    });
    events.collect()
}

#[test]
fn slots_of_every_version_are_joined_with_their_requests() {
    let requests = [
        "<request xmlns='urn:xmpp:http:upload:0' filename='a&amp;b.txt' size='5' content-type='text/plain'/>",
        "<request xmlns='urn:xmpp:http:upload'><filename>a&amp;b.txt</filename><size>5</size>\
         <content-type>text/plain</content-type></request>",
    ];
    let slots = [
        "<slot xmlns='urn:xmpp:http:upload:0'><put url='https://u.test/p'><header name='A'>b</header></put>\
         <get url='https://u.test/g'/></slot>",
        "<slot xmlns='urn:xmpp:http:upload'><put>https://u.test/p</put><get>https://u.test/g</get></slot>",
    ];
    for (request, slot) in requests.iter().zip(slots) {
        let told = told(&[
            (true, &format!("<iq type='get' id='1' to='u.test'>{request}</iq>")),
            (false, &format!("<iq type='result' id='1' from='u.test' to='a@x.test/1'>{slot}</iq>")),
        ]);
        let wish = UploadSlot {
            requester: Some("a@x.test/1".to_owned()),
            name: Some("a&b.txt".to_owned()),
            size: Some(5),
            media_type: Some("text/plain".to_owned()),
            put: "https://u.test/p".to_owned(),
            get: "https://u.test/g".to_owned(),
        };
        assert_eq!(told, [SharingEvent::Slot(wish)]);
    }
    let refused = "<iq type='error' id='1' from='u.test'><request xmlns='urn:xmpp:http:upload:0'/></iq>";
    assert_eq!(told(&[(true, &format!("<iq type='get' id='1'>{}</iq>", requests[0])), (false, refused)]), []);
}

#[test]
fn links_are_told_wherever_they_stand() {
    let links = |xml: &str| -> Vec<(String, &'static str, Option<String>, Option<u64>)> {
        let events = told(&[(true, xml)]).into_iter();
        let links = events.filter_map(|event| match event {
            SharingEvent::Link(link) => {
                assert_eq!((link.from.as_deref(), link.to.as_deref()), (Some("a@x.test/1"), Some("b@x.test")));
                Some((link.url, link.via, link.name, link.size))
            }
            _ => None,
        });
        links.collect()
    };
    let url = "https://u.test/x?a=1&b=2".to_owned();
    let (oob, body) = (vec![(url.clone(), "oob", None, None)], vec![(url.clone(), "body", None, None)]);
    let wire = "https://u.test/x?a=1&amp;b=2";
    assert_eq!(links(&format!("<message to='b@x.test'><x xmlns='jabber:x:oob'><url>{wire}</url></x></message>")), oob);
    let iq = format!("<iq type='set' id='1' to='b@x.test'><query xmlns='jabber:iq:oob'><url>{wire}</url></query></iq>");
    assert_eq!(links(&iq), oob);
    let both = format!("<x xmlns='jabber:x:oob'><url>{wire}</url></x><body>{wire}</body>");
    assert_eq!(links(&format!("<message to='b@x.test'>{both}</message>")), oob, "once");
    assert_eq!(links(&format!("<message to='b@x.test'><body>see (\"{wire}\").</body></message>")), body);
    let file = "<file><name>x.png</name><size>9</size></file>";
    let sfs = format!(
        "<message to='b@x.test'><file-sharing xmlns='urn:xmpp:sfs:0'>{file}<sources><url-data \
         xmlns='http://jabber.org/protocol/url-data' target='{wire}'/></sources></file-sharing></message>"
    );
    assert_eq!(links(&sfs), [(url.clone(), "sfs", Some("x.png".to_owned()), Some(9))]);
    let sims = format!(
        "<message to='b@x.test'><reference xmlns='urn:xmpp:reference:0' type='data'><media-sharing \
         xmlns='urn:xmpp:sims:1'>{file}<sources><reference xmlns='urn:xmpp:reference:0' type='data' uri='{wire}'/>\
         </sources></media-sharing></reference></message>"
    );
    assert_eq!(links(&sims), [(url, "sims", Some("x.png".to_owned()), Some(9))]);
    assert_eq!(links("<message to='b@x.test'><body>no link: // or ://</body></message>"), []);
}

#[test]
fn a_forwarded_link_is_of_who_sent_it_first() {
    let archived = "<message from='a@x.test' to='a@x.test/1'><result xmlns='urn:xmpp:mam:2'><forwarded \
                    xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='c@x.test/2' to='a@x.test'><body>\
                    https://u.test/y</body></message></forwarded></result></message>";
    let [SharingEvent::Link(link)] = &told(&[(false, archived)])[..] else { panic!("one link") };
    assert_eq!((link.from.as_deref(), link.to.as_deref()), (Some("c@x.test/2"), Some("a@x.test")));
}

#[test]
fn files_in_stanzas_are_told_with_their_bytes() {
    let bob = "<message to='b@x.test'><data xmlns='urn:xmpp:bob' cid='c' type='image/gif'>R0lG\nODlh</data></message>";
    let photo = "<vCard xmlns='vcard-temp'><FN>n</FN><LOGO><BINVAL>eHh4</BINVAL></LOGO><PHOTO><TYPE>image/gif</TYPE>\
                 <BINVAL>R0lGODlh</BINVAL></PHOTO></vCard>";
    let avatar = "<data xmlns='urn:xmpp:avatar:data'>R0lGODlh</data>";
    let publish = format!(
        "<iq type='set' id='1'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish \
         node='urn:xmpp:avatar:data'><item id='h'>{avatar}</item></publish></pubsub></iq>"
    );
    let pushed = |to: &str| {
        format!(
            "<message from='a@x.test' to='{to}'><event xmlns='http://jabber.org/protocol/pubsub#event'><items \
             node='urn:xmpp:avatar:data'><item id='h'>{avatar}</item></items></event></message>"
        )
    };
    let told = told(&[
        (true, bob),
        (true, &format!("<iq type='set' id='2'>{photo}</iq>")),
        (false, &format!("<iq type='result' id='3' from='b@x.test' to='a@x.test/1'>{photo}</iq>")),
        (true, &publish),
        (false, &pushed("a@x.test/1")),
        (false, &pushed("b@x.test")),
    ]);
    let (a, full, b) = (Some("a@x.test"), Some("a@x.test/1"), Some("b@x.test"));
    let wish = [
        (InlineKind::Bob, full, b, Some("c")),
        (InlineKind::VcardPhoto, a, None, None),
        (InlineKind::VcardPhoto, b, full, None),
        (InlineKind::Avatar, a, None, Some("h")),
        (InlineKind::Avatar, a, b, Some("h")),
    ];
    assert_eq!(told.len(), wish.len());
    for (event, wish) in told.iter().zip(wish) {
        let SharingEvent::Inline(file) = event else { panic!("{event:?}") };
        assert_eq!((file.kind, file.from.as_deref(), file.to.as_deref(), file.name.as_deref()), wish);
        assert_eq!(file.content, FileContent::of(b"GIF89a", None));
    }
}

#[test]
fn bytestreams_tell_hosts_and_activation() {
    let query = |inner: &str| format!("<query xmlns='http://jabber.org/protocol/bytestreams' sid='s'>{inner}</query>");
    let told = told(&[
        (
            true,
            &format!(
                "<iq type='set' id='1' to='b@x.test/2'>{}</iq>",
                query("<streamhost jid='p.x.test' host='10.0.0.1' port='7777'/>")
            ),
        ),
        (
            false,
            &format!("<iq type='result' id='1' from='b@x.test/2'>{}</iq>", query("<streamhost-used jid='p.x.test'/>")),
        ),
        (true, &format!("<iq type='set' id='2' to='p.x.test'>{}</iq>", query("<activate>B@x.test/2</activate>"))),
        // A proxy that says where it is, is no offer.
        (
            false,
            "<iq type='result' id='3' from='p.x.test'><query xmlns='http://jabber.org/protocol/bytestreams'>\
                 <streamhost jid='p.x.test' host='10.0.0.1'/></query></iq>",
        ),
    ]);
    let told: Vec<_> = told
        .iter()
        .map(|event| {
            let SharingEvent::Transport(told) = event else { panic!("{event:?}") };
            (told.action.as_str(), told.from.as_deref(), told.to.as_deref(), told.candidates.len())
        })
        .collect();
    let (a, b) = (Some("a@x.test/1"), Some("b@x.test/2"));
    assert_eq!(told, [("offer", a, b, 1), ("used", b, a, 0), ("activate", a, b, 0)]);
}
