//! Files of a candidate in, one ruleset out: which language a file is in is told by its content.

use super::error::{Place, RuleError};
use super::model::{Family, Note, Ruleset};
use std::path::Path;
use std::sync::Arc;

/// Longest rule file: the largest real ones (country sets) have some tens of megabytes.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// A candidate.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Name of its first file, without folder and ending.
    pub name: String,
    /// Its files.
    pub files: Vec<RuleFile>,
    /// What is in them.
    pub ruleset: Arc<Ruleset>,
}

/// A file of a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFile {
    /// As it was named.
    pub path: String,
    /// What it is written in.
    pub language: Language,
    /// What is in it.
    pub text: String,
}

/// A rule language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// `iptables-save` or `ip6tables-save`, by family.
    IptablesSave(Family),
    /// A shell script of `iptables` commands.
    IptablesScript,
    /// `ipset save`.
    Ipset,
    /// An nftables script.
    Nft,
    /// `nft -j list ruleset`.
    NftJson,
    /// An l7-filter pattern.
    L7Pattern,
}

impl Language {
    /// As a person calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::IptablesSave(Family::Ip6) => "ip6tables-save",
            Self::IptablesSave(_) => "iptables-save",
            Self::IptablesScript => "iptables script",
            Self::Ipset => "ipset save",
            Self::Nft => "nftables script",
            Self::NftJson => "nftables JSON",
            Self::L7Pattern => "l7-filter pattern",
        }
    }
}
