//! Rows of ejabberd's administration commands.

use crate::evidence::Seen;
use crate::protocol::erldist::CtlCommand;
use crate::table::{TableId, Tables};
use std::borrow::Cow;

/// Appends the row of a command. Its first account, if it names one, has cells of its own; passwords among the arguments
/// are masked where they stand.
pub fn append(tables: &mut Tables, seen: &Seen<'_>, command: &CtlCommand) {
    let masker = tables.masker().clone();
    let is_secret = |word: &str| command.secrets.iter().any(|secret| secret.password == word);
    let shown = |word: &str| if is_secret(word) { masker.show(word).into_owned() } else { word.to_owned() };
    let arguments: Vec<String> = command.arguments.iter().map(|word| quoted(&shown(word)).into_owned()).collect();
    let account = command.secrets.last();
    let jid = account.map(|account| format!("{}@{}", account.user, account.host));
    tables
        .row(TableId::Ejabberdctl)
        .time(seen.first.time_ns)
        .capture(seen.first.capture)
        .number(seen.first.frame)
        .number(seen.last.frame)
        .str(&seen.flow.community_id)
        .address(seen.sender())
        .address(seen.receiver())
        .text(command.node.as_deref())
        .text(command.by.as_deref())
        .str(&command.name)
        .str(&arguments.join(" "))
        .text(account.map(|account| &*account.user))
        .text(jid.as_deref())
        .secret(account.map(|account| &*account.password))
        .text(command.status.map(|status| status.to_string()).as_deref())
        .str(&command.output);
}

/// A word as it would be typed: in quotes where it holds a blank.
fn quoted(word: &str) -> Cow<'_, str> {
    if !word.is_empty() && !word.contains([' ', '"', '\n']) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("\"{}\"", word.replace('"', "\\\"")))
}
