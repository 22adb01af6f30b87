//! Every pattern of test/vectors/regex is judged as RE2/J has judged it.

use odradek_regex::Pattern;
use serde_json::Value;

#[test]
fn patterns_are_refused_and_match_as_recorded() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../test/vectors/regex/re2j.json");
    let recorded: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let names: Vec<&str> = recorded["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let patterns = recorded["patterns"].as_array().unwrap();
    assert!(patterns.len() > 2000);
    let mut differing = Vec::new();
    for case in patterns {
        let pattern = case["pattern"].as_str().unwrap();
        let ours = match Pattern::new(pattern) {
            Ok(pattern) => Ok(pattern.matching(names.iter().map(|name| name.as_bytes())).unwrap()),
            Err(text) => Err(text),
        };
        let theirs = match case.get("matches") {
            Some(matches) => Ok(matches.as_array().unwrap().iter().map(|at| at.as_u64().unwrap() as u32).collect()),
            None => Err(case["error"].as_str().unwrap().replace("regexp/syntax: internal error", "unexpected )")),
        };
        if ours != theirs {
            differing.push(format!("{pattern}\n  ours   {ours:?}\n  theirs {theirs:?}"));
        }
    }
    assert!(differing.is_empty(), "{} differ:\n{}", differing.len(), differing.join("\n"));
}
