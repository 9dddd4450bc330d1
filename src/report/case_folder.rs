//! The folder of a case: which files are in it, and what may be overwritten.
//!
//! All names in it are fixed here (carved files: by their SHA-256), so nothing from a capture chooses a path.

use super::ReportError;
use crate::table::TableId;
use std::fs;
use std::path::{Path, PathBuf};

pub(super) const CASE: &str = "case.json";
pub(super) const FINDINGS: &str = "findings.ndjson";
pub(super) const PAGE: &str = "report.html";
pub(super) const EVE: &str = "eve.json";
const HITS: &str = "hits.json";
/// Files that stand in the folder itself.
const FILES: [&str; 5] = [CASE, FINDINGS, PAGE, HITS, EVE];
/// Folders in it.
const FOLDERS: [&str; 3] = ["tables", "charts", "files"];
/// Endings that a capture's name may have.
const ENDINGS: [&str; 8] = ["pcap", "pcapng", "cap", "gz", "zst", "lz4", "xz", "dmp"];
/// Ending of a file that is not yet complete.
const UNFINISHED: &str = ".unfinished";

/// A folder that holds one case and is ours to write into.
#[derive(Debug, Clone)]
pub struct CaseFolder {
    root: PathBuf,
}

impl CaseFolder {
    /// Makes the folder, or empties the one of an earlier run of what that run wrote, and of nothing else.
    ///
    /// A folder is of an earlier run if `case.json` says so or if nothing is in it that could not be of one (a run
    /// that was stopped has no `case.json`). Any other folder is refused unless `force`; then, too, only files with
    /// the names of a case are replaced.
    pub fn create(root: impl Into<PathBuf>, force: bool) -> Result<Self, ReportError> {
        let root = root.into();
        fs::create_dir_all(&root).map_err(ReportError::io("create", &root))?;
        if !force
            && !is_case(&root)
            && let Some(entry) = foreign_entry(&root)?
        {
            return Err(ReportError::Occupied { folder: root, entry });
        }
        for path in own_entries(&root)? {
            fs::remove_file(&path).map_err(ReportError::io("remove", &path))?;
        }
        Ok(Self { root })
    }

    /// Where a case goes unless `-o` says otherwise: `reports/` and the name of the first CAPTURE argument, without
    /// the endings of captures and compression.
    pub fn default_path(first_capture: &str) -> PathBuf {
        let path = Path::new(first_capture);
        let name = path.file_name().and_then(|name| name.to_str()).filter(|name| *name != "-");
        let mut name = name.unwrap_or("capture");
        while let Some((stem, ending)) = name.rsplit_once('.')
            && !stem.is_empty()
            && ENDINGS.contains(&ending.to_ascii_lowercase().as_str())
        {
            name = stem;
        }
        // What is left of a pattern must be a plain name.
        let plain: String = name.chars().map(|c| if "*?[]".contains(c) { '_' } else { c }).collect();
        Path::new("reports").join(plain)
    }

    /// A folder that already holds a case.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, ReportError> {
        let root = root.into();
        if is_case(&root) {
            return Ok(Self { root });
        }
        Err(ReportError::NotACase { path: root.join(CASE), cause: "there is no case.json of this program".to_owned() })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Where `report.html` is.
    pub fn page(&self) -> PathBuf {
        self.root.join(PAGE)
    }

    /// Where `findings.ndjson` is.
    pub fn findings(&self) -> PathBuf {
        self.root.join(FINDINGS)
    }

    /// Where `case.json` is.
    pub fn case_json(&self) -> PathBuf {
        self.root.join(CASE)
    }

    /// Where `hits.json` is.
    pub fn hits(&self) -> PathBuf {
        self.root.join(HITS)
    }

    /// Writes `hits.json`.
    pub fn write_hits(&self, content: &[u8]) -> Result<(), ReportError> {
        self.write(HITS, content)
    }

    /// Adds a section to `report.html`: id, title and HTML whose text is escaped. Without a page there is nothing to do.
    pub fn add_to_page(&self, section: (&str, &str), content: &str) -> Result<(), ReportError> {
        let path = self.page();
        let page = fs::read_to_string(&path).map_err(ReportError::io("read", &path))?;
        match super::page::with_section(&page, section, content) {
            Some(page) => self.write(PAGE, page.as_bytes()),
            None => Ok(()),
        }
    }

    /// The folder for tables, made when first asked for.
    pub fn tables(&self) -> Result<PathBuf, ReportError> {
        self.subfolder("tables")
    }

    /// The folder for carved files, made when first asked for.
    pub fn files(&self) -> Result<PathBuf, ReportError> {
        self.subfolder("files")
    }

    /// The folder for charts, made when first asked for.
    pub fn charts(&self) -> Result<PathBuf, ReportError> {
        self.subfolder("charts")
    }

    /// Puts a complete file in place in one step: a reader sees the old one or the new one, never half of it.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> Result<(), ReportError> {
        let path = self.root.join(name);
        let unfinished = self.root.join(format!("{name}{UNFINISHED}"));
        fs::write(&unfinished, content).map_err(ReportError::io("write", &unfinished))?;
        fs::rename(&unfinished, &path).map_err(ReportError::io("write", &path))
    }

    fn subfolder(&self, name: &str) -> Result<PathBuf, ReportError> {
        let path = self.root.join(name);
        fs::create_dir_all(&path).map_err(ReportError::io("create", &path))?;
        Ok(path)
    }
}

/// `true` if `case.json` is there and names this program.
fn is_case(root: &Path) -> bool {
    let Ok(text) = fs::read_to_string(root.join(CASE)) else { return false };
    let Ok(case) = serde_json::from_str::<serde_json::Value>(&text) else { return false };
    case.get("tool").and_then(serde_json::Value::as_str) == Some(super::case_info::TOOL)
}

/// `true` for the names that a case folder gives to files in `folder` ("" for the case folder itself).
fn is_own_name(folder: &str, name: &str) -> bool {
    let name = name.strip_suffix(UNFINISHED).unwrap_or(name);
    match folder {
        "" => FILES.contains(&name),
        "tables" => name.rsplit_once('.').is_some_and(|(stem, ending)| {
            ["parquet", "csv", "ndjson"].contains(&ending) && (TableId::ALL.iter().any(|id| id.name() == stem))
        }),
        "charts" => name
            .rsplit_once('.')
            .is_some_and(|(stem, ending)| ["svg", "png"].contains(&ending) && super::charts::NAMES.contains(&stem)),
        // Named by their SHA-256, perhaps with an ending.
        "files" => {
            let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
            stem.len() == 64 && stem.bytes().all(|byte| byte.is_ascii_hexdigit())
        }
        _ => false,
    }
}

/// Every entry with its place in a case folder. Links are not followed.
fn entries(root: &Path) -> Result<Vec<(&'static str, fs::DirEntry)>, ReportError> {
    let mut all = Vec::new();
    for folder in [""].into_iter().chain(FOLDERS) {
        let path = if folder.is_empty() { root.to_owned() } else { root.join(folder) };
        if !folder.is_empty() && !fs::symlink_metadata(&path).is_ok_and(|data| data.is_dir()) {
            continue;
        }
        for entry in fs::read_dir(&path).map_err(ReportError::io("read", &path))? {
            all.push((folder, entry.map_err(ReportError::io("read", &path))?));
        }
    }
    all.sort_by_key(|(_, entry)| entry.path());
    Ok(all)
}

fn is_own(folder: &str, entry: &fs::DirEntry) -> bool {
    let is_file = entry.file_type().is_ok_and(|kind| !kind.is_dir());
    is_file && entry.file_name().to_str().is_some_and(|name| is_own_name(folder, name))
}

/// The first thing in the folder that no run of this program writes.
fn foreign_entry(root: &Path) -> Result<Option<PathBuf>, ReportError> {
    let is_subfolder = |folder: &str, entry: &fs::DirEntry| {
        folder.is_empty()
            && entry.file_type().is_ok_and(|kind| kind.is_dir())
            && entry.file_name().to_str().is_some_and(|name| FOLDERS.contains(&name))
    };
    // A case.json that is not ours is foreign, whatever its name.
    let is_other_case = |folder: &str, entry: &fs::DirEntry| folder.is_empty() && entry.file_name() == CASE;
    let foreign = |(folder, entry): &(&str, fs::DirEntry)| {
        is_other_case(folder, entry) || !(is_own(folder, entry) || is_subfolder(folder, entry))
    };
    Ok(entries(root)?.into_iter().find(foreign).map(|(_, entry)| entry.path()))
}

fn own_entries(root: &Path) -> Result<Vec<PathBuf>, ReportError> {
    let own = entries(root)?.into_iter().filter(|(folder, entry)| is_own(folder, entry));
    Ok(own.map(|(_, entry)| entry.path()).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)] // tests
    use super::*;

    fn touch(root: &Path, names: &[&str]) {
        for name in names {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
    }

    #[test]
    fn what_is_not_ours_is_refused_and_survives_force() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        touch(root, &["notes.txt", "tables/mine.csv", "tables/flows.csv", "report.html"]);
        let refused = CaseFolder::create(root, false).unwrap_err();
        assert!(matches!(&refused, ReportError::Occupied { entry, .. } if entry.ends_with("notes.txt")), "{refused}");
        assert!(root.join("report.html").exists());
        CaseFolder::create(root, true).unwrap();
        assert!(root.join("notes.txt").exists() && root.join("tables/mine.csv").exists());
        assert!(!root.join("report.html").exists() && !root.join("tables/flows.csv").exists());
    }

    #[test]
    fn a_stopped_run_and_a_complete_one_may_be_done_again() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let carved = format!("files/{}", "a1".repeat(32));
        touch(root, &["findings.ndjson.unfinished", "tables/flows.parquet", "charts/timeline.svg", &carved]);
        let case = CaseFolder::create(root, false).unwrap();
        assert_eq!(own_entries(root).unwrap(), Vec::<PathBuf>::new());
        case.write(CASE, br#"{"tool":"jabberscope"}"#).unwrap();
        touch(root, &["report.html", "notes.txt"]);
        CaseFolder::create(root, false).unwrap();
        assert!(root.join("notes.txt").exists() && !root.join("report.html").exists() && !root.join(CASE).exists());
    }

    #[test]
    fn a_case_of_another_program_is_not_ours() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(CASE), r#"{"tool":"other"}"#).unwrap();
        assert!(matches!(CaseFolder::create(folder.path(), false), Err(ReportError::Occupied { .. })));
        assert!(CaseFolder::open(folder.path()).is_err());
    }

    #[test]
    fn the_default_folder_is_named_by_the_first_capture() {
        for (capture, name) in [
            ("a/01.pcap", "reports/01"),
            ("big.PCAPNG.gz", "reports/big"),
            ("site.v2.pcap.zst", "reports/site.v2"),
            ("captures/", "reports/captures"),
            ("-", "reports/capture"),
            ("..", "reports/capture"),
            ("in/*.pcap", "reports/_"),
        ] {
            assert_eq!(CaseFolder::default_path(capture), Path::new(name), "{capture}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        touch(elsewhere.path(), &["flows.csv"]);
        std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("tables")).unwrap();
        assert!(CaseFolder::create(folder.path(), false).is_err());
        CaseFolder::create(folder.path(), true).unwrap();
        assert!(elsewhere.path().join("flows.csv").exists());
    }
}
