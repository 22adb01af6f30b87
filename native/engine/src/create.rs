//! Makes the folders of new logs, many at once.
//!
//! Invariant: a new folder, its `partition.metadata` and both names are on disk before its log can be appended to.

use crate::checkpoint::{self, PARTITION_METADATA};
use crate::command::{Failure, OpenLog};
use crate::directory::{Directory, check_folder_name};
use crate::open::Opening;
use crate::planted::{Bug, planted};
use crate::vfs::{self, File, OpenMode, path};
use std::io;
use std::sync::Arc;

/// Makes the folders that are missing, together: a journal then commits them with few syncs. For each request whether
/// its folder is new.
pub fn create_folders(directory: &Arc<Directory>, requests: &[OpenLog]) -> Vec<Result<bool, Failure>> {
    let mut outcomes: Vec<Result<bool, Failure>> = Vec::with_capacity(requests.len());
    let mut metadata = Vec::new();
    let forgotten = forget_older(directory, requests);
    for request in requests {
        let ready = forgotten.clone().and_then(|()| directory.check()).and_then(|()| check_folder_name(&request.name));
        outcomes.push(ready.and_then(|()| {
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
        && let Err(failure) = settle_folders(directory, &metadata)
    {
        for outcome in outcomes.iter_mut().filter(|outcome| matches!(outcome, Ok(true))) {
            *outcome = Err(failure.clone());
        }
    }
    outcomes
}

fn settle_folders(directory: &Directory, metadata: &[(Arc<dyn File>, String, Arc<str>)]) -> Result<(), Failure> {
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
    settle().map_err(|error| directory.fail("making new logs durable", &error))
}

/// Older logs of these names: their recovery points would make the new ones, which are empty, damage. So they are off
/// the disk before a new folder can be on it.
fn forget_older(directory: &Directory, requests: &[OpenLog]) -> Result<(), Failure> {
    let (mut stale, mut held) = (false, Vec::new());
    for request in requests.iter().filter(|request| !request.must_exist) {
        let (points, journal) = (directory.has_points(&request.name), directory.journal.holds(&request.name));
        if !points && !journal {
            continue;
        }
        let listed = directory.vfs.list(&path(&directory.path, &request.name));
        let gone = listed.is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        if gone && !planted(Bug::PointsOfTheDead) {
            directory.forget(&request.name);
            stale |= points;
            held.push(request.name.as_str());
        }
    }
    directory.journal.forget(directory, &held)?;
    if stale { directory.write_checkpoints() } else { Ok(()) }
}
