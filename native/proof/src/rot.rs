//! Files that decay: one flip, cut or run of zeros in any file of a directory that was closed, or that a crash left.
//! Each is refused, noticed when it is read, set right from what else is there, or without consequence; no record is
//! served that never was, none is skipped, and what is cut away is kept beside.

use crate::check::{compare, go_on, look_up};
use crate::model::{Batch, Known};
use crate::random::Random;
use crate::rig::*;
use crate::script::{Content, Script, small_segments};
use odradek_engine::batch::{Header, verify_crc};
use odradek_engine::command::*;
use odradek_engine::error::Code;
use odradek_engine::vfs::{Keep, MemoryVfs, OpenMode, Vfs, path, read_file, write_all_at};
use std::collections::BTreeMap;

/// Damages tried on one directory before the next is made.
const EACH: u64 = 250;

/// Does so many damages to directories that were closed, or that a crash left, and tells of each what became of it; the
/// first directory is that of `first`, a seed. An error: a directory could not be made.
pub fn damages(
    closed: bool,
    count: u64,
    first: u64,
    mut tell: impl FnMut(u64, &Damage, Result<Verdict, String>),
) -> Result<(), String> {
    let mut done = 0;
    for seed in first.. {
        let site = Site::new(seed, closed)?;
        let mut random = Random::new(seed);
        for _ in 0..EACH {
            if done == count {
                return Ok(());
            }
            let damage = Damage::draw(&site, &mut random);
            let Some(verdict) = decay(&site, &damage, random.draw()).transpose() else { continue };
            done += 1;
            tell(seed, &damage, verdict);
        }
    }
    Ok(())
}

/// A directory at rest, and what is acknowledged of it.
struct Site {
    vfs: MemoryVfs,
    logs: Vec<Known>,
    /// Every file with its length.
    files: Vec<(String, u64)>,
}

impl Site {
    /// Two logs with everything that a log can have.
    fn new(seed: u64, closed: bool) -> Result<Site, String> {
        let mut script = Script::new(seed)?;
        let logs = [script.create("a-0", small_segments())?, script.create("b-0", small_segments())?];
        for round in 0..4 {
            for log in logs {
                script.append(log, Content::Idempotent { producer: 7 })?;
                script.append(log, Content::Transactional { producer: 20 + round })?;
                script.append_plain(log, 4)?;
                script.append(log, Content::Marker { producer: 20 + round, commit: round == 2 })?;
                script.start_epoch(log)?;
            }
            if round == 1 {
                script.now_ms += 61_000;
            }
            script.append_plain(logs[0], 2)?;
        }
        for log in logs {
            script.mark(log);
            script.sync(log)?;
        }
        let start = script.random.within(1, 9);
        script.advance_start(logs[1], start)?;
        script.checkpoint()?;
        if closed {
            script.shut_down(true)?;
        }
        let (vfs, mut logs) = script.into_disk();
        for known in &mut logs {
            known.synced = known.end;
        }
        let vfs = vfs.crash(0, Keep::None);
        let mut files = Vec::new();
        list(&vfs, DIRECTORY, &mut files);
        Ok(Site { vfs, logs, files })
    }
}

fn list(vfs: &MemoryVfs, folder: &str, files: &mut Vec<(String, u64)>) {
    for entry in vfs.list(folder).unwrap_or_default() {
        let name = path(folder, &entry.name);
        if entry.folder {
            list(vfs, &name, files);
        } else if let Ok(file) = vfs.open(&name, OpenMode::Read) {
            files.push((name, file.len().unwrap_or(0)));
        }
    }
}

/// What became of one file.
#[derive(Clone, Debug)]
pub struct Damage {
    pub file: String,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Flip { at: u64, bit: u8 },
    Zeros { at: u64, bytes: u64 },
    Cut { at: u64 },
}

impl Damage {
    /// One of any file that has bytes; files of all kinds have the same chance.
    fn draw(site: &Site, random: &mut Random) -> Damage {
        let mut kinds: BTreeMap<&str, Vec<&(String, u64)>> = BTreeMap::new();
        for file in site.files.iter().filter(|(_, length)| *length > 0) {
            let name = file.0.rsplit('/').next().unwrap_or_default();
            kinds.entry(name.trim_start_matches(|c: char| c.is_ascii_digit())).or_default().push(file);
        }
        let kinds: Vec<_> = kinds.into_values().collect();
        let files = &kinds[random.below(kinds.len() as u64) as usize];
        let (file, length) = files[random.below(files.len() as u64) as usize];
        let at = random.below(*length);
        let kind = match random.below(5) {
            0 => Kind::Cut { at },
            1 => Kind::Zeros { at, bytes: 1 + random.below((*length - at).min(600)) },
            _ => Kind::Flip { at, bit: random.below(8) as u8 },
        };
        Damage { file: file.clone(), kind }
    }

    /// The directory with it. None: it changes nothing.
    fn apply(&self, site: &Site) -> Option<MemoryVfs> {
        let vfs = site.vfs.crash(0, Keep::All);
        let before = read_file(&vfs, &self.file).ok()??;
        let mut bytes = before.clone();
        match self.kind {
            Kind::Flip { at, bit } => bytes[at as usize] ^= 1 << bit,
            Kind::Zeros { at, bytes: count } => bytes[at as usize..(at + count) as usize].fill(0),
            Kind::Cut { at } => bytes.truncate(at as usize),
        }
        let file = vfs.open(&self.file, OpenMode::Write).ok()?;
        file.set_len(0).ok()?;
        write_all_at(&*file, &bytes, 0).ok()?;
        (bytes != before).then(|| vfs.crash(0, Keep::All))
    }
}

/// How a damage came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The directory does not open, and says which file it is.
    Refused,
    /// The log does not open, and nothing of it was changed.
    Offline,
    /// The log ends before the damage; what was whole behind it is kept beside.
    Cut,
    /// A read of it is refused.
    Read,
    /// Nobody can be the log's leader.
    Fenced,
    /// Nothing is missing, nothing is different.
    Harmless,
}

/// Does it and looks. None: it would change nothing.
fn decay(site: &Site, damage: &Damage, seed: u64) -> Result<Option<Verdict>, String> {
    let Some(image) = damage.apply(site) else { return Ok(None) };
    let before = image.crash(0, Keep::All);
    let mut random = Random::new(seed);
    let rig = Rig::new();
    let opened = match rig.open_directory(&image) {
        Ok(opened) => opened,
        Err(failure) if failure.text.contains(&damage.file) => return Ok(Some(Verdict::Refused)),
        Err(failure) => return Err(format!("the directory is refused without a reason: {failure:?}")),
    };
    let mut worst = Verdict::Harmless;
    for (slot, known) in site.logs.iter().enumerate() {
        let slot = slot as u32;
        let request = OpenLog {
            clean: opened.clean,
            must_exist: true,
            ..open_request(&rig, opened.id, slot, &known.name, &known.config)
        };
        let hit = damage.file.contains(&format!("/{}/", known.name));
        let verdict = match rig.open(request)? {
            Err(failure) => refused(site, damage, known, &image, &failure)?,
            Ok(info) => held(&rig, slot, known, &info, opened.clean, (&before, &image), &mut random)?,
        };
        let of_another = damage.file.contains("-0/") && !hit;
        if of_another && verdict != Verdict::Harmless {
            return Err(format!("{} suffers from it: {verdict:?}", known.name));
        }
        worst = worst.min(verdict);
    }
    match &rig.heard().broken {
        Some(text) => Err(text.clone()),
        None => Ok(Some(worst)),
    }
}

/// A log that does not open is left as it was.
fn refused(site: &Site, damage: &Damage, known: &Known, image: &MemoryVfs, why: &Failure) -> Result<Verdict, String> {
    if !matches!(why.code, Code::Damaged | Code::InconsistentTopicId) {
        return Err(format!("{} does not open: {why:?}", known.name));
    }
    let logs = site.files.iter().filter(|(name, _)| name.contains(&known.name) && name.ends_with(".log"));
    for (name, length) in logs.filter(|(name, _)| *name != damage.file) {
        let now = image.open(name, OpenMode::Read).and_then(|file| file.len()).unwrap_or(0);
        if now != *length {
            return Err(format!("{name} was cut, and its log is refused"));
        }
    }
    Ok(Verdict::Offline)
}

/// A log that opens shows what was there, or a part of it and says so.
fn held(
    rig: &Rig,
    slot: u32,
    known: &Known,
    info: &OpenInfo,
    clean: bool,
    (before, image): (&MemoryVfs, &MemoryVfs),
    random: &mut Random,
) -> Result<Verdict, String> {
    if info.end < known.end {
        kept_beside(known, info, before, image)?;
        return Ok(Verdict::Cut);
    }
    let mut from = info.start;
    while from < info.end {
        let bytes = match rig.read(slot, from, info.end)? {
            Ok(ReadInfo { bytes: ReadBytes::Memory(bytes), .. }) => bytes,
            Ok(_) => return Err("a read into memory gave files".to_string()),
            Err(failure) if matches!(failure.code, Code::Corrupt | Code::Io) => return Ok(Verdict::Read),
            Err(failure) => return Err(format!("{failure:?}")),
        };
        let mut at = 0;
        while at < bytes.len() {
            let header = Header::read(&bytes[at..]).ok_or("bytes are served that are no batch")?;
            let whole = bytes.get(at..at + header.total_bytes()).filter(|whole| verify_crc(whole));
            let whole = whole.ok_or_else(|| format!("a rotten batch is served at {from}"))?;
            let due = known.line(from).first().map(|due| due.bytes.clone()).unwrap_or_default();
            if due[..] != *whole {
                if is_fenced(rig, slot, known, info, &header, (&due, whole))? {
                    return Ok(Verdict::Fenced);
                }
                if !clean && is_a_neighbours_epoch(known, &header, (&due, whole)) {
                    return Ok(Verdict::Harmless);
                }
                return Err(format!("{header:?} is served where {from} is due"));
            }
            from = header.next_offset();
            at += whole.len();
        }
        if at == 0 {
            return Err(format!("nothing is served at {from}"));
        }
    }
    let batches = compare(rig, slot, known, info)?;
    for _ in 0..4 {
        look_up(rig, slot, info, &batches, random)?;
    }
    go_on(rig, slot, known, info, &batches)?;
    Ok(Verdict::Harmless)
}

/// The log's last batch has a later leader epoch than any that began, which nothing behind it contradicts: then no
/// leader can be its leader.
fn is_fenced(
    rig: &Rig,
    slot: u32,
    known: &Known,
    info: &OpenInfo,
    header: &Header,
    (due, is): (&[u8], &[u8]),
) -> Result<bool, String> {
    let epoch = 12..16;
    let same = due.len() == is.len() && due[..12] == is[..12] && due[epoch.end..] == is[epoch.end..];
    if !same || header.next_offset() != info.end || header.leader_epoch <= known.epoch + 1 {
        return Ok(false);
    }
    let (epoch, offset) = (known.epoch + 1, info.end);
    let begun = rig.answer(|ticket| Command::StartEpoch { log: log(slot), ticket, epoch, offset });
    Ok(begun.is_err_and(|why| why.contains("EpochFenced")))
}

/// The last batch of an epoch has that of the next one, or the first that of the one before, and is otherwise what it
/// was. Where epochs are found anew from the batches, as above a recovery point, nothing contradicts it.
fn is_a_neighbours_epoch(known: &Known, header: &Header, (due, is): (&[u8], &[u8])) -> bool {
    let epoch = 12..16;
    let same = due.len() == is.len() && due[..12] == is[..12] && due[epoch.end..] == is[epoch.end..];
    let beside = |batch: &&Batch| batch.base() == header.next_offset() || batch.end() == header.base_offset;
    let epoch_of = |batch: &Batch| Header::read(&batch.bytes).map(|header| header.leader_epoch);
    same && known.line(0).into_iter().filter(beside).any(|batch| epoch_of(batch) == Some(header.leader_epoch))
}

/// Every whole batch from the log's end on that its files still had is in one of those that keep what was cut.
fn kept_beside(known: &Known, info: &OpenInfo, before: &MemoryVfs, image: &MemoryVfs) -> Result<(), String> {
    let had = content(known, before, ".log")?;
    let kept = content(known, image, "odradek-cut")?;
    let holds = |files: &[Vec<u8>], batch: &Batch| {
        let mut windows = files.iter().flat_map(|bytes| bytes.windows(batch.bytes.len()));
        windows.any(|window| *window == batch.bytes[..])
    };
    let line = known.line(info.end);
    match line.iter().find(|batch| holds(&had, batch) && !holds(&kept, batch)) {
        Some(batch) => Err(format!("the log ends at {}, and the batch at {} is gone", info.end, batch.base())),
        None => Ok(()),
    }
}

/// All files of a log with this suffix.
fn content(known: &Known, vfs: &MemoryVfs, suffix: &str) -> Result<Vec<Vec<u8>>, String> {
    let folder = path(DIRECTORY, &known.name);
    let mut content = Vec::new();
    for entry in vfs.list(&folder).map_err(|error| error.to_string())? {
        if entry.name.ends_with(suffix) {
            content.push(read_file(vfs, &path(&folder, &entry.name)).ok().flatten().unwrap_or_default());
        }
    }
    Ok(content)
}
