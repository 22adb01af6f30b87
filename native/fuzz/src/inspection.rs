//! `odradek log` over a partition's folder: the first byte says which file of it the rest is.

use crate::{Choices, batches, files};
use odradek_engine::inspect::{Mode, Request, run};
use odradek_engine::vfs::{MemoryVfs, OpenMode, Vfs, path, write_all_at};

const FOLDER: &str = "d/t-0";
const LOG: &str = "00000000000000000000.log";
const NAMES: [&str; 12] = [
    "t-0/00000000000000000000.log",
    "t-0/00000000000000000000.index",
    "t-0/00000000000000000000.timeindex",
    "t-0/00000000000000000000.txnindex",
    "t-0/00000000000000000003.snapshot",
    "t-0/leader-epoch-checkpoint",
    "t-0/partition.metadata",
    "recovery-point-offset-checkpoint",
    "cleaner-offset-checkpoint",
    "meta.properties",
    ".kafka_cleanshutdown",
    "t-0/00000000000000000003-0000000001.checkpoint",
];

fn put(vfs: &dyn Vfs, file: &str, content: &[u8]) {
    let file = vfs.open(file, OpenMode::Create).expect("a file in memory");
    write_all_at(&*file, content, 0).expect("room in memory");
}

pub fn inspect(input: &[u8]) {
    let mut choices = Choices(input);
    let name = NAMES[choices.byte() as usize % NAMES.len()];
    let vfs = MemoryVfs::new();
    vfs.create_folders(FOLDER).expect("a folder in memory");
    put(&vfs, &path(FOLDER, LOG), &batches::seeds()[0]);
    put(&vfs, &path("d", name), choices.0);
    for mode in [Mode::Dump, Mode::Verify, Mode::Plan] {
        for target in ["d", FOLDER, &path("d", name)] {
            let request = Request {
                mode,
                paths: vec![target.to_string()],
                deep: true,
                records: true,
                from: 0,
                to: i64::MAX,
                accept_loss: true,
            };
            // A complaint is an answer, too.
            let _ = run(&vfs, &request, &mut |line| {
                assert!(line.starts_with('{') && line.ends_with('}'), "no JSON: {line}");
                true
            });
        }
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let of = |kind: u8, contents: Vec<Vec<u8>>| {
        contents.into_iter().map(move |content| [&[kind][..], &content].concat()).collect::<Vec<_>>()
    };
    let properties = b"version=1\nnode.id=1\ncluster.id=abc\ndirectory.id=AAAAAAAAAAAAAAAAAAAAAA\n".to_vec();
    [
        of(0, batches::seeds()),
        of(1, files::offset_index_seeds()),
        of(2, files::time_index_seeds()),
        of(3, files::txn_index_seeds()),
        of(4, files::snapshot_seeds()),
        of(5, files::leader_epochs_seeds()),
        of(6, files::checkpoint_seeds()),
        of(7, files::checkpoint_seeds()),
        of(9, vec![properties]),
        of(10, files::checkpoint_seeds()),
        of(11, batches::seeds()),
    ]
    .concat()
}
