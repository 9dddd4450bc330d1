//! The command line: one file a subcommand, no logic that a user of the library would miss.

mod analyze;
mod policy;
mod progress;
mod replay;
mod rules;
mod status;

pub use status::Status;

use clap::{ColorChoice, Parser, Subcommand};
use std::ffi::OsString;

/// Offline forensic analyzer for XMPP sites: reads captures, finds what was given away and what was done.
#[derive(Debug, Parser)]
#[command(name = "jabberscope", version, about, max_term_width = 110, propagate_version = true)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Args)]
struct Common {
    /// Threads to work with; the output does not depend on it [default: one a core]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Print nothing but errors
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Say more: files left out, numbers of packets, flows and rows
    #[arg(short, long, global = true)]
    verbose: bool,
    /// Print a machine-readable result on standard output
    #[arg(long, global = true)]
    json: bool,
    /// Colours: auto, always, never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: ColorChoice,
    /// No progress bar (there is none anyway unless standard error is a terminal)
    #[arg(long, global = true)]
    no_progress: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Find out what happened in captures: findings, tables, charts and a page in a case folder
    Analyze(analyze::Arguments),
    /// Ask firewall rulesets about captures: which rules hit, what they stop, what they miss, whom they hurt
    Replay(replay::Arguments),
    /// Read rule files without a capture: errors, what is not modelled, rules that cannot matter
    Rules(rules::Arguments),
    /// Write a policy file to start from, or check one
    Policy(policy::Arguments),
}

/// Why the program stops early.
pub enum Failure {
    /// The command line is wrong, or asks for help.
    Usage(clap::Error),
    /// Something could not be read or written: what, and why.
    Input(String),
    /// A defect of the program.
    Internal(String),
}

impl Failure {
    /// Tells the person at the terminal.
    #[allow(clippy::print_stderr)] // errors go to standard error, from here only
    pub fn print(&self) {
        match self {
            Self::Usage(error) => {
                // Nothing can be done if standard output is gone.
                let _ = error.print();
            }
            Self::Input(message) => eprintln!("jabberscope: {message}"),
            Self::Internal(message) => eprintln!("jabberscope: internal error: {message}"),
        }
    }

    /// The exit status that says so.
    pub fn status(&self) -> Status {
        match self {
            Self::Usage(error) if error.exit_code() == 0 => Status::Done,
            Self::Usage(_) | Self::Input(_) => Status::Unusable,
            Self::Internal(_) => Status::Internal,
        }
    }
}

/// Tells the person at the terminal what does not stop the program.
#[allow(clippy::print_stderr)] // warnings go to standard error, from here only
fn warn(message: &str) {
    eprintln!("jabberscope: {message}");
}

/// Runs a command line, program name first.
pub fn run(arguments: impl Iterator<Item = OsString>) -> Result<Status, Failure> {
    let Arguments { common, command } = Arguments::try_parse_from(arguments).map_err(Failure::Usage)?;
    match common.color {
        ColorChoice::Always => anstream::ColorChoice::Always.write_global(),
        ColorChoice::Never => anstream::ColorChoice::Never.write_global(),
        ColorChoice::Auto => anstream::ColorChoice::Auto.write_global(),
    }
    match command {
        Command::Analyze(arguments) => analyze::run(&common, &arguments),
        Command::Replay(arguments) => replay::run(&common, &arguments),
        Command::Rules(arguments) => rules::run(&common, &arguments),
        Command::Policy(arguments) => policy::run(&arguments),
    }
}
