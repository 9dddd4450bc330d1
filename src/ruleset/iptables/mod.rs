//! iptables: `iptables-save` files and shell scripts of `iptables` commands in; tables of the rule model out, and
//! `iptables-save` text again.
//!
//! | file | does |
//! |---|---|
//! | `words`, `shell` | text into words, as `iptables-restore` and as a shell split it |
//! | `save`, `script` | lines into commands |
//! | `line` | one command's words into options, as `getopt_long` and libxtables assign them |
//! | `options`, `extension` | what an extension's options are, and which extensions there are |
//! | `matches`, `targets` | each extension: its options into parameters, and parameters printed |
//! | `tables` | commands carried out on chains |
//! | `building`, `built_in` | tables while they are read, and the chains that the kernel's have |
//! | `print` | rules and tables as `iptables-save` 1.8.9 prints them |
//!
//! Options, limits and user-space arithmetic are those of iptables 1.8.9. Where its two backends print a rule
//! differently, the form of `iptables-nft` is printed; both are read.

mod address;
mod bounds;
mod building;
mod built_in;
mod cycles;
mod dscp;
mod extension;
mod line;
mod matches;
mod names;
mod options;
mod print;
mod quoting;
mod rule;
mod save;
mod script;
mod set_aside;
mod set_options;
mod shell;
mod tables;
mod targets;
mod unmodelled;
mod values;
mod words;

#[cfg(test)]
mod tests;

use super::error::Place;
use super::l7::Pattern;
use super::model::{Note, Table};
use std::sync::Arc;

pub use print::{Counters, print_save};
pub use save::parse_save;
pub use script::parse_script;

/// What rules may refer to that stands in other files of the same candidate.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// Patterns for `-m layer7 --l7proto`.
    pub patterns: Vec<Arc<Pattern>>,
    /// Names of the ipsets there are; `None` if not known, then any name is taken.
    pub sets: Option<Vec<Arc<str>>>,
}

/// What a file gives.
#[derive(Debug, Clone, Default)]
pub struct Parsed {
    /// Tables in the order in which they appear; one of a name and family.
    pub tables: Vec<Table>,
    /// Remarks for a person.
    pub notes: Vec<Note>,
    /// `ipset` commands of a script, without the word `ipset`: for the parser of ipset files.
    pub ipset: Vec<(Place, String)>,
}
