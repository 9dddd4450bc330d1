//! What nft 1.0.6 does not print: that a set is `dynamic`, and the width of keys that it calls `integer` (of a `typeof`
//! set). Both are found from the rules that use the set.

use super::super::ast::Script;

pub(super) fn complete(_script: &mut Script) {}
