//! Runs every batch that was sent to an Apache Kafka through `validate` and `ProducerStates` and compares the verdict,
//! the record errors and the stored bytes with Kafka's. The vectors and how they were recorded: test/vectors/produce.

use bytes::Bytes;
use odradek_engine::batch::{HEADER_BYTES, Header, INFLATED_MAX_BYTES, Tee, Walk, patch, verify_crc};
use odradek_engine::codec::{Codec, Inflater};
use odradek_engine::command::Origin;
use odradek_engine::config::{CompressionType, TimestampType};
use odradek_engine::error::Code;
use odradek_engine::producer_state::{ProducerStates, Verdict};
use odradek_engine::validate::{Refused, Rules, validate};
use serde_json::Value;
use std::collections::BTreeMap;

/// Where we answer another code than Kafka, on purpose: (part of the name, Kafka's code, ours).
const DIFFERENCES: &[(&str, i64, i64)] = &[
    // Kafka reads past the end of the header and answers UNKNOWN_SERVER_ERROR for the whole request.
    ("frame: 26 bytes and a length of it", -1, 2),
    ("frame: 27 bytes and a length of it", -1, 2),
    ("frame: 40 bytes and a length of it", -1, 2),
    // The codec of a produce request below version 7 is looked at before the engine sees the batch.
    ("frame: zstd in version 3", 76, 0),
    // An uncaught exception in Kafka; the code that names the fault is at hand.
    ("header: codec 5", -1, 76),
    ("header: codec 6", -1, 76),
    ("header: codec 7", -1, 76),
    ("record: length varint of 6 bytes, none", -1, 87),
    // Kafka skips over the records of a compressed batch without looking at their lengths, and stores what no
    // consumer can read past.
    ("record: length one too many, ", 0, 87),
    ("record: length one too few, ", 0, 87),
    ("record: length 0, ", 0, 87),
    ("record: length -1, ", 0, 87),
    ("record: length largest, ", 0, 87),
    ("rewrite: record length wrong, ", 0, 87),
];

fn vectors(name: &str) -> Vec<Value> {
    let path = format!("{}/../../test/vectors/produce/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).expect("the vectors are JSON")
}

fn base64(text: &str) -> Bytes {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0);
    for letter in text.bytes().filter(|letter| *letter != b'=') {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            _ => 63,
        };
        bits = bits << 6 | value as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Bytes::from(bytes)
}

fn rules(configs: &Value) -> Rules {
    let text = |key: &str| configs[key].as_str();
    let number = |key: &str| text(key).map(|value| value.parse::<i64>().expect("a number"));
    Rules {
        origin: Origin::Client,
        max_message_bytes: number("max.message.bytes").unwrap_or(1_048_588) as u32,
        compression_type: match text("compression.type").unwrap_or("producer") {
            "producer" => CompressionType::Producer,
            "uncompressed" => CompressionType::Uncompressed,
            "gzip" => CompressionType::Gzip { level: -1 },
            "snappy" => CompressionType::Snappy,
            "lz4" => CompressionType::Lz4 { level: 9 },
            "zstd" => CompressionType::Zstd { level: 3 },
            other => panic!("compression.type {other}"),
        },
        timestamp_type: match text("message.timestamp.type") {
            Some("LogAppendTime") => TimestampType::LogAppendTime,
            _ => TimestampType::CreateTime,
        },
        before_max_ms: number("message.timestamp.before.max.ms").unwrap_or(i64::MAX),
        after_max_ms: number("message.timestamp.after.max.ms").unwrap_or(3_600_000),
        compacted: text("cleanup.policy") == Some("compact"),
    }
}

fn kafka_code(code: Code) -> i64 {
    match code {
        Code::Corrupt => 2,
        Code::TooLarge => 10,
        Code::BadTimestamp => 32,
        Code::OutOfOrderSequence => 45,
        Code::StaleProducerEpoch => 47,
        Code::UnknownCodec => 76,
        Code::BadRecord => 87,
        Code::Internal => -1,
        other => panic!("no batch is refused with {other:?}"),
    }
}

/// Offset, timestamp and the bytes from the key's length on of each record.
fn records(header: &Header, body: &[u8]) -> Vec<(i32, i64, Vec<u8>)> {
    struct Collect(Vec<u8>);
    impl Tee for Collect {
        fn head(&mut self, _: i32, _: i64, _: usize) -> Result<(), String> {
            Ok(())
        }
        fn rest(&mut self, bytes: &[u8]) -> Result<(), String> {
            self.0.extend_from_slice(bytes);
            Ok(())
        }
    }
    let codec = Codec::from_id(header.codec()).expect("a codec");
    let inflater = Inflater::new(codec, body, INFLATED_MAX_BYTES).expect("it inflates");
    let mut walk = Walk::new(inflater, header.count as u32);
    let mut all = Vec::new();
    loop {
        let mut rest = Collect(Vec::new());
        match walk.next(&mut rest).expect("records") {
            Some(record) => {
                all.push((record.offset_delta, header.timestamp_of(record.timestamp_delta), rest.0));
            }
            None => return all,
        }
    }
}

#[test]
fn every_batch_is_judged_and_stored_as_kafka_does() {
    let mut wrong = Vec::new();
    let mut used = vec![false; DIFFERENCES.len()];
    let all = vectors("batches.json");
    assert!(all.len() > 500, "{} vectors", all.len());
    for vector in &all {
        let name = vector["name"].as_str().expect("a name");
        let kafka = vector["error"].as_i64().expect("a code");
        let mut expected = kafka;
        if let Some(at) = DIFFERENCES.iter().position(|(part, theirs, _)| name.starts_with(part) && *theirs == kafka) {
            used[at] = true;
            expected = DIFFERENCES[at].2;
        }
        let batch = base64(vector["batch"].as_str().expect("bytes"));
        let rules = rules(&vector["configs"]);
        let append_time = vector["appendTime"].as_i64().expect("a time");
        let now = if append_time >= 0 { append_time } else { vector["now"].as_i64().expect("a time") };
        match validate(&batch, &rules, now) {
            Err(refused) => {
                let errors: Vec<i64> = refused.record_errors.iter().map(|(index, _)| *index as i64).collect();
                let listed: Vec<i64> =
                    vector["recordErrors"].as_array().expect("a list").iter().filter_map(Value::as_i64).collect();
                if kafka_code(refused.code) != expected || errors != listed {
                    wrong.push(format!("{name}: refused with {refused:?}; Kafka: {kafka} {listed:?}"));
                }
                assert!(!refused.text.is_empty(), "{name}: says nothing");
            }
            Ok(_) if expected != 0 => wrong.push(format!("{name}: accepted; Kafka: {kafka}")),
            Ok(accepted) => {
                if accepted.log_append_time != append_time {
                    wrong.push(format!("{name}: append time {}; Kafka: {append_time}", accepted.log_append_time));
                }
                let written = [&accepted.head[..], &accepted.body[..]].concat();
                if !verify_crc(&written) || Header::read(&written) != Some(accepted.header) {
                    wrong.push(format!("{name}: head and body don't fit"));
                }
                let stored = match vector["stored"].as_str() {
                    Some("same") => batch.clone(),
                    Some(bytes) => base64(bytes),
                    None => continue,
                };
                if let Some(text) = compare(&accepted.head, &accepted.body, &stored) {
                    wrong.push(format!("{name}: {text}"));
                }
                let same = vector["stored"].as_str() == Some("same");
                if same && accepted.body.as_ptr() != batch[HEADER_BYTES..].as_ptr() {
                    wrong.push(format!("{name}: the body was copied"));
                }
            }
        }
    }
    for (difference, used) in DIFFERENCES.iter().zip(used) {
        assert!(used, "no vector shows {difference:?}");
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), all.len(), wrong.join("\n"));
}

/// What differs between what we would write and what Kafka stored. Compressed bytes may differ, what they hold may
/// not.
fn compare(head: &[u8; HEADER_BYTES], body: &[u8], stored: &[u8]) -> Option<String> {
    let theirs = Header::read(stored)?;
    let stored = &stored[..theirs.total_bytes()];
    let mut head = *head;
    patch(&mut head, theirs.base_offset, theirs.leader_epoch);
    if head[..] == stored[..HEADER_BYTES] && *body == stored[HEADER_BYTES..] {
        return None;
    }
    let ours = Header::read(&head)?;
    let mut comparable = ours;
    if ours.codec() != 0 {
        comparable.length = theirs.length;
        comparable.crc = theirs.crc;
    }
    if comparable != theirs {
        return Some(format!("header\n  {ours:?}\nKafka\n  {theirs:?}"));
    }
    let (mine, kafkas) = (records(&ours, body), records(&theirs, &stored[HEADER_BYTES..]));
    (mine != kafkas).then(|| format!("records {mine:?}\nKafka {kafkas:?}"))
}

#[test]
fn every_sequence_of_a_producer_is_answered_as_kafka_does() {
    // State and end offset of each sequence's log.
    let mut logs: BTreeMap<i64, (ProducerStates, i64)> = BTreeMap::new();
    for vector in vectors("sequences.json") {
        let number = vector["sequence"].as_i64().expect("a number");
        let (states, end) = logs.entry(number).or_default();
        let batch = base64(vector["batch"].as_str().expect("bytes"));
        let accepted = validate(&batch, &rules(&Value::Null), vector["now"].as_i64().expect("a time"))
            .unwrap_or_else(|Refused { text, .. }| panic!("{text}"));
        let outcome = match states.check(&accepted.header, &accepted.body, Origin::Client, -1) {
            Ok(Verdict::New) => {
                let mut header = accepted.header;
                header.base_offset = *end;
                states.apply(&header, &accepted.body);
                *end = header.next_offset();
                (0, header.base_offset, -1)
            }
            Ok(Verdict::Duplicate { base, timestamp, .. }) => (0, base, timestamp),
            Err((code, _)) => (kafka_code(code), -1, -1),
        };
        let kafka = (
            vector["error"].as_i64().expect("a code"),
            vector["base"].as_i64().expect("an offset"),
            vector["appendTime"].as_i64().expect("a time"),
        );
        assert_eq!(outcome, kafka, "sequence {number}, {}", vector["name"]);
    }
    let snapshots = vectors("snapshots.json");
    assert_eq!(snapshots.len(), logs.len());
    for vector in snapshots {
        let number = vector["sequence"].as_i64().expect("a number");
        let (states, end) = &logs[&number];
        assert_eq!(*end, vector["end"].as_i64().expect("an offset"));
        let bytes = base64(vector["bytes"].as_str().expect("bytes"));
        assert_eq!(states.encode_snapshot(), bytes, "snapshot of sequence {number}");
        let mut loaded = ProducerStates::new();
        loaded.decode_snapshot(&bytes, 0, i64::MAX).expect("Kafka's snapshot is read");
        assert_eq!(loaded.encode_snapshot(), bytes);
    }
}
