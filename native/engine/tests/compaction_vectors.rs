//! Segments that Apache Kafka's own cleaner compacted, compacted here: what is left has the same batches, byte for byte
//! where nothing had to be compressed anew, and the same indexes of aborted transactions. The vectors and how they were
//! recorded: test/vectors/compaction and test/vectors/record/Compaction.java.

mod common;

use common::*;
use odradek_engine::batch::{HEADER_BYTES, Header};
use odradek_engine::codec::{Codec, Inflater, Source};
use odradek_engine::command::*;
use odradek_engine::config::LogConfig;
use odradek_engine::vfs::{MemoryVfs, OpenMode, Vfs, VfsKind, write_all_at};
use serde_json::Value;
use std::collections::BTreeMap;

type Files = BTreeMap<i64, Vec<u8>>;

fn base64(text: &str) -> Vec<u8> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0u32, 0);
    for letter in text.bytes().filter(|letter| *letter != b'=') {
        let value = alphabet.iter().position(|known| *known == letter).expect("a letter of base64");
        bits = bits << 6 | value as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}

fn files(value: &Value) -> Files {
    let entries = value.as_object().expect("an object");
    entries.iter().map(|(base, bytes)| (base.parse().unwrap(), base64(bytes.as_str().unwrap()))).collect()
}

fn number(value: &Value) -> i64 {
    value.as_i64().expect("a number")
}

fn put(vfs: &MemoryVfs, path: &str, bytes: &[u8]) {
    write_all_at(&*vfs.open(path, OpenMode::Create).unwrap(), bytes, 0).unwrap();
}

fn left(vfs: &MemoryVfs, suffix: &str) -> Files {
    let names = vfs.list("/data/t-0").unwrap();
    let bases = names.iter().filter_map(|entry| entry.name.strip_suffix(suffix)?.parse().ok());
    bases
        .map(|base: i64| {
            let file = vfs.open(&format!("/data/t-0/{base:020}{suffix}"), OpenMode::Read).unwrap();
            let mut bytes = vec![0; file.len().unwrap() as usize];
            let mut filled = 0;
            while filled < bytes.len() {
                filled += file.read_at(&mut bytes[filled..], filled as u64).unwrap();
            }
            (base, bytes)
        })
        .collect()
}

/// Batches with their records inflated; of those that are compressed length and CRC say nothing.
fn comparable(bytes: &[u8]) -> Vec<(Header, Vec<u8>)> {
    let mut at = 0;
    let headers = headers(bytes);
    headers
        .into_iter()
        .map(|header| {
            let body = &bytes[at + HEADER_BYTES..at + header.total_bytes()];
            at += header.total_bytes();
            let codec = Codec::from_id(header.codec()).unwrap();
            let mut records = Vec::new();
            if header.count > 0 {
                let mut inflater = Inflater::new(codec, body, 1 << 20).unwrap();
                while let Some(length) = Some(inflater.window().unwrap().len()).filter(|length| *length > 0) {
                    records.extend_from_slice(inflater.window().unwrap());
                    inflater.consume(length);
                }
            }
            let bare = codec == Codec::None;
            let header = if bare { header } else { Header { length: 0, crc: 0, ..header } };
            (header, records)
        })
        .collect()
}

#[test]
fn what_is_left_is_what_kafkas_cleaner_leaves() {
    let path = format!("{}/../../test/vectors/compaction/kafka-4.3.1.json", env!("CARGO_MANIFEST_DIR"));
    let cases: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut passes = 0;
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let config = LogConfig {
            segment_bytes: number(&case["segmentBytes"]) as u32,
            delete_retention_ms: number(&case["deleteRetentionMs"]),
            index_interval_bytes: 100,
            compacted: true,
            deletes: false,
            producer_id_expiration_ms: i64::MAX,
            ..LogConfig::default()
        };
        for (number_of_pass, pass) in case["passes"].as_array().unwrap().iter().enumerate() {
            let what = format!("{name}, pass {number_of_pass}");
            compact(&what, &config, pass);
            passes += 1;
        }
    }
    assert!(passes > 20);
}

fn compact(what: &str, config: &LogConfig, pass: &Value) {
    let vfs = MemoryVfs::new();
    vfs.create_folders("/data/t-0").unwrap();
    let (before, from, to) = (files(&pass["before"]), number(&pass["from"]), number(&pass["to"]));
    for (base, bytes) in &before {
        put(&vfs, &format!("/data/t-0/{base:020}.log"), bytes);
    }
    for (base, bytes) in files(&pass["known"]) {
        put(&vfs, &format!("/data/t-0/{base:020}.txnindex"), &bytes);
    }
    let newest = headers(before.values().rev().find(|bytes| !bytes.is_empty()).unwrap());
    let end = newest.last().unwrap().next_offset();
    for (file, offset) in
        [("cleaner-offset-checkpoint", from), ("recovery-point-offset-checkpoint", end), (".kafka_cleanshutdown", 0)]
    {
        put(&vfs, &format!("/data/{file}"), format!("0\n1\nt 0 {offset}\n").as_bytes());
    }
    let rig = Rig::manual();
    let opened = rig.directory("/data", VfsKind::Memory(vfs.clone()));
    assert!(opened.clean);
    assert_eq!(rig.open(opened.id, 0, "t-0", config.clone(), true).unwrap().end, end);
    rig.submit(Command::SetMarks { log: log(0), high_watermark: end });
    let answer = rig.answer(|ticket| {
        Command::Clean(Box::new(CleanLog {
            log: log(0),
            ticket,
            limit: number(&pass["dirty"]),
            now_ms: number(&pass["nowMs"]),
            map_bytes: number(&pass["mapBytes"]) as u64,
            load_factor: 0.9,
            buffer_bytes: 1000,
            bytes_per_second: 0.0,
        }))
    });
    let Answer::Cleaned(info) = answer.unwrap() else { panic!("{what}") };
    assert_eq!(info.cleaned_to, to, "{what}");
    let (expected, found) = (files(&pass["segments"]), left(&vfs, ".log"));
    assert_eq!(Vec::from_iter(found.keys()), Vec::from_iter(expected.keys()), "{what}");
    for (base, bytes) in &expected {
        assert_eq!(comparable(&found[base]), comparable(bytes), "{what}: segment {base}");
    }
    let transactions = left(&vfs, ".txnindex");
    let mut expected = files(&pass["transactions"]);
    expected.retain(|_, bytes| !bytes.is_empty());
    assert_eq!(transactions, expected, "{what}");
}
