//! `jabberscope policy init|check`

use super::{Failure, Status};
use crate::policy::{Policy, TEMPLATE};
use std::io::Write;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Print a policy file with every key explained; with FILE, write it there
    Init {
        /// Where to write it; refused if it is there already
        file: Option<PathBuf>,
    },
    /// Say what is wrong in a policy file
    Check {
        /// The policy file
        file: PathBuf,
    },
}

/// Writes or checks a policy file.
pub fn run(arguments: &Arguments) -> Result<Status, Failure> {
    match &arguments.action {
        Action::Init { file: None } => say(TEMPLATE),
        Action::Init { file: Some(path) } => {
            let written = std::fs::File::create_new(path).and_then(|mut file| file.write_all(TEMPLATE.as_bytes()));
            written.map_err(|error| Failure::Input(format!("{}: {error}", path.display())))?;
        }
        Action::Check { file } => {
            Policy::load(file).map_err(|error| Failure::Input(error.to_string()))?;
            say(&format!("{}: no errors\n", file.display()));
        }
    }
    Ok(Status::Done)
}

fn say(text: &str) {
    // A closed pipe is no error.
    let _ = anstream::stdout().write_all(text.as_bytes());
}
