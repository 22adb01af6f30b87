//! Prints files as JSON lines: one a batch, record, entry or line of text.
//!
//! Invariant: one line at a time is in memory, and of a record at most `KEPT_BYTES`; what can't be read is a line that
//! says so, and the next file follows.

use super::Halt;
use super::entries::{Entries, i16_at, i32_at, i64_at};
use super::json::Line;
use super::target::{Kind, Target, kind, split};
use super::walk::whole;
use crate::batch::{HEADER_BYTES, INFLATED_MAX_BYTES, Tee, Walk, WalkError, attributes, get_varint};
use crate::codec::{Codec, Inflater};
use crate::directory::check_folder_name;
use crate::scan::{Entry, Scan, Step};
use crate::vfs::{self, File, OpenMode, Vfs, path};
use crate::{offset_index, time_index, txn_index};
use std::io;

/// Of a larger record key, value and headers are left out.
const KEPT_BYTES: usize = 16 << 20;
/// A larger batch is not looked into.
const DEEPEST_BYTES: u64 = 256 << 20;
const WINDOW: usize = 1 << 20;
const TEXT_BYTES: u64 = 64 << 20;

#[derive(Clone, Copy, Debug)]
pub struct DumpOptions {
    /// A line for each record, with its bytes.
    pub records: bool,
    /// Batches that end below are left out.
    pub from: i64,
    /// Batches that begin above are left out.
    pub to: i64,
}

/// Prints what the targets hold. `lines` answers false to end it.
pub fn dump(
    vfs: &dyn Vfs,
    targets: &[Target],
    options: DumpOptions,
    lines: &mut dyn FnMut(String) -> bool,
) -> Result<(), Halt> {
    let mut dump = Dump { vfs, options, lines };
    for target in targets {
        match target {
            Target::Directory(root) => dump.folder(root, true)?,
            Target::Partition(folder) => dump.folder(folder, false)?,
            Target::File(file) => dump.file(file)?,
        }
    }
    Ok(())
}

struct Dump<'a> {
    vfs: &'a dyn Vfs,
    options: DumpOptions,
    lines: &'a mut dyn FnMut(String) -> bool,
}

impl Dump<'_> {
    fn tell(&mut self, line: Line) -> Result<(), Halt> {
        if (self.lines)(line.end()) { Ok(()) } else { Err(Halt::Stopped) }
    }

    fn bad(&mut self, file: &str, at: u64, text: &str) -> Result<(), Halt> {
        self.tell(Line::new("bad").text("file", file).number("position", at as i64).text("text", text))
    }

    fn folder(&mut self, folder: &str, root: bool) -> Result<(), Halt> {
        let entries = self.vfs.list(folder).map_err(|error| Halt::Unreadable(folder.to_string(), error))?;
        for entry in &entries {
            let inner = path(folder, &entry.name);
            if entry.folder && root && check_folder_name(&entry.name).is_ok() {
                self.folder(&inner, false)?;
            } else if !entry.folder && kind(&entry.name).is_some() {
                self.file(&inner)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, name: &str) -> Result<(), Halt> {
        let opened = self.vfs.open(name, OpenMode::Read).and_then(|file| Ok((file.clone(), file.len()?)));
        let (file, size) = match opened {
            Ok(opened) => opened,
            Err(error) => return self.bad(name, 0, &format!("can't be read: {error}")),
        };
        let Some(kind) = kind(split(name).1) else { return Ok(()) };
        self.tell(Line::new("file").text("file", name).number("bytes", size as i64))?;
        match kind {
            Kind::Log(_) | Kind::Records => self.log(name, &*file, size),
            Kind::Index(base) => self.index(name, &*file, offset_index::ENTRY_BYTES, |line, raw| {
                let entry = offset_index::OffsetEntry::decode(raw);
                line.number("offset", base + entry.relative as i64).number("position", entry.position as i64)
            }),
            Kind::TimeIndex(base) => self.index(name, &*file, time_index::ENTRY_BYTES, |line, raw| {
                let entry = time_index::TimeEntry::decode(raw);
                line.number("timestamp", entry.timestamp).number("offset", base + entry.relative as i64)
            }),
            Kind::TxnIndex(_) => self.index(name, &*file, txn_index::ENTRY_BYTES, |line, raw| {
                line.number("version", i16_at(raw, 0) as i64)
                    .number("producerId", i64_at(raw, 2))
                    .number("firstOffset", i64_at(raw, 10))
                    .number("lastOffset", i64_at(raw, 18))
                    .number("lastStableOffset", i64_at(raw, 26))
            }),
            Kind::Snapshot(_) => self.snapshot(name, size),
            _ => self.text(name, size),
        }
    }

    fn index(
        &mut self,
        name: &str,
        file: &dyn File,
        size: usize,
        line: impl Fn(Line, &[u8]) -> Line,
    ) -> Result<(), Halt> {
        let mut entries = Entries::new(file, size);
        loop {
            let at = entries.position();
            match entries.next() {
                Ok(Some(raw)) if at > 0 && raw.iter().all(|byte| *byte == 0) => {
                    return self.bad(name, at, "an entry of zeros: none follows");
                }
                Ok(Some(raw)) => self.tell(line(Line::new("entry").text("file", name), raw))?,
                Ok(None) => return Ok(()),
                Err(error) => return self.bad(name, at, &format!("can't be read: {error}")),
            }
        }
    }

    fn snapshot(&mut self, name: &str, size: u64) -> Result<(), Halt> {
        const HEAD: usize = 10;
        const ENTRY: usize = 46;
        let Some(bytes) = self.small(name, size)? else { return Ok(()) };
        if bytes.len() < HEAD {
            return self.bad(name, 0, "a producer snapshot that is cut short");
        }
        let (crc, is) = (i32_at(&bytes, 2) as u32, crc_fast::crc32_iscsi(&bytes[6..]));
        self.tell(
            Line::new("snapshot")
                .text("file", name)
                .number("version", i16_at(&bytes, 0) as i64)
                .number("crc", crc as i64)
                .flag("valid", crc == is)
                .number("producers", i32_at(&bytes, 6) as i64),
        )?;
        for raw in bytes[HEAD..].chunks_exact(ENTRY) {
            self.tell(
                Line::new("producer")
                    .text("file", name)
                    .number("producerId", i64_at(raw, 0))
                    .number("producerEpoch", i16_at(raw, 8) as i64)
                    .number("lastSequence", i32_at(raw, 10) as i64)
                    .number("lastOffset", i64_at(raw, 14))
                    .number("offsetDelta", i32_at(raw, 22) as i64)
                    .number("timestamp", i64_at(raw, 26))
                    .number("coordinatorEpoch", i32_at(raw, 34) as i64)
                    .number("currentTxnFirstOffset", i64_at(raw, 38)),
            )?;
        }
        Ok(())
    }

    fn text(&mut self, name: &str, size: u64) -> Result<(), Halt> {
        let Some(bytes) = self.small(name, size)? else { return Ok(()) };
        for text in String::from_utf8_lossy(&bytes).lines() {
            self.tell(Line::new("text").text("file", name).text("text", text))?;
        }
        Ok(())
    }

    fn small(&mut self, name: &str, size: u64) -> Result<Option<Vec<u8>>, Halt> {
        if size > TEXT_BYTES {
            self.bad(name, 0, &format!("{size} bytes are no file of this kind"))?;
            return Ok(None);
        }
        match vfs::read_file(self.vfs, name) {
            Ok(bytes) => Ok(bytes),
            Err(error) => self.bad(name, 0, &format!("can't be read: {error}")).map(|()| None),
        }
    }

    fn log(&mut self, name: &str, file: &dyn File, size: u64) -> Result<(), Halt> {
        let mut scan = Scan::new(file, 0, size, WINDOW);
        loop {
            let at = scan.position();
            match self.batch(name, file, &mut scan) {
                Ok(Some(more)) => more?,
                Ok(None) => return Ok(()),
                Err(error) => return self.bad(name, at, &format!("can't be read: {error}")),
            }
        }
    }

    /// None at the end of what can be read.
    fn batch(&mut self, name: &str, file: &dyn File, scan: &mut Scan<'_>) -> io::Result<Option<Result<(), Halt>>> {
        let at = scan.position();
        let entry = match scan.next()? {
            Step::Batch(entry) => entry,
            Step::End => return Ok(None),
            Step::Bad(why) => return Ok(self.bad(name, at, &why).err().map(Err)),
        };
        let header = &entry.header;
        if header.last_offset() < self.options.from {
            return Ok(Some(Ok(())));
        }
        if header.base_offset > self.options.to {
            return Ok(None);
        }
        let valid = scan.checksum_matches(&entry)?;
        if let Err(halt) = self.tell(batch_line(name, &entry, valid)) {
            return Ok(Some(Err(halt)));
        }
        if !self.options.records || header.magic < 2 {
            return Ok(Some(Ok(())));
        }
        if entry.bytes > DEEPEST_BYTES {
            return Ok(Some(self.bad(name, at, &format!("a batch of {} bytes is not looked into", entry.bytes))));
        }
        let bytes = whole(file, &entry)?;
        Ok(Some(self.records(name, &entry, &bytes)))
    }

    fn records(&mut self, name: &str, entry: &Entry, bytes: &[u8]) -> Result<(), Halt> {
        let header = &entry.header;
        let Some(codec) = Codec::from_id(header.codec()) else {
            return self.bad(name, entry.position, &format!("codec {} is none that exists", header.codec()));
        };
        let body = bytes.get(HEADER_BYTES..).unwrap_or_default();
        let source = match Inflater::new(codec, body, INFLATED_MAX_BYTES) {
            Ok(source) => source,
            Err(error) => return self.bad(name, entry.position, &error.to_string()),
        };
        let mut walk = Walk::new(source, u32::try_from(header.count).unwrap_or(0));
        loop {
            let mut kept = Kept::default();
            let record = match walk.next(&mut kept) {
                Ok(Some(record)) => record,
                Ok(None) => return Ok(()),
                Err(WalkError::Inflate(error)) => return self.bad(name, entry.position, &error.to_string()),
                Err(WalkError::Shape(why)) => return self.bad(name, entry.position, &why),
            };
            let offset = header.base_offset.wrapping_add(record.offset_delta as i64);
            if offset < self.options.from || offset > self.options.to {
                continue;
            }
            let line = Line::new("record")
                .text("file", name)
                .number("offset", offset)
                .number("timestamp", header.timestamp_of(record.timestamp_delta))
                .flag("control", header.is_control());
            let line = match kept.fields() {
                Some((key, value, headers)) => {
                    line.bytes("key", key.as_deref()).bytes("value", value.as_deref()).pairs("headers", &headers)
                }
                None => line.number("leftOut", kept.total as i64),
            };
            self.tell(line)?;
        }
    }
}

fn batch_line(name: &str, entry: &Entry, valid: bool) -> Line {
    let header = &entry.header;
    let line = Line::new("batch")
        .text("file", name)
        .number("position", entry.position as i64)
        .number("size", entry.bytes as i64)
        .number("baseOffset", header.base_offset)
        .number("lastOffset", header.last_offset())
        .number("count", header.count as i64)
        .number("leaderEpoch", header.leader_epoch as i64)
        .number("producerId", header.producer_id)
        .number("producerEpoch", header.producer_epoch as i64)
        .number("baseSequence", header.base_sequence as i64)
        .number("lastSequence", header.last_sequence() as i64)
        .flag("transactional", header.is_transactional())
        .flag("control", header.is_control())
        .text("timestampType", if header.is_log_append_time() { "LogAppendTime" } else { "CreateTime" })
        .number("maxTimestamp", header.max_timestamp)
        .number("magic", header.magic as i64);
    let line = match header.attributes & attributes::DELETE_HORIZON {
        0 => line,
        _ => line.number("deleteHorizonMs", header.base_timestamp),
    };
    let codec = Codec::from_id(header.codec()).map_or(format!("{}", header.codec()), |codec| codec.to_string());
    line.text("codec", &codec).number("crc", header.crc as i64).flag("valid", valid)
}

/// A record's bytes from the key's length on.
#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    total: usize,
}

impl Tee for Kept {
    fn head(&mut self, _offset_delta: i32, _timestamp_delta: i64, _rest: usize) -> Result<(), String> {
        Ok(())
    }

    fn rest(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.total += bytes.len();
        if self.total <= KEPT_BYTES {
            self.bytes.extend_from_slice(bytes);
        }
        Ok(())
    }
}

type Fields = (Option<Vec<u8>>, Option<Vec<u8>>, Vec<(Vec<u8>, Option<Vec<u8>>)>);

impl Kept {
    /// Key, value, headers; None when it was too large to keep.
    fn fields(&self) -> Option<Fields> {
        if self.total > KEPT_BYTES {
            return None;
        }
        let mut rest = &self.bytes[..];
        let key = field(&mut rest)?;
        let value = field(&mut rest)?;
        let count = get_varint(&mut rest)?;
        let mut headers = Vec::new();
        for _ in 0..count {
            headers.push((field(&mut rest)?.unwrap_or_default(), field(&mut rest)?));
        }
        Some((key, value, headers))
    }
}

/// The inner None: null.
fn field(rest: &mut &[u8]) -> Option<Option<Vec<u8>>> {
    let Ok(length) = usize::try_from(get_varint(rest)?) else { return Some(None) };
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(Some(taken.to_vec()))
}
