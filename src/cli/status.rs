//! Exit statuses, as the contract has them.

use std::process::ExitCode;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// 0: done.
    Done,
    /// 1: a gate failed (`--fail-on`).
    GateFailed,
    /// 2: wrong usage, or input that cannot be read.
    Unusable,
    /// 3: a defect of the program.
    Internal,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        ExitCode::from(match status {
            Status::Done => 0,
            Status::GateFailed => 1,
            Status::Unusable => 2,
            Status::Internal => 3,
        })
    }
}
