//! What a process keeps in memory; a test program of its own, because that is counted for the whole process.

mod support;

use support::*;

#[test]
fn frames_that_only_say_they_are_large_cost_little() {
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        status.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
    };
    let bench = Bench::with(1 << 30, options());
    // The pool has memory to lend.
    let mut stream = bench.connect();
    for _ in 0..8 {
        send(&mut stream, &framed(&vec![1; 2 << 20]));
        let frame = bench.frame();
        bench.reply(&frame, b"");
        receive(&mut stream, 4);
    }
    let before = resident();
    let mut liars: Vec<_> = (0..400).map(|_| bench.connect()).collect();
    for liar in &mut liars {
        send(liar, &(100i32 << 20).to_be_bytes());
        send(liar, &[1; 1000]);
    }
    let mut stream = bench.connect();
    send(&mut stream, &request(3, 1));
    assert_eq!(mark(&bench.frame()), 1);
    assert!(resident() < before + (8 << 20), "{} bytes more", resident() - before);
}
