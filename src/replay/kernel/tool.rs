//! Runs the real tools in this thread's namespace, with a time limit, and without what the user's environment says.

use super::KernelError;
use super::sys;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// A program that must be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tool {
    /// Name of the program.
    pub name: &'static str,
    /// Package that it comes in.
    pub package: &'static str,
}

/// `ip` of iproute2.
pub(super) const IP: Tool = Tool { name: "ip", package: "iproute2" };
/// `nft`.
pub(super) const NFT: Tool = Tool { name: "nft", package: "nftables" };
/// `ipset`.
pub(super) const IPSET: Tool = Tool { name: "ipset", package: "ipset" };

/// Longest that a tool may take: large sets take seconds.
const LIMIT: Duration = Duration::from_secs(60);
/// Most that a tool may print. Beyond it the rest is thrown away, and reading the counters fails.
const MOST_OUTPUT: u64 = 1 << 30;
/// Where programs of administrators lie, also for users without them in PATH.
const FOLDERS: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a tool said.
pub(super) struct Said {
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output.
    pub output: Vec<u8>,
    /// Standard error, as text.
    pub errors: String,
}

impl Tool {
    /// Runs it; an error only if it could not be run to its end.
    pub fn run(self, arguments: &[&str], input: &[u8]) -> Result<Said, KernelError> {
        let mut command = Command::new(self.find()?);
        command.args(arguments).env_clear().env("PATH", FOLDERS).env("LC_ALL", "C");
        // A host name in a rule is looked up by the tool: not for long.
        command.env("RES_OPTIONS", "attempts:1 timeout:1");
        command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        sys::die_with_this_thread(&mut command);
        let child = command.spawn().map_err(|error| self.failed(&error.to_string()))?;
        self.follow(child, input)
    }

    /// Runs it and wants it to succeed; gives what it printed.
    pub fn output(self, arguments: &[&str], input: &[u8]) -> Result<String, KernelError> {
        let said = self.run(arguments, input)?;
        if !said.status.success() {
            return Err(self.failed(said.errors.trim()));
        }
        Ok(String::from_utf8_lossy(&said.output).into_owned())
    }

    fn find(self) -> Result<PathBuf, KernelError> {
        let mut places = FOLDERS.split(':').map(|folder| PathBuf::from(folder).join(self.name));
        places.find(|place| place.is_file()).ok_or(KernelError::MissingTool { tool: self.name, package: self.package })
    }

    fn failed(self, message: &str) -> KernelError {
        KernelError::Tool { tool: self.name, message: message.to_owned() }
    }

    /// Feeds and reads the process in threads, because it may write before it has read all, and stop doing either.
    fn follow(self, mut child: Child, input: &[u8]) -> Result<Said, KernelError> {
        let ends = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(mut stdin), Some(stdout), Some(stderr)) = ends else { return Err(self.failed("no pipes")) };
        let until = Instant::now() + LIMIT;
        std::thread::scope(|scope| {
            // A tool that refuses its input closes it early: its exit status says so.
            scope.spawn(move || stdin.write_all(input).ok());
            let (output, errors) = (mpsc::channel(), mpsc::channel());
            scope.spawn(move || output.0.send(read_all(stdout)));
            scope.spawn(move || errors.0.send(read_all(stderr)));
            let in_time = |receiver: &mpsc::Receiver<Vec<u8>>| {
                receiver.recv_timeout(until.saturating_duration_since(Instant::now()))
            };
            let (output, errors) = (in_time(&output.1), in_time(&errors.1));
            let (Ok(output), Ok(errors)) = (output, errors) else {
                // The threads end once the process has.
                child.kill().ok();
                child.wait().ok();
                return Err(KernelError::TooSlow { tool: self.name, seconds: LIMIT.as_secs() });
            };
            let status = child.wait().map_err(|error| self.failed(&error.to_string()))?;
            Ok(Said { status, output, errors: String::from_utf8_lossy(&errors).into_owned() })
        })
    }
}

fn read_all(mut pipe: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    if pipe.by_ref().take(MOST_OUTPUT).read_to_end(&mut bytes).is_ok() {
        std::io::copy(&mut pipe, &mut std::io::sink()).ok();
    }
    bytes
}
