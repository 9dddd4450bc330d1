//! The table itself.
