//! The small files that the broker keeps beside the logs (quorum-state, meta.properties, snapshots): written whole and
//! durably, through the same file system as everything else.
//!
//! Invariant: no path leaves the directory. No room is an answer; any other failed write takes the directory offline.

use crate::command::{Answer, Failure};
use crate::directory::{Directory, check_file_path, check_folder_name, future_of};
use crate::error::Code;
use crate::vfs::{self, is_no_space, path, write_file_atomically};
use bytes::Bytes;
use std::io;

pub enum FileCommand {
    Write { path: String, content: Bytes },
    Read { path: String },
    List { path: String },
    Remove { path: String },
    SetAside { folder: String, name: String },
    Checkpoint,
}

impl FileCommand {
    pub fn only_reads(&self) -> bool {
        matches!(self, FileCommand::Read { .. } | FileCommand::List { .. })
    }
}

pub fn run(directory: &Directory, command: FileCommand) -> Result<Answer, Failure> {
    let vfs = &*directory.vfs;
    let failed = |name: &str, error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Failure { code: Code::NotFound, text: format!("there is no {name}") },
        _ if is_no_space(&error) => Failure { code: Code::NoSpace, text: format!("no room for {name}: {error}") },
        _ => Failure { code: Code::Io, text: format!("{name}: {error}") },
    };
    match command {
        FileCommand::Write { path: name, content } => {
            check_file_path(&name, false)?;
            let (folder, name) = split(directory, &name);
            write_file_atomically(vfs, &folder, name, &content).map_err(|error| match failed(name, error) {
                Failure { code: Code::Io, text } => directory.fail_with(0, format!("writing {text}")),
                failure => failure,
            })?;
            Ok(Answer::None)
        }
        FileCommand::Read { path: name } => {
            check_file_path(&name, false)?;
            match vfs::read_file(vfs, &path(&directory.path, &name)) {
                Ok(Some(bytes)) => Ok(Answer::File(bytes.into())),
                Ok(None) => Err(failed(&name, io::ErrorKind::NotFound.into())),
                Err(error) => Err(failed(&name, error)),
            }
        }
        FileCommand::List { path: name } => {
            check_file_path(&name, true)?;
            let entries = vfs.list(&path(&directory.path, &name)).map_err(|error| failed(&name, error))?;
            Ok(Answer::Names(entries.into_iter().map(|entry| entry.name).collect()))
        }
        FileCommand::Remove { path: name } => {
            check_file_path(&name, false)?;
            let (folder, last) = split(directory, &name);
            vfs.remove_file(&path(&folder, last)).map_err(|error| failed(&name, error))?;
            vfs.sync_folder(&folder).map_err(|error| directory.fail(&format!("removing {name}"), &error))?;
            Ok(Answer::None)
        }
        FileCommand::SetAside { folder, name } => {
            check_folder_name(&folder)?;
            check_file_path(&name, false)?;
            if future_of(&folder) == Some(&name) {
                return promote(directory, &folder, &name);
            }
            if name.contains('/') || check_folder_name(&name).is_ok() {
                return Err(Failure {
                    code: Code::BadName,
                    text: format!("{name:?} would still be a partition's folder"),
                });
            }
            vfs.rename(&path(&directory.path, &folder), &path(&directory.path, &name))
                .map_err(|error| failed(&folder, error))?;
            vfs.sync_folder(&directory.path).map_err(|error| directory.fail(&format!("renaming {folder}"), &error))?;
            Ok(Answer::None)
        }
        FileCommand::Checkpoint => directory.write_checkpoints().map(|()| Answer::None),
    }
}

/// A future log, closed, becomes the partition's log. Its points, which go by the partition's name all the time, are on
/// disk before: a crash leaves the folder under one of its names, and where the log stands.
fn promote(directory: &Directory, folder: &str, name: &str) -> Result<Answer, Failure> {
    let (vfs, to) = (&*directory.vfs, path(&directory.path, name));
    if directory.vfs.list(&to).is_ok() {
        return Err(Failure { code: Code::Io, text: format!("{to} is there already") });
    }
    // What a log of that name left there does not come back into this one.
    directory.journal.forget(directory, &[folder, name])?;
    directory.write_checkpoints()?;
    let failed = |error: io::Error| directory.fail(&format!("renaming {folder} to {name}"), &error);
    vfs.rename(&path(&directory.path, folder), &to).map_err(failed)?;
    vfs.sync_folder(&directory.path).map_err(failed)?;
    Ok(Answer::None)
}

/// The folder that a path lies in, and its last part.
fn split<'a>(directory: &Directory, name: &'a str) -> (String, &'a str) {
    match name.rsplit_once('/') {
        Some((folder, last)) => (path(&directory.path, folder), last),
        None => (directory.path.clone(), name),
    }
}
