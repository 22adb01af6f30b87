//! One log's group commit, played by hand.

use super::*;
use crate::command::WatchLimit;
use crate::error::Code;
use crate::vfs::{MemoryVfs, OpenMode, Vfs};

#[derive(Default)]
struct Heard(Mutex<Vec<(Completion, bool)>>);

impl Sink for Heard {
    fn complete(&self, completion: Completion, urgent: bool) {
        lock(&self.0).push((completion, urgent));
    }
}

impl Heard {
    fn synced(&self) -> Vec<(i64, bool)> {
        let heard = lock(&self.0);
        heard
            .iter()
            .filter_map(|(completion, urgent)| match completion {
                Completion::Synced { synced_end, .. } => Some((*synced_end, *urgent)),
                _ => None,
            })
            .collect()
    }

    fn answers(&self) -> Vec<Option<Code>> {
        let heard = lock(&self.0);
        heard
            .iter()
            .filter_map(|(completion, _)| match completion {
                Completion::Answered { outcome, .. } => Some(outcome.as_ref().err().map(|failure| failure.code)),
                _ => None,
            })
            .collect()
    }
}

fn log_sync() -> (LogSync, Arc<Heard>, Arc<dyn File>) {
    let heard = Arc::new(Heard::default());
    let file = MemoryVfs::new().open("f", OpenMode::Create).unwrap();
    (LogSync::new(LogRef { slot: 0, generation: 0 }, heard.clone(), 0, 0, Vec::new()), heard, file)
}

fn advance(offset: i64) -> Advance {
    Advance {
        sums: Vec::new(),
        offset,
        indexes: Vec::new(),
        sealed: Vec::new(),
        epochs: Vec::new(),
        snapshot: None,
        obsolete: vec![],
    }
}

#[test]
fn appends_that_come_while_a_sync_runs_are_the_next_one() {
    let (sync, heard, file) = log_sync();
    assert!(sync.written(3, &file, None, true, false, true), "the first append queues the log");
    assert!(!sync.written(5, &file, None, false, true, true), "it is queued once");
    let job = sync.begin().unwrap();
    assert_eq!((job.upto, job.files.len(), job.names), (5, 1, true));
    assert!(!sync.written(9, &file, None, false, false, true), "a running one comes back by itself");
    assert!(!sync.names_are_durable());
    assert!(sync.finish(job, Ok(true), |_| panic!("there is no recovery point")));
    assert!(sync.names_are_durable());
    let job = sync.begin().unwrap();
    assert_eq!((job.upto, job.names), (9, false));
    assert!(!sync.finish(job, Ok(true), |_| {}));
    assert!(sync.begin().is_none());
    assert_eq!(heard.synced(), [(5, true), (9, false)]);
}

#[test]
fn a_cut_bounds_the_sync_that_runs_and_its_recovery_point() {
    let (sync, heard, file) = log_sync();
    sync.written(9, &file, None, false, false, true);
    sync.advance(advance(9));
    let job = sync.begin().unwrap();
    sync.hold(4);
    assert_eq!(sync.cut(), Some(4));
    sync.truncated(4);
    sync.written(6, &file, None, false, false, true);
    assert!(sync.finish(job, Ok(true), |offset| panic!("the recovery point became {offset}")));
    let job = sync.begin().unwrap();
    sync.finish(job, Ok(true), |_| {});
    assert_eq!(heard.synced(), [(4, false), (6, false)]);
}

#[test]
fn a_cut_that_did_not_come_about_holds_nothing_back_for_good() {
    let (sync, heard, file) = log_sync();
    sync.written(9, &file, None, false, false, true);
    let job = sync.begin().unwrap();
    sync.hold(4);
    assert!(!sync.finish(job, Ok(true), |_| {}), "while the cut is under way there is nothing to do again");
    assert_eq!(heard.synced().last(), Some(&(4, false)));
    assert!(sync.spared(), "what was held back is synced again");
    let job = sync.begin().unwrap();
    sync.finish(job, Ok(true), |_| {});
    assert_eq!(heard.synced().last(), Some(&(9, false)));
}

#[test]
fn a_sync_that_begins_during_a_cut_counts_nothing_that_is_cut() {
    let (sync, heard, file) = log_sync();
    sync.written(9, &file, None, false, false, true);
    sync.hold(4);
    let job = sync.begin().unwrap();
    assert_eq!(sync.cut(), Some(4));
    sync.truncated(4);
    sync.written(6, &file, None, false, false, true);
    assert!(sync.finish(job, Ok(true), |_| {}));
    assert_eq!((sync.synced_end(), heard.synced()), (4, vec![(4, false)]));
    let job = sync.begin().unwrap();
    sync.finish(job, Ok(true), |_| {});
    assert_eq!(heard.synced(), [(4, false), (6, false)]);
}

#[test]
fn index_files_that_a_dropped_recovery_point_was_to_sync_wait_for_the_next() {
    let (sync, _, file) = log_sync();
    sync.written(9, &file, None, false, false, false);
    sync.advance(Advance { sealed: vec![0, 5], ..advance(9) });
    assert_eq!(sync.hold(7), [0, 5]);
    assert_eq!(sync.hold(6), [0; 0]);
}

#[test]
fn a_log_that_starts_anew_higher_up_has_nothing_left_to_sync() {
    let (sync, heard, file) = log_sync();
    sync.written(9, &file, None, false, false, false);
    sync.hold(9);
    sync.restarted(20);
    assert!(!sync.spared());
    assert_eq!(sync.synced_end(), 20);
    sync.request(Some(1));
    assert_eq!(heard.answers(), [None]);
}

#[test]
fn the_recovery_point_moves_only_when_all_of_it_was_written() {
    let (sync, _, file) = log_sync();
    for complete in [false, true] {
        sync.written(9, &file, None, false, false, true);
        sync.advance(advance(9));
        let job = sync.begin().unwrap();
        let mut moved = None;
        sync.finish(job, Ok(complete), |offset| moved = Some(offset));
        assert_eq!(moved, complete.then_some(9));
    }
}

#[test]
fn a_failed_sync_answers_who_waits_and_ends_the_log() {
    let (sync, heard, file) = log_sync();
    sync.written(9, &file, None, false, true, true);
    sync.request(Some(1));
    let job = sync.begin().unwrap();
    sync.request(Some(2));
    let failure = Failure { code: Code::DirectoryOffline, text: String::new() };
    assert!(!sync.finish(job, Err(failure), |_| {}));
    assert!(sync.is_over());
    assert!(!sync.written(12, &file, None, false, true, true), "nothing is queued any more");
    sync.request(Some(3));
    assert_eq!(heard.answers(), [Some(Code::DirectoryOffline); 3]);
    assert_eq!(heard.synced(), []);
}

#[test]
fn a_close_is_answered_after_the_run_that_it_asked_for() {
    let (sync, heard, file) = log_sync();
    sync.written(9, &file, None, false, false, true);
    let job = sync.begin().unwrap();
    assert!(!sync.close(1));
    assert!(sync.finish(job, Ok(true), |_| {}));
    assert_eq!(heard.answers(), []);
    let job = sync.begin().unwrap();
    assert!(!sync.finish(job, Ok(true), |_| {}));
    assert_eq!(heard.answers(), [None]);
    assert!(!sync.close(2));
    assert_eq!(heard.answers(), [None, None], "nothing is left to do: at once");
}

#[test]
fn a_watch_makes_the_move_past_it_urgent_or_tells_at_once() {
    let (sync, heard, file) = log_sync();
    sync.watch(4, WatchLimit::Synced);
    for end in [4, 5, 6] {
        sync.written(end, &file, None, false, false, true);
        let job = sync.begin().unwrap();
        sync.finish(job, Ok(true), |_| {});
    }
    assert_eq!(heard.synced(), [(4, false), (5, true), (6, false)]);
    sync.watch(5, WatchLimit::Synced);
    assert_eq!(heard.synced().last(), Some(&(6, true)));
    sync.watch(6, WatchLimit::End);
    assert!(!sync.passes_end_watch(6));
    assert!(sync.passes_end_watch(7));
    assert!(!sync.passes_end_watch(8), "it is over");
}

#[test]
fn what_is_cut_or_left_by_a_failure_is_told_to_be_never_synced() {
    let never = |heard: &Heard| -> Vec<i64> {
        let heard = lock(&heard.0);
        heard
            .iter()
            .filter_map(|(completion, _)| match completion {
                Completion::NeverSynced { above, .. } => Some(*above),
                _ => None,
            })
            .collect()
    };
    let (sync, heard, file) = log_sync();
    sync.written(9, &file, None, false, true, true);
    let job = sync.begin().unwrap();
    sync.hold(4);
    assert_eq!(never(&heard), [0; 0], "the cut may not come about");
    sync.truncated(4);
    assert_eq!(never(&heard), [4]);
    sync.finish(job, Ok(true), |_| {});
    sync.written(6, &file, None, false, true, true);
    let job = sync.begin().unwrap();
    sync.finish(job, Err(Failure { code: Code::DirectoryOffline, text: String::new() }), |_| {});
    assert_eq!(never(&heard), [4, 4]);
    assert_eq!(heard.synced(), [(4, false)]);
}

#[test]
fn a_sync_with_more_to_do_behind_it_is_told_in_passing() {
    #[derive(Default)]
    struct Passing(Mutex<Vec<bool>>);
    impl Sink for Passing {
        fn complete(&self, _: Completion, _: bool) {
            lock(&self.0).push(false);
        }
        fn complete_in_passing(&self, _: Completion, _: bool) {
            lock(&self.0).push(true);
        }
    }
    let told = Arc::new(Passing::default());
    let file = MemoryVfs::new().open("f", OpenMode::Create).unwrap();
    let sync = LogSync::new(LogRef { slot: 0, generation: 0 }, told.clone(), 0, 0, Vec::new());
    sync.written(3, &file, None, false, true, true);
    let job = sync.begin().unwrap();
    sync.written(5, &file, None, false, true, true);
    assert!(sync.finish(job, Ok(true), |_| {}));
    let job = sync.begin().unwrap();
    assert!(!sync.finish(job, Ok(true), |_| {}));
    assert_eq!(*lock(&told.0), [true, false]);
}
