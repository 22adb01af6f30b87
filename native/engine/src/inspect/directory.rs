//! Log directories: what lies in their roots, and what several of them say of each other.

use super::partition::{self, Points, small_file};
use super::target::{CLEANED, Kind, OFFSET_FILES, Target, kind, split};
use super::{Check, Fix, Halt, RESTORE, Severity, small};
use crate::checkpoint::{HIGH_WATERMARKS, LOG_STARTS, PARTITION_METADATA, RECOVERY_POINTS};
use crate::directory::check_folder_name;
use crate::journal;
use crate::vfs::{OpenMode, path};
use std::collections::BTreeMap;

/// What the directories have said so far.
#[derive(Default)]
struct Known {
    /// By directory id, where it was met first.
    ids: BTreeMap<String, String>,
    /// By partition.
    partitions: BTreeMap<String, String>,
    /// Folders of each topic that name an id, and those whose file can't be read.
    topics: BTreeMap<String, Vec<(String, Option<String>)>>,
}

pub fn verify(check: &mut Check<'_>, targets: &[Target]) -> Result<(), Halt> {
    let mut known = Known::default();
    for target in targets {
        match target {
            Target::Directory(root) => directory(check, root, &mut known)?,
            Target::Partition(folder) => {
                let (root, name) = split(folder);
                let points = Checkpoints::read(check, root, false)?.of(name);
                partition::verify(check, folder, points)?;
            }
            Target::File(file) => single(check, file)?,
        }
    }
    compare_topics(check, &known)
}

/// The offsets in a root's checkpoint files.
#[derive(Default)]
pub struct Checkpoints {
    files: BTreeMap<&'static str, BTreeMap<String, i64>>,
    broker: bool,
}

impl Checkpoints {
    /// `tell`: what is wrong with the files is a finding.
    fn read(check: &mut Check<'_>, root: &str, tell: bool) -> Result<Checkpoints, Halt> {
        let mut checkpoints = Checkpoints {
            broker: check.vfs.open(&path(root, "meta.properties"), OpenMode::Read).is_ok(),
            ..Checkpoints::default()
        };
        for name in OFFSET_FILES {
            let file = path(root, name);
            if check.vfs.open(&file, OpenMode::Read).is_err() && !tell {
                continue;
            }
            let there = check.vfs.list(root).is_ok_and(|all| all.iter().any(|entry| entry.name == name));
            if !there {
                continue;
            }
            let Some(bytes) = small_file(check, &file)? else { continue };
            let offsets = if tell { small::offsets(check, root, name, &bytes)? } else { small::salvage(&bytes) };
            checkpoints.files.insert(name, offsets);
        }
        Ok(checkpoints)
    }

    fn of(&self, folder: &str) -> Points {
        let offset = |name: &str| self.files.get(name).and_then(|offsets| offsets.get(folder)).copied();
        Points {
            recovery: offset(RECOVERY_POINTS),
            start: offset(LOG_STARTS),
            high_watermark: offset(HIGH_WATERMARKS),
            cleaned: offset(CLEANED).unwrap_or(0),
            broker: self.broker,
        }
    }
}

fn single(check: &mut Check<'_>, file: &str) -> Result<(), Halt> {
    let (folder, name) = split(file);
    match kind(name) {
        Some(Kind::Offsets) => match small_file(check, file)? {
            Some(bytes) => small::offsets(check, folder, name, &bytes).map(|_| ()),
            None => Ok(()),
        },
        Some(Kind::Properties) => match small_file(check, file)? {
            Some(bytes) => small::properties(check, file, &bytes).map(|_| ()),
            None => Ok(()),
        },
        _ => {
            let (root, partition) = split(folder);
            let points = Checkpoints::read(check, root, false)?.of(partition);
            partition::file(check, file, points)
        }
    }
}

fn directory(check: &mut Check<'_>, root: &str, known: &mut Known) -> Result<(), Halt> {
    let entries = check.vfs.list(root).map_err(|error| Halt::Unreadable(root.to_string(), error))?;
    let checkpoints = Checkpoints::read(check, root, true)?;
    for entry in entries.iter().filter(|entry| !entry.folder) {
        let file = path(root, &entry.name);
        match kind(&entry.name) {
            Some(Kind::Properties) => {
                let Some(bytes) = small_file(check, &file)? else { continue };
                if let Some(id) = small::properties(check, &file, &bytes)?
                    && let Some(other) = known.ids.insert(id.clone(), file.clone())
                {
                    let what = format!("directory.id {id} is that of {other}, too");
                    check.say(Severity::Error, &file, None, what, "one of the two is a copy: leave it out", None)?;
                }
            }
            Some(Kind::Records | Kind::Json) => partition::file(check, &file, Points::default())?,
            _ => {}
        }
    }
    let folders: Vec<&str> = entries.iter().filter(|entry| entry.folder).map(|entry| entry.name.as_str()).collect();
    for name in &folders {
        let folder = path(root, name);
        if check_folder_name(name).is_err() {
            foreign(check, &folder, name)?;
            continue;
        }
        if let Some(other) = known.partitions.insert(name.to_string(), folder.clone()) {
            check.say(
                Severity::Error,
                &folder,
                None,
                format!("the partition is also in {other}"),
                "move one of the two away",
                None,
            )?;
        }
        let id = partition::verify(check, &folder, checkpoints.of(name))?;
        if checkpoints.broker
            && let Some((topic, _)) = name.rsplit_once('-')
        {
            known.topics.entry(topic.to_string()).or_default().push((folder, id));
        }
    }
    for (file, offsets) in &checkpoints.files {
        let mut gone = offsets.keys().filter(|name| !folders.contains(&name.as_str()));
        if let Some(first) = gone.next() {
            let what = format!("{} partitions in it have no folder, {first} first", gone.count() + 1);
            check.note(&path(root, file), what, "")?;
        }
    }
    Ok(())
}

fn foreign(check: &mut Check<'_>, folder: &str, name: &str) -> Result<(), Halt> {
    if name == journal::FOLDER {
        let what = "a journal of records that the logs may lack yet: the process did not stop clean";
        return check.note(folder, what, "a start of Odradek puts them back; Apache Kafka doesn't start with it there");
    }
    let waits =
        [("-delete", "waits for its deletion"), ("-stray", "belongs to no topic"), ("-future", "is a copy under way")];
    match waits.iter().find(|(suffix, _)| name.ends_with(suffix)) {
        Some((_, what)) => check.note(folder, *what, ""),
        None => {
            let what = "is no partition's folder: Apache Kafka doesn't start with it there";
            check.say(Severity::Warning, folder, None, what, "move it elsewhere", None)
        }
    }
}

/// All partitions of a topic name one id.
fn compare_topics(check: &mut Check<'_>, known: &Known) -> Result<(), Halt> {
    for (topic, folders) in &known.topics {
        let Some(id) = folders.iter().find_map(|(_, id)| id.as_ref()) else { continue };
        for (folder, found) in folders {
            let file = path(folder, PARTITION_METADATA);
            match found {
                Some(found) if found != id => {
                    let what = format!("topic id {found}, another partition of {topic} has {id}");
                    check.say(Severity::Error, &file, None, what, RESTORE, None)?;
                }
                Some(_) => {}
                None => {
                    let fix = Some(Fix::Metadata { folder: folder.clone(), topic_id: id.clone() });
                    let what = format!("the topic's other partitions say that its id is {id}");
                    check.say(Severity::Warning, &file, None, what, "odradek log repair", fix)?;
                }
            }
        }
    }
    Ok(())
}
