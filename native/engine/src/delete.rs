//! What becomes of folders and segments that have got their last names: once those are on disk, nothing.
//!
//! Invariant: the names first, so that a crash brings a folder back under its new name at worst; then the files. What
//! could not be removed is removed when its directory, or its log, is next opened.

use crate::command::Answer;
use crate::directory::Directory;
use crate::hub::{Deletion, Hub};
use crate::lock::lock;
use crate::planted::{Bug, planted};
use crate::retire;
use crate::vfs::{Vfs, path};
use std::io;
use std::sync::Arc;

/// Folders whose new names one sync makes durable.
const TOGETHER: usize = 256;

/// A renamed folder, and the ticket to answer once that is on disk.
type Renamed = (String, Option<u32>);

impl Hub {
    pub fn run_deletion(&self, deletion: Deletion) {
        match deletion {
            Deletion::Folder { directory, name, ticket } => {
                let mut folders = vec![(name, ticket)];
                self.take_more(&directory, &mut folders);
                self.delete_folders(&directory, folders);
            }
            Deletion::Segments { shared, bases } => {
                if shared.directory.check().is_ok() {
                    let _ = retire::remove(&*shared.directory.vfs, &shared.folder, &bases);
                }
            }
        }
    }

    /// Those of the directory that wait next were renamed before as well.
    fn take_more(&self, directory: &Arc<Directory>, folders: &mut Vec<Renamed>) {
        let queue = &mut lock(&self.deletions.items).queue;
        let alike =
            |next: &Deletion| matches!(next, Deletion::Folder { directory: its, .. } if Arc::ptr_eq(its, directory));
        while folders.len() < TOGETHER && queue.front().is_some_and(alike) {
            if let Some(Deletion::Folder { name, ticket, .. }) = queue.pop_front() {
                folders.push((name, ticket));
            }
        }
    }

    fn delete_folders(&self, directory: &Directory, folders: Vec<Renamed>) {
        let renamed = directory.check().and_then(|()| {
            if planted(Bug::AnswerDeletionEarly) {
                return Ok(());
            }
            let synced = directory.vfs.sync_folder(&directory.path);
            synced.map_err(|error| directory.fail(&format!("deleting {}", folders[0].0), &error))
        });
        for (_, ticket) in &folders {
            if let Some(ticket) = ticket {
                self.answer(*ticket, renamed.clone().map(|()| Answer::None));
            }
        }
        if renamed.is_ok() {
            for (name, _) in &folders {
                let _ = remove_folder(&*directory.vfs, &path(&directory.path, name));
            }
        }
    }
}

fn remove_folder(vfs: &dyn Vfs, folder: &str) -> io::Result<()> {
    for entry in vfs.list(folder)? {
        let name = path(folder, &entry.name);
        // A link to a folder goes by itself: what it leads to is not ours.
        if let Err(error) = vfs.remove_file(&name) {
            if !entry.folder {
                return Err(error);
            }
            remove_folder(vfs, &name)?;
        }
    }
    vfs.remove_folder(folder)
}
