//! Short names of captures: the file name, with as many folders as it takes to tell it from the others.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

/// A unique name for each path, in their order.
pub(super) fn short_names(paths: &[&str]) -> Arc<[String]> {
    let parts: Vec<Vec<String>> = paths.iter().map(|path| components(path)).collect();
    let mut depths = vec![1_usize; paths.len()];
    loop {
        let names: Vec<String> = parts.iter().zip(&depths).map(|(parts, depth)| tail(parts, *depth)).collect();
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for name in &names {
            *counts.entry(name).or_default() += 1;
        }
        let mut longer = false;
        for ((name, parts), depth) in names.iter().zip(&parts).zip(&mut depths) {
            if counts.get(name.as_str()).is_some_and(|count| *count > 1) && *depth < parts.len() {
                *depth += 1;
                longer = true;
            }
        }
        if !longer {
            return numbered(names).into();
        }
    }
}

/// Folders and file name. Where the path itself tells too little, the folder it was called from says more.
fn components(path: &str) -> Vec<String> {
    if path == "-" {
        return vec!["stdin".to_owned()];
    }
    let path = Path::new(path);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let file = path.file_name().unwrap_or(path.as_os_str());
    folder.join(file).iter().filter(|part| *part != "/").map(|part| part.to_string_lossy().into_owned()).collect()
}

fn tail(parts: &[String], depth: usize) -> String {
    parts.get(parts.len().saturating_sub(depth)..).unwrap_or_default().join("/")
}

/// Names that folders could not tell apart get a number.
fn numbered(names: Vec<String>) -> Vec<String> {
    let mut taken = HashSet::new();
    let mut unique = Vec::with_capacity(names.len());
    for name in names {
        let mut candidate = name.clone();
        let mut number = 1;
        while !taken.insert(candidate.clone()) {
            number += 1;
            candidate = format!("{name}#{number}");
        }
        unique.push(candidate);
    }
    unique
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_take_as_many_folders_as_they_need() {
        let paths = ["/nowhere/a/x.pcap", "/nowhere/b/x.pcap", "/nowhere/b/y.pcap", "/other/b/x.pcap", "-"];
        assert_eq!(*short_names(&paths), ["a/x.pcap", "nowhere/b/x.pcap", "y.pcap", "other/b/x.pcap", "stdin"]);
    }

    #[test]
    fn equal_paths_are_numbered() {
        assert_eq!(
            *short_names(&["m", "m", "m"]),
            ["m", "m#2", "m#3"].map(|name| {
                let folder = std::env::current_dir().map(|folder| folder.join(name)).unwrap_or_default();
                components(&folder.to_string_lossy()).join("/")
            })
        );
    }
}
