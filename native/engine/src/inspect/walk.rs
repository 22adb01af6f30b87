//! Walks the batches of one log file for `verify`: header, CRC, offsets, epochs, transactions, and with `deep` every
//! record; shows each batch to the checks of the segment's index files as it passes.
//!
//! Invariant: a batch whose length can be right is stepped over however bad it is otherwise, as Kafka's reader does.

use super::entries::{only_zeros, read_up_to};
use super::epochs::EpochCheck;
use super::indexes::{Checker, Transactions, TxnCheck};
use super::partition::Points;
use super::{Check, Fix, Halt, LOSE, REPAIR, RESTORE, Severity};
use crate::batch::{HEADER_BYTES, Header, Records, control_record};
use crate::scan::{Entry, Scan, Step};
use crate::vfs::File;
use std::io;

/// Bytes read at once.
const WINDOW: usize = 1 << 20;
/// A control batch is far smaller.
const CONTROL_BYTES: usize = 64 * 1024;
/// A larger batch is not looked into: it would have to lie in memory as a whole.
const DEEPEST_BYTES: u64 = 256 << 20;
/// How far, and into how many bytes of candidates, whole batches behind damage are looked for.
const SEARCHED_BYTES: u64 = 1 << 30;

/// What a walk carries from one segment of a log to the next.
pub struct Course {
    pub folder: String,
    /// What lies below was on disk: damage there is no torn tail.
    pub recovery: i64,
    /// Who says so.
    teller: &'static str,
    /// Below it the cleaner has been at work, and holes are what it leaves.
    pub cleaned: i64,
    /// The offset that is due; None before the first segment.
    pub next: Option<i64>,
    pub epochs: EpochCheck,
    pub transactions: Transactions,
    /// The offset of the log's first batch, or where the walk began.
    pub first: i64,
    /// What the batch before said of its offsets can't be believed.
    blind: bool,
    /// No batch could be told any more in the segment before.
    pub broken: bool,
    /// Whole batches behind damage were looked for once.
    searched: bool,
    /// A hole before the batch that was passed last, which that batch's offset may have torn.
    jump: Option<Jump>,
    /// A batch of this segment that belongs to the next one was told.
    overrun: bool,
    /// A file that no recovery point speaks of: a snapshot of the metadata log.
    pub alone: bool,
}

/// Offsets `from..to` are missing before the batch at a position.
struct Jump {
    at: u64,
    from: i64,
    to: i64,
}

/// One log file under the walk.
pub struct Walked<'a> {
    pub name: &'a str,
    pub base: i64,
    /// Where the next segment begins.
    pub next_base: Option<i64>,
    pub size: u64,
    pub file: &'a dyn File,
}

impl Course {
    pub fn new(folder: &str) -> Course {
        Course {
            folder: folder.to_string(),
            recovery: i64::MAX,
            teller: "the recovery point",
            cleaned: 0,
            next: None,
            epochs: EpochCheck::default(),
            transactions: Transactions::default(),
            first: 0,
            blind: false,
            broken: false,
            searched: false,
            jump: None,
            overrun: false,
            alone: false,
        }
    }

    /// `recovery`: as the root's points say or, where they say nothing, the folder.
    pub fn believe(&mut self, points: Points, recovery: i64) {
        (self.recovery, self.cleaned) = (recovery, points.cleaned);
        if points.recovery.is_none() && recovery > 0 {
            self.teller = "what odradek-sums tells of,";
        }
    }

    /// Walks a segment to its end, or to where no batch can be told any more.
    pub fn walk(
        &mut self,
        check: &mut Check<'_>,
        log: &Walked<'_>,
        checkers: &mut [&mut dyn Checker],
        transactions: Option<&mut TxnCheck<'_>>,
    ) -> Result<(), Halt> {
        let mut transactions = transactions;
        let mut scan = Scan::new(log.file, 0, log.size, WINDOW);
        self.begin(check, log)?;
        loop {
            let at = scan.position();
            let step = match scan.next() {
                Ok(step) => step,
                Err(error) => {
                    self.broken = true;
                    let what = format!("can't be read: {error}");
                    return check.say(Severity::Error, log.name, Some(at), what, RESTORE, None);
                }
            };
            match step {
                Step::End => return self.land(check, log),
                Step::Bad(why) => {
                    self.land(check, log)?;
                    self.broken = true;
                    return self.bad(check, log, at, &why, true);
                }
                Step::Batch(entry) => {
                    check.totals.batches += 1;
                    self.batch(check, log, &mut scan, &entry)?;
                    for checker in checkers.iter_mut() {
                        checker.batch(check, &entry)?;
                    }
                    if let Some(transactions) = &mut transactions {
                        let from = self.cleaned.max(self.first);
                        transactions.batch(check, entry.header.next_offset(), self.transactions.aborted, from)?;
                    }
                    if !self.blind {
                        self.next = Some(entry.header.next_offset());
                    }
                }
            }
        }
    }

    fn begin(&mut self, check: &mut Check<'_>, log: &Walked<'_>) -> Result<(), Halt> {
        self.overrun = false;
        if self.next.is_none() {
            self.first = log.base;
        }
        let due = *self.next.get_or_insert(log.base);
        if self.broken {
            self.broken = false;
            self.next = Some(log.base);
        } else if log.base < due {
            let what = format!("the segment begins at offset {}, the one before it ends at {due}", log.base);
            let torn = due >= self.recovery;
            let fix = Fix::Cut { folder: self.folder.clone(), base: log.base, position: 0, next: due, loses: !torn };
            check.say(Severity::Error, log.name, Some(0), what, LOSE, Some(fix))?;
        } else if log.base > due {
            self.hole(check, log, 0, due, log.base)?;
            self.next = Some(log.base);
        }
        Ok(())
    }

    /// Nothing has shown that the last jump was the batch's own fault: records are missing there.
    fn land(&mut self, check: &mut Check<'_>, log: &Walked<'_>) -> Result<(), Halt> {
        match self.jump.take() {
            Some(Jump { at, from, to }) => self.hole(check, log, at, from, to),
            None => Ok(()),
        }
    }

    fn hole(&mut self, check: &mut Check<'_>, log: &Walked<'_>, at: u64, from: i64, to: i64) -> Result<(), Halt> {
        if from < self.cleaned {
            return Ok(());
        }
        let what = format!("offsets {from} to {} are missing: compaction took them, or they are lost", to - 1);
        let remedy = "nothing if the topic is or was compacted; else restore them from a replica or a backup";
        check.say(Severity::Warning, log.name, Some(at), what, remedy, None)
    }

    fn batch(
        &mut self,
        check: &mut Check<'_>,
        log: &Walked<'_>,
        scan: &mut Scan<'_>,
        entry: &Entry,
    ) -> Result<(), Halt> {
        let (header, at) = (&entry.header, entry.position);
        self.transactions.aborted = None;
        match scan.checksum_matches(entry) {
            Ok(true) => {}
            Ok(false) => {
                self.land(check, log)?;
                self.blind = true;
                return self.bad(check, log, at, "the CRC is not that of the batch's bytes", false);
            }
            Err(error) => {
                return check.say(
                    Severity::Error,
                    log.name,
                    Some(at),
                    format!("can't be read: {error}"),
                    RESTORE,
                    None,
                );
            }
        }
        let blind = std::mem::replace(&mut self.blind, false);
        match self.jump.take() {
            Some(Jump { at, from, to }) if (from..to).contains(&header.base_offset) => {
                self.next = Some(from);
                let why = format!("offset {to} stands between offsets {} and {}", from - 1, header.base_offset);
                self.bad(check, log, at, &why, false)?;
                self.next = Some(header.base_offset);
            }
            jump => {
                self.jump = jump;
                self.land(check, log)?;
            }
        }
        let due = self.next.unwrap_or(log.base);
        if header.base_offset < due {
            let why = format!("offset {} stands where {due} or later is due", header.base_offset);
            self.bad(check, log, at, &why, false)?;
        } else if header.base_offset > due && !blind {
            self.jump = Some(Jump { at, from: due, to: header.base_offset });
        }
        if let Some(next_base) = log.next_base
            && header.last_offset() >= next_base
            && !std::mem::replace(&mut self.overrun, true)
        {
            let what = format!("offset {} belongs to the segment that begins at {next_base}", header.last_offset());
            check.say(Severity::Error, log.name, Some(at), what, RESTORE, None)?;
        }
        if header.last_offset() - log.base > i32::MAX as i64 {
            let what =
                format!("offset {} is further from the segment's first than an index can tell", header.last_offset());
            check.say(Severity::Error, log.name, Some(at), what, RESTORE, None)?;
        }
        if header.magic < 2 {
            return Ok(());
        }
        if let Some(why) = judge(header) {
            self.bad(check, log, at, &why, false)?;
        }
        if let Some(why) = self.epochs.batch(header) {
            check.say(Severity::Error, log.name, Some(at + 12), why, RESTORE, None)?;
        }
        if header.is_control() {
            self.control(check, log, scan, entry)?;
        } else {
            self.transactions.data(header);
        }
        if check.options.deep { self.deep(check, log, entry) } else { Ok(()) }
    }

    fn control(
        &mut self,
        check: &mut Check<'_>,
        log: &Walked<'_>,
        scan: &mut Scan<'_>,
        entry: &Entry,
    ) -> Result<(), Halt> {
        if entry.header.count == 0 {
            return Ok(());
        }
        let outcome = scan.body(entry, CONTROL_BYTES);
        let Some(body) = check.read(log.name, outcome)? else { return Ok(()) };
        match control_record(&entry.header, &body) {
            Ok((_, key, _)) => self.transactions.marker(&entry.header, super::entries::i16_at(&key, 2)),
            Err(why) => {
                self.bad(check, log, entry.position, &format!("a control batch can't be read: {why}"), false)?
            }
        }
        Ok(())
    }

    fn deep(&mut self, check: &mut Check<'_>, log: &Walked<'_>, entry: &Entry) -> Result<(), Halt> {
        if entry.bytes > DEEPEST_BYTES {
            let what = format!(
                "the batch at byte {} has {} bytes: its records are not looked into",
                entry.position, entry.bytes
            );
            return check.note(log.name, what, "");
        }
        let outcome = whole(log.file, entry);
        let Some(bytes) = check.read(log.name, outcome)? else { return Ok(()) };
        match records(&entry.header, &bytes) {
            Err(why) => self.bad(check, log, entry.position, &why, false),
            Ok(Some((from, to))) => self.hole(check, log, entry.position, from, to),
            Ok(None) => Ok(()),
        }
    }

    /// Tells of a batch that is none. `ends`: nothing behind it can be told.
    fn bad(&mut self, check: &mut Check<'_>, log: &Walked<'_>, at: u64, why: &str, ends: bool) -> Result<(), Halt> {
        let due = self.next.unwrap_or(log.base);
        if self.alone {
            return check.say(Severity::Error, log.name, Some(at), why, RESTORE, None);
        }
        let zeros = if ends { only_zeros(log.file, at, log.size) } else { Ok(false) };
        let Some(zeros) = check.read(log.name, zeros)? else { return Ok(()) };
        let search = !zeros && !std::mem::replace(&mut self.searched, true);
        let behind = if search { whole_behind(log.file, at, log.size, log.base) } else { Ok((0, at)) };
        let Some((records, first)) = check.read(log.name, behind)? else { return Ok(()) };
        let torn = due >= self.recovery;
        let mut what = match zeros {
            true => format!("{} zeros stand behind the last batch", log.size - at),
            false => why.to_string(),
        };
        if records > 0 {
            what += &format!("; whole batches with {records} records follow from byte {first} on");
        }
        what += &match (torn, self.recovery) {
            (true, recovery) => format!(" (offset {due}, at or above {} {recovery}: a torn tail)", self.teller),
            (false, i64::MAX) => format!(" (offset {due})"),
            (false, recovery) => format!(" (offset {due}, below {} {recovery}: it was on disk)", self.teller),
        };
        let severity = if torn && records == 0 { Severity::Warning } else { Severity::Error };
        let fix = Fix::Cut { folder: self.folder.clone(), base: log.base, position: at, next: due, loses: !torn };
        check.say(severity, log.name, Some(at), what, if torn { REPAIR } else { LOSE }, Some(fix))
    }
}

/// What a header says that can't be, though its CRC is right or doesn't cover it.
fn judge(header: &Header) -> Option<String> {
    if header.count < 0 {
        return Some(format!("{} records", header.count));
    }
    if header.count as i64 > header.last_offset_delta as i64 + 1 {
        return Some(format!("{} records in {} offsets", header.count, header.last_offset_delta as i64 + 1));
    }
    if header.codec() > 4 {
        return Some(format!("codec {} is none that exists", header.codec()));
    }
    None
}

/// All bytes of a batch.
pub fn whole(file: &dyn File, entry: &Entry) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; entry.bytes as usize];
    let filled = read_up_to(file, &mut bytes, entry.position)?;
    bytes.truncate(filled);
    Ok(bytes)
}

/// Walks the records. `Ok(Some)`: the first hole between their offsets, where the cleaner may have been.
fn records(header: &Header, bytes: &[u8]) -> Result<Option<(i64, i64)>, String> {
    let walk = Records::new(bytes).ok_or("the batch is cut short")?;
    let (mut due, mut largest, mut hole) = (header.base_offset, i64::MIN, None);
    for record in walk {
        let record = record?;
        if record.offset < due || record.offset > header.last_offset() {
            return Err(format!("a record has offset {} where {due} or later is due", record.offset));
        }
        if record.offset > due && hole.is_none() {
            hole = Some((due, record.offset));
        }
        due = record.offset + 1;
        largest = largest.max(record.timestamp);
    }
    if header.count > 0 && !header.is_log_append_time() && largest != header.max_timestamp {
        return Err(format!("the largest timestamp is {largest}, the header says {}", header.max_timestamp));
    }
    if header.count > 0 && due <= header.last_offset() && hole.is_none() {
        hole = Some((due, header.next_offset()));
    }
    Ok(hole)
}

/// Records in whole batches that lie anywhere behind `from`, and where the first of these begins.
pub fn whole_behind(file: &dyn File, from: u64, size: u64, base: i64) -> io::Result<(u64, u64)> {
    let (mut records, mut first, mut at) = (0, from, from + 1);
    let mut budget = SEARCHED_BYTES;
    let mut buffer = vec![0; WINDOW.min((size - from) as usize)];
    while at + HEADER_BYTES as u64 <= size && budget > 0 {
        let want = (size - at).min(WINDOW as u64) as usize;
        let filled = read_up_to(file, &mut buffer[..want], at)?;
        let last = filled.saturating_sub(HEADER_BYTES);
        // The magic byte stands 16 bytes into a batch: only where it does is a closer look due.
        let candidate = (0..=last).find(|i| buffer.get(i + 16) == Some(&2) && plausible(&buffer[*i..filled], base));
        budget = budget.saturating_sub(last as u64 + 1);
        let Some(inside) = candidate else {
            // A batch begins with zeros, most of the time.
            let next = at + last as u64 + 1;
            at = next.max(file.data_from(next)?.saturating_sub(HEADER_BYTES as u64));
            continue;
        };
        let mut scan = Scan::new(file, at + inside as u64, size, WINDOW);
        at += inside as u64 + 1;
        if let Step::Batch(entry) = scan.next()? {
            budget = budget.saturating_sub(entry.bytes);
            if scan.checksum_matches(&entry)? {
                first = if records == 0 { entry.position } else { first };
                records += entry.header.count.max(0) as u64;
                at = entry.end();
            }
        }
    }
    Ok((records, first))
}

fn plausible(bytes: &[u8], base: i64) -> bool {
    Header::read(bytes).is_some_and(|header| {
        header.base_offset >= base
            && header.base_offset - base <= i32::MAX as i64
            && header.length as i64 >= HEADER_BYTES as i64 - 12
            && header.last_offset_delta >= 0
    })
}
