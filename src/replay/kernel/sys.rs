//! System calls that the standard library does not have: namespaces, packet sockets, a device's offload settings.
#![allow(unsafe_code)] // the only file of the engine that has any

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

/// Frames that go to or come from the kernel in one call.
pub(super) const BATCH: usize = 64;
/// Bytes of a received frame that are kept: the link-layer header, an IP header, and a marker's number.
pub(super) const KEPT: usize = 80;

/// `linux/if_packet.h`; libc does not name it everywhere.
const PACKET_IGNORE_OUTGOING: libc::c_int = 23;

/// Puts this thread into a new network namespace.
pub(super) fn unshare_net() -> io::Result<()> {
    // SAFETY: takes a number; changes only which namespace this thread is in.
    done(unsafe { libc::unshare(libc::CLONE_NEWNET) })
}

/// Puts this thread into a network namespace.
pub(super) fn enter(namespace: &File) -> io::Result<()> {
    // SAFETY: the descriptor is open for as long as it is borrowed; the kernel checks that it is a network namespace.
    done(unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) })
}

/// Keeps this thread on the processor it runs on: its packets are then handled there one after the other, in order.
pub(super) fn stay_on_this_cpu() -> io::Result<()> {
    // SAFETY: no arguments.
    let cpu = usize::try_from(unsafe { libc::sched_getcpu() }).map_err(|_| io::Error::last_os_error())?;
    if cpu >= 8 * size_of::<libc::cpu_set_t>() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    // SAFETY: cpu_set_t is an array of integers, for which zero is a value; CPU_SET stays in it, as was just checked;
    // the kernel reads the given size from a set that lives on this stack.
    done(unsafe {
        let mut set: libc::cpu_set_t = zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set)
    })
}

/// The command's process is killed when this thread ends, so that it does not keep a namespace alive.
pub(super) fn die_with_this_thread(command: &mut Command) {
    let parent = std::process::id().cast_signed();
    // SAFETY: between fork and exec only prctl and getppid are called, which are async-signal-safe, and nothing is
    // allocated (an io::Error of a number or a kind is not).
    unsafe {
        command.pre_exec(move || {
            done(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
            // The parent may have gone before the call.
            if libc::getppid() == parent { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
        });
    }
}

/// A socket for whole frames. `protocol` 0 receives none, `ETH_P_ALL` all but those that this namespace sends.
pub(super) fn packet_socket(protocol: libc::c_int) -> io::Result<OwnedFd> {
    let network_order = i32::from((protocol as u16).to_be());
    let socket = new_socket(libc::AF_PACKET, network_order)?;
    set_option(&socket, libc::SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)?;
    Ok(socket)
}

/// A socket for IP packets with their header, as a program of the host would send them.
pub(super) fn raw_socket(v6: bool, mark: u32) -> io::Result<OwnedFd> {
    let socket = new_socket(if v6 { libc::AF_INET6 } else { libc::AF_INET }, libc::IPPROTO_RAW)?;
    set_option(&socket, libc::SOL_SOCKET, libc::SO_MARK, mark.cast_signed())?;
    if v6 {
        set_option(&socket, libc::SOL_IPV6, libc::IPV6_HDRINCL, 1)?;
    }
    Ok(socket)
}

/// Room for what may wait in a socket, past the limits of ordinary users.
pub(super) fn set_buffers(socket: &OwnedFd, bytes: i32) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, bytes)?;
    set_option(socket, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, bytes)
}

fn new_socket(family: libc::c_int, protocol: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: takes numbers.
    let fd = unsafe { libc::socket(family, libc::SOCK_RAW | libc::SOCK_CLOEXEC, protocol) };
    done(fd)?;
    // SAFETY: just opened, and owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn set_option(socket: &OwnedFd, level: libc::c_int, name: libc::c_int, value: i32) -> io::Result<()> {
    // SAFETY: the value lives on this stack, and its size is given.
    done(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    })
}

/// Number of an interface of this thread's namespace.
pub(super) fn interface_index(name: &str) -> io::Result<i32> {
    let name = CString::new(name)?;
    // SAFETY: a string that ends in NUL and lives until the call returns.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => i32::try_from(index).map_err(|_| io::ErrorKind::InvalidData.into()),
    }
}

/// Frames that a packet socket dropped because nobody read them in time, since the last call.
pub(super) fn dropped(socket: &OwnedFd) -> io::Result<u64> {
    // SAFETY: two integers, for which zero is a value; the kernel writes no more than the size it is given.
    let (answer, statistics) = unsafe {
        let mut statistics: libc::tpacket_stats = zeroed();
        let mut size = size_of::<libc::tpacket_stats>() as libc::socklen_t;
        let answer = libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut statistics).cast(),
            &raw mut size,
        );
        (answer, statistics)
    };
    done(answer)?;
    Ok(u64::from(statistics.tp_drops))
}

/// Turns a device's offloads off, as `ethtool -K` does. What the device cannot change is left: `true` if all were taken.
pub(super) fn offload_off(device: &str) -> io::Result<bool> {
    /// `SIOCETHTOOL` of `linux/sockios.h`.
    const SIOCETHTOOL: u32 = 0x8946;
    /// `ETHTOOL_SRXCSUM`, `STXCSUM`, `SSG`, `STSO`, `SGSO`, `SGRO` of `linux/ethtool.h`.
    const SETTINGS: [u32; 6] = [0x15, 0x17, 0x19, 0x1f, 0x24, 0x2c];
    let socket = new_datagram_socket()?;
    let mut all = true;
    for setting in SETTINGS {
        let mut value: [u32; 2] = [setting, 0];
        // SAFETY: ifreq is integers, characters and a union of such, for which zero is a value. The name is cut to leave
        // a NUL. The pointer leads to the `ethtool_value` on this stack, which outlives the call.
        let answer = unsafe {
            let mut request: libc::ifreq = zeroed();
            for (to, from) in request.ifr_name.iter_mut().take(libc::IFNAMSIZ - 1).zip(device.bytes()) {
                *to = from as libc::c_char;
            }
            request.ifr_ifru.ifru_data = value.as_mut_ptr().cast();
            libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL as _, &raw mut request)
        };
        all &= answer == 0;
    }
    Ok(all)
}

fn new_datagram_socket() -> io::Result<OwnedFd> {
    // SAFETY: takes numbers.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    done(fd)?;
    // SAFETY: just opened, and owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sends frames, each out of an interface, in order and in one call; [`BATCH`] at most. Gives how many were sent; an
/// error is that of the first.
pub(super) fn send_frames<'f>(socket: &OwnedFd, frames: impl Iterator<Item = (i32, &'f [u8])>) -> io::Result<usize> {
    // SAFETY: the arrays are integers and pointers, for which zero is a value (an empty message). Each message used
    // points to an address and a vector in arrays that are not moved before the call, and the vector to a borrowed
    // frame; the kernel only reads them.
    unsafe {
        let mut addresses: [libc::sockaddr_ll; BATCH] = zeroed();
        let mut vectors: [libc::iovec; BATCH] = zeroed();
        let mut messages: [libc::mmsghdr; BATCH] = zeroed();
        let mut count: libc::c_uint = 0;
        let places = addresses.iter_mut().zip(&mut vectors).zip(&mut messages);
        for (((address, vector), message), (interface, frame)) in places.zip(frames) {
            address.sll_family = libc::AF_PACKET as libc::c_ushort;
            address.sll_ifindex = interface;
            vector.iov_base = frame.as_ptr().cast_mut().cast();
            vector.iov_len = frame.len();
            message.msg_hdr.msg_name = (&raw mut *address).cast();
            message.msg_hdr.msg_namelen = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
            message.msg_hdr.msg_iov = &raw mut *vector;
            message.msg_hdr.msg_iovlen = 1;
            count += 1;
        }
        let sent = libc::sendmmsg(socket.as_raw_fd(), messages.as_mut_ptr(), count, 0);
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}

/// A frame that came in: where, and its first bytes.
#[derive(Clone, Copy)]
pub(super) struct Received {
    /// Number of the interface.
    pub interface: i32,
    /// How many of the bytes are the frame's.
    pub len: usize,
    /// First bytes.
    pub bytes: [u8; KEPT],
}

impl Received {
    /// The bytes that were kept.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&self.bytes)
    }
}

/// Takes the frames that wait, [`BATCH`] at most; none if none waits.
pub(super) fn receive_frames(socket: &OwnedFd, into: &mut Vec<Received>) -> io::Result<()> {
    into.clear();
    // SAFETY: the arrays are bytes, integers and pointers, for which zero is a value. Each message points to an address
    // and a vector in arrays that are not moved before the call, the vector to a buffer of the size it tells; the kernel
    // writes no more than that.
    let (count, buffers, addresses, messages) = unsafe {
        let mut buffers = [[0u8; KEPT]; BATCH];
        let mut addresses: [libc::sockaddr_ll; BATCH] = zeroed();
        let mut vectors: [libc::iovec; BATCH] = zeroed();
        let mut messages: [libc::mmsghdr; BATCH] = zeroed();
        let places = buffers.iter_mut().zip(&mut addresses).zip(&mut vectors).zip(&mut messages);
        for (((buffer, address), vector), message) in places {
            vector.iov_base = buffer.as_mut_ptr().cast();
            vector.iov_len = KEPT;
            message.msg_hdr.msg_name = (&raw mut *address).cast();
            message.msg_hdr.msg_namelen = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
            message.msg_hdr.msg_iov = &raw mut *vector;
            message.msg_hdr.msg_iovlen = 1;
        }
        let flags = libc::MSG_DONTWAIT as _;
        let no_timeout = std::ptr::null_mut();
        let count = libc::recvmmsg(socket.as_raw_fd(), messages.as_mut_ptr(), BATCH as libc::c_uint, flags, no_timeout);
        (count, buffers, addresses, messages)
    };
    let Ok(count) = usize::try_from(count) else {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::WouldBlock { Ok(()) } else { Err(error) };
    };
    let frames = buffers.iter().zip(&addresses).zip(&messages).take(count);
    into.extend(frames.map(|((bytes, address), message)| Received {
        interface: address.sll_ifindex,
        len: (message.msg_len as usize).min(KEPT),
        bytes: *bytes,
    }));
    Ok(())
}

/// Waits until a frame can be taken; `false` if none came in time.
pub(super) fn wait_for_frames(socket: &OwnedFd, timeout: Duration) -> io::Result<bool> {
    let mut wanted = libc::pollfd { fd: socket.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let milliseconds = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: one structure on this stack, and its number.
    match unsafe { libc::poll(&raw mut wanted, 1, milliseconds) } {
        0 => Ok(false),
        answer => done(answer).map(|()| true),
    }
}

/// Kernel release, as `uname -r` prints it.
pub(super) fn kernel_release() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()
}

fn done(answer: libc::c_int) -> io::Result<()> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
