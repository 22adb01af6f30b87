//! The small text files beside the logs, in Kafka's formats: versioned checkpoints of one entry a line,
//! `partition.metadata`, and the clean-shutdown file.
//!
//! Invariant: a file of offsets that this engine wrote has a checksum, in a line of its shape that names no topic.
//! Apache Kafka looks up the partitions that it has, and drops the line when it writes the file anew.

use std::collections::BTreeMap;

pub const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
pub const LOG_STARTS: &str = "log-start-offset-checkpoint";
pub const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";
/// First offset of each log that was not cleaned yet.
pub const CLEANED: &str = "cleaner-offset-checkpoint";
pub const LEADER_EPOCHS: &str = "leader-epoch-checkpoint";
pub const PARTITION_METADATA: &str = "partition.metadata";
pub const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";

/// No topic can be called that. The partition is the checksum: Apache Kafka's cleaner puts its files of all directories
/// into one map and ends at an entry that two of them have.
const CHECKSUM: &str = "#odradek-crc32c";

/// Version line, count line, then the entries.
pub fn encode(entries: impl ExactSizeIterator<Item = String>) -> Vec<u8> {
    let mut text = format!("0\n{}\n", entries.len());
    for entry in entries {
        text.push_str(&entry);
        text.push('\n');
    }
    text.into_bytes()
}

/// The entries; an empty file has none.
pub fn decode(bytes: &[u8]) -> Result<Vec<&str>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8".to_string())?;
    let mut lines = text.lines();
    match lines.next() {
        None => return Ok(Vec::new()),
        Some("0") => {}
        Some(version) => return Err(format!("version {version:?} where 0 is known")),
    }
    let count = lines.next().and_then(|line| line.parse::<usize>().ok()).ok_or("no entry count in the second line")?;
    let entries: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    if entries.len() != count {
        return Err(format!("{count} entries announced, {} there", entries.len()));
    }
    Ok(entries)
}

/// Offsets by folder name (`topic-partition`), written as `topic partition offset`.
pub fn encode_offsets<'a>(offsets: impl Iterator<Item = (&'a str, i64)>) -> Vec<u8> {
    let mut lines: Vec<String> = offsets
        .filter_map(|(folder, offset)| folder.rsplit_once('-').map(|(topic, n)| format!("{topic} {n} {offset}")))
        .collect();
    lines.push(checksum_line(lines.iter().map(String::as_str)));
    encode(lines.into_iter())
}

/// Whether this engine wrote the file of offsets.
pub fn has_checksum(bytes: &[u8]) -> bool {
    decode(bytes).is_ok_and(|lines| lines.iter().any(|line| line.starts_with(CHECKSUM)))
}

pub fn decode_offsets(bytes: &[u8]) -> Result<BTreeMap<String, i64>, String> {
    let mut offsets = BTreeMap::new();
    for line in decode_lines(bytes)? {
        let fields: Vec<&str> = line.split_whitespace().collect();
        match fields[..] {
            [topic, partition, offset] => match (partition.parse::<i32>(), offset.parse::<i64>()) {
                (Ok(partition), Ok(offset)) => offsets.insert(format!("{topic}-{partition}"), offset),
                _ => return Err(format!("no partition and offset in line {line:?}")),
            },
            _ => return Err(format!("not three fields in line {line:?}")),
        };
    }
    Ok(offsets)
}

/// The lines of a file of offsets, without that of the checksum, which has to match where there is one.
pub fn decode_lines(bytes: &[u8]) -> Result<Vec<&str>, String> {
    let mut lines = decode(bytes)?;
    if let Some(at) = lines.iter().position(|line| line.starts_with(CHECKSUM)) {
        let told = lines.remove(at);
        if told != checksum_line(lines.iter().copied()) {
            return Err(format!("the checksum in line {told:?} is not that of the others"));
        }
    }
    Ok(lines)
}

fn checksum_line<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
    for line in lines {
        digest.update(line.as_bytes());
        digest.update(b"\n");
    }
    format!("{CHECKSUM} {} 0", digest.finalize() as u32 as i32)
}

pub fn encode_partition_metadata(topic_id: &str) -> Vec<u8> {
    format!("version: 0\ntopic_id: {topic_id}").into_bytes()
}

/// The topic id in it.
pub fn decode_partition_metadata(bytes: &[u8]) -> Result<String, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8".to_string())?;
    let field = |name: &str| {
        text.lines().find_map(|line| line.split_once(':').filter(|(key, _)| key.trim() == name)).map(|(_, v)| v.trim())
    };
    match (field("version"), field("topic_id")) {
        (Some("0"), Some(id)) if !id.is_empty() => Ok(id.to_string()),
        (Some("0"), _) => Err("no topic_id".to_string()),
        (version, _) => Err(format!("version {version:?} where 0 is known")),
    }
}

pub fn encode_clean_shutdown(broker_epoch: i64) -> Vec<u8> {
    format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}").into_bytes()
}

/// The broker epoch in it; -1 when it says none that can be read (an old Kafka's file is empty).
pub fn decode_clean_shutdown(bytes: &[u8]) -> i64 {
    let text = String::from_utf8_lossy(bytes);
    let Some((_, rest)) = text.split_once("\"brokerEpoch\"") else { return -1 };
    let number: String =
        rest.trim_start_matches([' ', ':']).chars().take_while(|c| c.is_ascii_digit() || *c == '-').collect();
    number.parse().unwrap_or(-1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_keep_topics_with_dashes_apart_from_the_partition() {
        let offsets = BTreeMap::from([("a-b-0".to_string(), 5), ("plain-11".to_string(), 0)]);
        let encoded = encode_offsets(offsets.iter().map(|(folder, offset)| (folder.as_str(), *offset)));
        assert!(encoded.starts_with(b"0\n3\na-b 0 5\nplain 11 0\n#odradek-crc32c "));
        assert_eq!(decode_offsets(&encoded), Ok(offsets));
    }

    #[test]
    fn a_changed_offset_is_noticed_where_there_is_a_checksum() {
        let encoded = String::from_utf8(encode_offsets([("a-0", 5), ("b-1", 70)].into_iter())).unwrap();
        assert!(decode_offsets(encoded.replace("b 1 70", "b 1 71").as_bytes()).is_err());
        assert!(decode_offsets(encoded.replace("a 0", "c 0").as_bytes()).is_err());
        assert!(decode_offsets(&encoded.as_bytes()[..encoded.len() - 2]).is_err());
        let kafkas = "0\n2\na 0 5\nb 1 71\n";
        assert_eq!(decode_offsets(kafkas.as_bytes()).map(|offsets| offsets["b-1"]), Ok(71));
    }

    #[test]
    fn the_checksum_is_another_entry_in_each_file() {
        let line = |offset| {
            let text = String::from_utf8(encode_offsets([("a-0", offset)].into_iter())).unwrap();
            let last: Vec<String> = text.lines().last().unwrap().split(' ').map(str::to_string).collect();
            assert!(last[1].parse::<i32>().is_ok() && last.len() == 3, "{last:?}");
            assert!(has_checksum(text.as_bytes()));
            last[..2].join("-")
        };
        assert_ne!(line(5), line(6));
        assert!(!has_checksum(b"0\n1\na 0 5\n"));
        assert!(!has_checksum(b""));
    }

    #[test]
    fn a_checkpoint_that_is_cut_or_of_another_version_is_refused() {
        assert!(decode_offsets(b"0\n2\na 0 5\n").is_err());
        assert!(decode_offsets(b"0\n1\na 0\n").is_err());
        assert!(decode_offsets(b"0\nx\n").is_err());
        assert!(decode_offsets(b"9\n0\n").is_err());
        assert_eq!(decode_offsets(b""), Ok(BTreeMap::new()));
    }

    #[test]
    fn partition_metadata_reads_back() {
        let id = "AAAAAAAAAAAAAAAAAAAAAA";
        assert_eq!(encode_partition_metadata(id), b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(decode_partition_metadata(&encode_partition_metadata(id)).as_deref(), Ok(id));
        assert!(decode_partition_metadata(b"version: 1\ntopic_id: x").is_err());
        assert!(decode_partition_metadata(b"").is_err());
    }

    #[test]
    fn the_clean_shutdown_file_carries_the_broker_epoch() {
        assert_eq!(encode_clean_shutdown(42), b"{\"version\":0,\"brokerEpoch\":42}");
        assert_eq!(decode_clean_shutdown(&encode_clean_shutdown(42)), 42);
        assert_eq!(decode_clean_shutdown(b"{ \"brokerEpoch\" : 7, \"version\":0 }"), 7);
        assert_eq!(decode_clean_shutdown(b""), -1);
    }
}
