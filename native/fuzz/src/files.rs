//! The files beside the batches. What is decoded and encoded again is the front of what was there, or says the same.

use crate::{Choices, batches};
use odradek_engine::batch::Header;
use odradek_engine::command::Origin;
use odradek_engine::formats::*;
use odradek_engine::producer_state::ProducerStates;
use odradek_engine::vfs::{File, MemoryVfs, OpenMode, Vfs, write_all_at};
use std::sync::Arc;

const NOW: i64 = 1_700_000_000_000;
const DAY_MS: i64 = 86_400_000;

fn file_of(bytes: &[u8]) -> Arc<dyn File> {
    let file = MemoryVfs::new().open("f", OpenMode::Create).expect("a file in memory");
    write_all_at(&*file, bytes, 0).expect("room in memory");
    file
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

pub fn offset_index(input: &[u8]) {
    let mut choices = Choices(input);
    let (relative, position) = (choices.u64() as u32, choices.u64() >> 30);
    let bytes = choices.0;
    let (mut index, sound) = OffsetIndex::decode(bytes, 1 << 31);
    let encoded = index.encode();
    assert!(bytes.starts_with(&encoded));
    assert_eq!(sound, is_blank(&bytes[encoded.len()..]));
    assert_eq!(OffsetIndex::decode(&encoded, 1 << 31), (index.clone(), true));
    let file = file_of(if sound { bytes } else { &encoded });
    let position_of = |entry: Option<OffsetEntry>| entry.map_or(0, |entry| entry.position);
    assert_eq!(position_of(offset_floor_in_file(&*file, relative).expect("read")), index.floor(relative));
    assert_eq!(position_of(floor_position_in_file(&*file, position).expect("read")), index.floor_position(position));
    // Damage leads astray, no more.
    let damaged = file_of(bytes);
    offset_floor_in_file(&*damaged, relative).expect("read");
    floor_position_in_file(&*damaged, position).expect("read");
    index.truncate(relative);
    assert!(index.last().is_none_or(|last| last.relative < relative));
}

pub fn time_index(input: &[u8]) {
    let mut choices = Choices(input);
    let (timestamp, relative) = (choices.u64() as i64, choices.u64() as u32);
    let bytes = choices.0;
    let (mut index, sound) = TimeIndex::decode(bytes);
    let encoded = index.encode();
    assert!(bytes.starts_with(&encoded));
    assert_eq!(sound, is_blank(&bytes[encoded.len()..]));
    assert_eq!(TimeIndex::decode(&encoded), (index.clone(), true));
    if index.last().is_some() {
        let file = file_of(if sound { bytes } else { &encoded });
        assert_eq!(time_floor_in_file(&*file, timestamp).expect("read"), index.floor(timestamp));
    }
    time_floor_in_file(&*file_of(bytes), timestamp).expect("read");
    index.truncate(relative);
    assert!(index.last().is_none_or(|last| last.relative < relative));
}

pub fn txn_index(input: &[u8]) {
    let entries = decode_txn_index(input);
    let encoded = encode_txn_index(&entries);
    assert!(input.starts_with(&encoded));
    assert_eq!(decode_txn_index(&encoded), entries);
    assert!(entries.iter().all(|entry| entry.first_offset < entry.last_offset));
}

pub fn snapshot(input: &[u8]) {
    let mut bytes = input.to_vec();
    let _ = ProducerStates::new().decode_snapshot(&bytes, NOW, DAY_MS);
    if bytes.len() >= 6 {
        let crc = crc_fast::crc32_iscsi(&bytes[6..]);
        bytes[2..6].copy_from_slice(&crc.to_be_bytes());
    }
    let _ = ProducerStates::new().decode_snapshot(&bytes, NOW, DAY_MS);
    let mut states = ProducerStates::new();
    if states.decode_snapshot(&bytes, 0, i64::MAX).is_err() {
        assert_eq!(states, ProducerStates::new(), "something of a bad snapshot was kept");
        return;
    }
    let encoded = states.encode_snapshot();
    assert!(encoded.len() <= bytes.len());
    let mut again = ProducerStates::new();
    again.decode_snapshot(&encoded, 0, i64::MAX).expect("our own");
    assert_eq!(again.encode_snapshot(), encoded);
    states.oldest_open_transaction();
    states.last_records();
    for batch in batches::seeds() {
        let header = Header::read(&batch).expect("a header");
        for origin in [Origin::Client, Origin::Marker] {
            let _ = states.check(&header, &batch[61..], origin, 2);
        }
        let _ = states.apply(&header, &batch[61..]);
    }
    states.expire(NOW, DAY_MS);
    states.encode_snapshot();
}

pub fn leader_epochs(input: &[u8]) {
    let mut choices = Choices(input);
    let (epoch, offset) = (choices.byte() as i32 - 1, i64::from(choices.byte()));
    let Ok(mut epochs) = LeaderEpochs::decode(choices.0) else { return };
    assert_eq!(LeaderEpochs::decode(&epochs.encode()), Ok(epochs.clone()));
    assert_ascending(&epochs);
    for epoch in [epoch, epochs.latest(), epochs.latest() - 1, i32::MAX] {
        let (found, end) = epochs.end_offset_for(epoch, i64::MAX);
        assert!(found <= epoch.max(-1) && end >= -1);
    }
    epochs.truncate_from_start(offset);
    epochs.assign(epoch, offset);
    epochs.truncate_from_end(offset);
    assert_ascending(&epochs);
    assert_eq!(LeaderEpochs::decode(&epochs.encode()), Ok(epochs));
}

fn assert_ascending(epochs: &LeaderEpochs) {
    let text = String::from_utf8(epochs.encode()).expect("text");
    let field = |text: &str| text.parse::<i64>().expect("a number");
    let entries = text.lines().skip(2).filter_map(|line| line.split_once(' '));
    let entries: Vec<_> = entries.map(|(epoch, start)| (field(epoch), field(start))).collect();
    assert!(entries.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1), "{entries:?}");
}

pub fn checkpoint(input: &[u8]) {
    if let Ok(offsets) = decode_offsets(input) {
        let encoded = encode_offsets(offsets.iter().map(|(folder, offset)| (folder.as_str(), *offset)));
        assert_eq!(decode_offsets(&encoded), Ok(offsets));
    }
    if let Ok(id) = decode_partition_metadata(input) {
        assert_eq!(decode_partition_metadata(&encode_partition_metadata(&id)), Ok(id));
    }
    let epoch = decode_clean_shutdown(input);
    assert_eq!(decode_clean_shutdown(&encode_clean_shutdown(epoch)), epoch);
}

/// What a record of the journal says of its length.
fn journal_bytes(bytes: &[u8]) -> usize {
    bytes.get(12..16).map_or(0, |raw| u32::from_be_bytes([raw[0], raw[1], raw[2], raw[3]]) as usize)
}

/// Where the checksum of a journal's record stands.
const JOURNAL_SUM: usize = 8;

pub fn journal(input: &[u8]) {
    let _ = read_journal(input);
    let mut bytes = input.to_vec();
    let length = journal_bytes(&bytes);
    if (28..=bytes.len()).contains(&length) {
        let crc = crc_fast::crc32_iscsi(&bytes[12..length]);
        bytes[JOURNAL_SUM..12].copy_from_slice(&crc.to_be_bytes());
    }
    let Some(found) = read_journal(&bytes) else { return };
    let mut writer = JournalWriter::new();
    for entry in &found.entries {
        match entry {
            Entry::Forget(name) => writer.forget(name),
            Entry::Bytes(place, content) => {
                let filled = writer.add(place, content.len(), |into| {
                    into.copy_from_slice(content);
                    Ok::<(), ()>(())
                });
                filled.expect("it was filled");
            }
        }
    }
    let written = writer.finish(found.sequence);
    let again = read_journal(&written).expect("our own");
    assert_eq!((again.sequence, &again.entries), (found.sequence, &found.entries));
    assert_eq!(again.padded, written.len());
}

fn behind(choices: usize, content: Vec<u8>) -> Vec<u8> {
    [vec![1; choices], content].concat()
}

pub fn offset_index_seeds() -> Vec<Vec<u8>> {
    let mut index = OffsetIndex::default();
    for n in 1..40 {
        index.append(n * 9, n * 4096);
    }
    let whole = index.encode();
    let blank = [&whole[..], &[0; 64]].concat();
    vec![Vec::new(), behind(16, whole), behind(16, blank)]
}

pub fn time_index_seeds() -> Vec<Vec<u8>> {
    let mut index = TimeIndex::default();
    for n in 1..40 {
        index.append(NOW + i64::from(n) * 100, n * 9);
    }
    let whole = index.encode();
    let blank = [&whole[..], &[0; 60]].concat();
    vec![Vec::new(), behind(16, whole), behind(16, blank)]
}

pub fn txn_index_seeds() -> Vec<Vec<u8>> {
    let entry = |n: i64| AbortedTransaction {
        producer_id: n,
        first_offset: n * 10,
        last_offset: n * 10 + 7,
        last_stable_offset: n * 10 + 8,
    };
    vec![Vec::new(), encode_txn_index(&(0..6).map(entry).collect::<Vec<_>>())]
}

pub fn snapshot_seeds() -> Vec<Vec<u8>> {
    let mut states = ProducerStates::new();
    let empty = states.encode_snapshot();
    for batch in batches::seeds() {
        states.apply(&Header::read(&batch).expect("a header"), &batch[61..]);
    }
    vec![empty, states.encode_snapshot()]
}

/// Literal, as a wrong encoder would make its own seeds.
pub fn leader_epochs_seeds() -> Vec<Vec<u8>> {
    let texts = ["0\n0\n", "0\n4\n0 0\n1 15\n4 16\n9 200\n", "0\n3\n1 15\n2 10\n4 10\n", "0\n2\n5 15\n4 20\n"];
    texts.map(|text| behind(2, text.into())).into()
}

pub fn checkpoint_seeds() -> Vec<Vec<u8>> {
    let offsets = "0\n2\nt 0 5\na-b 11 9223372036854775807\n";
    let metadata = "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA";
    ["", offsets, metadata, "{\"version\":0,\"brokerEpoch\":42}"].map(Vec::from).into()
}

pub fn journal_seeds() -> Vec<Vec<u8>> {
    let mut writer = JournalWriter::new();
    let place = Place { name: "t-0", topic_id: "AAAAAAAAAAAAAAAAAAAAAA", base: 7, position: 100, end: 12 };
    let batch = &batches::seeds()[0];
    let filled = writer.add(&place, batch.len(), |into| {
        into.copy_from_slice(batch);
        Ok::<(), ()>(())
    });
    filled.expect("it was filled");
    writer.forget("gone-1");
    // Without the zeros that fill the block, where a change would change nothing.
    [JournalWriter::new().finish(1), writer.finish(5)].map(|bytes| bytes[..journal_bytes(&bytes)].to_vec()).into()
}

/// What passes for sums under a checksum that fits says the same when it is written again.
pub fn sums(input: &[u8]) {
    let _ = Sums::decode(input);
    let mut bytes = b"odradek-sums 1\n".to_vec();
    bytes.extend_from_slice(input);
    bytes.push(b'\n');
    bytes.extend_from_slice(format!("crc32c {}\n", crc_fast::crc32_iscsi(&bytes)).as_bytes());
    if let Ok(sums) = Sums::decode(&bytes) {
        assert_eq!(Sums::decode(&sums.encode()), Ok(sums));
    }
}

pub fn sums_seeds() -> Vec<Vec<u8>> {
    vec![
        b"upto 0".to_vec(),
        b"upto 20\nepoch 0 0\nepoch 4 12\nsegment 0 700 1 1 1 77 88\naborted 7 3 9 10\nsegment 15 90 0 0 1 0 0"
            .to_vec(),
    ]
}
