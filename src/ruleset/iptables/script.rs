//! stub
use super::{Context, Parsed};
use crate::ruleset::error::RuleError;
use std::sync::Arc;
/// stub
pub fn parse_script(_text: &str, _file: &Arc<str>, _context: &Context) -> Result<Parsed, RuleError> {
    Ok(Parsed::default())
}
