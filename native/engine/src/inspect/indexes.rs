//! The index files of one segment against its batches, entry by entry as the walk passes them.

use super::entries::{Entries, i16_at, i64_at, only_zeros};
use super::{Check, Fix, Halt, REPAIR, Severity};
use crate::batch::Header;
use crate::scan::Entry;
use crate::vfs::File;
use crate::{offset_index, time_index, txn_index};
use std::collections::BTreeMap;

/// Sees the batches of a segment in order.
pub trait Checker {
    fn batch(&mut self, check: &mut Check<'_>, entry: &Entry) -> Result<(), Halt>;
}

/// What the three have in common.
struct Index<'a> {
    name: &'a str,
    file: &'a dyn File,
    entries: Entries<'a>,
    base: i64,
    fix: Fix,
    ended: bool,
    /// Wrong entries so far.
    told: u64,
}

/// Wrong entries of one file that are told one by one.
const MOST_TOLD: u64 = 20;

impl<'a> Index<'a> {
    fn new(name: &'a str, file: &'a dyn File, size: usize, base: i64, folder: &str) -> Index<'a> {
        let fix = Fix::Indexes { folder: folder.to_string(), base };
        Index { name, file, entries: Entries::new(file, size), base, fix, ended: false, told: 0 }
    }

    /// The next entry, with where it stands; None at the end or at the zeros behind the last one. `blank`: whether an
    /// entry of zeros ends the file.
    fn next(&mut self, check: &mut Check<'_>, blank: bool) -> Result<Option<(u64, Vec<u8>)>, Halt> {
        if self.ended {
            return Ok(None);
        }
        let at = self.entries.position();
        let outcome = self.entries.next().map(|raw| raw.map(<[u8]>::to_vec));
        match check.read(self.name, outcome)?.flatten() {
            Some(raw) if blank && raw.iter().all(|byte| *byte == 0) => {
                self.ended = true;
                let length = self.file.len();
                let Some(length) = check.read(self.name, length)? else { return Ok(None) };
                let outcome = only_zeros(self.file, at, length);
                match check.read(self.name, outcome)? {
                    Some(false) => self.wrong(check, at, "zeros stand between entries".to_string())?,
                    Some(true) => self.zeros(check, at, length)?,
                    None => {}
                }
                Ok(None)
            }
            Some(raw) => Ok(Some((at, raw))),
            None => {
                self.ended = true;
                let length = self.file.len();
                if let Some(length) = check.read(self.name, length)?
                    && length > at
                {
                    self.wrong(check, at, format!("{} bytes of an entry", length - at))?;
                }
                Ok(None)
            }
        }
    }

    fn wrong(&mut self, check: &mut Check<'_>, at: u64, what: String) -> Result<(), Halt> {
        self.told += 1;
        if self.told > MOST_TOLD {
            return Ok(());
        }
        check.say(Severity::Warning, self.name, Some(at), what, REPAIR, Some(self.fix.clone()))
    }

    fn finish(&mut self, check: &mut Check<'_>) -> Result<(), Halt> {
        if self.told <= MOST_TOLD {
            return Ok(());
        }
        let what = format!("{} more entries are wrong", self.told - MOST_TOLD);
        check.say(Severity::Warning, self.name, None, what, REPAIR, Some(self.fix.clone()))
    }

    fn zeros(&mut self, check: &mut Check<'_>, at: u64, length: u64) -> Result<(), Halt> {
        let what = format!("{} zeros stand behind the last entry: the file was not closed", length - at);
        check.say(Severity::Warning, self.name, Some(at), what, REPAIR, Some(self.fix.clone()))
    }
}

/// `.index`: last offset of a batch, and where it begins.
pub struct OffsetCheck<'a> {
    index: Index<'a>,
    /// The entry that waits for its batch: where it stands, offset, position.
    due: Option<(u64, i64, u64)>,
    last: Option<(i64, u64)>,
}

impl<'a> OffsetCheck<'a> {
    pub fn new(name: &'a str, file: &'a dyn File, base: i64, folder: &str) -> OffsetCheck<'a> {
        OffsetCheck { index: Index::new(name, file, offset_index::ENTRY_BYTES, base, folder), due: None, last: None }
    }

    /// Takes entries up to one that ascends.
    fn advance(&mut self, check: &mut Check<'_>) -> Result<(), Halt> {
        while self.due.is_none() {
            // An entry of zeros can be the first one: the first batch has a single record.
            let first = self.index.entries.position() == 0;
            let Some((at, raw)) = self.index.next(check, !first)? else { return Ok(()) };
            let entry = offset_index::OffsetEntry::decode(&raw);
            let (offset, position) = (self.index.base + entry.relative as i64, entry.position as u64);
            if first && entry.relative == 0 && entry.position == 0 && self.is_blank(check)? {
                return Ok(());
            }
            if let Some((before, from)) = self.last
                && (offset <= before || position <= from)
            {
                let what = format!("offset {offset} at byte {position} comes behind offset {before} at byte {from}");
                self.index.wrong(check, at, what)?;
                continue;
            }
            self.last = Some((offset, position));
            self.due = Some((at, offset, position));
        }
        Ok(())
    }

    /// Only zeros: no entry was ever written.
    fn is_blank(&mut self, check: &mut Check<'_>) -> Result<bool, Halt> {
        let length = self.index.file.len();
        let Some(length) = check.read(self.index.name, length)? else { return Ok(true) };
        let outcome = only_zeros(self.index.file, 0, length);
        let blank = check.read(self.index.name, outcome)?.unwrap_or(true) && length > offset_index::ENTRY_BYTES as u64;
        if blank {
            self.index.ended = true;
            self.index.zeros(check, 0, length)?;
        }
        Ok(blank)
    }

    /// What is left speaks of bytes behind the last batch.
    pub fn finish(&mut self, check: &mut Check<'_>, end: u64) -> Result<(), Halt> {
        self.advance(check)?;
        if let Some((at, offset, position)) = self.due {
            let what = format!("offset {offset} at byte {position}: the last batch ends at byte {end}");
            self.index.wrong(check, at, what)?;
        }
        self.index.finish(check)
    }
}

impl Checker for OffsetCheck<'_> {
    fn batch(&mut self, check: &mut Check<'_>, entry: &Entry) -> Result<(), Halt> {
        loop {
            self.advance(check)?;
            let Some((at, offset, position)) = self.due.filter(|due| due.2 < entry.end()) else { return Ok(()) };
            self.due = None;
            let last = entry.header.last_offset();
            if position != entry.position {
                let what =
                    format!("offset {offset} at byte {position}: the batch there begins at byte {}", entry.position);
                self.index.wrong(check, at, what)?;
            } else if offset != last {
                self.index.wrong(
                    check,
                    at,
                    format!("offset {offset} at byte {position}: the batch there ends at offset {last}"),
                )?;
            }
        }
    }
}

/// `.timeindex`: the largest timestamp so far, and the last offset of the batch that holds it.
pub struct TimeCheck<'a> {
    index: Index<'a>,
    due: Option<(u64, time_index::TimeEntry)>,
    last: Option<time_index::TimeEntry>,
    largest: i64,
}

impl<'a> TimeCheck<'a> {
    pub fn new(name: &'a str, file: &'a dyn File, base: i64, folder: &str) -> TimeCheck<'a> {
        TimeCheck {
            index: Index::new(name, file, time_index::ENTRY_BYTES, base, folder),
            due: None,
            last: None,
            largest: -1,
        }
    }

    fn advance(&mut self, check: &mut Check<'_>) -> Result<(), Halt> {
        while self.due.is_none() {
            let Some((at, raw)) = self.index.next(check, true)? else { return Ok(()) };
            let entry = time_index::TimeEntry::decode(&raw);
            if let Some(last) = self.last
                && (entry.timestamp <= last.timestamp || entry.relative < last.relative)
            {
                let what = format!(
                    "timestamp {} of offset {} comes behind timestamp {} of offset {}",
                    entry.timestamp,
                    self.offset(entry),
                    last.timestamp,
                    self.offset(last)
                );
                self.index.wrong(check, at, what)?;
                continue;
            }
            self.last = Some(entry);
            self.due = Some((at, entry));
        }
        Ok(())
    }

    fn offset(&self, entry: time_index::TimeEntry) -> i64 {
        self.index.base + entry.relative as i64
    }

    /// `sealed`: no more batches come, so the last entry tells the segment's largest timestamp.
    pub fn finish(&mut self, check: &mut Check<'_>, end: i64, sealed: bool) -> Result<(), Halt> {
        self.advance(check)?;
        if let Some((at, entry)) = self.due {
            let what =
                format!("timestamp {} of offset {}: the log ends at offset {end}", entry.timestamp, self.offset(entry));
            self.index.wrong(check, at, what)?;
            return self.index.finish(check);
        }
        let told = self.last.map_or(-1, |last| last.timestamp);
        if sealed && self.largest > told {
            let what = format!("the last entry says {told}, the segment's largest timestamp is {}", self.largest);
            let at = self.index.entries.position();
            self.index.wrong(check, at, what)?;
        }
        self.index.finish(check)
    }
}

impl Checker for TimeCheck<'_> {
    fn batch(&mut self, check: &mut Check<'_>, entry: &Entry) -> Result<(), Halt> {
        let (last, timestamp) = (entry.header.last_offset(), entry.header.max_timestamp);
        self.largest = self.largest.max(timestamp);
        loop {
            self.advance(check)?;
            let Some((at, due)) = self.due.filter(|(_, due)| self.offset(*due) <= last) else { return Ok(()) };
            self.due = None;
            let offset = self.offset(due);
            if offset != last {
                let what =
                    format!("timestamp {} of offset {offset}: the batch there ends at offset {last}", due.timestamp);
                self.index.wrong(check, at, what)?;
            } else if due.timestamp != timestamp {
                let what = format!("timestamp {} of offset {offset}: its batch says {timestamp}", due.timestamp);
                self.index.wrong(check, at, what)?;
            }
        }
    }
}

/// Open transactions as the batches tell them.
#[derive(Default)]
pub struct Transactions {
    open: BTreeMap<i64, i64>,
    pub aborted: Option<Aborted>,
}

/// The abort whose marker was just passed.
#[derive(Clone, Copy)]
pub struct Aborted {
    marker: i64,
    producer_id: i64,
    /// None: no record of the transaction was met.
    first: Option<i64>,
}

/// More at once are not followed: the file is made up.
const MOST_OPEN: usize = 100_000;
const ABORT: i16 = 0;

impl Transactions {
    pub fn data(&mut self, header: &Header) {
        if header.is_transactional() && header.has_producer_id() && self.open.len() < MOST_OPEN {
            self.open.entry(header.producer_id).or_insert(header.base_offset);
        }
    }

    pub fn marker(&mut self, header: &Header, kind: i16) {
        if header.has_producer_id() {
            let first = self.open.remove(&header.producer_id);
            let aborted = Aborted { marker: header.last_offset(), producer_id: header.producer_id, first };
            self.aborted = (kind == ABORT).then_some(aborted);
        }
    }
}

/// `.txnindex`: transactions whose abort marker lies in the segment.
pub struct TxnCheck<'a> {
    index: Option<Index<'a>>,
    name: &'a str,
    fix: Fix,
    due: Option<(u64, txn_index::AbortedTransaction)>,
    last: i64,
}

impl<'a> TxnCheck<'a> {
    /// `file`: None when there is none, which is right where nothing was aborted.
    pub fn new(name: &'a str, file: Option<&'a dyn File>, base: i64, folder: &str) -> TxnCheck<'a> {
        let index = file.map(|file| Index::new(name, file, txn_index::ENTRY_BYTES, base, folder));
        TxnCheck { index, name, fix: Fix::Indexes { folder: folder.to_string(), base }, due: None, last: -1 }
    }

    fn wrong(&mut self, check: &mut Check<'_>, at: Option<u64>, what: String) -> Result<(), Halt> {
        let remedy = "odradek log repair; until then consumers may read aborted records as committed";
        check.say(Severity::Error, self.name, at, what, remedy, Some(self.fix.clone()))
    }

    fn advance(&mut self, check: &mut Check<'_>) -> Result<(), Halt> {
        while self.due.is_none() {
            let Some(index) = &mut self.index else { return Ok(()) };
            let Some((at, raw)) = index.next(check, true)? else { return Ok(()) };
            let entry = txn_index::AbortedTransaction {
                producer_id: i64_at(&raw, 2),
                first_offset: i64_at(&raw, 10),
                last_offset: i64_at(&raw, 18),
                last_stable_offset: i64_at(&raw, 26),
            };
            let version = i16_at(&raw, 0);
            if version != 0 {
                self.wrong(check, Some(at), format!("an entry of version {version}; 0 is known"))?;
            } else if entry.last_offset <= self.last
                || entry.first_offset >= entry.last_offset
                || entry.first_offset < 0
            {
                let what = format!(
                    "offsets {} to {} of producer {} can't be",
                    entry.first_offset, entry.last_offset, entry.producer_id
                );
                self.wrong(check, Some(at), what)?;
            } else {
                self.last = entry.last_offset;
                self.due = Some((at, entry));
            }
        }
        Ok(())
    }

    /// Behind a batch, `next` being its end; `aborted`: what it ended. `from`: what began below is not known whole,
    /// since the log begins there or the cleaner took records.
    pub fn batch(&mut self, check: &mut Check<'_>, next: i64, aborted: Option<Aborted>, from: i64) -> Result<(), Halt> {
        let mut found = false;
        loop {
            self.advance(check)?;
            let Some((at, entry)) = self.due.filter(|(_, entry)| entry.last_offset < next) else { break };
            self.due = None;
            let matches = aborted.is_some_and(|aborted| {
                let begins = aborted.first.is_none_or(|first| {
                    entry.first_offset == first || (entry.first_offset < from && entry.first_offset < first)
                });
                aborted.marker == entry.last_offset && aborted.producer_id == entry.producer_id && begins
            });
            found |= matches;
            if !matches {
                let what = format!(
                    "the abort of producer {} from offset {} to {}: the batches say otherwise",
                    entry.producer_id, entry.first_offset, entry.last_offset
                );
                self.wrong(check, Some(at), what)?;
            }
        }
        if let Some(Aborted { marker, producer_id, first: Some(first) }) = aborted
            && !found
            && marker >= from
        {
            let what = format!("no entry for the abort of producer {producer_id} from offset {first} to {marker}");
            self.wrong(check, None, what)?;
        }
        Ok(())
    }

    pub fn finish(&mut self, check: &mut Check<'_>) -> Result<(), Halt> {
        self.batch(check, i64::MAX, None, i64::MAX)
    }
}
