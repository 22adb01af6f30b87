//! One pass over one log, step by step.
//!
//! Invariants: a step reads about `buffer_bytes` and then returns. The lane answers an errand before the
//! next step. What was written and not adopted is removed when the pass ends early, unless the folder
//! belongs to somebody else by then.

use super::batches::{Batches, body};
use super::filter::Filter;
use super::offset_map::OffsetMap;
use super::output::{self, Output};
use super::range::{self, CleanRange, Piece};
use super::records::each_record;
use super::swap::{Replacement, move_names};
use super::token::Token;
use super::transactions::Transactions;
use crate::command::{CleanInfo, CleanLog, DirectoryId, Failure, LogRef};
use crate::config::LogConfig;
use crate::error::Code;
use crate::log::LogShared;
use crate::producer_state::LastRecord;
use crate::segment::Segment;
use crate::txn_index::AbortedTransaction;
use crate::vfs::{OpenMode, is_no_space};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// What a step asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Another step. `bytes` were read and written.
    More { bytes: u64 },
    /// The lane, with the errand.
    Lane,
}

/// What the lane is to do.
pub enum Errand {
    Adopt(Arc<Replacement>),
    /// The names of the adopted segment have moved.
    Adopted,
    End(Result<CleanInfo, Failure>),
}

/// What the lane knows and a pass needs.
pub struct Found {
    pub shared: Arc<LogShared>,
    pub config: Arc<LogConfig>,
    pub last_records: BTreeMap<i64, LastRecord>,
    pub range: CleanRange,
    pub token: Arc<Token>,
}

pub struct Cleaning {
    pub log: LogRef,
    pub request: CleanLog,
    pub errand: Option<Errand>,
    found: Found,
    /// The log's first ones, up to the bound.
    segments: Vec<Arc<Segment>>,
    /// Those of all segments.
    aborted: Vec<AbortedTransaction>,
    map: OffsetMap,
    transactions: Transactions,
    phase: Phase,
    info: CleanInfo,
}

enum Phase {
    Begin,
    /// Takes the keys of the segment at `at`.
    Map {
        at: usize,
        batches: Option<Batches>,
    },
    /// The next of the groups begins with the segment at `at`.
    Group {
        at: usize,
    },
    /// The group begins at `from` and ends before `to`; the segment at `at` is read.
    Copy {
        from: usize,
        to: usize,
        at: usize,
        batches: Batches,
        output: Box<Output>,
    },
    Adopt {
        replacement: Arc<Replacement>,
        to: usize,
    },
    Move {
        replacement: Arc<Replacement>,
        to: usize,
    },
    Discard {
        base: i64,
        failure: Failure,
    },
    Over,
}

impl Cleaning {
    pub fn directory(&self) -> DirectoryId {
        self.found.shared.directory.id
    }

    pub fn new(log: LogRef, request: CleanLog, found: Found) -> Cleaning {
        let state = found.shared.view.state();
        let bound = found.range.bound;
        let segments = state.segments.iter().take_while(|segment| segment.base < bound).cloned().collect();
        let records = bound.saturating_sub(found.range.first_dirty).max(0) as u64;
        Cleaning {
            log,
            errand: None,
            segments,
            aborted: state.segments.iter().flat_map(|segment| segment.aborted()).collect(),
            map: OffsetMap::new(request.map_bytes, request.load_factor, records),
            transactions: Transactions::default(),
            phase: Phase::Begin,
            info: CleanInfo { cleaned_to: found.range.first_dirty, ..CleanInfo::default() },
            found,
            request,
        }
    }

    /// Does the next piece of work.
    pub fn step(&mut self) -> Progress {
        let phase = std::mem::replace(&mut self.phase, Phase::Over);
        // What there is of a segment that nobody has adopted.
        let written = match &phase {
            Phase::Copy { from, .. } => Some(self.segments[*from].base),
            Phase::Discard { base, .. } => Some(*base),
            _ => None,
        };
        let outcome = match phase {
            Phase::Discard { failure, .. } => Err(failure),
            _ if self.found.token.is_stopped() => Err(self.cut_short()),
            Phase::Begin => self.begin(),
            Phase::Map { at, batches } => self.map(at, batches),
            Phase::Group { at } => self.group(at),
            Phase::Copy { from, to, at, batches, output } => self.copy(from, to, at, batches, output),
            Phase::Move { replacement, to } => self.move_names(&replacement, to),
            Phase::Adopt { .. } | Phase::Over => Err(self.cut_short()),
        };
        outcome.unwrap_or_else(|failure| {
            if let Some(base) = written {
                let shared = &self.found.shared;
                // What can't be removed now goes at the next opening.
                self.found.token.unless_closed(|| {
                    let _ = output::discard(&*shared.directory.vfs, &shared.folder, base);
                });
            }
            self.end(Err(failure))
        })
    }

    /// The lane has adopted what was written, or has not.
    pub fn adopted(&mut self, adopted: bool) {
        if let Phase::Adopt { replacement, to } = std::mem::replace(&mut self.phase, Phase::Over) {
            self.phase = if adopted {
                Phase::Move { replacement, to }
            } else {
                Phase::Discard { base: replacement.new.base, failure: self.cut_short() }
            };
        }
    }

    fn end(&mut self, outcome: Result<CleanInfo, Failure>) -> Progress {
        self.errand = Some(Errand::End(outcome));
        Progress::Lane
    }

    fn cut_short(&self) -> Failure {
        let name = &self.found.shared.name;
        Failure { code: Code::StaleLog, text: format!("compacting {name} was given up: the log has changed meanwhile") }
    }

    fn begin(&mut self) -> Result<Progress, Failure> {
        let (shared, range) = (&self.found.shared, self.found.range);
        shared.directory.check()?;
        if self.segments.is_empty() || range.first_dirty >= range.bound {
            return Ok(self.end(Ok(self.info.clone())));
        }
        if shared.directory.recovery_on_disk(&shared.name) < range.bound {
            shared.directory.write_checkpoints()?;
        }
        let aborted = self.aborted.iter().filter(|transaction| transaction.last_offset >= range.first_dirty);
        self.transactions = Transactions::new(aborted.copied().collect());
        let at = self.segments.partition_point(|segment| segment.base <= range.first_dirty).saturating_sub(1);
        self.phase = Phase::Map { at, batches: None };
        Ok(Progress::More { bytes: 0 })
    }

    /// The segment's batches, from the one that holds `from` on or an earlier one.
    fn read(&self, at: usize, from: i64) -> Result<Batches, Failure> {
        let segment = &self.segments[at];
        let path = segment.path(".log");
        let open = || -> io::Result<_> {
            let begin = if from > segment.base { segment.floor(from, true)?.unwrap_or(0) } else { 0 };
            Ok((segment.file()?, begin))
        };
        let (file, begin) = open().map_err(|error| {
            if self.found.token.is_stopped() {
                return self.cut_short();
            }
            Failure { code: Code::Io, text: format!("opening {path} to compact it: {error}") }
        })?;
        Ok(Batches::new(file, path, begin, segment.size(), self.request.buffer_bytes as usize))
    }

    fn map(&mut self, at: usize, batches: Option<Batches>) -> Result<Progress, Failure> {
        let first_dirty = self.found.range.first_dirty;
        let mut batches = match batches {
            Some(batches) => batches,
            None => self.read(at, first_dirty)?,
        };
        let from = batches.position();
        let (mut full, mut whole) = (false, false);
        // A few bytes may inflate to very many: who stops the pass waits for one batch at most.
        while !full && batches.position() - from < self.request.buffer_bytes as u64 && !self.found.token.is_stopped() {
            let Some((header, batch)) = batches.next()? else {
                whole = true;
                break;
            };
            let taken = self.take_keys(&header, batch);
            full = !taken.map_err(|why| batches.damage_in(&header, why))?;
            if !full && header.last_offset() >= first_dirty {
                self.map.latest = header.last_offset();
            }
        }
        let bytes = batches.position() - from;
        self.info.read_bytes += bytes;
        if whole {
            // Behind its last batch nothing comes in this segment.
            let next_base = self.segments.get(at + 1).map_or(self.found.range.bound, |next| next.base);
            self.map.latest = next_base - 1;
        }
        if full || (whole && at + 1 == self.segments.len()) {
            self.plan();
        } else if whole {
            self.phase = Phase::Map { at: at + 1, batches: None };
        } else {
            self.phase = Phase::Map { at, batches: Some(batches) };
        }
        Ok(Progress::More { bytes })
    }

    /// False: the table is full, and the batch was not taken as a whole.
    fn take_keys(&mut self, header: &crate::batch::Header, batch: &[u8]) -> Result<bool, String> {
        if header.is_control() {
            self.transactions.on_control(header, body(batch))?;
            return Ok(true);
        }
        if self.transactions.on_batch(header) {
            return Ok(true);
        }
        let first_dirty = self.found.range.first_dirty;
        let mut room = true;
        each_record(header, batch, |record| {
            let offset = header.base_offset + record.offset_delta as i64;
            if let Some(key) = record.key.filter(|_| room && offset >= first_dirty) {
                room = self.map.put(&key, offset);
            }
        })?;
        Ok(room)
    }

    /// The table is made. What is written anew begins with the log's first segment.
    fn plan(&mut self) {
        self.info.cleaned_to = (self.map.latest + 1).max(self.found.range.first_dirty);
        self.info.keys = self.map.len() as u64;
        let cleaned_to = self.info.cleaned_to;
        self.segments.truncate(self.segments.partition_point(|segment| segment.base < cleaned_to));
        self.transactions = Transactions::new(std::mem::take(&mut self.aborted));
        self.phase = Phase::Group { at: 0 };
    }

    /// Begins the group at `at`; behind the last one the pass is done.
    fn group(&mut self, at: usize) -> Result<Progress, Failure> {
        if at == self.segments.len() {
            return self.done();
        }
        let pieces: Vec<Piece> = self.segments[at..].iter().map(|segment| self.piece(segment)).collect();
        let to = at + range::first_group(&pieces, &self.found.config, self.found.range.bound);
        let batches = self.read(at, 0)?;
        let (shared, base) = (&self.found.shared, self.segments[at].base);
        let interval = self.found.config.index_interval_bytes as u64;
        let create = || Output::create(&shared.directory.vfs, &shared.folder, base, interval);
        let output = self.found.token.unless_stopped(create).ok_or_else(|| self.cut_short())?;
        let output = Box::new(output.map_err(|error| self.unwritten(&error))?);
        self.phase = Phase::Copy { from: at, to, at, batches, output };
        Ok(Progress::More { bytes: 0 })
    }

    fn piece(&self, segment: &Segment) -> Piece {
        let bytes_of = |suffix| {
            let file = self.found.shared.directory.vfs.open(&segment.path(suffix), OpenMode::Read);
            file.and_then(|file| file.len()).unwrap_or(0)
        };
        let (index_bytes, time_index_bytes) = (bytes_of(".index"), bytes_of(".timeindex"));
        Piece { base: segment.base, bytes: segment.size(), index_bytes, time_index_bytes }
    }

    fn copy(
        &mut self,
        from: usize,
        to: usize,
        mut at: usize,
        mut batches: Batches,
        mut output: Box<Output>,
    ) -> Result<Progress, Failure> {
        let begin = batches.position();
        let mut written = 0;
        while batches.position() - begin < self.request.buffer_bytes as u64 && !self.found.token.is_stopped() {
            let Some((header, batch)) = batches.next()? else {
                let bytes = batches.position() - begin;
                self.info.read_bytes += bytes;
                at += 1;
                if at == to {
                    return self.write_out(from, to, output);
                }
                let batches = self.read(at, 0)?;
                self.phase = Phase::Copy { from, to, at, batches, output };
                return Ok(Progress::More { bytes: bytes + written });
            };
            let mut filter = Filter {
                map: &self.map,
                transactions: &mut self.transactions,
                last_records: &self.found.last_records,
                bound: self.found.range.bound,
                now_ms: self.request.now_ms,
                delete_retention_ms: self.found.config.delete_retention_ms,
            };
            let added = match filter.judge(&header, batch) {
                Ok(judged) => {
                    self.info.records += judged.records;
                    self.info.kept_records += judged.kept;
                    self.info.keyless_records += judged.keyless;
                    output.add(&header, batch, &judged)
                }
                Err(why) => return Err(batches.damage_in(&header, why)),
            };
            let added = added.map_err(|error| self.unwritten(&error))?;
            written += added;
            self.info.written_bytes += added;
        }
        let bytes = batches.position() - begin;
        self.info.read_bytes += bytes;
        self.phase = Phase::Copy { from, to, at, batches, output };
        Ok(Progress::More { bytes: bytes + written })
    }

    /// A group is written: the lane decides whether it counts.
    fn write_out(&mut self, from: usize, to: usize, output: Box<Output>) -> Result<Progress, Failure> {
        let old = self.segments[from..to].to_vec();
        let segment = self.found.token.unless_stopped(|| output.finish(old[0].bytes_before));
        let segment = segment.ok_or_else(|| self.cut_short())?.map_err(|error| self.unwritten(&error))?;
        let replacement = Arc::new(Replacement::new(old, segment, self.found.shared.folder.clone()));
        self.errand = Some(Errand::Adopt(replacement.clone()));
        self.phase = Phase::Adopt { replacement, to };
        Ok(Progress::Lane)
    }

    fn move_names(&mut self, replacement: &Replacement, to: usize) -> Result<Progress, Failure> {
        move_names(replacement, &self.found.shared)?;
        self.errand = Some(Errand::Adopted);
        self.phase = Phase::Group { at: to };
        Ok(Progress::Lane)
    }

    /// The checkpoint says how far the log is clean.
    fn done(&mut self) -> Result<Progress, Failure> {
        let (shared, cleaned_to) = (&self.found.shared, self.info.cleaned_to);
        let written = self.found.token.unless_stopped(|| {
            shared.directory.set_cleaned(&shared.name, cleaned_to);
            shared.directory.write_cleaned()
        });
        match written.ok_or_else(|| self.cut_short())? {
            // Without room the file comes with the next checkpoint; until then a restart cleans once more.
            Err(failure) if failure.code != Code::NoSpace => Err(failure),
            _ => Ok(self.end(Ok(self.info.clone()))),
        }
    }

    fn unwritten(&self, error: &io::Error) -> Failure {
        let shared = &self.found.shared;
        if self.found.token.is_stopped() || shared.sync.is_over() {
            return self.cut_short();
        }
        let text = format!("compacting {}: {error}", shared.name);
        if is_no_space(error) {
            return Failure { code: Code::NoSpace, text };
        }
        if error.kind() == io::ErrorKind::InvalidData {
            return Failure { code: Code::LargerThanSegment, text };
        }
        shared.directory.fail(&format!("compacting {}", shared.name), error)
    }
}
