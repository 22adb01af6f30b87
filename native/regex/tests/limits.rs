//! Hostile patterns: refused or given up, without much memory, time or depth.

use odradek_regex::{Pattern, TooCostly};
use proptest::prelude::*;

/// What topics of a large cluster are called.
fn topics(count: usize) -> Vec<String> {
    let words = ["orders", "payments", "users", "audit", "metrics", "clicks", "eu", "us", "dlq", "v1", "v2"];
    (0..count).map(|i| format!("{}.{}-{}_{i}", words[i % 11], words[i / 11 % 11], words[i / 121 % 11])).collect()
}

fn matching(pattern: &str, names: &[String]) -> Result<usize, TooCostly> {
    Pattern::new(pattern).unwrap().matching(names.iter().map(|name| name.as_bytes())).map(|indices| indices.len())
}

#[test]
fn a_pattern_that_makes_others_backtrack_is_matched_in_linear_time() {
    let mut names = topics(100);
    names.push("a".repeat(249));
    names.push("a".repeat(248) + "b");
    assert_eq!(matching("(a+)+b", &names), Ok(1));
    assert_eq!(matching("(a|a)*b", &names), Ok(1));
    assert_eq!(matching("(.*)*(.*)*(.*)*x", &names), Ok(0));
    assert_eq!(matching(&format!("{}{}", "a?".repeat(249), "a{249}"), &names), Ok(1));
}

#[test]
fn a_pattern_whose_automaton_is_too_large_is_refused() {
    for pattern in ["((a{1000}){1000}){1000}", "(?:[a-z]{0,1000}){1000}", "(((.{1,1000}){1,1000}){1,1000}){1,1000}"] {
        assert_eq!(Pattern::new(pattern).unwrap_err(), "it is too large", "{pattern}");
    }
    assert!(Pattern::new("[a-z]{1000}").is_ok());
}

#[test]
fn a_pattern_that_is_too_long_is_refused() {
    assert!(Pattern::new(&"a|".repeat(1000)).is_ok());
    assert_eq!(Pattern::new(&"a".repeat(64 * 1024 + 1)).unwrap_err(), "it has more than 65536 bytes");
}

#[test]
fn a_pattern_that_is_nested_too_deeply_is_refused() {
    let nested = |depth: usize, open: &str, close: &str| open.repeat(depth) + "a" + &close.repeat(depth);
    let small_stack = std::thread::Builder::new().stack_size(if cfg!(debug_assertions) { 8 << 20 } else { 512 << 10 });
    let thread = small_stack.spawn(move || {
        for (open, close) in [("(", ")"), ("(a|", ")*"), ("(?:b", "|c){0,2}")] {
            assert_eq!(Pattern::new(&nested(101, open, close)).unwrap_err(), "its groups are nested too deeply");
            let deepest = Pattern::new(&nested(100, open, close));
            assert!(deepest.is_ok() || deepest.unwrap_err() == "it is too large");
        }
        assert_eq!(Pattern::new(&"(".repeat(60_000)).unwrap_err(), "its groups are nested too deeply");
    });
    thread.unwrap().join().unwrap();
}

#[test]
fn a_pattern_is_given_up_when_its_states_would_fill_the_cache() {
    let noise = |index: u64| {
        let mut seed = index;
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if seed >> 63 == 0 { 'a' } else { 'b' }
        };
        (0..240).map(|_| next()).collect()
    };
    let names: Vec<String> = (0..1000).map(noise).collect();
    assert_eq!(matching(".*a.{200}.*b.{200}c", &names), Err(TooCostly));
    assert_eq!(matching(".*a.{8}.*", &names), Ok(1000));
}

#[test]
fn many_alternatives_are_not_given_up() {
    let names = topics(2000);
    let pattern = names.iter().map(|name| name.replace('.', "\\.")).collect::<Vec<_>>().join("|");
    assert_eq!(matching(&pattern, &names), Ok(2000));
}

proptest! {
    #[test]
    fn nothing_panics_whatever_the_pattern(pattern in "[a-z(|)*+?{}\\[\\]^$.\\\\0-9,:<>P=iUms&-]{0,40}|\\PC{0,40}") {
        if let Ok(pattern) = Pattern::new(&pattern) {
            let _ = pattern.matching([b"orders".as_slice(), b"".as_slice(), "\u{e9}".as_bytes(), &[0xff]]);
        }
    }

    #[test]
    fn a_quoted_name_matches_itself_alone(names in proptest::collection::btree_set("[a-zA-Z0-9._-]{1,8}", 1..20)) {
        let names: Vec<String> = names.into_iter().collect();
        for (index, name) in names.iter().enumerate() {
            let pattern = Pattern::new(&format!("\\Q{name}\\E")).unwrap();
            let matching = pattern.matching(names.iter().map(|name| name.as_bytes())).unwrap();
            prop_assert_eq!(matching, vec![index as u32]);
        }
    }
}
