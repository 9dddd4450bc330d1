//! What a login or registration by iq (XEP-0078, XEP-0077) says, as elements or as a form (XEP-0004).

use crate::protocol::xmpp::element::{each_event, push_text, value_of};
use quick_xml::events::Event;

/// The fields of a `jabber:iq:auth` or `jabber:iq:register` query, sent as elements or as a form (XEP-0004).
#[derive(Debug, Default)]
pub(in crate::protocol::xmpp) struct Fields {
    pub username: Option<String>,
    pub password: Option<String>,
    pub digest: Option<String>,
    pub resource: Option<String>,
}

impl Fields {
    /// Reads the query with its tags.
    pub fn read(xml: &str) -> Self {
        let mut fields = Self::default();
        let mut variable: Option<String> = None;
        let mut text: Option<String> = None;
        each_event(xml, |event| match &event {
            Event::Start(tag) => {
                let local = tag.local_name();
                if local.as_ref() == "field" {
                    let mut attributes = tag.attributes();
                    attributes.with_checks(false);
                    let named = attributes.flatten().find(|attribute| attribute.key.as_ref() == "var");
                    variable = named.map(|attribute| value_of(&attribute.value).into_owned());
                }
                text = Some(String::new());
            }
            Event::End(tag) => {
                let local = tag.local_name();
                let name = if local.as_ref() == "value" { variable.as_deref() } else { Some(local.as_ref()) };
                if let (Some(name), Some(text)) = (name, text.take()) {
                    fields.set(name, text);
                }
                if local.as_ref() == "field" {
                    variable = None;
                }
            }
            event => {
                if let Some(text) = &mut text {
                    push_text(text, event);
                }
            }
        });
        fields
    }

    fn set(&mut self, name: &str, text: String) {
        let field = match name {
            "username" => &mut self.username,
            "password" => &mut self.password,
            "digest" => &mut self.digest,
            "resource" => &mut self.resource,
            _ => return,
        };
        field.get_or_insert(text);
    }
}
