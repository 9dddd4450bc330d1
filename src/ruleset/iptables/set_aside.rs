//! Options that are kept without being understood.

use super::options::Options;
use super::print::push_not;
use super::quoting::push_word;

/// Options as given, under their main names.
pub(super) fn options_text(o: &Options<'_>) -> String {
    let mut out = String::new();
    for given in o.given {
        push_not(&mut out, given.not);
        out.push_str(" --");
        out.push_str(given.option.name);
        for arg in &given.args {
            // `root` is number 0 everywhere; other names depend on the host.
            let owner = matches!(given.option.name, "uid-owner" | "gid-owner");
            push_word(&mut out, if owner && arg.text == "root" { "0" } else { &arg.text });
        }
    }
    out.trim_start().to_owned()
}
