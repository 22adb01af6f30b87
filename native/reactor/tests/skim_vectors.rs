//! Frames of real messages, with the programs that src/protocol compiles for them: test/vectors/protocol/skim.txt,
//! which a test on the TypeScript side keeps in step with the schemas.

use odradek_reactor::skim::{Elision, Program};

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn elisions(text: &str) -> Vec<Elision> {
    let number = |text: &str| text.parse::<u32>().unwrap();
    text.split(',')
        .filter(|entry| *entry != "-")
        .map(|entry| {
            let parts: Vec<u32> = entry.split(':').map(number).collect();
            Elision { at: parts[0], position: parts[1], length: parts[2] }
        })
        .collect()
}

#[test]
fn skims_produce_requests_and_fetch_responses_as_their_schemas_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../test/vectors/protocol/skim.txt");
    let vectors = std::fs::read_to_string(path).unwrap();
    let mut frames = 0;
    for line in vectors.lines() {
        let parts: Vec<&str> = line.split(' ').collect();
        let [name, version, example, program, frame, copy, list] = parts[..] else {
            panic!("not a vector: {line}");
        };
        let what = format!("{name} {version} {example}");
        let program = Program::parse(&bytes(program)).unwrap();
        let frame = bytes(frame);
        let skimmed = program.run(&frame).unwrap_or_else(|| panic!("{what}: does not fit"));
        let copied: Vec<u8> =
            skimmed.kept.iter().flat_map(|range| &frame[range.start as usize..range.end as usize]).copied().collect();
        assert_eq!(copied, bytes(copy), "{what}");
        assert_eq!(skimmed.elisions, elisions(list), "{what}");
        for length in 0..frame.len() {
            assert_eq!(program.run(&frame[..length]), None, "{what} cut at {length}");
        }
        frames += 1;
    }
    assert!(frames > 50, "{frames} frames");
}
