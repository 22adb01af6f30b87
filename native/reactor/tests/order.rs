//! Which frame is delivered when, which answer leaves when, and how connections end.

mod support;

use odradek_reactor::*;
use std::net::Shutdown;
use std::sync::atomic::Ordering;
use std::time::Duration;
use support::*;

#[test]
fn delivers_frames_with_their_order_and_addresses() {
    let bench = Bench::new();
    let mut stream = bench.connect();
    let Event::Connected { opened, peer, local, .. } = bench.event() else { panic!("not connected") };
    assert_eq!(opened, Opened::Listener(1));
    assert_eq!((peer, local), (stream.local_addr().unwrap(), bench.address));
    for mark in 0..3 {
        send(&mut stream, &request(3, mark));
        let frame = bench.frame();
        assert_eq!((frame.sequence, frame.response), (u32::from(mark), false));
        assert_eq!(frame.bytes[..], [0, 3, 0, 9, mark]);
        bench.reply(&frame, &[mark]);
        assert_eq!(receive(&mut stream, 5), [0, 0, 0, 1, mark]);
    }
}

#[test]
fn holds_the_next_request_back_until_earlier_ones_are_answered() {
    let bench = Bench::new();
    let mut stream = bench.connect();
    send(&mut stream, &[request(3, 0), request(3, 1)].concat());
    let first = bench.frame();
    bench.assert_no_frame();
    bench.reply(&first, b"a");
    assert_eq!(mark(&bench.frame()), 1);
}

#[test]
fn lets_overlapping_requests_overlap_and_answers_them_in_request_order() {
    let bench = Bench::new();
    let mut stream = bench.connect();
    send(&mut stream, &[request(0, 0), request(0, 1), request(0, 2), request(3, 3)].concat());
    let frames: Vec<Frame> = (0..3).map(|_| bench.frame()).collect();
    bench.assert_no_frame();
    bench.reply(&frames[2], b"c");
    bench.reply(&frames[1], b"b");
    bench.assert_no_frame();
    bench.reply(&frames[0], b"a");
    assert_eq!(receive(&mut stream, 15), *b"\0\0\0\x01a\0\0\0\x01b\0\0\0\x01c");
    assert_eq!(mark(&bench.frame()), 3);
}

#[test]
fn an_overlapping_request_waits_for_one_that_may_not_be_overlapped() {
    let bench = Bench::new();
    let mut stream = bench.connect();
    send(&mut stream, &[request(1, 0), request(0, 1)].concat());
    let first = bench.frame();
    bench.assert_no_frame();
    bench.answer(&first, Answer { no_answer: true, ..Answer::default() });
    let second = bench.frame();
    bench.reply(&second, b"x");
    assert_eq!(receive(&mut stream, 5), *b"\0\0\0\x01x");
}

#[test]
fn an_answer_that_was_given_before_the_close_leaves_first() {
    let bench = Bench::new();
    let mut stream = bench.connect();
    send(&mut stream, &[request(0, 0), request(0, 1)].concat());
    let (first, second) = (bench.frame(), bench.frame());
    let answer = |body: &[u8]| Answer { head: framed(body), ..Answer::default() };
    let connection = first.connection;
    bench.reactor.handle().submit(&mut vec![
        Command::Answer { connection, sequence: second.sequence, answer: answer(b"b") },
        Command::Answer { connection, sequence: first.sequence, answer: answer(b"a") },
        Command::Close { connection, reason: "enough".into() },
    ]);
    assert_eq!(drain(&mut stream), *b"\0\0\0\x01a\0\0\0\x01b");
}

#[test]
fn ignores_a_second_answer_and_answers_of_connections_that_are_gone() {
    let bench = Bench::new();
    let mut stream = bench.connect();
    send(&mut stream, &request(3, 0));
    let frame = bench.frame();
    bench.reply(&frame, b"a");
    bench.reply(&frame, b"b");
    assert_eq!(receive(&mut stream, 5), *b"\0\0\0\x01a");
    drop(stream);
    assert_eq!(bench.closed(), "the peer closed");
    bench.reply(&frame, b"c");
    let mut second = bench.connect();
    send(&mut second, &request(3, 1));
    let frame = bench.frame();
    assert_eq!(mark(&frame), 1);
    bench.reply(&frame, b"d");
    assert_eq!(receive(&mut second, 5), *b"\0\0\0\x01d");
}

#[test]
fn answers_what_a_peer_asked_before_it_closed_its_half() {
    let bench = Bench::new();
    let mut stream = bench.connect();
    send(&mut stream, &[request(3, 0), request(3, 1)].concat());
    stream.shutdown(Shutdown::Write).unwrap();
    for _ in 0..2 {
        let frame = bench.frame();
        bench.reply(&frame, &[mark(&frame)]);
    }
    assert_eq!(drain(&mut stream), *b"\0\0\0\x01\0\0\0\0\x01\x01");
    assert_eq!(bench.closed(), "the peer closed");
}

#[test]
fn serves_requests_without_answers_of_a_peer_that_is_gone() {
    let bench = Bench::new();
    let mut stream = bench.connect();
    for mark in 0..50 {
        send(&mut stream, &request(0, mark));
    }
    drop(stream);
    for expected in 0..50 {
        let frame = bench.frame();
        assert_eq!(mark(&frame), expected);
        bench.answer(&frame, Answer { no_answer: true, ..Answer::default() });
    }
    assert_eq!(bench.closed(), "the peer closed");
}

#[test]
fn closes_after_the_answer_when_told_to() {
    let bench = Bench::new();
    let mut stream = bench.connect();
    send(&mut stream, &[request(3, 0), request(3, 1)].concat());
    let frame = bench.frame();
    bench.answer(&frame, Answer { head: framed(b"bye"), close_after: true, ..Answer::default() });
    assert_eq!(drain(&mut stream), *b"\0\0\0\x03bye");
    assert_eq!(bench.closed(), "closed after the answer");
}

#[test]
fn closes_on_request_with_the_reason_given() {
    let bench = Bench::new();
    let mut stream = bench.connect();
    send(&mut stream, &request(3, 0));
    let frame = bench.frame();
    bench.command(Command::Close { connection: frame.connection, reason: "enough".into() });
    assert_eq!(bench.closed(), "enough");
    assert!(drain(&mut stream).is_empty());
}

#[test]
fn does_not_read_a_muted_connection_until_its_time_has_come() {
    let bench = Bench::new();
    let mut stream = bench.connect();
    send(&mut stream, &request(3, 0));
    let frame = bench.frame();
    let mute = Duration::from_millis(300);
    bench.answer(&frame, Answer { head: framed(b"a"), mute, ..Answer::default() });
    send(&mut stream, &request(3, 1));
    assert_eq!(receive(&mut stream, 5), *b"\0\0\0\x01a");
    drop(frame);
    bench.assert_no_frame();
    assert_eq!(bench.reactor.handle().budget().held(), 0);
    assert_eq!(mark(&bench.frame()), 1);
}

#[test]
fn closes_a_connection_that_idles_but_not_one_that_waits_for_an_answer() {
    let bench = Bench::with(64 << 20, ListenerOptions { idle_timeout: Some(QUIET), ..options() });
    let mut waiting = bench.connect();
    send(&mut waiting, &request(3, 0));
    let frame = bench.frame();
    let mut idle = bench.connect();
    assert_eq!(bench.closed(), "idle for too long");
    assert!(drain(&mut idle).is_empty());
    std::thread::sleep(QUIET);
    bench.reply(&frame, b"a");
    assert_eq!(receive(&mut waiting, 5), *b"\0\0\0\x01a");
    assert_eq!(bench.closed(), "idle for too long");
}

#[test]
fn refuses_connections_over_its_limits_and_takes_new_ones_when_old_ones_end() {
    let limits = Limits { per_ip: 2, ..options().limits };
    let bench = Bench::with(64 << 20, ListenerOptions { limits, ..options() });
    let mut streams: Vec<_> = (0..2).map(|_| bench.connect()).collect();
    for stream in &mut streams {
        send(stream, &request(3, 0));
        bench.reply(&bench.frame(), b"a");
        receive(stream, 5);
    }
    assert!(drain(&mut bench.connect()).is_empty());
    streams.pop();
    bench.closed();
    let mut stream = bench.connect();
    send(&mut stream, &request(3, 7));
    assert_eq!(mark(&bench.frame()), 7);
}

#[test]
fn limits_that_change_hold_from_the_next_connection_on() {
    let bench = Bench::new();
    let served = |stream: &mut std::net::TcpStream| {
        send(stream, &request(3, 0));
        bench.reply(&bench.frame(), b"a");
        receive(stream, 5)
    };
    let mut streams: Vec<_> = (0..2).map(|_| bench.connect()).collect();
    streams.iter_mut().for_each(|stream| drop(served(stream)));
    let limits = options().limits;
    for tight in [Limits { of_all: 2, ..limits }, Limits { of_listener: 2, ..limits }, Limits { per_ip: 2, ..limits }] {
        bench.command(Command::LimitListener { id: 1, limits: tight });
        assert!(drain(&mut bench.connect()).is_empty(), "{tight:?}");
        streams.iter_mut().for_each(|stream| drop(served(stream)));
    }
    bench.command(Command::LimitListener { id: 1, limits: Limits { of_all: 3, ..limits } });
    assert_eq!(served(&mut bench.connect()), *b"\0\0\0\x01a");
}

#[test]
fn stops_accepting_and_goes_on_serving_when_its_listener_is_closed() {
    let bench = Bench::new();
    let mut stream = bench.connect();
    send(&mut stream, &request(3, 0));
    let frame = bench.frame();
    bench.command(Command::CloseListener { id: 1 });
    bench.reply(&frame, b"a");
    assert_eq!(receive(&mut stream, 5), *b"\0\0\0\x01a");
    assert!(std::net::TcpStream::connect(bench.address).is_err());
}

#[test]
fn connects_out_and_delivers_the_responses() {
    let bench = Bench::new();
    let peer = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = peer.local_addr().unwrap();
    bench.command(Command::Connect { token: 9, address, max_frame_bytes: 1 << 20 });
    let (mut accepted, _) = peer.accept().unwrap();
    let Event::Connected { connection, opened, .. } = bench.event() else { panic!("not connected") };
    assert_eq!(opened, Opened::Outgoing(9));
    let answer = Answer { head: framed(b"ask"), ..Answer::default() };
    bench.command(Command::Send { connection, answer, program: None });
    assert_eq!(receive(&mut accepted, 7), *b"\0\0\0\x03ask");
    send(&mut accepted, &framed(b"told"));
    let frame = bench.frame();
    assert!(frame.response);
    assert_eq!(frame.bytes[..], *b"told");
    drop(accepted);
    assert_eq!(bench.closed(), "the peer closed");
}

#[test]
fn says_that_nobody_listens_there() {
    let bench = Bench::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    bench.command(Command::Connect { token: 4, address: free, max_frame_bytes: 1 << 20 });
    let Event::ConnectFailed { token, reason } = bench.event() else { panic!("connected") };
    assert_eq!(token, 4);
    assert!(reason.contains("refused"), "{reason}");
}

#[test]
fn binding_a_port_in_use_fails_at_once() {
    let bench = Bench::new();
    let error = bind("127.0.0.1", bench.address.port(), 16).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
}

#[test]
fn short_answers_are_written_by_who_submits_them_while_the_reactor_sleeps() {
    let bench = Bench::new();
    let mut stream = bench.connect();
    let at_once = || bench.reactor.handle().counters().answered_at_once.load(Ordering::Relaxed);
    for mark in 0..20 {
        send(&mut stream, &request(3, mark));
        let frame = bench.frame();
        std::thread::sleep(Duration::from_millis(5));
        bench.reply(&frame, &[mark]);
        assert_eq!(receive(&mut stream, 5)[4], mark);
    }
    // Its sleep may have been disturbed now and then.
    assert!(at_once() > 10, "{} of 20", at_once());
    // What has consequences, or is long, is the reactor's.
    send(&mut stream, &request(3, 20));
    let before = at_once();
    let frame = bench.frame();
    std::thread::sleep(Duration::from_millis(5));
    let mute = Duration::from_millis(1);
    bench.answer(&frame, Answer { head: framed(&[20]), mute, ..Answer::default() });
    assert_eq!(receive(&mut stream, 5)[4], 20);
    send(&mut stream, &request(3, 21));
    let frame = bench.frame();
    std::thread::sleep(Duration::from_millis(5));
    bench.answer(&frame, Answer { head: framed(&[21; 20_000]), close_after: true, ..Answer::default() });
    assert_eq!(drain(&mut stream).len(), 20_004);
    assert_eq!(bench.closed(), "closed after the answer");
    assert_eq!(at_once(), before);
}

#[test]
fn the_order_of_answers_holds_whoever_writes_them() {
    const ANSWERS: usize = 400;
    let bench = Bench::new();
    let mut stream = bench.connect();
    let mut reading = stream.try_clone().unwrap();
    // Reads slowly at first, so that the socket is full now and then.
    let reader = std::thread::spawn(move || {
        let mut numbers = Vec::new();
        for count in 0..ANSWERS {
            if count % 50 == 0 {
                std::thread::sleep(Duration::from_millis(20));
            }
            let length = i32::from_be_bytes(receive(&mut reading, 4).try_into().unwrap());
            let body = receive(&mut reading, length as usize);
            assert!(body.chunks(2).all(|pair| pair == &body[..2]));
            numbers.push(usize::from(u16::from_be_bytes([body[0], body[1]])));
        }
        numbers
    });
    let mut frames = Vec::new();
    for number in 0..ANSWERS {
        send(&mut stream, &request(0, number as u8));
        frames.push(bench.frame());
        // Answered singly and by three, later ones first, short and long.
        if number % 7 < 4 || frames.len() == 3 || number + 1 == ANSWERS {
            let mut answers = Vec::new();
            for frame in frames.drain(..).rev() {
                let body = (frame.sequence as u16).to_be_bytes().repeat(if number % 5 == 0 { 200_000 } else { 3 });
                let answer = Answer { head: framed(&body), ..Answer::default() };
                answers.push(Command::Answer { connection: frame.connection, sequence: frame.sequence, answer });
            }
            bench.reactor.handle().submit(&mut answers);
        }
        if number % 11 == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    assert_eq!(reader.join().unwrap(), (0..ANSWERS).collect::<Vec<_>>());
}
