//! Makes the folders of new logs, many at once.
//!
//! Invariant: a new folder, its `partition.metadata` and both names are on disk before its log can be appended to.

use crate::checkpoint::{self, PARTITION_METADATA};
use crate::command::{Failure, OpenLog};
use crate::directory::{Directory, check_folder_name};
use crate::open::Opening;
use crate::vfs::{self, File, OpenMode, path};
use std::io;
use std::sync::Arc;

/// Makes the folders that are missing, together: a journal then commits them with few syncs. For each request whether
/// its folder is new.
pub fn create_folders(directory: &Arc<Directory>, requests: &[OpenLog]) -> Vec<Result<bool, Failure>> {
    if let Err(failure) = forget_older(directory, requests) {
        return requests.iter().map(|_| Err(failure.clone())).collect();
    }
    let mut outcomes: Vec<Result<bool, Failure>> = Vec::with_capacity(requests.len());
    let mut metadata = Vec::new();
    for request in requests {
        outcomes.push(directory.check().and_then(|()| check_folder_name(&request.name)).and_then(|()| {
            let opening = Opening::new(directory, request);
            let created = opening.create_folder()?;
            if let Some(topic_id) = request.topic_id.as_ref().filter(|_| created) {
                let temporary = path(&opening.folder, &format!("{PARTITION_METADATA}.tmp"));
                let content = checkpoint::encode_partition_metadata(topic_id);
                let written = opening.vfs.open(&temporary, OpenMode::Truncate).and_then(|file| {
                    vfs::write_all_at(&*file, &content, 0)?;
                    Ok(file)
                });
                let file = written.map_err(|error| opening.broken("writing partition.metadata of", error))?;
                metadata.push((file, temporary, opening.folder.clone()));
            }
            Ok(created)
        }));
    }
    if outcomes.iter().any(|outcome| matches!(outcome, Ok(true)))
        && let Err(failure) = settle_folders(directory, requests, &outcomes, &metadata)
    {
        for outcome in outcomes.iter_mut().filter(|outcome| matches!(outcome, Ok(true))) {
            *outcome = Err(failure.clone());
        }
    }
    outcomes
}

/// What the journal holds of older logs in folders of these names must not come back in the new ones.
fn forget_older(directory: &Directory, requests: &[OpenLog]) -> Result<(), Failure> {
    let missing = |name: &str| directory.vfs.list(&path(&directory.path, name)).is_err();
    let held = requests.iter().map(|request| request.name.as_str()).filter(|name| directory.journal.holds(name));
    let names: Vec<&str> = held.filter(|name| missing(name)).collect();
    directory.journal.forget(directory, &names)
}

fn settle_folders(
    directory: &Directory,
    requests: &[OpenLog],
    outcomes: &[Result<bool, Failure>],
    metadata: &[(Arc<dyn File>, String, Arc<str>)],
) -> Result<(), Failure> {
    let settle = || -> io::Result<()> {
        for (file, _, _) in metadata {
            file.sync_data()?;
        }
        for (_, temporary, folder) in metadata {
            directory.vfs.rename(temporary, &path(folder, PARTITION_METADATA))?;
        }
        for (_, _, folder) in metadata {
            directory.vfs.sync_folder(folder)?;
        }
        directory.vfs.sync_folder(&directory.path)
    };
    settle().map_err(|error| directory.fail("making new logs durable", &error))?;
    // Older logs of these names: their recovery points would make an unwritten tail of the new ones damage.
    let mut stale = false;
    for (request, _) in requests.iter().zip(outcomes).filter(|(_, outcome)| matches!(outcome, Ok(true))) {
        stale |= directory.forget(&request.name);
    }
    if stale { directory.write_checkpoints() } else { Ok(()) }
}
