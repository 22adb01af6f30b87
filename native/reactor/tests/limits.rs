//! Bad input, memory bounds, files as answers.

mod support;

use bytes::Bytes;
use odradek_reactor::skim::Program;
use odradek_reactor::*;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use support::*;

#[test]
fn closes_on_bad_lengths_and_serves_the_next_client() {
    let bench = Bench::with(64 << 20, ListenerOptions { max_frame_bytes: 1000, ..options() });
    for (bytes, word) in [
        (&[0u8, 0, 0, 0][..], "0 bytes"),
        (&[0xff, 0xff, 0xff, 0xfe], "-2 bytes"),
        (&[0, 0, 4, 0], "over the limit"),
        (&[0x16, 3, 1, 0, 200, 1, 0, 0], "TLS"),
        (b"GET / HTTP/1.1\r\n\r\n", "over the limit"),
    ] {
        let mut stream = bench.connect();
        send(&mut stream, bytes);
        let reason = bench.closed();
        assert!(reason.contains(word), "{reason}");
        assert!(drain(&mut stream).is_empty());
    }
    let mut stream = bench.connect();
    send(&mut stream, &request(3, 1));
    assert_eq!(mark(&bench.frame()), 1);
    assert_eq!(bench.reactor.handle().budget().held(), 0);
}

#[test]
fn frames_are_charged_until_their_last_reference_is_gone() {
    let bench = Bench::new();
    let mut stream = bench.connect();
    send(&mut stream, &framed(&vec![9; 300_000]));
    let frame = bench.frame();
    let held = || bench.reactor.handle().budget().held();
    assert_eq!(held(), 300_004);
    let slice = frame.bytes.slice(5..6);
    drop(frame);
    assert_eq!(held(), 300_004);
    drop(slice);
    assert_eq!(held(), 0);
}

/// Sends a frame of `bytes` bytes from another thread, because nobody may be reading.
fn send_later(bench: &Bench, bytes: usize, fill: u8) -> std::thread::JoinHandle<()> {
    let mut stream = bench.connect();
    std::thread::spawn(move || {
        send(&mut stream, &framed(&vec![fill; bytes]));
        drain(&mut stream);
    })
}

#[test]
fn a_spent_budget_lets_one_connection_finish_its_frame_and_credits_let_the_others_go_on() {
    let bench = Bench::with(1 << 20, options());
    let senders: Vec<_> = (1..=4).map(|fill| send_later(&bench, 3 << 20, fill)).collect();
    let mut seen = Vec::new();
    for _ in 0..4 {
        let frame = bench.frame();
        assert_eq!(frame.bytes.len(), 3 << 20);
        assert!(frame.bytes.iter().all(|byte| *byte == frame.bytes[0]));
        // The others hold little more than the budget while this one has its frame.
        assert!(bench.reactor.handle().budget().held() < (3 << 20) + (3 << 20));
        seen.push(frame.bytes[0]);
        bench.answer(&frame, Answer { no_answer: true, ..Answer::default() });
    }
    seen.sort_unstable();
    assert_eq!(seen, [1, 2, 3, 4]);
    drop(bench);
    for sender in senders {
        sender.join().unwrap();
    }
}

#[test]
fn the_right_to_overdraw_passes_on_when_its_holder_sends_nothing() {
    let bench = Bench::with(100_000, options());
    let mut stalled: Vec<_> = (0..3).map(|_| bench.connect()).collect();
    for stream in &mut stalled {
        send(stream, &(1i32 << 20).to_be_bytes());
        send(stream, &vec![1; 60_000]);
    }
    let sender = send_later(&bench, 1 << 20, 7);
    let frame = bench.frame();
    assert_eq!(frame.bytes[0], 7);
    bench.answer(&frame, Answer { close_after: true, ..Answer::default() });
    sender.join().unwrap();
}

#[test]
fn small_requests_are_served_while_frames_that_never_end_hold_the_budget() {
    let bench = Bench::with(100_000, options());
    // Each of them has more to read, and would be waited for one after the other.
    let mut stalled: Vec<_> = (0..100).map(|_| bench.connect()).collect();
    for stream in &mut stalled {
        send(stream, &(1i32 << 20).to_be_bytes());
        send(stream, &vec![1; 60_000]);
    }
    let mut stream = bench.connect();
    for count in 0..50 {
        // In two pieces, the second of which finds the budget spent by all means.
        let whole = framed(&vec![count; 2000]);
        send(&mut stream, &whole[..1000]);
        send(&mut stream, &whole[1000..]);
        let frame = bench.frame();
        assert_eq!(frame.bytes, whole[4..]);
        bench.reply(&frame, &[count]);
        assert_eq!(receive(&mut stream, 5)[4], count);
    }
}

#[test]
fn delivers_nothing_more_to_a_reader_that_is_too_slow() {
    let bench = Bench::new();
    let mut stream = bench.connect();
    let big = Bytes::from(vec![5; 1 << 20]);
    let mut answered = 0;
    // More requests than the bound on unsent answers allows, from a peer that reads nothing.
    for mark in 0..64 {
        send(&mut stream, &request(3, mark));
    }
    let mut frame = bench.frame();
    loop {
        let head = framed(&[]);
        bench.answer(&frame, Answer { head, rest: vec![Part::Memory(big.clone())], ..Answer::default() });
        answered += 1;
        match bench.try_frame() {
            Some(next) => frame = next,
            None => break,
        }
    }
    assert!((8..40).contains(&answered), "{answered} answers of 1 MiB were taken");
    let got = receive(&mut stream, answered * ((1 << 20) + 4));
    assert_eq!(got.len(), answered * ((1 << 20) + 4));
    assert_eq!(mark(&bench.frame()), answered as u8);
}

struct TestFile {
    file: File,
    with_descriptor: bool,
    probes: AtomicU32,
    /// Every range is cold whenever it is probed.
    cold: bool,
    /// The longest range that was to be warmed.
    warmed: AtomicU32,
}

impl Source for TestFile {
    fn raw_fd(&self) -> Option<RawFd> {
        self.with_descriptor.then(|| self.file.as_raw_fd())
    }
    fn read_at(&self, into: &mut [u8], position: u64) -> std::io::Result<usize> {
        self.file.read_at(into, position)
    }
    fn resident(&self, _: u64, _: u64) -> bool {
        self.probes.fetch_add(1, Ordering::Relaxed);
        !self.cold
    }
    fn warm(&self, _: u64, length: u64) {
        self.warmed.fetch_max(length as u32, Ordering::Relaxed);
    }
}

fn file_of(bytes: &[u8], with_descriptor: bool, cold: bool) -> Arc<TestFile> {
    // SAFETY: a plain system call on a valid name.
    let descriptor = unsafe { libc::memfd_create(c"answers".as_ptr(), 0) };
    // SAFETY: just created, and owned by nobody else.
    let mut file = unsafe { <File as std::os::fd::FromRawFd>::from_raw_fd(descriptor) };
    file.write_all(bytes).unwrap();
    let (probes, warmed) = (AtomicU32::new(0), AtomicU32::new(0));
    Arc::new(TestFile { file, with_descriptor, probes, cold, warmed })
}

#[test]
fn sends_ranges_of_files_large_and_small_between_bytes() {
    let content: Vec<u8> = (0..3_000_000u32).map(|index| (index / 7) as u8).collect();
    for with_descriptor in [true, false] {
        let bench = Bench::new();
        let source = file_of(&content, with_descriptor, false);
        let mut stream = bench.connect();
        send(&mut stream, &request(3, 0));
        let frame = bench.frame();
        let range = |position: u64, length: u64| {
            let source: Arc<dyn Source> = Arc::clone(&source) as _;
            Part::File { source, position, length }
        };
        let middle = Part::Memory(Bytes::from_static(b"middle"));
        let mut rest = vec![range(100, 2_500_000), middle, range(5, 1000), range(7, 70_000), range(0, 0)];
        // Enough to fill the socket while nobody reads.
        rest.extend((0..6).map(|_| range(0, 3_000_000)));
        let total: u64 = rest.iter().map(Part::length).sum();
        let head = Bytes::copy_from_slice(&(total as i32).to_be_bytes());
        bench.answer(&frame, Answer { head, rest, ..Answer::default() });
        std::thread::sleep(QUIET);
        let got = receive(&mut stream, 4 + total as usize);
        let expected = [
            &(total as i32).to_be_bytes()[..],
            &content[100..2_500_100],
            b"middle",
            &content[5..1005],
            &content[7..70_007],
            &content.repeat(6),
        ]
        .concat();
        assert!(got == expected);
        let by_sendfile = bench.reactor.handle().counters().sendfile_bytes.load(Ordering::Relaxed);
        // What is left of a range when the socket was full may be too little for another sendfile.
        let expected = if with_descriptor && cfg!(target_os = "linux") { 20_000_000..=20_570_000 } else { 0..=0 };
        assert!(expected.contains(&by_sendfile), "{by_sendfile}");
        // The socket was full in between, so residency was asked for again.
        assert!(source.probes.load(Ordering::Relaxed) > 0);
    }
}

#[test]
fn asks_for_cold_ranges_to_be_warmed_once_the_socket_was_full_and_goes_on_when_they_are() {
    let content = vec![8; 3_000_000];
    for with_descriptor in [true, false] {
        let bench = Bench::new();
        let source = file_of(&content, with_descriptor, true);
        let mut stream = bench.connect();
        send(&mut stream, &request(3, 0));
        let frame = bench.frame();
        let part = || Part::File { source: Arc::clone(&source) as _, position: 0, length: 3_000_000 };
        let rest: Vec<Part> = (0..8).map(|_| part()).collect();
        let head = Bytes::copy_from_slice(&24_000_000i32.to_be_bytes());
        bench.answer(&frame, Answer { head, rest, ..Answer::default() });
        std::thread::sleep(QUIET);
        let got = receive(&mut stream, 24_000_004);
        assert!(got[4..].iter().all(|byte| *byte == 8));
        let longest = if with_descriptor && cfg!(target_os = "linux") { 1 << 20 } else { 64 << 10 };
        assert_eq!(source.warmed.load(Ordering::Relaxed), longest);
    }
}

#[test]
fn answers_submitted_before_it_stops_leave() {
    let mut bench = Bench::new();
    let mut stream = bench.connect();
    send(&mut stream, &request(3, 0));
    let frame = bench.frame();
    bench.reply(&frame, b"last");
    bench.reactor.stop();
    assert_eq!(drain(&mut stream), *b"\0\0\0\x04last");
}

#[test]
fn a_file_that_ends_under_its_range_closes_the_connection() {
    for length in [500u64, 200_000] {
        let bench = Bench::new();
        let mut stream = bench.connect();
        send(&mut stream, &request(3, 0));
        let source: Arc<dyn Source> = file_of(&[1; 100], true, false);
        let rest = vec![Part::File { source, position: 0, length }];
        let head = Bytes::copy_from_slice(&(length as i32).to_be_bytes());
        bench.answer(&bench.frame(), Answer { head, rest, ..Answer::default() });
        assert_eq!(bench.closed(), "a file ended under an answer");
        assert!(drain(&mut stream).len() < 4 + length as usize);
    }
}

#[test]
fn skims_frames_that_have_a_program_and_are_large() {
    let bench = Bench::new();
    // Key, version, one records field.
    bench.reactor.handle().register_skim(false, 0, 9, Program::parse(&[1, 4, 10, 0]).unwrap());
    let mut stream = bench.connect();
    let frame_of = |version: u8, records: usize| {
        framed(&[&[0, 0, 0, version][..], &(records as i32).to_be_bytes(), &vec![3; records]].concat())
    };
    for (version, records, skimmed) in [(9, 100, false), (9, 10_000, true), (8, 10_000, false)] {
        send(&mut stream, &frame_of(version, records));
        let frame = bench.frame();
        assert_eq!(frame.skimmed.is_some(), skimmed);
        if let Some(skimmed) = &frame.skimmed {
            assert_eq!((skimmed.copied, skimmed.elisions[0].length), (8 + 61, 10_000));
        }
        bench.reply(&frame, b"");
    }
}
