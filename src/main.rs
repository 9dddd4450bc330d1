//! The `jabberscope` program: parses the command line, runs it, prints what went wrong.
#![allow(clippy::print_stderr)] // the one place that prints errors

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match jabberscope::cli::run(std::env::args_os()) {
        Ok(status) => status.into(),
        Err(error) => {
            error.print();
            error.status().into()
        }
    }
}
