//! What differs between operating systems: sending with MSG_MORE, and sendfile. The portable form writes and copies.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::sync::OnceLock;

/// Receives into the first slice, and what comes beyond it into the second; returns the sum.
pub(crate) fn receive(socket: RawFd, first: &mut [MaybeUninit<u8>], second: &mut [u8]) -> io::Result<usize> {
    let slices = [
        libc::iovec { iov_base: first.as_mut_ptr().cast(), iov_len: first.len() },
        libc::iovec { iov_base: second.as_mut_ptr().cast(), iov_len: second.len() },
    ];
    // SAFETY: both slices are ours to write to, for as long as the call takes.
    let received = unsafe { libc::readv(socket, slices.as_ptr(), if second.is_empty() { 1 } else { 2 }) };
    usize::try_from(received).map_err(|_| io::Error::last_os_error())
}

/// Descriptors that connections leave to the process's files: half of all, and not more than this.
const KEPT_DESCRIPTORS: usize = 8192;

/// Whether a connection that got this descriptor should be let go of. The system gives the lowest one that is free, so
/// a high one says that nearly all below it are taken.
pub(crate) fn is_kept(descriptor: RawFd) -> bool {
    static FROM: OnceLock<usize> = OnceLock::new();
    let from = FROM.get_or_init(|| {
        // SAFETY: rlimit is plain data, and all zeros are a value of it.
        let mut limit: libc::rlimit = unsafe { std::mem::zeroed() };
        // SAFETY: the limit outlives the call.
        let known = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } == 0;
        let all = if known { usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX) } else { usize::MAX };
        all - (all / 2).min(KEPT_DESCRIPTORS)
    });
    usize::try_from(descriptor).is_ok_and(|descriptor| descriptor >= *from)
}

#[cfg(target_os = "linux")]
mod linux {
    use super::*;

    /// Sends as much as the socket takes. `more`: the rest of the answer follows at once, so don't push a short packet.
    pub fn send(socket: RawFd, slices: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
        // SAFETY: an all-zero msghdr is valid; IoSlice has the layout of iovec, and sendmsg doesn't write to the data.
        let sent = unsafe {
            let mut message: libc::msghdr = std::mem::zeroed();
            message.msg_iov = slices.as_ptr() as *mut libc::iovec;
            message.msg_iovlen = slices.len() as _;
            let flags = libc::MSG_NOSIGNAL | if more { libc::MSG_MORE } else { 0 };
            libc::sendmsg(socket, &message, flags)
        };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }

    /// Sends from the page cache. Some(0): the file ended before `position`. None: this file can't be sent so.
    pub fn send_file(socket: RawFd, file: RawFd, position: u64, length: usize) -> io::Result<Option<usize>> {
        let mut offset = position as libc::off_t;
        // SAFETY: plain system call on two descriptors that the caller keeps open.
        let sent = unsafe { libc::sendfile(socket, file, &mut offset, length) };
        match usize::try_from(sent) {
            Ok(sent) => Ok(Some(sent)),
            Err(_) => match io::Error::last_os_error() {
                error if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS)) => Ok(None),
                error => Err(error),
            },
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod portable {
    use super::*;

    pub fn send(socket: RawFd, slices: &[IoSlice<'_>], _more: bool) -> io::Result<usize> {
        // SAFETY: IoSlice has the layout of iovec, and writev doesn't write to the data.
        let sent = unsafe { libc::writev(socket, slices.as_ptr().cast(), slices.len() as libc::c_int) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }

    pub fn send_file(_: RawFd, _: RawFd, _: u64, _: usize) -> io::Result<Option<usize>> {
        Ok(None)
    }
}

#[cfg(target_os = "linux")]
pub(crate) use linux::{send, send_file};
#[cfg(not(target_os = "linux"))]
pub(crate) use portable::{send, send_file};
