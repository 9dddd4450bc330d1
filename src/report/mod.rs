//! Stub.
mod error;
pub mod tables;
pub use error::ReportError;
