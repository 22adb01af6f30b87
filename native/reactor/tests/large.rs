//! Frames that are read straight into their own memory, which other frames had before.

mod support;

use odradek_reactor::*;
use std::io::Write;
use std::net::TcpStream;
use support::*;

/// Sizes around the bounds at which reading changes its ways; each frame is filled by its number.
fn sizes() -> Vec<usize> {
    let edges = [1, 4 << 10, 16 << 10, (64 << 10) - 4, 64 << 10, 256 << 10, 1 << 20, 3 << 20];
    edges.iter().flat_map(|&size| [size, 5, size + 1, size - usize::from(size > 1)]).collect()
}

fn filled(number: usize, size: usize) -> Vec<u8> {
    (0..size).map(|at| (number * 31 + at / 7) as u8).collect()
}

fn send_all(mut stream: TcpStream, cut: usize) -> std::thread::JoinHandle<TcpStream> {
    let bytes: Vec<u8> = sizes()
        .into_iter()
        .enumerate()
        .flat_map(|(number, size)| {
            let mut body = filled(number, size);
            // The key of requests that may overlap, as far as there is room for one.
            body.iter_mut().take(2).for_each(|byte| *byte = 0);
            framed(&body)
        })
        .collect();
    std::thread::spawn(move || {
        for piece in bytes.chunks(cut) {
            stream.write_all(piece).unwrap();
        }
        stream
    })
}

#[test]
fn frames_of_all_sizes_arrive_whole_however_they_are_sent() {
    let bench = Bench::with(1 << 30, options());
    let mut streams = Vec::new();
    for cut in [999, 70_001, 16 << 20] {
        let sender = send_all(bench.connect(), cut);
        let mut held: Vec<Frame> = Vec::new();
        for (number, size) in sizes().into_iter().enumerate() {
            let frame = bench.frame();
            let mut expected = filled(number, size);
            expected.iter_mut().take(2).for_each(|byte| *byte = 0);
            assert!(frame.bytes == expected, "frame {number} of {size} bytes, sent by {cut}");
            bench.answer(&frame, Answer { no_answer: true, ..Answer::default() });
            // Some are kept, so that memory comes back out of order.
            held.push(frame);
            if number % 3 == 2 {
                held.drain(..2);
            }
        }
        for frame in &held {
            assert_eq!(frame.bytes.first(), Some(&0));
        }
        streams.push(sender.join().unwrap());
    }
}

#[test]
fn a_frame_that_is_kept_does_not_change_when_others_of_its_size_come_and_go() {
    let bench = Bench::new();
    let mut stream = bench.connect();
    let mut kept = None;
    for fill in 1..=20u8 {
        send(&mut stream, &framed(&vec![fill; 500_000]));
        let frame = bench.frame();
        assert!(frame.bytes.iter().all(|byte| *byte == fill));
        bench.reply(&frame, &[fill]);
        receive(&mut stream, 5);
        if fill == 3 {
            kept = Some(frame.bytes.slice(7..400_000));
        }
    }
    assert!(kept.unwrap().iter().all(|byte| *byte == 3));
}
