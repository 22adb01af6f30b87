//! What stands where a file of ours belongs and is none: nothing waits for it, and nothing is
//! allocated for what it claims.
#![cfg(target_os = "linux")]

mod common;

use common::*;
use odradek_engine::error::Code;
use odradek_engine::vfs::VfsKind;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command as Program;

fn folder(name: &str) -> String {
    let path = std::env::temp_dir().join(format!("odradek-odd-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path.to_string_lossy().into_owned()
}

fn pipe(path: &str) {
    let _ = fs::remove_file(path);
    assert!(Program::new("mkfifo").arg(path).status().unwrap().success());
}

/// One closed log with ten records.
fn used(name: &str) -> String {
    let data = folder(name);
    let rig = Rig::start(false);
    let directory = rig.directory(&data, VfsKind::Posix).id;
    rig.open(directory, 0, "topic-0", small_segments(), false).unwrap();
    assert_eq!(rig.append(0, batch(10, 50, 1)).0, Code::Ok);
    rig.close(0, true).unwrap();
    rig.engine.close_directory(directory, true, 1).unwrap();
    rig.engine.stop();
    data
}

#[test]
fn a_pipe_in_place_of_a_file_of_the_directory_is_refused_at_once() {
    for name in [".lock", ".kafka_cleanshutdown", "recovery-point-offset-checkpoint", "log-start-offset-checkpoint"] {
        let data = used(&format!("pipe{name}"));
        pipe(&format!("{data}/{name}"));
        let rig = Rig::start(false);
        let failure = rig.engine.open_directory(&data, VfsKind::Posix).unwrap_err();
        assert_eq!(failure.code, Code::Io, "{name}: {}", failure.text);
        assert!(failure.text.contains("not a plain file"), "{name}: {}", failure.text);
        rig.engine.stop();
        fs::remove_dir_all(data).unwrap();
    }
}

#[test]
fn a_pipe_in_place_of_a_file_of_a_log_keeps_that_log_alone_closed() {
    for name in ["00000000000000000000.log", "partition.metadata", "leader-epoch-checkpoint"] {
        let data = used(&format!("log-pipe-{name}"));
        pipe(&format!("{data}/topic-0/{name}"));
        let rig = Rig::start(false);
        let directory = rig.directory(&data, VfsKind::Posix).id;
        let failure = rig.open(directory, 0, "topic-0", small_segments(), false).unwrap_err();
        assert!(failure.text.contains("not a plain file"), "{name}: {}", failure.text);
        rig.open(directory, 1, "other-0", small_segments(), false).unwrap();
        assert_eq!(rig.append(1, batch(1, 50, 1)).0, Code::Ok);
        rig.engine.stop();
        fs::remove_dir_all(data).unwrap();
    }
}

#[test]
fn a_file_that_claims_a_terabyte_is_refused_unread() {
    let data = used("terabyte");
    let file = format!("{data}/recovery-point-offset-checkpoint");
    fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(1 << 40).unwrap();
    let rig = Rig::start(false);
    let failure = rig.engine.open_directory(&data, VfsKind::Posix).unwrap_err();
    assert!(failure.text.contains("1099511627776 bytes are too many"), "{}", failure.text);
    rig.engine.stop();
    fs::remove_dir_all(data).unwrap();
}

#[test]
fn a_link_in_a_deleted_folder_takes_nothing_with_it() {
    let data = used("linked");
    let outside = folder("outside");
    fs::write(format!("{outside}/kept"), "text").unwrap();
    symlink(&outside, format!("{data}/topic-0/link")).unwrap();
    symlink("link-to-itself", format!("{data}/topic-0/link-to-itself")).unwrap();
    fs::rename(format!("{data}/topic-0"), format!("{data}/topic-0.0123456789abcdef0123456789abcdef-delete")).unwrap();
    let rig = Rig::start(false);
    let directory = rig.directory(&data, VfsKind::Posix).id;
    rig.open(directory, 0, "other-0", small_segments(), false).unwrap();
    let gone =
        || fs::read_dir(&data).unwrap().all(|entry| !entry.unwrap().path().to_string_lossy().ends_with("-delete"));
    for _ in 0..500 {
        if gone() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(gone());
    assert_eq!(fs::read_to_string(format!("{outside}/kept")).unwrap(), "text");
    rig.engine.stop();
    fs::remove_dir_all(data).unwrap();
    fs::remove_dir_all(outside).unwrap();
}
