//! Which names may lie in a log directory: what a caller gives is a name there and leads nowhere else.

use crate::command::Failure;
use crate::error::Code;

/// Longest name of a file or folder that file systems take.
const MAX_NAME_BYTES: usize = 255;

/// The partition's folder that a future log will be renamed to: its name without the `.<32 hex digits>-future` that
/// Kafka gives to a copy under way. None for any other name.
pub fn future_of(name: &str) -> Option<&str> {
    let (folder, unique) = name.strip_suffix("-future")?.rsplit_once('.')?;
    let hex = unique.len() == 32 && unique.bytes().all(|byte| byte.is_ascii_hexdigit());
    (hex && name.len() <= MAX_NAME_BYTES && check_partition_name(folder).is_ok()).then_some(folder)
}

/// A partition's folder, `topic-partition`, or that of its future log; no path.
pub fn check_folder_name(name: &str) -> Result<(), Failure> {
    if future_of(name).is_some() { Ok(()) } else { check_partition_name(name) }
}

fn check_partition_name(name: &str) -> Result<(), Failure> {
    let bad = |why: &str| {
        Err(Failure { code: Code::BadName, text: format!("{name:?} is no name of a partition's folder: {why}") })
    };
    let Some((topic, partition)) = name.rsplit_once('-') else { return bad("no dash before a partition number") };
    if topic.is_empty() || topic == "." || topic == ".." {
        return bad("the topic's name is empty or points elsewhere");
    }
    if !topic.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')) {
        return bad("letters, digits, '.', '_' and '-' are allowed");
    }
    let plain = partition.bytes().all(|byte| byte.is_ascii_digit()) && partition.parse::<i32>().is_ok();
    if !plain || name.len() > MAX_NAME_BYTES {
        return bad("the partition is no number, or the name is too long");
    }
    Ok(())
}

/// A path below the directory: parts joined by `/`, none of them empty, `.` or `..`. Empty only where `root` allows it.
pub fn check_file_path(name: &str, root: bool) -> Result<(), Failure> {
    if root && name.is_empty() {
        return Ok(());
    }
    let plain = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && part.len() <= MAX_NAME_BYTES
            && part.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b':' | b'*' | b'?' | b'|'))
    };
    if name.split('/').count() <= 2 && name.split('/').all(plain) {
        return Ok(());
    }
    Err(Failure { code: Code::BadName, text: format!("{name:?} is no path below a log directory") })
}

/// The name of a folder that waits for its deletion, as Kafka builds it: 32 hex digits make it unique.
pub fn deleted_name(folder: &str, unique: u128) -> String {
    let suffix = format!(".{unique:032x}-delete");
    let keep = folder.len().min(MAX_NAME_BYTES - suffix.len());
    format!("{}{suffix}", &folder[..keep])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_names_that_leave_the_directory_are_refused() {
        for good in ["a-0", "a.b_c-d-17", "__cluster_metadata-0", "..-0.-1"] {
            assert!(check_folder_name(good).is_ok(), "{good}");
        }
        let long = format!("{}-0", "x".repeat(254));
        for bad in ["", "a", "-0", "..-0", "../a-0", "a/b-0", "a-", "a-x", "a-+1", "a-99999999999", "ü-0", &long] {
            assert!(check_folder_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn file_paths_that_leave_the_directory_are_refused() {
        for good in ["meta.properties", "__cluster_metadata-0/quorum-state"] {
            assert!(check_file_path(good, false).is_ok(), "{good}");
        }
        for bad in ["", "/", "/etc/passwd", "../x", "a/../b", "a//b", "a/b/c", "a\\b", "a\0b", "."] {
            assert!(check_file_path(bad, false).is_err(), "{bad:?}");
        }
        assert!(check_file_path("", true).is_ok());
    }

    #[test]
    fn a_deleted_name_fits_and_keeps_its_end() {
        let name = deleted_name(&format!("{}-0", "x".repeat(249)), 0xabc);
        assert_eq!(name.len(), 255);
        assert!(name.ends_with(".00000000000000000000000000000abc-delete"));
    }
}
