//! Data forms (XEP-0004), as ad-hoc commands fill them in: fields with their values, and what of them names accounts
//! and passwords in the administration of servers (XEP-0133, and the commands of ejabberd, prosody and others).

use super::element::{each_event, push_text, value_of};
use quick_xml::events::{BytesStart, Event};

/// Fields read of one form, and values of all fields together.
const MAX_FIELDS: usize = 128;
const MAX_VALUES: usize = 1024;

/// A field with its values.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Field {
    /// `var`: its name.
    pub name: String,
    /// It is to be typed unseen (`text-private`).
    private: bool,
    /// Values in order.
    pub values: Vec<String>,
}

/// The fields of a form.
#[derive(Debug, Default)]
pub(super) struct Form {
    /// In order.
    pub fields: Vec<Field>,
}

impl Form {
    /// Reads all forms in an element.
    pub fn read(xml: &str) -> Self {
        let mut form = Self::default();
        let (mut values, mut text) = (0, None::<String>);
        each_event(xml, |event| match &event {
            Event::Start(tag) => match tag.local_name().as_ref() {
                "field" if form.fields.len() < MAX_FIELDS => form.fields.push(field(tag)),
                "value" => text = Some(String::new()),
                _ => {}
            },
            Event::End(tag) if tag.local_name().as_ref() == "value" => {
                let value = text.take().unwrap_or_default();
                if let Some(field) = form.fields.last_mut()
                    && values < MAX_VALUES
                {
                    values += 1;
                    field.values.push(value);
                }
            }
            event => {
                if let Some(text) = &mut text {
                    push_text(text, event);
                }
            }
        });
        form
    }

    /// The password that the form sets or shows. The one that repeats it is no second one.
    pub fn password(&self) -> Option<&str> {
        let is_password = |field: &&Field| {
            let name = field.name.to_ascii_lowercase();
            let named = ["password", "passwd", "newpass", "pass"].iter().any(|word| name.ends_with(word));
            let repeats = ["verify", "confirm", "repeat"].iter().any(|word| name.contains(word));
            (named || field.private) && !repeats
        };
        let filled = |field: &Field| field.values.first().is_some_and(|value| !value.is_empty());
        let field = self.fields.iter().filter(is_password).find(|field| filled(field))?;
        field.values.first().map(String::as_str)
    }

    /// The accounts that are spoken of: by JID, or by user and host.
    pub fn accounts(&self) -> Vec<String> {
        let value = |name: &str| {
            self.fields
                .iter()
                .find(|field| field.name == name)
                .and_then(|field| field.values.first())
                .map(String::as_str)
        };
        let by_jid = self.fields.iter().filter(|field| field.name.starts_with("accountjid"));
        let mut accounts: Vec<String> = Vec::new();
        for account in by_jid.flat_map(|field| &field.values) {
            if !account.is_empty() && !accounts.contains(account) && accounts.len() < MAX_FIELDS {
                accounts.push(account.clone());
            }
        }
        if accounts.is_empty() {
            let user =
                value("user").or_else(|| value("username")).or_else(|| value("jid")).filter(|user| !user.is_empty());
            let host =
                value("host").or_else(|| value("domain")).or_else(|| value("server")).filter(|host| !host.is_empty());
            accounts.extend(match (user, host) {
                (Some(user), Some(host)) if !user.contains('@') => Some(format!("{user}@{host}")),
                (user, _) => user.map(str::to_owned),
            });
        }
        accounts
    }
}

fn field(tag: &BytesStart<'_>) -> Field {
    let mut field = Field::default();
    let mut attributes = tag.attributes();
    attributes.with_checks(false);
    for attribute in attributes.flatten() {
        match attribute.key.as_ref() {
            "var" => field.name = value_of(&attribute.value).into_owned(),
            "type" => field.private = &*attribute.value == "text-private",
            _ => {}
        }
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_name_accounts_and_passwords() {
        let form = Form::read(
            "<command><x type='submit'><field var='FORM_TYPE'><value>a</value></field><field var='accountjids'>\
             <value>a@x.test</value><value>b@x.test</value></field><field var='accountjid'><value>a@x.test</value></field>\
             <field var='password-verify'><value>s&amp;</value></field><field var='password'><value>s&amp;</value></field>\
             </x></command>",
        );
        assert_eq!(form.accounts(), ["a@x.test", "b@x.test"]);
        assert_eq!(form.password(), Some("s&"));
        let api = Form::read(
            "<x><field var='user'><value>ann</value></field><field var='host'><value>x.test</value></field>\
             <field var='newpass'><value>n3w</value></field></x>",
        );
        assert_eq!((api.accounts(), api.password()), (vec!["ann@x.test".to_owned()], Some("n3w")));
        let asked = Form::read("<x type='form'><field var='password' type='text-private'/></x>");
        assert_eq!(asked.password(), None);
    }
}
