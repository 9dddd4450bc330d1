//! Rule languages in, one rule model out: [`model::Ruleset`].
//!
//! | folder | reads |
//! |---|---|
//! | `iptables` | `iptables-save` files and shell scripts of `iptables` commands |
//! | `ipset` | `ipset save` files |
//! | `nft` | nftables scripts and `nft -j` JSON |
//! | `l7` | l7-filter patterns |
//!
//! What a rule does to a packet is not known here: see `replay`.

pub mod error;
pub mod ipset;
pub mod iptables;
pub mod l7;
pub mod lint;
pub mod load;
pub mod model;
pub mod nft;
pub mod xt;

pub use error::{Place, RuleError};
