//! The one file of this crate with calls that belong to one operating system. Each has a portable second form, which
//! is correct and merely slower or more cautious.

use super::{Map, Space};
use std::fs::File;
use std::io;

/// A pipe without a writer is opened at once, and not when one comes. Means nothing to a file.
#[cfg(unix)]
pub fn never_wait(options: &mut std::fs::OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    options.custom_flags(libc::O_NONBLOCK);
}

#[cfg(not(unix))]
pub fn never_wait(_options: &mut std::fs::OpenOptions) {}

/// Where the file has bytes next, from `at` on; `u64::MAX`: it has none.
#[cfg(target_os = "linux")]
pub fn data_from(file: &File, at: u64) -> io::Result<u64> {
    use std::os::fd::AsRawFd;
    let Ok(from) = libc::off_t::try_from(at) else { return Ok(u64::MAX) };
    // SAFETY: lseek takes no pointer, and nothing here reads at the descriptor's own position.
    let found = unsafe { libc::lseek(file.as_raw_fd(), from, libc::SEEK_DATA) };
    if let Ok(found) = u64::try_from(found) {
        return Ok(found);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::ENXIO) => Ok(u64::MAX),
        // A file system that can't tell.
        Some(libc::EINVAL | libc::EOPNOTSUPP) => Ok(at),
        _ => Err(error),
    }
}

#[cfg(not(target_os = "linux"))]
pub fn data_from(_file: &File, at: u64) -> io::Result<u64> {
    Ok(at)
}

/// Whether all of the range is in the page cache, without waiting for the disk.
#[cfg(target_os = "linux")]
pub fn resident(file: &File, at: u64, length: u64) -> bool {
    use std::os::fd::AsRawFd;
    if length == 0 {
        return true;
    }
    // The same number on every architecture that has it (Linux 6.5).
    const SYS_CACHESTAT: libc::c_long = 451;
    #[repr(C)]
    struct Range {
        offset: u64,
        length: u64,
    }
    #[repr(C)]
    #[derive(Default)]
    struct Stat {
        cached: u64,
        dirty: u64,
        writeback: u64,
        evicted: u64,
        recently_evicted: u64,
    }
    let range = Range { offset: at, length };
    let mut stat = Stat::default();
    // SAFETY: both structs have the layout of the kernel's cachestat_range and cachestat and outlive the call.
    let answer =
        unsafe { libc::syscall(SYS_CACHESTAT, file.as_raw_fd(), &raw const range, &raw mut stat, 0 as libc::c_uint) };
    if answer == 0 {
        // SAFETY: sysconf takes no pointer.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) }.max(4096) as u64;
        let pages = (at + length).div_ceil(page) - at / page;
        return stat.cached >= pages;
    }
    // Before Linux 6.5: ask for the last byte without waiting; pages before it are usually there too.
    let mut byte = [0u8; 1];
    let part = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    let last = (at + length - 1) as libc::off_t;
    // SAFETY: one part of one byte that outlives the call.
    unsafe { libc::preadv2(file.as_raw_fd(), &raw const part, 1, last, libc::RWF_NOWAIT) == 1 }
}

#[cfg(not(target_os = "linux"))]
pub fn resident(_file: &File, _at: u64, length: u64) -> bool {
    length == 0
}

/// Brings the range into the page cache by reading it through.
pub fn warm(file: &File, mut at: u64, length: u64) -> io::Result<()> {
    let end = at + length;
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd;
        // SAFETY: takes no pointer; advice only, its failure changes nothing.
        unsafe { libc::posix_fadvise(file.as_raw_fd(), at as i64, length as i64, libc::POSIX_FADV_WILLNEED) };
    }
    let mut buffer = vec![0; length.min(256 * 1024) as usize];
    while at < end {
        let want = (end - at).min(buffer.len() as u64) as usize;
        match read_at(file, &mut buffer[..want], at)? {
            0 => break,
            n => at += n as u64,
        }
    }
    Ok(())
}

#[cfg(unix)]
pub fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    use std::os::unix::fs::FileExt;
    file.read_at(into, at)
}

#[cfg(windows)]
pub fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    use std::os::windows::fs::FileExt;
    file.seek_read(into, at)
}

/// One vectored write; at most `IOV_MAX` parts are taken.
#[cfg(unix)]
pub fn write_at(file: &File, parts: &[io::IoSlice<'_>], at: u64) -> io::Result<usize> {
    use std::os::fd::AsRawFd;
    const IOV_MAX: usize = 1024;
    let count = parts.len().min(IOV_MAX) as libc::c_int;
    // SAFETY: IoSlice has the layout of iovec on unix; the parts outlive the call.
    let written = unsafe { libc::pwritev(file.as_raw_fd(), parts.as_ptr().cast(), count, at as libc::off_t) };
    if written < 0 { Err(io::Error::last_os_error()) } else { Ok(written as usize) }
}

#[cfg(windows)]
pub fn write_at(file: &File, parts: &[io::IoSlice<'_>], at: u64) -> io::Result<usize> {
    use std::os::windows::fs::FileExt;
    match parts.iter().find(|part| !part.is_empty()) {
        Some(part) => file.seek_write(part, at),
        None => Ok(0),
    }
}

#[cfg(unix)]
pub fn raw_fd(file: &File) -> Option<i32> {
    use std::os::fd::AsRawFd;
    Some(file.as_raw_fd())
}

#[cfg(not(unix))]
pub fn raw_fd(_file: &File) -> Option<i32> {
    None
}

/// The file's first bytes for stores.
#[cfg(target_os = "linux")]
pub fn map(file: &File, length: u64) -> io::Result<Box<dyn Map>> {
    Ok(Box::new(super::map::PosixMap::new(file, length)?))
}

#[cfg(not(target_os = "linux"))]
pub fn map(_file: &File, _length: u64) -> io::Result<Box<dyn Map>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Begins to write the file's dirty pages.
#[cfg(target_os = "linux")]
pub fn begin_writing(file: &File) {
    use std::os::fd::AsRawFd;
    // A hint: what it can't do, the sync does.
    // SAFETY: the descriptor is open, and nothing but numbers is passed.
    unsafe { libc::sync_file_range(file.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE) };
}

#[cfg(not(target_os = "linux"))]
pub fn begin_writing(_file: &File) {}

/// Makes the names in a folder durable.
#[cfg(unix)]
pub fn sync_folder(path: &str) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// A folder can't be opened for a sync there; the file system's journal orders names.
#[cfg(not(unix))]
pub fn sync_folder(_path: &str) -> io::Result<()> {
    Ok(())
}

/// Makes everything on the folder's file system durable. False where it isn't known to do that: a file system that lies
/// on others, in user space or on a network has its own notion of it.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn sync_everything(path: &str) -> io::Result<bool> {
    use std::os::fd::AsRawFd;
    const EXT: i64 = 0xef53;
    const XFS: i64 = 0x5846_5342;
    const BTRFS: i64 = 0x9123_683e;
    const F2FS: i64 = 0xf2f5_2010;
    let folder = File::open(path)?;
    // SAFETY: statfs is plain data, and all zeros are a value of it.
    let mut found: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the descriptor is open, and the struct outlives the call.
    if unsafe { libc::fstatfs(folder.as_raw_fd(), &raw mut found) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if ![EXT, XFS, BTRFS, F2FS].contains(&(found.f_type as i64)) {
        return Ok(false);
    }
    // SAFETY: the descriptor is open, and nothing but a number is passed.
    if unsafe { libc::syncfs(folder.as_raw_fd()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(true)
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn sync_everything(_path: &str) -> io::Result<bool> {
    Ok(false)
}

/// The room on the volume that the path lies on.
#[cfg(unix)]
pub fn space(path: &str) -> io::Result<Option<Space>> {
    let path = std::ffi::CString::new(path)?;
    // SAFETY: statvfs is plain data, and all zeros are a value of it.
    let mut found: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: the path ends with a zero byte, and both outlive the call.
    if unsafe { libc::statvfs(path.as_ptr(), &raw mut found) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize as u64);
    Ok(Some(Space { total: bytes(found.f_blocks as u64), usable: bytes(found.f_bavail as u64) }))
}

#[cfg(not(unix))]
pub fn space(_path: &str) -> io::Result<Option<Space>> {
    Ok(None)
}

/// Files, sockets included, that this process may have open at once.
#[cfg(unix)]
pub fn descriptors() -> usize {
    // SAFETY: rlimit is plain data, and all zeros are a value of it.
    let mut limit: libc::rlimit = unsafe { std::mem::zeroed() };
    // SAFETY: the limit outlives the call.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } == 0;
    if known { usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX) } else { 0 }
}

#[cfg(not(unix))]
pub fn descriptors() -> usize {
    0
}

/// What names a file however it is spelled: device and inode, or the canonical path.
#[cfg(unix)]
pub fn identity(file: &File, _path: &str) -> io::Result<String> {
    use std::os::unix::fs::MetadataExt;
    let metadata = file.metadata()?;
    Ok(format!("{}:{}", metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
pub fn identity(_file: &File, path: &str) -> io::Result<String> {
    Ok(std::fs::canonicalize(path)?.to_string_lossy().into_owned())
}

/// Why the system's lock was not given.
pub enum Refusal {
    Held { process: Option<u32> },
    Io(io::Error),
}

/// An open-file-description lock: it conflicts with the POSIX record lock that a JVM takes, and is not given twice
/// within one process as a record lock would be.
#[cfg(target_os = "linux")]
pub fn lock(file: &File) -> Result<(), Refusal> {
    use std::os::fd::AsRawFd;
    // SAFETY: flock is plain data; all zeros mean the whole file from its start.
    let mut wanted: libc::flock = unsafe { std::mem::zeroed() };
    wanted.l_type = libc::F_WRLCK as libc::c_short;
    wanted.l_whence = libc::SEEK_SET as libc::c_short;
    // SAFETY: `wanted` outlives the call.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const wanted) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    if !matches!(error.raw_os_error(), Some(libc::EAGAIN) | Some(libc::EACCES)) {
        return Err(Refusal::Io(error));
    }
    Err(lock_holder(file).err().unwrap_or(Refusal::Held { process: None }))
}

/// Locks a folder until it is closed; false if somebody else has it. Where folders can't be locked nobody has.
#[cfg(unix)]
pub fn lock_folder(folder: &File) -> bool {
    use std::os::fd::AsRawFd;
    // SAFETY: it gets a descriptor that is open.
    let outcome = unsafe { libc::flock(folder.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) };
    outcome == 0 || io::Error::last_os_error().kind() != io::ErrorKind::WouldBlock
}

#[cfg(not(unix))]
pub fn lock_folder(_folder: &File) -> bool {
    true
}

/// As `lock` would answer, without taking it; a file that is open for reading will do.
#[cfg(target_os = "linux")]
pub fn lock_holder(file: &File) -> Result<(), Refusal> {
    use std::os::fd::AsRawFd;
    // SAFETY: flock is plain data; all zeros mean the whole file from its start.
    let mut holder: libc::flock = unsafe { std::mem::zeroed() };
    holder.l_type = libc::F_WRLCK as libc::c_short;
    holder.l_whence = libc::SEEK_SET as libc::c_short;
    // SAFETY: `holder` outlives the call.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_GETLK, &raw mut holder) } != 0 {
        return Err(Refusal::Io(io::Error::last_os_error()));
    }
    if holder.l_type == libc::F_UNLCK as libc::c_short {
        return Ok(());
    }
    // A record lock (a JVM's) names its process; an open-file-description lock answers -1.
    Err(Refusal::Held { process: (holder.l_pid > 0).then_some(holder.l_pid as u32) })
}

#[cfg(not(target_os = "linux"))]
pub fn lock(file: &File) -> Result<(), Refusal> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(std::fs::TryLockError::WouldBlock) => Err(Refusal::Held { process: None }),
        Err(std::fs::TryLockError::Error(error)) => Err(Refusal::Io(error)),
    }
}

/// As `lock` would answer: a shared lock is taken for a moment, which conflicts with an exclusive one.
#[cfg(not(target_os = "linux"))]
pub fn lock_holder(file: &File) -> Result<(), Refusal> {
    match file.try_lock_shared() {
        Ok(()) => file.unlock().map_err(Refusal::Io),
        Err(std::fs::TryLockError::WouldBlock) => Err(Refusal::Held { process: None }),
        Err(std::fs::TryLockError::Error(error)) => Err(Refusal::Io(error)),
    }
}

/// What a failed sync is called. Of a write `is_no_space` says that nothing happened and that a later one may succeed;
/// of a sync nothing does: what it covered may be gone.
pub fn failed_sync(error: io::Error) -> io::Error {
    if is_no_space(&error) { io::Error::other(error) } else { error }
}

/// No room on the device or over the quota, or no descriptor for the file: what a write may answer and a log survives.
pub fn is_no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
        || is_no_descriptor(error)
}

/// The process or the system has too many files open.
#[cfg(unix)]
pub fn is_no_descriptor(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

#[cfg(not(unix))]
pub fn is_no_descriptor(_error: &io::Error) -> bool {
    false
}
