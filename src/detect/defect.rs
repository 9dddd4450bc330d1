//! Streams that are not what XMPP allows: XML made to hurt its reader, and bytes that are no XML.

use super::filter::shown;
use super::{Detector, Evidence, Finding, Kind, Severity};
use crate::protocol::xmpp::{Flaw, StreamDefect, XmppEvent};
use crate::protocol::{Event, Record};

/// `xmpp.xml-attack` and `xmpp.malformed`: one a direction of a stream and construct, as the decoder tells them.
#[derive(Debug, Default)]
pub struct Defects;

impl Detector for Defects {
    fn on_record(&mut self, record: &Record, out: &mut Vec<Finding>) {
        if let Event::Xmpp(XmppEvent::Defect(defect)) = &record.event {
            out.push(finding(defect, record));
        }
    }

    fn finish(&mut self, _out: &mut Vec<Finding>) {}
}

fn finding(defect: &StreamDefect, record: &Record) -> Finding {
    let flaw = defect.flaw;
    let (kind, key) =
        if flaw.is_attack() { (Kind::XmppXmlAttack, "construct") } else { (Kind::XmppMalformed, "reason") };
    let seen = record.at.as_seen();
    let title = format!("{} sent {}", seen.sender(), what(flaw));
    let quote = defect.quote.clone().map(|quote| match flaw {
        // Bytes that are no XML may be the rest of a message or of a password.
        Flaw::NotWellFormed | Flaw::InvalidUtf8 => Evidence::Secret(quote),
        _ => Evidence::Text(quote),
    });
    let mut finding = Finding::new(kind, "xmpp", &seen, title).with(key, flaw.name()).with_some("quote", quote);
    finding.severity = severity(flaw).unwrap_or(finding.severity);
    shown(finding, seen.flow)
}

/// Comments are forbidden, but hurt nobody.
fn severity(flaw: Flaw) -> Option<Severity> {
    match flaw {
        Flaw::Comment => Some(Severity::Low),
        Flaw::Instruction | Flaw::Doctype => Some(Severity::Medium),
        _ => None,
    }
}

fn what(flaw: Flaw) -> &'static str {
    match flaw {
        Flaw::Doctype => "a document type",
        Flaw::EntityDeclaration => "a document type that declares entities",
        Flaw::ExternalEntity => "a document type with an entity to be read from elsewhere",
        Flaw::EntityReference => "a reference to an entity that XML does not define",
        Flaw::Instruction => "a processing instruction",
        Flaw::Comment => "an XML comment",
        Flaw::Nesting => "elements nested deeper than any real stanza",
        Flaw::Attributes => "an element with more attributes than any real one",
        Flaw::AttributeLength => "an attribute longer than any real one",
        Flaw::NotWellFormed => "what is not well-formed XML",
        Flaw::MismatchedTags => "end tags that do not fit their start tags",
        Flaw::InvalidUtf8 => "bytes that are not UTF-8",
        Flaw::Encoding => "a stream in UTF-16",
        Flaw::UndeclaredPrefix => "a prefix without a namespace",
        Flaw::BadReference => "an ampersand that begins no reference",
        Flaw::WrongNamespace => "a stream header in a namespace that is not XMPP's",
        Flaw::Refused(_) => "what the server refused as malformed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::scene::record;

    fn found(flaw: Flaw, quote: &str) -> Vec<Finding> {
        let defect = StreamDefect { flaw, quote: Some(quote.to_owned()) };
        let mut out = Vec::new();
        let record = record("10.0.0.7:4000", "10.0.0.1:5222", 1, XmppEvent::Defect(Box::new(defect)));
        Defects.on_record(&record, &mut out);
        out
    }

    #[test]
    fn attacks_and_faults_are_told_apart() {
        let found_external = found(Flaw::ExternalEntity, "<!DOCTYPE a>");
        assert_eq!((found_external[0].kind, found_external[0].severity), (Kind::XmppXmlAttack, Severity::High));
        assert_eq!(
            found_external[0].evidence,
            [
                ("construct", Evidence::Text("external-entity".to_owned())),
                ("quote", Evidence::Text("<!DOCTYPE a>".to_owned()))
            ]
        );
        assert_eq!(
            found_external[0].title,
            "10.0.0.7:4000 sent a document type with an entity to be read from elsewhere"
        );
        let broken = found(Flaw::NotWellFormed, "hunter2</");
        assert_eq!(broken[0].kind, Kind::XmppMalformed);
        assert_eq!(broken[0].evidence[1], ("quote", Evidence::Secret("hunter2</".to_owned())));
        assert_eq!(found(Flaw::Comment, "<!-- -->")[0].severity, Severity::Low);
    }
}
