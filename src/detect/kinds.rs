//! The kinds of findings: names, severities, layers, techniques. One line a kind.

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// A weakness of little use to an attacker.
    Low,
    /// A weakness, or a sign of trouble.
    Medium,
    /// An attack, or an open door.
    High,
    /// Control or secrets are lost.
    Critical,
}

impl Severity {
    /// All severities, mildest first.
    pub const ALL: &'static [Severity] = &[Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// Lower-case name, as in the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// Where a rule could stop it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// By addresses.
    Ip,
    /// By ports and connection state.
    Transport,
    /// By content only.
    Application,
}

impl Layer {
    /// Lower-case name, as in the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Transport => "transport",
            Self::Application => "application",
        }
    }
}

macro_rules! kinds {
    ($($variant:ident = $name:literal, $severity:ident, $layer:ident, [$($attack:literal),*], $what:literal;)*) => {
        /// A kind of finding.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $(#[doc = $what] $variant),* }

        impl Kind {
            /// All kinds, in the order of the contract.
            pub const ALL: &'static [Kind] = &[$(Kind::$variant),*];

            /// Name as in the contract, e.g. `credential.cleartext`.
            pub fn name(self) -> &'static str {
                match self { $(Kind::$variant => $name),* }
            }

            /// How bad it is by nature.
            pub fn severity(self) -> Severity {
                match self { $(Kind::$variant => Severity::$severity),* }
            }

            /// The lowest layer at which a rule could stop it.
            pub fn layer(self) -> Layer {
                match self { $(Kind::$variant => Layer::$layer),* }
            }

            /// MITRE ATT&CK techniques.
            pub fn attack(self) -> &'static [&'static str] {
                match self { $(Kind::$variant => &[$($attack),*]),* }
            }

            /// What it is, in a line.
            pub fn what(self) -> &'static str {
                match self { $(Kind::$variant => $what),* }
            }
        }
    };
}

kinds! {
    CredentialCleartext = "credential.cleartext", Critical, Application, ["T1040", "T1078"], "A password crosses readable";
    CredentialGuessable = "credential.guessable", Medium, Application, ["T1040", "T1110.002"], "A login's challenge and response can be guessed against offline";
    CredentialToken = "credential.token", High, Application, ["T1040", "T1528"], "A bearer token or dialback key crosses readable";
    CredentialBruteforce = "credential.bruteforce", High, Application, ["T1110.001"], "Many failed logins by one source";
    CookieLeaked = "cookie.leaked", Critical, Application, ["T1552", "T1040"], "An Erlang cookie is readable";
    CookieWeak = "cookie.weak", Critical, Application, ["T1110.002"], "An Erlang cookie is a well-known word";
    CookieRejected = "cookie.rejected", Medium, Application, ["T1110.001"], "A distribution handshake failed on the cookie";
    ErlangCleartext = "erlang.cleartext", Medium, Transport, ["T1040"], "Erlang nodes talk without TLS";
    ErlangOutsideCluster = "erlang.outside-cluster", High, Ip, ["T1021"], "A node or address outside the cluster speaks Erlang distribution";
    ErlangRemoteExec = "erlang.remote-exec", Critical, Application, ["T1059", "T1021"], "A command or code is run on another Erlang node";
    ErlangCodeLoad = "erlang.code-load", Critical, Application, ["T1105", "T1059"], "Code is sent to another Erlang node";
    EpmdEnumeration = "epmd.enumeration", Medium, Ip, ["T1046", "T1018"], "Node names or ports asked from outside the cluster";
    EpmdControl = "epmd.control", High, Application, ["T1489", "T1499"], "KILL, STOP or DUMP asked of EPMD";
    EpmdImpostor = "epmd.impostor", High, Application, ["T1036", "T1557"], "A node name is registered that belongs to another";
    EpmdMalformed = "epmd.malformed", Low, Application, ["T1046"], "Bytes on EPMD that are not EPMD";
    JidDenied = "jid.denied", High, Application, ["T1078"], "A JID that the policy denies takes part";
    JidExternalContact = "jid.external-contact", High, Application, ["T1048"], "A JID kept inside talks to another domain";
    XmppCleartextStream = "xmpp.cleartext-stream", High, Transport, ["T1040"], "An XMPP stream carries stanzas without TLS";
    XmppStarttlsStripped = "xmpp.starttls-stripped", Critical, Application, ["T1557", "T1562.010"], "STARTTLS was removed or refused where it is expected";
    XmppDialbackOnly = "xmpp.dialback-only", Medium, Application, ["T1557"], "A server is trusted on DNS alone";
    XmppXmlAttack = "xmpp.xml-attack", High, Application, ["T1499.004"], "DTD, entity or processing instruction in a stream";
    XmppMalformed = "xmpp.malformed", Medium, Application, ["T1499.004"], "A stream that is not well-formed";
    XmppOversizedStanza = "xmpp.oversized-stanza", Medium, Application, ["T1499.003"], "A stanza over the policy's size";
    XmppFlood = "xmpp.flood", Medium, Application, ["T1499.003"], "Stanzas of one sender over the policy's rate";
    XmppSpim = "xmpp.spim", Medium, Application, ["T1566.003"], "One text to many";
    XmppMaliciousLink = "xmpp.malicious-link", High, Application, ["T1566.002", "T1204.001"], "A link to a program";
    XmppAdminCommand = "xmpp.admin-command", High, Application, ["T1098", "T1040"], "Administration over a readable stream";
    TransferFile = "transfer.file", Info, Application, ["T1048", "T1105"], "A file moved";
    TransferDenied = "transfer.denied", High, Application, ["T1048"], "A file moved against the policy";
    TransferPeerToPeer = "transfer.peer-to-peer", Medium, Ip, ["T1048"], "A transfer that goes around the server";
    SensitiveFileExposed = "sensitive-file.exposed", Critical, Application, ["T1552.001"], "A configuration, key or password file inside a transfer";
    DnsUnapprovedResolver = "dns.unapproved-resolver", Medium, Ip, ["T1071.004", "T1572"], "A query to a resolver that is not approved";
    DnsConflictingAnswer = "dns.conflicting-answer", High, Application, ["T1557"], "Two answers to one query that disagree";
    DnsUnsolicitedAnswer = "dns.unsolicited-answer", Medium, Application, ["T1557"], "A DNS answer without a query";
    DnsRebinding = "dns.rebinding", High, Application, ["T1557"], "An outside name answered with an inside address";
    DnsTunnel = "dns.tunnel", High, Application, ["T1071.004", "T1572"], "Data carried in names or answers";
    DnsUnsigned = "dns.unsigned", Low, Application, ["T1557"], "Answers for XMPP domains without DNSSEC";
    XmppUnresolvedPeer = "xmpp.unresolved-peer", Medium, Ip, ["T1557"], "A stream to an address that no seen answer gave for its domain";
    TlsWeak = "tls.weak", Medium, Transport, ["T1040", "T1600"], "Old TLS version, weak suite, or RSA key exchange";
    TlsCertificate = "tls.certificate", Medium, Transport, ["T1557", "T1588.004"], "A certificate that is expired, self-signed, or not for the domain";
    ServiceUnexpected = "service.unexpected", Medium, Transport, ["T1133"], "A service that the policy does not open";
    ServiceCleartextAdmin = "service.cleartext-admin", High, Application, ["T1040", "T1133"], "Web administration or API over plain HTTP";
    FloodConnections = "flood.connections", Medium, Ip, ["T1499.001"], "Connections of one source over the policy's rate";
    ScanPorts = "scan.ports", Medium, Ip, ["T1046"], "One source tries many ports";
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
