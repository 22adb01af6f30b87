//! What a path names: a log directory, a partition's folder, or a file and its kind.

use crate::checkpoint::{
    CLEAN_SHUTDOWN, HIGH_WATERMARKS, LEADER_EPOCHS, LOG_STARTS, PARTITION_METADATA, RECOVERY_POINTS,
};
use crate::directory::check_folder_name;
use crate::segment::parse_name;
use crate::sums::SUMS;
use crate::vfs::{OpenMode, Vfs};
use std::io;

/// The cleaner's file in a directory's root.
pub const CLEANED: &str = "cleaner-offset-checkpoint";
/// The checkpoints of offsets that lie in a root.
pub const OFFSET_FILES: [&str; 4] = [RECOVERY_POINTS, LOG_STARTS, HIGH_WATERMARKS, CLEANED];

/// A file's kind, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Log(i64),
    Index(i64),
    TimeIndex(i64),
    TxnIndex(i64),
    Snapshot(i64),
    /// A snapshot of the metadata log, or the bootstrap one.
    Records,
    Epochs,
    Sums,
    Offsets,
    Metadata,
    Properties,
    Json,
}

/// A path and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Directory(String),
    Partition(String),
    File(String),
}

pub fn kind(name: &str) -> Option<Kind> {
    let base = |suffix: &str| parse_name(name, suffix);
    if let Some(base) = base(".log") {
        return Some(Kind::Log(base));
    }
    if let Some(base) = base(".index") {
        return Some(Kind::Index(base));
    }
    if let Some(base) = base(".timeindex") {
        return Some(Kind::TimeIndex(base));
    }
    if let Some(base) = base(".txnindex") {
        return Some(Kind::TxnIndex(base));
    }
    if let Some(offset) = base(".snapshot") {
        return Some(Kind::Snapshot(offset));
    }
    match name {
        LEADER_EPOCHS => Some(Kind::Epochs),
        SUMS => Some(Kind::Sums),
        PARTITION_METADATA => Some(Kind::Metadata),
        "meta.properties" => Some(Kind::Properties),
        "quorum-state" | CLEAN_SHUTDOWN => Some(Kind::Json),
        _ if OFFSET_FILES.contains(&name) => Some(Kind::Offsets),
        _ if name.ends_with(".checkpoint") => Some(Kind::Records),
        _ => None,
    }
}

/// Folder and last part of a path.
pub fn split(path: &str) -> (&str, &str) {
    match path.trim_end_matches('/').rsplit_once('/') {
        Some(("", name)) => ("/", name),
        Some((folder, name)) => (folder, name),
        None => ("", path.trim_end_matches('/')),
    }
}

impl Target {
    /// Fails when there is nothing at the path, or nothing that can be read.
    pub fn of(vfs: &dyn Vfs, path: &str) -> io::Result<Target> {
        let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
        let entries = match vfs.list(path) {
            Ok(entries) => entries,
            Err(error) => {
                return match vfs.open(path, OpenMode::Read).and_then(|file| file.len()) {
                    Ok(_) if kind(split(path).1).is_some() => Ok(Target::File(path.to_string())),
                    Ok(_) => {
                        Err(io::Error::new(io::ErrorKind::InvalidInput, "no file of a log directory has such a name"))
                    }
                    Err(again) => Err(if error.kind() == io::ErrorKind::NotFound { error } else { again }),
                };
            }
        };
        let plain = |name: &str| entries.iter().any(|entry| !entry.folder && entry.name == name);
        let root = plain("meta.properties")
            || OFFSET_FILES.iter().any(|name| plain(name))
            || entries.iter().any(|entry| entry.folder && check_folder_name(&entry.name).is_ok());
        let segments = entries.iter().any(|entry| !entry.folder && parse_name(&entry.name, ".log").is_some());
        let partition = !root && (segments || check_folder_name(split(path).1).is_ok());
        Ok(if partition { Target::Partition(path.to_string()) } else { Target::Directory(path.to_string()) })
    }

    /// The log directory that it is or lies in, as far as the path tells.
    pub fn root(&self) -> &str {
        match self {
            Target::Directory(path) => path,
            Target::Partition(path) => split(path).0,
            Target::File(path) => {
                let folder = split(path).0;
                if check_folder_name(split(folder).1).is_ok() { split(folder).0 } else { folder }
            }
        }
    }
}
