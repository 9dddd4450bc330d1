//! Key logs in the format of SSLKEYLOGFILE (RFC 9850), with the older lines that Wireshark reads too.

/// Malformed lines that are listed; a file with more of them is not worth a list.
const MAX_LISTED: usize = 16;

/// What a line gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    Master,
    Premaster,
    Early,
    ClientHandshake,
    ServerHandshake,
    ClientApplication,
    ServerApplication,
    /// `RSA Session-ID:<id> Master-Key:<master secret>`, as OpenSSL's s_client prints it.
    Session,
    /// `RSA <first 8 bytes of the encrypted premaster secret> <premaster secret>`.
    EncryptedPremaster,
}

/// A line: whose secret, and the secret.
#[derive(Debug)]
pub(super) struct Line {
    pub label: Label,
    /// A client's random, a session id, or the front of an encrypted premaster secret.
    pub name: Vec<u8>,
    pub secret: Vec<u8>,
}

/// A line of a known label that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MalformedLine {
    /// Its number, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub cause: String,
}

/// What became of the lines of a key log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogReading {
    /// Secrets taken in.
    pub secrets: u64,
    /// Lines with a label that key logs have, used here or not, malformed ones too.
    pub known: u64,
    /// First line with another label.
    pub first_unknown: Option<u64>,
    /// Malformed lines in all.
    pub malformed: u64,
    /// The first of them.
    pub listed: Vec<MalformedLine>,
}

/// Reads the lines of a key log.
pub(super) fn read(text: &[u8], mut take: impl FnMut(Line)) -> LogReading {
    let mut reading = LogReading::default();
    for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        match parse(line) {
            Parsed::Line(line) => {
                reading.known += 1;
                reading.secrets += 1;
                take(line);
            }
            Parsed::NotUsed => reading.known += 1,
            Parsed::Unknown => reading.first_unknown = reading.first_unknown.or(Some(number)),
            Parsed::Malformed(cause) => {
                reading.known += 1;
                reading.malformed += 1;
                if reading.listed.len() < MAX_LISTED {
                    reading.listed.push(MalformedLine { line: number, cause });
                }
            }
        }
    }
    reading
}

enum Parsed {
    Line(Line),
    NotUsed,
    Unknown,
    Malformed(String),
}

fn parse(line: &[u8]) -> Parsed {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let mut next = || words.next().unwrap_or_default();
    let (label, name, secret) = (next(), next(), next());
    let label = match label {
        b"CLIENT_RANDOM" => Label::Master,
        b"PMS_CLIENT_RANDOM" => Label::Premaster,
        b"CLIENT_EARLY_TRAFFIC_SECRET" => Label::Early,
        b"CLIENT_HANDSHAKE_TRAFFIC_SECRET" => Label::ClientHandshake,
        b"SERVER_HANDSHAKE_TRAFFIC_SECRET" => Label::ServerHandshake,
        b"CLIENT_TRAFFIC_SECRET_0" => Label::ClientApplication,
        b"SERVER_TRAFFIC_SECRET_0" => Label::ServerApplication,
        b"RSA" if name.starts_with(b"Session-ID:") => Label::Session,
        b"RSA" => Label::EncryptedPremaster,
        b"EXPORTER_SECRET" | b"EARLY_EXPORTER_SECRET" | b"ECH_SECRET" | b"ECH_CONFIG" => return Parsed::NotUsed,
        _ => return Parsed::Unknown,
    };
    let name = name.strip_prefix(b"Session-ID:").unwrap_or(name);
    let secret = secret.strip_prefix(b"Master-Key:").unwrap_or(secret);
    match (field("name", name, name_bytes(label)), field("secret", secret, secret_bytes(label))) {
        (Ok(name), Ok(secret)) => Parsed::Line(Line { label, name, secret }),
        (Err(cause), _) | (_, Err(cause)) => Parsed::Malformed(cause),
    }
}

/// Bytes that a name may have, at least and at most.
fn name_bytes(label: Label) -> &'static [usize] {
    match label {
        Label::Session => &[],
        Label::EncryptedPremaster => &[8],
        _ => &[32],
    }
}

fn secret_bytes(label: Label) -> &'static [usize] {
    match label {
        Label::Master | Label::Session => &[48],
        // Of a Diffie-Hellman exchange it is as long as the group has it.
        Label::Premaster => &[],
        Label::EncryptedPremaster => &[48],
        _ => &[32, 48],
    }
}

/// Hex digits of one of the lengths; of any, if none is named.
fn field(what: &str, digits: &[u8], lengths: &[usize]) -> Result<Vec<u8>, String> {
    let wanted: Vec<String> = lengths.iter().map(|length| (2 * length).to_string()).collect();
    let wanted = if wanted.is_empty() { "some".to_owned() } else { wanted.join(" or ") };
    let fits = lengths.is_empty() && !digits.is_empty() || lengths.iter().any(|length| 2 * length == digits.len());
    if !fits {
        return Err(format!("{what} of {} characters, expected {wanted} hex digits", digits.len()));
    }
    unhex(digits).ok_or_else(|| format!("{what} that is not in hex digits"))
}

fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let byte = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
    rest.is_empty().then(|| pairs.iter().map(byte).collect())?
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)] // tests
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(text: &str) -> (Vec<Line>, LogReading) {
        let mut lines = Vec::new();
        let reading = read(text.as_bytes(), |line| lines.push(line));
        (lines, reading)
    }

    #[test]
    fn lines_of_all_labels_are_read() {
        let (random, master, secret) = ("aB".repeat(32), "cd".repeat(48), "ef".repeat(32));
        let text = format!(
            "# a comment\r\n\nCLIENT_RANDOM {random} {master}\r\nCLIENT_TRAFFIC_SECRET_0 {random}  {secret}\n\
             SERVER_HANDSHAKE_TRAFFIC_SECRET {random} {master}\nRSA 0102030405060708 {master}\n\
             RSA Session-ID:0a0b Master-Key:{master}\nEXPORTER_SECRET {random} {secret}\nNEW_LABEL 1 2\n"
        );
        let (lines, reading) = lines(&text);
        let labels: Vec<Label> = lines.iter().map(|line| line.label).collect();
        let want = [
            Label::Master,
            Label::ClientApplication,
            Label::ServerHandshake,
            Label::EncryptedPremaster,
            Label::Session,
        ];
        assert_eq!(labels, want);
        assert_eq!((lines[0].name.as_slice(), lines[0].secret.as_slice()), (&[0xab; 32][..], &[0xcd; 48][..]));
        assert_eq!(lines[4].name, [10, 11]);
        let want = LogReading { secrets: 5, known: 6, first_unknown: Some(9), ..LogReading::default() };
        assert_eq!(reading, want);
    }

    #[test]
    fn malformed_lines_are_told_by_number_and_cause() {
        let random = "ab".repeat(32);
        let text =
            format!("CLIENT_RANDOM {random} {}\nCLIENT_RANDOM zz{} {}\n", &random[..50], &random[2..], "cd".repeat(48));
        let (lines, reading) = lines(&text);
        assert!(lines.is_empty());
        assert_eq!(reading.malformed, 2);
        let told: Vec<String> = reading.listed.iter().map(|one| format!("{}: {}", one.line, one.cause)).collect();
        assert_eq!(told, ["1: secret of 50 characters, expected 96 hex digits", "2: name that is not in hex digits"]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "(CLIENT_RANDOM|RSA|#)?[ 0-9a-f:\n\r]{0,300}") {
            lines(&text);
        }
    }
}
