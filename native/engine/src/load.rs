//! Loads what a log's folder holds: trusted segments by their files, those above the recovery point by a walk.
//!
//! Invariants: what is reported as synced is on disk. Index files of sealed segments that are missing, make no
//! sense or are others than `odradek-sums` says are built anew; a snapshot, an epoch or an index entry above the
//! recovery point is not believed.

use crate::command::Failure;
use crate::config::Flush;
use crate::error::Code;
use crate::leader_epochs::LeaderEpochs;
use crate::open::Opening;
use crate::planted::{Bug, planted};
use crate::producer_state::ProducerStates;
use crate::recovery::{Bad, Recovery, Report, damaged};
use crate::recovery_producers::{ProducersAt, load_producers};
use crate::scan::{Scan, Step};
use crate::segment::{Largest, Segment, file_name, parse_name};
use crate::sums::{SUMS, Sums};
use crate::sync_job::Failed;
use crate::tidy::tidy;
use crate::told::told;
use crate::vfs::{DirectoryEntry, File, OpenMode, is_no_space, path, read_exact_at, remove_if_there, write_all_at};
use crate::view::ViewState;
use std::io;
use std::sync::Arc;

/// Bytes read at once.
const WINDOW: usize = 256 << 10;

/// What a log's folder was found to hold.
pub struct Loaded {
    pub state: ViewState,
    pub epochs: LeaderEpochs,
    pub report: Report,
    pub producers: ProducerStates,
    pub loose_snapshots: Vec<i64>,
    pub first_timestamp: Option<i64>,
    /// The recovery point is the end: nothing has to be done before a clean close.
    pub settled: bool,
    /// Segments that were recovered and may not be on disk, under `flush=os`.
    pub unsynced: Vec<i64>,
}

impl Loaded {
    pub fn empty(opening: &Opening<'_>, base: i64) -> Loaded {
        let segment = Segment::new(opening.vfs.clone(), opening.folder.clone(), base, 0);
        segment.rest();
        Loaded {
            state: view_of(vec![Arc::new(segment)], base, base, 0),
            epochs: LeaderEpochs::default(),
            report: Report::default(),
            producers: Default::default(),
            loose_snapshots: Vec::new(),
            first_timestamp: None,
            settled: base == 0,
            unsynced: Vec::new(),
        }
    }
}

/// Offsets of the producer snapshots among what a folder holds, ascending.
fn snapshots_in(entries: &[DirectoryEntry]) -> Vec<i64> {
    entries.iter().filter_map(|entry| parse_name(&entry.name, ".snapshot")).collect()
}

fn view_of(segments: Vec<Arc<Segment>>, start: i64, end: i64, bytes_end: u64) -> ViewState {
    ViewState {
        segments: segments.into(),
        start,
        end,
        bytes_end,
        bytes_at_open: bytes_end,
        epochs: Arc::default(),
        truncations: 0,
        replacements: 0,
    }
}

impl Opening<'_> {
    pub fn load(&self) -> Result<Loaded, Failure> {
        let entries = tidy(&*self.vfs, &self.folder).map_err(|error| self.broken("tidying", error))?;
        let bases: Vec<i64> = entries.iter().filter_map(|entry| parse_name(&entry.name, ".log")).collect();
        if bases.is_empty() {
            if self.points.recovery > 0 {
                return Err(damaged(format!(
                    "{} holds no segment, although its recovery point is {}",
                    self.folder, self.points.recovery
                )));
            }
            // Producers of segments that a crash took.
            if !planted(Bug::KeepSnapshotWithoutSegment) {
                self.drop_untrusted_snapshots(&mut snapshots_in(&entries), -1)?;
            }
            return Ok(Loaded::empty(self, self.points.start.unwrap_or(0)));
        }
        let mut segments = Vec::with_capacity(bases.len());
        let mut sizes = Vec::with_capacity(bases.len());
        let mut bytes = 0;
        for base in bases {
            let segment = Segment::new(self.vfs.clone(), self.folder.clone(), base, bytes);
            let size = self
                .vfs
                .open(&segment.path(".log"), OpenMode::Read)
                .and_then(|file| file.len())
                .map_err(|error| self.failed("reading a segment of", error))?;
            segment.load(size, None, Largest { timestamp: -1, offset: -1 }, Vec::new());
            bytes += size;
            sizes.push(size);
            segments.push(Arc::new(segment));
        }
        let snapshots = snapshots_in(&entries);
        let sums = self.sums()?;
        if self.request.clean
            && let Some(loaded) = self.load_segments(segments.clone(), &sizes, &snapshots, &sums, true)?
        {
            return Ok(loaded);
        }
        // Not closed clean, or not as clean as was said.
        for (segment, size) in segments.iter().zip(&sizes) {
            segment.load(*size, None, Largest { timestamp: -1, offset: -1 }, Vec::new());
        }
        let loaded = self.load_segments(segments, &sizes, &snapshots, &sums, false)?;
        loaded.ok_or_else(|| damaged(format!("{} can't be recovered", self.folder)))
    }

    /// None: `clean` was not true of what is there.
    fn load_segments(
        &self,
        mut segments: Vec<Arc<Segment>>,
        sizes: &[u64],
        snapshots: &[i64],
        sums: &Sums,
        clean: bool,
    ) -> Result<Option<Loaded>, Failure> {
        let mut snapshots = snapshots.to_vec();
        let (now_ms, expiration_ms) = (self.request.now_ms, self.request.config.producer_id_expiration_ms);
        let recovery_point = if clean { i64::MAX } else { self.points.recovery };
        let first_walked = if clean {
            segments.len() - 1
        } else {
            segments.partition_point(|segment| segment.base <= recovery_point).saturating_sub(1)
        };
        for (segment, next) in segments.iter().zip(&segments[1..]).take(first_walked) {
            self.load_sealed(segment, next.base, sums)?;
        }
        let recovered_to = if planted(Bug::TrustTheSnapshot) { i64::MAX } else { recovery_point };
        let mut trusted: Vec<i64> = snapshots.iter().copied().filter(|offset| *offset <= recovered_to).collect();
        let producers = match clean {
            true => None,
            false => Some(
                ProducersAt::newest(&*self.vfs, &self.folder, &mut trusted, now_ms, expiration_ms)
                    .map_err(|error| self.failed("reading producers of", error))?,
            ),
        };
        let (epochs, mended) = self.load_epochs(&segments, first_walked, recovery_point, sums)?;
        let mut recovery = Recovery {
            vfs: &*self.vfs,
            folder: &self.folder,
            recovery_point,
            told: if clean || self.points.listed { 0 } else { self.told(&segments, sizes, sums)? },
            verify: !clean,
            producers,
            sums,
            compacted: self.request.config.compacted,
            index_interval_bytes: self.request.config.index_interval_bytes as u64,
            epochs,
            next_offset: segments[first_walked].base,
            report: Report { mended, ..Report::default() },
        };
        let mut bad: Option<Bad> = None;
        for at in first_walked..segments.len() {
            let next_base = segments.get(at + 1).map(|next| next.base);
            bad = recovery
                .walk(at, &segments[at], next_base, segments.get(at + 1).map(|next| &**next))
                .map_err(|error| self.failed("reading a segment of", error))?;
            if bad.is_some() {
                break;
            }
        }
        let cut = bad.is_some();
        match bad {
            Some(_) if clean => return Ok(None),
            Some(bad) => recovery.cut(&mut segments, sizes, &bad).inspect_err(|failure| {
                if failure.code == Code::Io {
                    self.directory.fail_with(0, failure.text.clone());
                }
            })?,
            None => {}
        }
        let end = recovery.next_offset;
        if !clean && end < recovery_point && !planted(Bug::CutDamage) {
            return Err(damaged(format!(
                "{} ends at offset {end}, below its recovery point {recovery_point}: bytes that were on disk are missing",
                self.folder
            )));
        }
        // A clean close moves the recovery point to the end. A log without one, as Apache Kafka's of
        // the metadata, can't tell.
        if clean && self.points.recovery > 0 && end != self.points.recovery {
            return Ok(None);
        }
        if !clean && end < sums.upto && !self.points.listed {
            // What is appended from here on is not what they speak of.
            remove_if_there(&*self.vfs, &path(&self.folder, SUMS))
                .and_then(|_| self.vfs.sync_folder(&self.folder))
                .map_err(|error| self.broken("removing the sums of", error))?;
        }
        let mut epochs = std::mem::take(&mut recovery.epochs);
        epochs.truncate_from_end(end);
        let mut report = std::mem::take(&mut recovery.report);
        let bytes_end = segments.last().map_or(0, |last| last.bytes_before + last.size());
        let start = self.points.start.unwrap_or(0).max(segments[0].base);
        let state = view_of(segments, start, end, bytes_end);
        if !clean {
            self.drop_untrusted_snapshots(&mut snapshots, recovered_to)?;
            report.recovered_segments = (state.segments.len() - first_walked.min(state.segments.len())) as u32;
        }
        let first_base = state.segments.get(first_walked).map_or(i64::MAX, |segment| segment.base);
        let walked = recovery.producers.take();
        let walked = walked.and_then(|walked| walked.loaded(&state, first_base, trusted, now_ms, expiration_ms));
        let loaded = match walked {
            Some(loaded) => loaded,
            None => {
                snapshots.retain(|offset| *offset <= recovered_to.min(end));
                load_producers(&*self.vfs, &self.folder, &state, snapshots, recovered_to, now_ms, expiration_ms)
                    .map_err(|error| self.failed("reading producers of", error))?
            }
        };
        // What lies below the recovery point was made durable before that was.
        let on_disk = end == recovery_point || self.directory.has_caught_up();
        let durable = clean || (on_disk && !cut && !self.directory.doubted);
        // Nobody was promised the disk: the next recovery point syncs it.
        let later = !durable && self.request.config.flush == Flush::Os && !self.directory.doubted;
        self.seal_walked(&state, first_walked, durable || later, recovery_point)?;
        let recovered = &state.segments[first_walked.min(state.segments.len())..];
        let unsynced = if later { recovered.iter().map(|segment| segment.base).collect() } else { Vec::new() };
        let first_timestamp = self.first_timestamp(&state)?;
        Ok(Some(Loaded {
            settled: end == self.points.recovery && !report.mended,
            state,
            epochs,
            report,
            producers: loaded.producers,
            loose_snapshots: loaded.loose,
            first_timestamp,
            unsynced,
        }))
    }

    fn told(&self, segments: &[Arc<Segment>], sizes: &[u64], sums: &Sums) -> Result<i64, Failure> {
        let segments: Vec<(i64, u64)> =
            segments.iter().zip(sizes).map(|(segment, size)| (segment.base, *size)).collect();
        told(&*self.vfs, &self.folder, sums, &segments).map_err(|error| self.failed("reading the indexes of", error))
    }

    /// Snapshots above the recovery point may tell of records that a crash took away. Those at the base of a segment
    /// have done their service by now.
    fn drop_untrusted_snapshots(&self, snapshots: &mut Vec<i64>, recovery_point: i64) -> Result<(), Failure> {
        let (kept, dropped): (Vec<i64>, Vec<i64>) = snapshots.iter().partition(|offset| **offset <= recovery_point);
        if dropped.is_empty() {
            return Ok(());
        }
        *snapshots = kept;
        let drop = || -> io::Result<()> {
            for offset in dropped {
                remove_if_there(&*self.vfs, &path(&self.folder, &file_name(offset, ".snapshot")))?;
            }
            self.vfs.sync_folder(&self.folder)
        };
        drop().map_err(|error| self.broken("removing snapshots of", error))
    }

    /// Walked segments but the last get their index files; what recovery read is made durable, since it is reported as
    /// synced.
    fn seal_walked(
        &self,
        state: &ViewState,
        first_walked: usize,
        durable: bool,
        recovery_point: i64,
    ) -> Result<(), Failure> {
        let seal = || -> Result<(), Failed> {
            let mut names = !durable;
            for (at, segment) in state.segments.iter().enumerate().skip(first_walked) {
                if !durable {
                    let failed = |error| Failed { what: format!("syncing {}", segment.path(".log")), error };
                    let sync = || {
                        let file = self.vfs.open(&segment.path(".log"), OpenMode::Write)?;
                        if self.directory.doubted {
                            let from = segment.floor(recovery_point, true)?.unwrap_or(0);
                            write_again(&*file, from, segment.size())?;
                        }
                        file.sync_data()
                    };
                    sync().map_err(failed)?;
                }
                if at + 1 < state.segments.len() {
                    if let Some(files) = segment.index_files()
                        && !files.write_durably(&*self.vfs, &self.folder)?
                    {
                        let what = format!("writing the indexes of {}", segment.path(".log"));
                        return Err(Failed { what, error: io::ErrorKind::StorageFull.into() });
                    }
                    names = true;
                    segment.seal();
                }
            }
            if !names {
                return Ok(());
            }
            let failed = |error| Failed { what: format!("syncing {}", self.folder), error };
            self.vfs.sync_folder(&self.folder).map_err(failed)
        };
        seal().map_err(|failed| {
            if is_no_space(&failed.error) {
                return self.failed(&failed.what, failed.error);
            }
            self.directory.fail(&failed.what, &failed.error)
        })
    }

    fn first_timestamp(&self, state: &ViewState) -> Result<Option<i64>, Failure> {
        let active = &state.segments[state.segments.len() - 1];
        if active.size() == 0 {
            active.release_file();
            return Ok(None);
        }
        let read = || -> io::Result<Option<i64>> {
            let file = active.file()?;
            Ok(match Scan::new(&*file, 0, active.size(), 0).next()? {
                Step::Batch(entry) => Some(entry.header.max_timestamp),
                _ => None,
            })
        };
        let timestamp = read().map_err(|error| self.failed("reading", error))?;
        active.release_file();
        Ok(timestamp)
    }
}

/// Writes what can be read once more, so that the next sync has it to do: after one that failed the system may take
/// bytes for clean that are in its cache alone.
fn write_again(file: &dyn File, mut at: u64, end: u64) -> io::Result<()> {
    let mut window = vec![0; WINDOW.min(end.saturating_sub(at) as usize)];
    while at < end {
        let part = window.len().min((end - at) as usize);
        read_exact_at(file, &mut window[..part], at)?;
        write_all_at(file, &window[..part], at)?;
        at += part as u64;
    }
    Ok(())
}
