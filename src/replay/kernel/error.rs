//! Why the kernel could not be asked.

use std::io;

/// Why a run of the kernel engine ended without an answer.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// Another operating system.
    #[error("the kernel engine needs Linux; use --engine model")]
    NotLinux,
    /// No right to make network namespaces.
    #[error(
        "the kernel engine makes network namespaces of its own, which needs root (CAP_SYS_ADMIN and CAP_NET_ADMIN): {what}: {source}; \
         run as root, or use --engine model"
    )]
    NotPermitted {
        /// What was refused.
        what: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A program is not installed.
    #[error("{tool} is not installed: the kernel engine needs the package {package}")]
    MissingTool {
        /// The program.
        tool: &'static str,
        /// The package that most distributions have it in.
        package: &'static str,
    },
    /// The bench (namespaces, links, sockets) could not be built.
    #[error("the test bench could not be built: {what}: {message}")]
    Setup {
        /// Which part.
        what: &'static str,
        /// What the kernel or the tool said.
        message: String,
    },
    /// The thread is not in a namespace of its own. Nothing was loaded.
    #[error("the network namespace is not a new one: nothing was loaded")]
    SameNamespace,
    /// The real tool refused a rule file.
    #[error("{file}: {tool} refuses it: {message}")]
    Load {
        /// The file as it was named.
        file: String,
        /// The tool.
        tool: &'static str,
        /// What the tool said.
        message: String,
    },
    /// A rule file asks for more than rules; it was not given to the tool.
    #[error("{file}:{line}: {what}: not given to the tool, which runs as root")]
    Refused {
        /// The file as it was named.
        file: String,
        /// Line, from 1.
        line: usize,
        /// What it asks for.
        what: &'static str,
    },
    /// A tool did not end in time.
    #[error("{tool} did not end within {seconds} s")]
    TooSlow {
        /// The tool.
        tool: &'static str,
        /// The limit.
        seconds: u64,
    },
    /// A tool that must work failed.
    #[error("{tool} failed: {message}")]
    Tool {
        /// The tool.
        tool: &'static str,
        /// What it said.
        message: String,
    },
    /// What a tool printed could not be read.
    #[error("the counters that {tool} printed cannot be read: {message}")]
    Counters {
        /// The tool.
        tool: &'static str,
        /// What is wrong.
        message: String,
    },
    /// A socket failed in the middle of a run.
    #[error("{what}: {source}")]
    Socket {
        /// What was done.
        what: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// Packets went missing between the namespaces, so that counters would be too low.
    #[error("the kernel lost {lost} frames on the bench's own links; its counters would be too low")]
    Lost {
        /// How many.
        lost: u64,
    },
    /// The kernel did not hand on a frame that it must hand on.
    #[error("the kernel stopped handing on packets after {sent} packets")]
    Stalled {
        /// Packets sent before.
        sent: u64,
    },
    /// The capture lasts longer than a replay at its own timing may take.
    #[error("at the capture's own timing the replay takes over {limit} s (packet {packet})")]
    TooLong {
        /// The limit in seconds.
        limit: u64,
        /// Packet whose time lies beyond, from 1.
        packet: u64,
    },
    /// An interface name that the kernel does not take.
    #[error("'{name}' cannot be the name of a bench interface: {why}")]
    Interface {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl KernelError {
    /// The engine cannot work on this machine as it is, whatever it is asked: a test may be left out.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::NotLinux | Self::NotPermitted { .. } | Self::MissingTool { .. })
    }
}
