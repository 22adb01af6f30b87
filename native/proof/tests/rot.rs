//! Files that decay, in short: ten thousand damages, half of them of directories that were closed. The long form is the
//! program `rot`.

use odradek_proof::rot::damages;

const DAMAGES: u64 = 5_000;

fn each_is_noticed_or_harmless(closed: bool) {
    let mut done = 0;
    let made = damages(closed, DAMAGES, 1, |seed, damage, verdict| {
        done += 1;
        if let Err(why) = verdict {
            panic!("seed {seed}, {damage:?}: {why}");
        }
    });
    assert_eq!((made, done), (Ok(()), DAMAGES));
}

#[test]
fn what_decays_in_a_closed_directory_is_never_served_as_good() {
    each_is_noticed_or_harmless(true);
}

#[test]
fn what_decays_in_a_directory_that_a_crash_left_is_never_served_as_good() {
    each_is_noticed_or_harmless(false);
}
