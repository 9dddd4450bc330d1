//! Rule files into the kernel, by the real tools.
//!
//! The tools run as root, and some take more than rules from a file: `ipset` can be told to write files, `iptables` to
//! run a program. Such files are refused before a tool sees them.

use super::bench::{Bench, guard};
use super::tool::{IPSET, NFT, Tool};
use super::{Backend, FileKind, KernelError, KernelFile, KernelRun};

/// Loads all files, in the order of their kinds; gives what the tools warned of.
pub(super) fn load(run: &KernelRun<'_>, bench: &Bench) -> Result<Vec<String>, KernelError> {
    let mut warnings = Vec::new();
    let kinds = [
        &[FileKind::Ipset][..],
        &[FileKind::Iptables4],
        &[FileKind::Iptables6],
        &[FileKind::NftScript, FileKind::NftJson],
    ];
    for kinds in kinds {
        for file in run.rules.iter().filter(|file| kinds.contains(&file.kind)) {
            bench.check_isolation()?;
            warnings.extend(load_file(run, file)?);
        }
    }
    Ok(warnings)
}

/// Tools of iptables: to restore and to save.
pub(super) fn iptables(backend: Backend, v6: bool) -> (Tool, Tool) {
    let (restore, save) = match (backend, v6) {
        (Backend::Nft, false) => ("iptables-nft-restore", "iptables-nft-save"),
        (Backend::Nft, true) => ("ip6tables-nft-restore", "ip6tables-nft-save"),
        (Backend::Legacy, false) => ("iptables-legacy-restore", "iptables-legacy-save"),
        (Backend::Legacy, true) => ("ip6tables-legacy-restore", "ip6tables-legacy-save"),
    };
    (Tool { name: restore, package: "iptables" }, Tool { name: save, package: "iptables" })
}

fn load_file(run: &KernelRun<'_>, file: &KernelFile<'_>) -> Result<Option<String>, KernelError> {
    let with_guard;
    let (tool, arguments, text): (_, &[&str], &[u8]) = match file.kind {
        FileKind::Ipset => {
            check(file, refused_of_ipset)?;
            (IPSET, &["restore"], &file.text)
        }
        FileKind::Iptables4 | FileKind::Iptables6 => {
            check(file, refused_of_iptables)?;
            let (restore, _) = iptables(run.backend, file.kind == FileKind::Iptables6);
            // The lock is the host's: another program may hold it for a moment.
            let arguments: &[&str] = if run.backend == Backend::Legacy { &["-w", "20"] } else { &[] };
            (restore, arguments, &file.text)
        }
        FileKind::NftScript => {
            // In one transaction, because a script that begins with `flush ruleset` takes the guard away.
            with_guard = [&*file.text, guard(&run.vantage).as_bytes()].concat();
            (NFT, &["-f", "-"], &with_guard)
        }
        FileKind::NftJson => (NFT, &["-j", "-f", "-"], &file.text),
    };
    let said = tool.run(arguments, text)?;
    // nft names standard input so.
    let message = said.errors.trim().replace("/dev/stdin", &file.name);
    if !said.status.success() {
        return Err(KernelError::Load { file: file.name.clone(), tool: tool.name, message });
    }
    Ok((!message.is_empty()).then(|| format!("{}: {}: {message}", file.name, tool.name)))
}

/// Looks at every line, split as the tools split it.
fn check(file: &KernelFile<'_>, refused: fn(&[Vec<u8>]) -> Option<&'static str>) -> Result<(), KernelError> {
    for (number, line) in file.text.split(|byte| *byte == b'\n').enumerate() {
        if let Some(what) = refused(&words(line)) {
            return Err(KernelError::Refused { file: file.name.clone(), line: number + 1, what });
        }
    }
    Ok(())
}

/// Words of a line as `add_param_to_argv` of iptables splits them: a closing quote ends a word too.
fn words(line: &[u8]) -> Vec<Vec<u8>> {
    let (mut words, mut word) = (Vec::new(), Vec::new());
    let (mut quoted, mut escaped) = (false, false);
    for &byte in line {
        match byte {
            _ if escaped => {
                word.push(byte);
                escaped = false;
            }
            b'\\' if quoted => escaped = true,
            b'"' if !quoted => quoted = true,
            b'"' | b' ' | b'\t' | b'\r' if byte == b'"' || !quoted => {
                quoted = false;
                words.push(std::mem::take(&mut word));
            }
            _ => word.push(byte),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// `--modprobe`, also abbreviated or behind flags, makes iptables run a program.
fn refused_of_iptables(words: &[Vec<u8>]) -> Option<&'static str> {
    let runs = |word: &[u8]| match word {
        [b'-', b'-', long @ ..] => {
            let name = long.split(|byte| *byte == b'=').next().unwrap_or_default();
            name.len() >= 2 && b"modprobe".starts_with(name)
        }
        [b'-', short @ ..] => {
            let flags = short.iter().take_while(|byte| b"46bfhnvx".contains(byte)).count();
            short.get(flags) == Some(&b'M')
        }
        _ => false,
    };
    let comment = words.first().is_some_and(|word| word.starts_with(b"#"));
    (!comment && words.iter().any(|word| runs(word))).then_some("'--modprobe' runs a program")
}

/// Of ipset only what makes and fills sets is taken, and never its option to write or read a file.
fn refused_of_ipset(words: &[Vec<u8>]) -> Option<&'static str> {
    const COMMANDS: [&str; 33] = [
        "create",
        "n",
        "-N",
        "--create",
        "add",
        "a",
        "-A",
        "--add",
        "del",
        "d",
        "-D",
        "--del",
        "flush",
        "f",
        "-F",
        "--flush",
        "destroy",
        "x",
        "-X",
        "--destroy",
        "rename",
        "e",
        "-E",
        "--rename",
        "swap",
        "w",
        "-W",
        "--swap",
        "test",
        "t",
        "-T",
        "--test",
        "COMMIT",
    ];
    let first = words.first()?;
    if first.starts_with(b"#") {
        return None;
    }
    // Flags may stand before the command.
    let command = words.iter().find(|word| !matches!(word.as_slice(), b"-!" | b"-exist" | b"--exist"))?;
    if !COMMANDS.iter().any(|known| known.as_bytes() == command.as_slice()) {
        return Some("a command that does not make or fill sets");
    }
    let file = |word: &Vec<u8>| word.starts_with(b"-f") || word.starts_with(b"--f") && word.as_slice() != b"--flush";
    words.iter().any(file).then_some("'-file' reads or writes a file")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(text: &str, kind: FileKind) -> KernelFile<'_> {
        KernelFile { name: "x".to_owned(), text: text.as_bytes().into(), kind }
    }

    #[test]
    fn a_file_cannot_make_iptables_run_a_program() {
        for bad in [
            "-A FORWARD --modprobe=/bin/true -m nothing",
            "-A FORWARD -j ACCEPT --mod /bin/true",
            "-A FORWARD \"-M\" /bin/true",
            "-A FORWARD -\"M\" /bin/true",
            "[0:0] -A FORWARD -vM/bin/true",
            "-A FORWARD --mo\"dpro\"",
            "-A FORWARD \"--\\modprobe\" /x",
        ] {
            let text = format!("*filter\n{bad}\nCOMMIT\n");
            let error = check(&file(&text, FileKind::Iptables4), refused_of_iptables).unwrap_err();
            assert!(matches!(error, KernelError::Refused { line: 2, .. }), "{bad}");
        }
        for good in [
            "-A FORWARD -m statistic --mode nth --every 3 -j MARK",
            "-A FORWARD -m time --monthdays 1 -j LOG --log-prefix \"a \\\"-M\\\" \"",
            "# --modprobe is not for files",
            "-A POSTROUTING -jMASQUERADE",
        ] {
            check(&file(good, FileKind::Iptables4), refused_of_iptables).unwrap();
        }
    }

    #[test]
    fn a_file_cannot_make_ipset_write_files() {
        for bad in ["save -file /x", "create a hash:ip -file /x", "-! save", "list", "-f /x save", "restore -f /x"] {
            assert!(check(&file(bad, FileKind::Ipset), refused_of_ipset).is_err(), "{bad}");
        }
        let good =
            "# sets\ncreate a hash:ip family inet\n-exist add a 10.0.0.1\n-! add a 10.0.0.2\n\nflush a\nCOMMIT\n";
        check(&file(good, FileKind::Ipset), refused_of_ipset).unwrap();
    }

    proptest! {
        #[test]
        fn words_come_apart_at_blanks(words in proptest::collection::vec("[a-z!-/:=]{1,8}", 0..6)) {
            let plain = words.iter().all(|word| !word.contains('"'));
            prop_assume!(plain);
            let found = super::words(words.join(" \t").as_bytes());
            prop_assert_eq!(found, words.into_iter().map(String::into_bytes).collect::<Vec<_>>());
        }
    }
}
