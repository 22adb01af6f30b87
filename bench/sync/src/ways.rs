//! The ways that are compared. Each makes appends durable until its time is over and counts what it did.

use crate::files::{Files, JOURNAL_BYTES};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

#[derive(Clone, Copy)]
pub enum Way {
    /// Each thread: an append to the next file, its fdatasync.
    Each { threads: usize },
    /// As `Each`, over bytes that were written before.
    WriteOver { threads: usize },
    /// Appends to `group` files; writing begun for all; then each file's fdatasync, on `threads`.
    Begun { group: usize, threads: usize },
    /// As `Begun`, without beginning first.
    Grouped { group: usize, threads: usize },
    /// Appends to `group` files, and an fdatasync of each through one ring, all in flight.
    Ring { group: usize },
    /// Appends to `group` files, then syncfs.
    FileSystem { group: usize },
    /// Appends to `group` files; the same bytes once more into a file written before; one fdatasync of that. `drain`:
    /// the files themselves are synced when the journal has gone round once, on a thread beside it.
    Journal { group: usize, drain: bool },
}

pub struct Done {
    pub appends: u64,
    pub syncs: u64,
}

pub fn ways(files: usize) -> Vec<(String, Way)> {
    let mut all = Vec::new();
    for threads in [1, 4, 16, 64] {
        if threads <= files || threads == 1 {
            all.push((format!("fdatasync each, {threads} threads"), Way::Each { threads }));
        }
    }
    for threads in [1, 4, 16] {
        if threads <= files || threads == 1 {
            all.push((format!("written over, {threads} threads"), Way::WriteOver { threads }));
        }
    }
    if files == 1 {
        all.push(("journal of 1".to_string(), Way::Journal { group: 1, drain: false }));
        return all;
    }
    for group in [16, 100] {
        all.push((format!("group of {group}, 4 threads"), Way::Grouped { group, threads: 4 }));
        all.push((format!("group of {group}, 16 threads"), Way::Grouped { group, threads: 16 }));
        all.push((format!("group of {group}, writing begun, 1 thread"), Way::Begun { group, threads: 1 }));
        all.push((format!("group of {group}, writing begun, 4 threads"), Way::Begun { group, threads: 4 }));
        all.push((format!("group of {group}, io_uring"), Way::Ring { group }));
        all.push((format!("group of {group}, syncfs"), Way::FileSystem { group }));
        all.push((format!("group of {group}, journal"), Way::Journal { group, drain: false }));
        all.push((format!("group of {group}, journal, drained"), Way::Journal { group, drain: true }));
    }
    all
}

impl Way {
    pub fn run(&self, files: &Files, until: Instant) -> io::Result<Done> {
        match *self {
            Way::Each { threads } => each(threads, until, |at| {
                let at = at % files.count();
                files.append(at)?;
                files.log(at).sync_data()
            }),
            Way::WriteOver { threads } => each(threads, until, |at| files.write_over(at)?.sync_data()),
            Way::Begun { group, threads } => grouped(files, group, until, |first, froms| {
                for (n, from) in froms.iter().enumerate() {
                    files.begin_writing((first + n) % files.count(), *from);
                }
                sync_group(files, first, group, threads)
            }),
            Way::Grouped { group, threads } => {
                grouped(files, group, until, |first, _| sync_group(files, first, group, threads))
            }
            Way::Ring { group } => ring(files, group, until),
            Way::FileSystem { group } => grouped(files, group, until, |_, _| files.sync_file_system().map(|()| 1)),
            Way::Journal { group, drain } => journal(files, group, drain, until),
        }
    }
}

fn each(threads: usize, until: Instant, one: impl Fn(usize) -> io::Result<()> + Sync) -> io::Result<Done> {
    let count = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                let (one, count) = (&one, &count);
                scope.spawn(move || -> io::Result<()> {
                    let mut at = thread;
                    while Instant::now() < until {
                        one(at)?;
                        at += threads;
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(())
                })
            })
            .collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("a worker"))
    })?;
    let appends = count.into_inner();
    Ok(Done { appends, syncs: appends })
}

fn grouped(
    files: &Files,
    group: usize,
    until: Instant,
    mut sync: impl FnMut(usize, &[u64]) -> io::Result<u64>,
) -> io::Result<Done> {
    let mut done = Done { appends: 0, syncs: 0 };
    let mut first = 0;
    while Instant::now() < until {
        let froms = (0..group).map(|n| files.append((first + n) % files.count())).collect::<io::Result<Vec<u64>>>()?;
        done.syncs += sync(first, &froms)?;
        done.appends += group as u64;
        first = (first + group) % files.count();
    }
    Ok(done)
}

fn sync_group(files: &Files, first: usize, group: usize, threads: usize) -> io::Result<u64> {
    let next = AtomicUsize::new(0);
    let work = || -> io::Result<()> {
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= group {
                return Ok(());
            }
            files.log((first + n) % files.count()).sync_data()?;
        }
    };
    if threads == 1 {
        work()?;
    } else {
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            workers.into_iter().try_for_each(|worker| worker.join().expect("a worker"))
        })?;
    }
    Ok(group as u64)
}

fn ring(files: &Files, group: usize, until: Instant) -> io::Result<Done> {
    let mut ring = io_uring::IoUring::new(group.next_power_of_two() as u32)?;
    grouped(files, group, until, |first, _| {
        for n in 0..group {
            let descriptor = io_uring::types::Fd(files.log((first + n) % files.count()).as_raw_fd());
            let sync = io_uring::opcode::Fsync::new(descriptor).flags(io_uring::types::FsyncFlags::DATASYNC).build();
            // SAFETY: the operation names no memory, and the file stays open until it has completed.
            unsafe { ring.submission().push(&sync) }.map_err(io::Error::other)?;
        }
        ring.submit_and_wait(group)?;
        match ring.completion().find(|completion| completion.result() < 0) {
            Some(failed) => Err(io::Error::from_raw_os_error(-failed.result())),
            None => Ok(group as u64),
        }
    })
}

fn journal(files: &Files, group: usize, drain: bool, until: Instant) -> io::Result<Done> {
    // Each entry with a header of about what a name, a base and a position take.
    let mut record = Vec::new();
    for _ in 0..group {
        record.extend([b'h'; 48]);
        record.extend(&files.payload);
    }
    let half = JOURNAL_BYTES / 2;
    let mut at = 0;
    let drained = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let mut drainer: Option<std::thread::ScopedJoinHandle<'_, io::Result<()>>> = None;
        let mut touched = std::collections::BTreeSet::new();
        let done = grouped(files, group, until, |first, _| {
            let begins = at;
            if at + record.len() as u64 > JOURNAL_BYTES {
                at = 0;
            }
            files.journal.write_all_at(&record, at)?;
            files.journal.sync_data()?;
            at += record.len() as u64;
            if !drain {
                return Ok(1);
            }
            touched.extend((0..group).map(|n| (first + n) % files.count()));
            if begins < half && at >= half || at < begins {
                if let Some(running) = drainer.take() {
                    running.join().expect("a drainer")?;
                }
                let (work, drained) = (std::mem::take(&mut touched), &drained);
                drainer = Some(scope.spawn(move || {
                    for file in work {
                        files.log(file).sync_data()?;
                        drained.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(())
                }));
            }
            Ok(1)
        })?;
        if let Some(running) = drainer {
            running.join().expect("a drainer")?;
        }
        Ok(Done { appends: done.appends, syncs: done.syncs + drained.load(Ordering::Relaxed) })
    })
}
