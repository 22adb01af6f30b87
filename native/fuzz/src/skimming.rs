//! Skim programs and the frames that they are run on: two bytes say how long the program is.

use odradek_reactor::skim::{KEPT_OF_RECORDS, Program};

const VECTORS: &str = include_str!("../../../test/vectors/protocol/skim.txt");
/// Longer ones make changed inputs that differ too little.
const SEED_BYTES: usize = 2048;

pub fn skim(input: &[u8]) {
    let Some((length, rest)) = input.split_at_checked(2) else { return };
    let length = usize::from(u16::from_be_bytes([length[0], length[1]])).min(rest.len());
    let (program, frame) = rest.split_at(length);
    let Ok(program) = Program::parse(program) else { return };
    let Some(skimmed) = program.run(frame) else { return };
    let mut copy = Vec::new();
    let mut end = 0;
    for range in &skimmed.kept {
        assert!(end <= range.start && range.start < range.end, "ranges that overlap or hold nothing");
        copy.extend_from_slice(&frame[range.start as usize..range.end as usize]);
        end = range.end;
    }
    assert_eq!(copy.len(), skimmed.copied as usize);
    let mut left_out = 0;
    for elision in &skimmed.elisions {
        let (at, position, length) = (elision.at as usize, elision.position as usize, elision.length as usize);
        let kept = length.min(KEPT_OF_RECORDS);
        assert!(position + length <= frame.len());
        assert_eq!(copy[at..at + kept], frame[position..position + kept]);
        left_out += length - kept;
    }
    assert_eq!(copy.len() + left_out, frame.len(), "bytes that are neither copied nor elided");
}

/// Programs and frames of real messages.
pub fn seeds() -> Vec<Vec<u8>> {
    let seed = |line: &str| {
        let mut fields = line.split(' ').skip(3).map(bytes);
        let (program, frame) = (fields.next().expect("a program"), fields.next().expect("a frame"));
        [&(program.len() as u16).to_be_bytes()[..], &program, &frame].concat()
    };
    VECTORS.lines().map(seed).filter(|seed| seed.len() <= SEED_BYTES).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).filter_map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect()
}
