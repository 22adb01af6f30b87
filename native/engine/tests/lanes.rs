//! Several directories: each has a lane of its own, and what names none of them is answered all the same.

mod common;

use common::*;
use odradek_engine::command::*;
use odradek_engine::config::LogConfig;
use odradek_engine::error::Code;
use odradek_engine::vfs::{MemoryVfs, VfsKind};

const NOWHERE: DirectoryId = 99;

fn memory_directory(rig: &Rig, path: &str) -> DirectoryId {
    rig.directory(path, VfsKind::Memory(MemoryVfs::default())).id
}

fn answers_what_names_nothing(rig: &Rig) {
    let look = |ticket| Command::Look { directory: NOWHERE, ticket, now_ms: NOW, sweep: false };
    assert_eq!(rig.answer(look).unwrap_err().code, Code::NotFound);
    let due = |ticket| Command::Due { directory: NOWHERE, ticket, now_ms: NOW };
    assert_eq!(rig.answer(due).unwrap_err().code, Code::NotFound);
    let list = |ticket| Command::ListFiles { directory: NOWHERE, ticket, path: String::new() };
    assert_eq!(rig.answer(list).unwrap_err().code, Code::NotFound);
    assert_eq!(rig.open(NOWHERE, 7, "topic-7", LogConfig::default(), true).unwrap_err().code, Code::NotFound);
    assert_eq!(rig.append(7, batch(1, 10, 0)).0, Code::StaleLog);
    assert_eq!(rig.close(7, true).unwrap_err().code, Code::StaleLog);
    assert_eq!(rig.truncate(7, 0).unwrap_err().code, Code::StaleLog);
    assert_eq!(rig.sync(7).unwrap_err().code, Code::StaleLog);
}

#[test]
fn what_names_no_open_directory_or_log_is_answered_however_many_are_open() {
    let rig = Rig::manual();
    answers_what_names_nothing(&rig);
    for path in ["/one", "/two", "/three"] {
        let id = memory_directory(&rig, path);
        answers_what_names_nothing(&rig);
        rig.answer(|ticket| Command::Look { directory: id, ticket, now_ms: NOW, sweep: false }).unwrap();
    }
}

#[test]
fn what_follows_an_opening_waits_for_it_in_its_own_directory() {
    for threads in [false, true] {
        let rig = Rig::start(!threads);
        let directories = ["/one", "/two", "/three"].map(|path| memory_directory(&rig, path));
        let mut commands = Vec::new();
        let tickets: Vec<(u32, u32)> = (0..30u32).map(|slot| (slot, rig.ticket())).collect();
        for (slot, ticket) in &tickets {
            commands.push(Command::Open(Box::new(OpenLog {
                log: log(*slot),
                ticket: rig.ticket(),
                directory: directories[*slot as usize % 3],
                name: format!("topic-{slot}"),
                config: LogConfig::default(),
                topic_id: Some(TOPIC_ID.to_string()),
                clean: true,
                must_exist: false,
                now_ms: NOW,
            })));
            commands.push(append(*slot, *ticket, batch(2, 10, 1)));
        }
        rig.engine.submit(commands);
        for (slot, ticket) in tickets {
            let (code, info) = rig.appended(ticket);
            assert_eq!((code, info.base), (Code::Ok, 0), "slot {slot}");
            assert_eq!(rig.read_all(slot, 0, 2).len(), batch(2, 10, 1).len());
        }
    }
}

#[test]
fn a_slot_goes_to_another_directory_in_the_same_drain() {
    let rig = Rig::manual();
    let [one, two] = ["/one", "/two"].map(|path| memory_directory(&rig, path));
    // Whichever lane runs first.
    for (from, to) in [(one, two), (two, one)] {
        let name = format!("topic-{from}");
        rig.open(from, 0, &name, LogConfig::default(), true).unwrap();
        assert_eq!(rig.append(0, batch(1, 10, 1)).0, Code::Ok);
        let next = LogRef { slot: 0, generation: 2 };
        let [closed, opened, appended] = [rig.ticket(), rig.ticket(), rig.ticket()];
        rig.engine.submit(vec![
            Command::Close { log: log(0), ticket: closed, clean: true },
            Command::Open(Box::new(OpenLog {
                log: next,
                ticket: opened,
                directory: to,
                name: name.clone(),
                config: LogConfig::default(),
                topic_id: Some(TOPIC_ID.to_string()),
                clean: true,
                must_exist: false,
                now_ms: NOW,
            })),
            Command::Append {
                log: next,
                ticket: appended,
                batch: batch(1, 10, 2).into(),
                leader_epoch: 0,
                origin: Origin::Client,
                wake: Wake::Synced,
                transaction_version: -1,
                now_ms: NOW,
                expected_base: -1,
            },
        ]);
        assert_eq!(rig.appended(appended).0, Code::Ok, "from {from} to {to}");
        let ticket = rig.ticket();
        let flags = ReadFlags { at_least_one: true, to_memory: true, ..ReadFlags::default() };
        rig.submit(Command::Read {
            log: next,
            ticket,
            from: 0,
            limit: 1,
            max_bytes: 1000,
            last_fetched_epoch: -1,
            flags,
        });
        let info = rig.wait(|completion| match completion {
            Completion::ReadDone { ticket: of, outcome, .. } if *of == ticket => Some(outcome.clone()),
            _ => None,
        });
        assert_eq!(mark_of(&memory(&info.unwrap())), 2);
        rig.answer(|ticket| Command::Close { log: next, ticket, clean: true }).unwrap();
    }
}

#[test]
fn a_directory_that_closes_answers_what_its_lane_still_has() {
    for threads in [false, true] {
        let rig = Rig::start(!threads);
        let [one, two] = ["/one", "/two"].map(|path| memory_directory(&rig, path));
        let tickets: Vec<u32> = (0..100).map(|_| rig.ticket()).collect();
        let looks = |ticket: &u32| Command::Look { directory: one, ticket: *ticket, now_ms: NOW, sweep: false };
        rig.engine.submit(tickets.iter().map(looks).collect());
        rig.engine.close_directory(one, true, -1).unwrap();
        let is_answered = |ticket: u32| {
            rig.wait(|completion| match completion {
                Completion::Answered { ticket: of, .. } if *of == ticket => Some(()),
                _ => None,
            })
        };
        tickets.into_iter().for_each(is_answered);
        rig.answer(|ticket| Command::Look { directory: two, ticket, now_ms: NOW, sweep: false }).unwrap();
        rig.engine.stop();
    }
}
