//! `jabberscope analyze`

use super::progress::Progress;
use super::{Common, Failure, Status};
use crate::analyze::{self, AnalyzeError, Case, Options};
use crate::capture::Spool;
use crate::detect::cookie::WordList;
use crate::detect::erlang::CallClasses;
use crate::detect::{Settings, Severity};
use crate::policy::Policy;
use crate::protocol::tls::{KeyFileError, Keys, MalformedLine};
use crate::report::{Formats, terminal};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Longest quote of a term or text in evidence, in characters: a command line fits, a module does not.
const QUOTE_CHARS: usize = 2_000;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  jabberscope analyze captures/
  jabberscope analyze ring-*.pcapng.gz --policy site.toml -o cases/2026-03
  tcpdump -r all.pcap -w - port 5222 | jabberscope analyze - --fail-on high

Exit status: 0 done; 1 a finding of --fail-on's severity; 2 wrong usage, or nothing could be read; 3 internal error.")]
pub struct Arguments {
    #[command(flatten)]
    case: CaseArguments,
    /// Carve the files that moved into files/ of the case folder, named by their SHA-256
    #[arg(long)]
    extract_files: bool,
    /// Exit with status 1 if there is a finding of this severity or worse: info, low, medium, high, critical
    #[arg(long, value_name = "SEVERITY", value_parser = parse_severity)]
    fail_on: Option<Severity>,
}

/// What every run over captures is told.
#[derive(Debug, clap::Args)]
pub struct CaseArguments {
    /// Captures: files, folders, patterns, or - for standard input; pcap or pcapng, plain or gzip, zstd, lz4, xz
    #[arg(required = true, value_name = "CAPTURE")]
    captures: Vec<String>,
    /// Case folder [default: reports/<name of the first capture>]
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Replace a case that is in the folder already
    #[arg(long)]
    force: bool,
    /// What the site allows (TOML); see `jabberscope policy init`
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// TLS key log (SSLKEYLOGFILE format) to open TLS with; may be given several times
    #[arg(long, value_name = "FILE")]
    keylog: Vec<PathBuf>,
    /// RSA private key of a server (PEM or DER), for TLS with RSA key exchange; may be given several times
    #[arg(long, value_name = "FILE")]
    rsa_key: Vec<PathBuf>,
    /// Words to try as Erlang cookies, one a line, beside the well-known ones
    #[arg(long, value_name = "FILE")]
    cookie_list: Option<PathBuf>,
    /// The site's own Erlang cookie, or @FILE with one a line: tells who holds it outside the cluster; may be repeated
    #[arg(long, value_name = "COOKIE")]
    known_cookie: Vec<String>,
    /// Module/function classes that count as remote execution, beside the built-in ones: lines of MODULE FUNCTION CLASS,
    /// `*` for any function, class `ignore` to exempt; what a file says replaces what was there; may be repeated
    #[arg(long, value_name = "FILE")]
    erlang_classes: Vec<PathBuf>,
    /// Show passwords, cookies, tokens and message bodies as they are
    #[arg(long)]
    reveal_secrets: bool,
    /// File formats of the tables, joined by commas: parquet, csv, ndjson [default: parquet]
    #[arg(long, value_name = "LIST")]
    tables: Option<Formats>,
    /// Write the findings as alerts in Suricata's EVE JSON too
    #[arg(long)]
    eve: bool,
}

fn parse_severity(text: &str) -> Result<Severity, String> {
    Severity::ALL
        .iter()
        .copied()
        .find(|severity| severity.name() == text)
        .ok_or_else(|| "expected info, low, medium, high or critical".to_owned())
}

/// Analyses captures and says what was found.
pub fn run(common: &Common, arguments: &Arguments) -> Result<Status, Failure> {
    let options = Options { extract_files: arguments.extract_files, ..arguments.case.options(common)? };
    let progress = Progress::new(common.quiet || common.no_progress || common.json);
    let result = analyze::run(&options, &|done, total| progress.update(done, total));
    progress.finish();
    let case = result.map_err(failure)?;
    print(common, &case);
    let gate = arguments.fail_on.is_some_and(|limit| case.findings.iter().any(|finding| finding.severity >= limit));
    Ok(if gate { Status::GateFailed } else { Status::Done })
}

/// What a failed analysis is to the person at the terminal.
pub(super) fn failure(error: AnalyzeError) -> Failure {
    match error {
        AnalyzeError::Threads { .. } => Failure::Internal(error.to_string()),
        AnalyzeError::Capture(_) | AnalyzeError::Report(_) => Failure::Input(error.to_string()),
    }
}

impl CaseArguments {
    /// The options of the analysis.
    pub(super) fn options(&self, common: &Common) -> Result<Options, Failure> {
        let policy = match &self.policy {
            Some(path) => Some(Arc::new(Policy::load(path).map_err(|error| Failure::Input(error.to_string()))?)),
            None => None,
        };
        let cookie_words = match &self.cookie_list {
            Some(path) => Arc::new(read_words(path)?),
            None => Arc::default(),
        };
        let (keys, malformed_key_lines) = self.keys(common)?;
        Ok(Options {
            keys,
            malformed_key_lines,
            captures: self.captures.clone(),
            kept: Spool::default(),
            output: self.output.clone(),
            force: self.force,
            settings: Settings {
                policy,
                cookie_words,
                known_cookies: self.known_cookies()?,
                erlang_classes: self.erlang_classes()?,
                quote_chars: QUOTE_CHARS,
            },
            reveal_secrets: self.reveal_secrets,
            formats: self.tables.unwrap_or_else(Formats::standard),
            eve: self.eve,
            extract_files: false,
            threads: common.threads.map(usize::from),
            command_line: Self::command_line(),
        })
    }

    fn erlang_classes(&self) -> Result<Arc<CallClasses>, Failure> {
        let mut classes = CallClasses::default();
        for path in &self.erlang_classes {
            let file = path.display().to_string();
            let text = std::fs::read_to_string(path).map_err(|error| Failure::Input(format!("{file}: {error}")))?;
            classes.extend(&text, &file).map_err(|error| Failure::Input(error.to_string()))?;
        }
        Ok(Arc::new(classes))
    }

    fn known_cookies(&self) -> Result<Arc<[String]>, Failure> {
        let mut cookies = Vec::new();
        for given in &self.known_cookie {
            match given.strip_prefix('@') {
                Some(path) => {
                    let list = read_words(Path::new(path))?;
                    cookies.extend(list.words().map(|word| String::from_utf8_lossy(word).into_owned()));
                }
                None => cookies.push(given.clone()),
            }
        }
        Ok(cookies.into())
    }

    /// The command line for the record, without cookies that were typed.
    fn command_line() -> Vec<String> {
        const OPTION: &str = "--known-cookie";
        let mut words: Vec<String> = std::env::args().collect();
        let mut is_cookie = false;
        for word in &mut words {
            let joined = word.strip_prefix(OPTION).and_then(|rest| rest.strip_prefix('='));
            if joined.is_some_and(|cookie| !cookie.starts_with('@')) {
                *word = format!("{OPTION}=[masked]");
            } else if is_cookie && !word.starts_with('@') {
                *word = "[masked]".to_owned();
            }
            is_cookie = word == OPTION;
        }
        words
    }
}

impl CaseArguments {
    /// Keys for TLS, and how many lines of key logs could not be used: a log that was cut short is no reason to stop.
    fn keys(&self, common: &Common) -> Result<(Keys, u64), Failure> {
        let failure = |error: KeyFileError| Failure::Input(error.to_string());
        let (mut keys, mut malformed) = (Keys::default(), 0);
        for path in &self.keylog {
            let reading = keys.load_log(path).map_err(failure)?;
            malformed += reading.malformed;
            for MalformedLine { line, cause } in reading.listed.iter().filter(|_| !common.quiet) {
                super::warn(&format!("{}: line {line}: {cause}; left out", path.display()));
            }
        }
        for path in &self.rsa_key {
            keys.load_rsa_key(path).map_err(failure)?;
        }
        Ok((keys, malformed))
    }
}

fn read_words(path: &Path) -> Result<WordList, Failure> {
    let bytes = std::fs::read(path).map_err(|error| Failure::Input(format!("{}: {error}", path.display())))?;
    Ok(WordList::from(bytes))
}

fn print(common: &Common, case: &Case) {
    let text = match (common.quiet, common.json) {
        (_, true) => case.info.to_json(),
        (true, false) => return,
        (false, false) => {
            let page = case.folder.page().display().to_string();
            let details = if common.verbose { terminal::details(&case.info) } else { String::new() };
            // anstream takes the colours out again where the terminal does not want them.
            details + &terminal::summary(&case.info, &case.findings, &page, true)
        }
    };
    // A closed pipe ends the printing, not the work: the case is written.
    let _ = anstream::stdout().write_all(text.as_bytes());
}
