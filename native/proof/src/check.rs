//! Opens an image as a broker would and compares what it holds with what was known: nothing acknowledged is missing,
//! nothing is there that never was, and the log goes on.

use crate::folder;
use crate::image::{Variant, fingerprint};
use crate::model::{Aborted, Batch, Known, Presence, Replay};
use crate::random::Random;
use crate::rig::*;
use crate::script::{Cut, Outcome};
use odradek_engine::batch::{BatchBuilder, Header, Records, attributes, verify_crc};
use odradek_engine::command::*;
use odradek_engine::config::Flush;
use odradek_engine::error::Code;
use odradek_engine::vfs::{Keep, MemoryVfs, Vfs, path, remove_if_there};
use std::collections::HashSet;
use std::sync::{Arc, Mutex};

const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";

/// How much is tried with one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Opened, compared, continued.
    Plain,
    /// Also closed clean, its files looked at, and opened once more.
    Closed,
    /// Also cut during its own recovery.
    Nested,
}

/// Opens the image and compares. Returns how many images that were, those of its recovery included.
pub fn check(image: &MemoryVfs, cut: &Cut, depth: Depth, seed: u64) -> Result<u64, String> {
    let mut random = Random::new(seed);
    let forks: Arc<Mutex<Vec<MemoryVfs>>> = Arc::default();
    if depth == Depth::Nested {
        let forks = forks.clone();
        image.observe(move |fork| lock(&forks).push(fork.clone()));
    }
    let rig = Rig::new();
    let opened = Opened::open(&rig, image, cut)?;
    image.stop_observing();
    let mut images = 1;
    if depth == Depth::Nested {
        images += nested(&std::mem::take(&mut *lock(&forks)), &opened.made(cut), &mut random)?;
        images += again(image, &opened.made(cut), &opened)?;
    }
    for (slot, info) in &opened.logs {
        let known = &cut.logs[*slot as usize];
        let named = |text: String| format!("{}: {text}", known.name);
        let held = compare(&rig, *slot, known, info).map_err(named)?;
        look_up(&rig, *slot, info, &held, &mut random).map_err(named)?;
        folder::check(image, known, (info.start, info.end), true).map_err(named)?;
        go_on(&rig, *slot, known, info, &held).map_err(named)?;
    }
    if depth == Depth::Closed {
        close_and_open(&rig, image, cut, &opened)?;
    }
    match &rig.heard().broken {
        Some(text) => Err(text.clone()),
        None => Ok(images),
    }
}

struct Opened {
    directory: DirectoryId,
    logs: Vec<(u32, OpenInfo)>,
}

impl Opened {
    fn open(rig: &Rig, image: &MemoryVfs, cut: &Cut) -> Result<Opened, String> {
        let opened = rig.open_directory(image).map_err(|failure| format!("the directory: {failure:?}"))?;
        if opened.clean && !cut.may_be_clean {
            return Err("there is a clean-shutdown file, and nobody has closed the directory".to_string());
        }
        for known in cut.logs.iter().filter(|known| known.presence == Presence::Gone) {
            let another = cut.logs.iter().any(|log| log.name == known.name && log.presence != Presence::Gone);
            if !another && opened.folders.contains(&known.name) {
                return Err(format!("{} was deleted and is there", known.name));
            }
        }
        let mut logs = Vec::new();
        for (slot, known) in cut.logs.iter().enumerate().filter(|(_, known)| known.presence != Presence::Gone) {
            let slot = slot as u32;
            let request = OpenLog {
                clean: opened.clean,
                must_exist: known.presence == Presence::There,
                ..open_request(rig, opened.id, slot, &known.name, &known.config)
            };
            let info = rig.open(request)?.map_err(|failure| format!("opening {}: {failure:?}", known.name))?;
            logs.push((slot, info));
        }
        // Openings queue what they have to; none of it is needed for what they have promised.
        Ok(Opened { directory: opened.id, logs })
    }
}

impl Opened {
    /// Logs that were gone and that the opening has made anew may be there again, or not yet.
    fn made(&self, cut: &Cut) -> Cut {
        let mut logs = (*cut.logs).clone();
        for (slot, _) in self.logs.iter().filter(|(_, info)| info.created) {
            let known = &mut logs[*slot as usize];
            *known = Known::new(&known.name, &known.config);
        }
        Cut { logs: Arc::new(logs), ..cut.clone() }
    }
}

/// A power cut during the recovery loses no more than the first one did.
fn nested(forks: &[MemoryVfs], cut: &Cut, random: &mut Random) -> Result<u64, String> {
    let mut seen = HashSet::new();
    let mut images = 0;
    for _ in 0..3.min(forks.len()) {
        let at = random.below(forks.len() as u64) as usize;
        for keep in [Keep::None, Keep::All, Keep::Pages] {
            let variant = Variant { keep, seed: random.draw() };
            let image = forks[at].crash(variant.seed, keep);
            if seen.insert(fingerprint(&image)) {
                // The clean-shutdown file may have been seen by the first recovery and be there again.
                images += check(&image, cut, Depth::Plain, random.draw())
                    .map_err(|why| format!("cut again before operation {at} of its recovery, {variant:?}: {why}"))?;
            }
        }
    }
    Ok(images)
}

/// The recovery points are lost, as for a folder that is copied out of its directory: what the folders themselves tell
/// takes no whole log for a damaged one. Returns how many images that were.
pub fn moved(image: &MemoryVfs, cut: &Cut) -> Result<u64, String> {
    let image = image.crash(0, Keep::All);
    let found = image.list(DIRECTORY).unwrap_or_default();
    // What is in the journal alone is not in the folder.
    let journaled = found.iter().any(|entry| entry.name.starts_with("odradek-journal."));
    if journaled || !remove_if_there(&image, &path(DIRECTORY, RECOVERY_POINTS)).map_err(|error| error.to_string())? {
        return Ok(0);
    }
    let rig = Rig::new();
    let opened = Opened::open(&rig, &image, cut).map_err(|why| format!("without recovery points: {why}"))?;
    for (slot, info) in &opened.logs {
        let known = &cut.logs[*slot as usize];
        // Producers and transactions are those of the batches that are left.
        if (known.start_asked, known.cleaned) == (0, 0) {
            compare(&rig, *slot, known, info)
                .map_err(|why| format!("without recovery points: {}: {why}", known.name))?;
        }
    }
    Ok(1)
}

/// What an opening reports is on disk: it opens the same after another power cut.
fn again(image: &MemoryVfs, cut: &Cut, first: &Opened) -> Result<u64, String> {
    let rig = Rig::new();
    let second = Opened::open(&rig, &image.crash(0, Keep::None), cut)?;
    for ((slot, before), (_, after)) in first.logs.iter().zip(&second.logs) {
        let known = &cut.logs[*slot as usize];
        let same = match known.config.flush {
            Flush::Group => (before.start, before.end) == (after.start, after.end) && after.cut_bytes == 0,
            Flush::Os => (before.synced_end..=before.end).contains(&after.end),
        };
        if !same {
            let name = &cut.logs[*slot as usize].name;
            return Err(format!("{name} opened with {before:?}, and after another power cut with {after:?}"));
        }
    }
    Ok(1)
}

/// What the log holds, and that it may.
pub fn compare(rig: &Rig, slot: u32, known: &Known, info: &OpenInfo) -> Result<Vec<Batch>, String> {
    let may_be_new = matches!(known.presence, Presence::Asked | Presence::Going);
    if known.presence == Presence::Asked && info.end != 0 || may_be_new && info.created {
        return if info.end == 0 { Ok(Vec::new()) } else { Err(format!("it is new and ends at {}", info.end)) };
    }
    if info.end < known.synced {
        return Err(format!("it ends at {}, {} was synced", info.end, known.synced));
    }
    // Under flush=os what was recovered is synced with what comes next.
    let least = if known.config.flush == Flush::Group { info.end } else { 0 };
    if !(least..=info.end).contains(&info.synced_end) {
        return Err(format!("it ends at {} and calls {} synced", info.end, info.synced_end));
    }
    if !(known.start..=known.start_asked.max(known.start)).contains(&info.start) || info.start > info.end {
        return Err(format!("it starts at {}, between {} and {} is due", info.start, known.start, known.start_asked));
    }
    if info.high_watermark > known.high_watermark.min(info.end) {
        return Err(format!("its high watermark is {}, {} was told", info.high_watermark, known.high_watermark));
    }
    let (held, reads) = read(rig, slot, info)?;
    let mut next = info.start;
    for batch in &held {
        let (base, end) = (batch.base(), batch.end());
        if end <= next || base > next && known.missing(next, base, &held).is_some() {
            return Err(format!("a batch of {base}..{end} where {next} is due"));
        }
        let ever = known.ever.get(&base).map(Vec::as_slice).unwrap_or_default();
        let may_stand = if end <= known.synced { &ever[ever.len().saturating_sub(1)..] } else { ever };
        if !may_stand.iter().any(|one| one.bytes == batch.bytes) {
            let what = if end <= known.synced { "is not what was synced there" } else { "never was appended there" };
            return Err(format!("the batch at {base} {what}: {:?}", batch.header));
        }
        next = end;
    }
    if next != info.end {
        return Err(format!("it ends at {} and its batches at {next}", info.end));
    }
    compare_epochs(rig, slot, known, info, &held)?;
    compare_transactions(known, info, &held, &reads)?;
    Ok(held)
}

/// One answer: its range, and the aborted transactions that it lists.
struct Answered {
    from: i64,
    to: i64,
    aborted: Vec<(i64, i64)>,
}

fn read(rig: &Rig, slot: u32, info: &OpenInfo) -> Result<(Vec<Batch>, Vec<Answered>), String> {
    let (mut from, mut held, mut reads) = (info.start, Vec::new(), Vec::new());
    while from < info.end {
        let began = from;
        let found = rig.read(slot, from, info.end)?.map_err(|failure| format!("reading at {from}: {failure:?}"))?;
        let ReadBytes::Memory(bytes) = found.bytes else { return Err("a read into memory gave files".to_string()) };
        let mut at = 0;
        while at < bytes.len() {
            let whole = Header::read(&bytes[at..]).and_then(|header| bytes.get(at..at + header.total_bytes()));
            let Some(whole) = whole.filter(|whole| verify_crc(whole)) else {
                return Err(format!("what is read at {from} is no whole batch at byte {at}"));
            };
            let batch = held_batch(whole);
            from = batch.end();
            held.push(batch);
            at += whole.len();
        }
        if at == 0 {
            return Err(format!("nothing can be read at {from} of {}", info.end));
        }
        reads.push(Answered { from: began, to: from, aborted: found.aborted });
    }
    Ok((held, reads))
}

fn held_batch(bytes: &[u8]) -> Batch {
    let header = Header::read(bytes).expect("a whole batch");
    let commits = header.is_control().then(|| {
        let key = odradek_engine::batch::control_record(&header, &bytes[odradek_engine::batch::HEADER_BYTES..]);
        key.is_ok_and(|(_, key, _)| key.ends_with(&[1]))
    });
    Batch { header, bytes: bytes.into(), commits, key: None }
}

fn compare_epochs(rig: &Rig, slot: u32, known: &Known, info: &OpenInfo, held: &[Batch]) -> Outcome {
    let last = held.last().map_or(-1, |batch| batch.header.leader_epoch);
    if info.latest_epoch < last || info.latest_epoch > known.epoch {
        return Err(format!("its latest epoch is {}, its last batch has {last}", info.latest_epoch));
    }
    for (at, batch) in held.iter().enumerate() {
        let epoch = batch.header.leader_epoch;
        if held.get(at + 1).is_some_and(|next| next.header.leader_epoch == epoch) {
            continue;
        }
        let end = batch.end();
        let lookup = Lookup::EpochEnd { epoch };
        let answer = rig.answer(|ticket| Command::Lookup { log: log(slot), ticket, lookup, limit: info.end })?;
        match answer {
            Answer::Found { offset, epoch: found, .. } if (offset, found) == (end, epoch) => {}
            other => return Err(format!("epoch {epoch} ends at {end}, the answer is {other:?}")),
        }
    }
    Ok(())
}

fn compare_transactions(known: &Known, info: &OpenInfo, held: &[Batch], reads: &[Answered]) -> Outcome {
    let first = held.first().map_or(info.start, Batch::base);
    let before = known.line(0).into_iter().filter(|batch| batch.end() <= first);
    let replay = Replay::of(before.chain(held));
    if info.oldest_open_transaction != replay.oldest_open() {
        let (due, found) = (replay.oldest_open(), info.oldest_open_transaction);
        return Err(format!("its oldest open transaction begins at {due}, it says {found}"));
    }
    for Answered { from, to, aborted } in reads {
        let overlaps = |one: &&Aborted| one.last >= *from && one.first < *to;
        let due = replay.aborted.iter().filter(overlaps).map(|one| (one.producer_id, one.first));
        if let Some(missing) = due.clone().find(|one| !aborted.contains(one)) {
            return Err(format!("{missing:?} was aborted, a read of {from}..{to} lists {aborted:?}"));
        }
        let all: Vec<(i64, i64)> = replay.aborted.iter().map(|one| (one.producer_id, one.first)).collect();
        if let Some(invented) = aborted.iter().find(|one| !all.contains(one)) {
            return Err(format!("{invented:?} was not aborted, a read of {from}..{to} lists it"));
        }
    }
    Ok(())
}

/// Look-ups by time give what a walk over all records gives.
pub fn look_up(rig: &Rig, slot: u32, info: &OpenInfo, held: &[Batch], random: &mut Random) -> Outcome {
    if held.is_empty() {
        return Ok(());
    }
    let records: Vec<(i64, i64)> = held
        .iter()
        .filter_map(|batch| Records::new(&batch.bytes))
        .flatten()
        .filter_map(|record| record.ok().map(|record| (record.offset, record.timestamp)))
        .filter(|(offset, _)| *offset >= info.start)
        .collect();
    let ask = |lookup| rig.answer(|ticket| Command::Lookup { log: log(slot), ticket, lookup, limit: info.end });
    let expect = |lookup, due: Option<&(i64, i64)>| match ask(lookup)? {
        Answer::Found { offset, timestamp, .. } if Some(&(offset, timestamp)) == due.or(Some(&(-1, -1))) => Ok(()),
        other => Err(format!("{lookup:?} finds {due:?}, the answer is {other:?}")),
    };
    let timestamp = records[random.below(records.len() as u64) as usize].1 + random.within(-1, 1);
    expect(Lookup::Time { timestamp }, records.iter().find(|(_, at)| *at >= timestamp))?;
    let largest = records.iter().map(|(_, at)| *at).max();
    expect(Lookup::MaxTime, records.iter().find(|(_, at)| Some(*at) == largest))
}

/// A repeated batch is known again, the next one is taken, and it is synced.
pub fn go_on(rig: &Rig, slot: u32, known: &Known, info: &OpenInfo, held: &[Batch]) -> Outcome {
    let mut end = info.end;
    let epoch = known.epoch + 1;
    let send = |bytes: Vec<u8>| {
        let ticket = rig.ticket();
        rig.submit(append(slot, ticket, bytes, epoch, NOW, false));
        rig.settle();
        rig.appended(ticket)
    };
    for (id, header) in Replay::of(held.iter()).last {
        let batch = held.iter().find(|batch| batch.base() == header.base_offset).expect("it was held");
        let (code, again) = send(Batch::stamped(batch.bytes.to_vec(), 0, -1, None).bytes.to_vec())?;
        if (code, again.duplicate, again.base, again.end) != (Code::Ok, true, batch.base(), batch.end()) {
            let at = batch.base();
            return Err(format!("producer {id} repeats its batch at {at} and is answered with {code:?} {again:?}"));
        }
        if header.attributes & attributes::TRANSACTIONAL != 0 {
            continue;
        }
        let follow = |sequence| {
            BatchBuilder::new().producer(id, header.producer_epoch, sequence).record(NOW, None, Some(b"next")).build()
        };
        let (code, gap) = send(follow(header.last_sequence() + 2))?;
        if code != Code::OutOfOrderSequence {
            return Err(format!("producer {id} leaves a sequence out and is answered with {code:?} {gap:?}"));
        }
        let (code, next) = send(follow(header.last_sequence() + 1))?;
        if (code, next.base) != (Code::Ok, end) {
            return Err(format!("producer {id} goes on and is answered with {code:?} {next:?}"));
        }
        end += 1;
    }
    let last = BatchBuilder::new().record(NOW, Some(b"key"), Some(b"after the cut")).build();
    let (code, next) = send(last.clone())?;
    if (code, next.base, next.end) != (Code::Ok, end, end + 1) {
        return Err(format!("it ends at {end}, an append is answered with {code:?} {next:?}"));
    }
    if known.config.flush == Flush::Group && rig.synced(slot) != end + 1 {
        return Err(format!("it ends at {}, {} is synced", end + 1, rig.synced(slot)));
    }
    let found = rig.read(slot, end, end + 1)?.map_err(|failure| format!("{failure:?}"))?;
    match found.bytes {
        ReadBytes::Memory(bytes) if bytes[..] == Batch::stamped(last, end, epoch, None).bytes[..] => Ok(()),
        other => Err(format!("what was appended at {end} reads as {other:?}")),
    }
}

/// Closed clean, every index file fits its segment, and everything is there when it is opened again.
fn close_and_open(rig: &Rig, image: &MemoryVfs, cut: &Cut, opened: &Opened) -> Outcome {
    let mut ends = Vec::new();
    for (slot, _) in &opened.logs {
        let lookup = Lookup::EpochEnd { epoch: i32::MAX };
        let end = match rig.answer(|ticket| Command::Lookup { log: log(*slot), ticket, lookup, limit: i64::MAX })? {
            Answer::Found { .. } => rig.synced(*slot),
            other => return Err(format!("{other:?}")),
        };
        ends.push(end);
        rig.answer(|ticket| Command::Close { log: log(*slot), ticket, clean: true })?;
    }
    rig.close_directory(opened.directory, true).map_err(|failure| format!("{failure:?}"))?;
    let rig = Rig::new();
    let logs = cut.logs.iter().map(|known| Known { synced: 0, ..known.clone() }).collect();
    let cut = Cut { vfs: image.clone(), logs: Arc::new(logs), may_be_clean: true };
    let again = Opened::open(&rig, &image.crash(0, Keep::None), &cut)?;
    for ((slot, info), end) in again.logs.iter().zip(ends) {
        let known = &cut.logs[*slot as usize];
        folder::check(image, known, (info.start, info.end), false)?;
        if known.config.flush == Flush::Group && info.end != end || info.cut_bytes > 0 {
            return Err(format!("{} was closed at {end} and opens with {info:?}", known.name));
        }
    }
    Ok(())
}
