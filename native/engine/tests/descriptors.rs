//! A process that may have few files open: whoever writes is the last to go without. Its own program, because
//! the bound is the process's.
#![cfg(target_os = "linux")]

mod common;

use common::*;
use odradek_engine::command::*;
use odradek_engine::config::LogConfig;
use odradek_engine::error::Code;
use odradek_engine::vfs::VfsKind;

const FILES: u64 = 256;
const LOGS: u32 = 600;

fn allow(files: u64) {
    let limit = libc::rlimit { rlim_cur: files, rlim_max: files };
    // SAFETY: the limit outlives the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
}

/// All descriptors that are left.
fn all_that_are_left() -> Vec<std::fs::File> {
    std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect()
}

#[test]
fn few_descriptors_refuse_an_append_at_most_and_readers_leave_some_to_writers() {
    allow(FILES);
    let path = std::env::temp_dir().join(format!("odradek-descriptors-{}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    let rig = Rig::start(false);
    let directory = rig.directory(path.to_str().unwrap(), VfsKind::Posix).id;
    let config = || LogConfig { segment_bytes: 1000, ..LogConfig::default() };
    for slot in 0..LOGS {
        rig.open(directory, slot, &format!("t-{slot}"), config(), false).unwrap();
        assert_eq!(rig.append(slot, batch(1, 100, 1)).0, Code::Ok);
    }

    // One consumer of all of them, which takes its time.
    let flags = ReadFlags { at_least_one: true, ..ReadFlags::default() };
    let held: Vec<ReadInfo> = (0..LOGS)
        .map(|slot| rig.read_with(slot, 0, 1, 1 << 20, flags, -1).unwrap_or_else(|failure| panic!("{failure:?}")))
        .collect();
    assert!(held.iter().all(|info| info.total > 0));
    for slot in 0..LOGS {
        assert_eq!(rig.append(slot, batch(1, 100, 2)).0, Code::Ok, "log {slot} while readers have what they got");
    }

    // Somebody else in the process has all the rest.
    let others = all_that_are_left();
    assert!(others.len() > 8, "{} were left", others.len());
    let mut refused = 0;
    for round in 0..12 {
        for slot in [0, 1, LOGS - 1] {
            let (code, info) = rig.append(slot, batch(1, 100, round));
            assert!(matches!(code, Code::Ok | Code::NoSpace), "{code:?} {}", info.text);
            refused += (code == Code::NoSpace) as u32;
        }
        rig.engine.directory_use(directory).expect("the directory is online");
    }
    drop((others, held));
    for slot in [0, 1, LOGS - 1] {
        let (code, info) = rig.append(slot, batch(1, 100, 3));
        assert_eq!(code, Code::Ok, "{} (after {refused} refusals)", info.text);
        let end = info.end;
        assert_eq!(last_header(&rig.read_all(slot, 0, end)).next_offset(), end);
    }
    for slot in 0..LOGS {
        rig.close(slot, true).unwrap();
    }
    rig.engine.close_directory(directory, true, 1).unwrap();
    rig.engine.stop();
    std::fs::remove_dir_all(path).unwrap();
}
