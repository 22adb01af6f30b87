//! The crash images of every script, in short: each script on as many seeds as give its share of fifty thousand images.
//! The long form is the program `images`.

use odradek_proof::campaign::run;
use odradek_proof::scripts::SCRIPTS;

/// With thirteen scripts more than 50,000.
const IMAGES: u64 = 4_200;

fn every_image_of(name: &str) {
    let named = SCRIPTS.iter().find(|named| named.name == name).expect("a script of this name");
    let (mut images, mut seed) = (0, 0);
    while images < IMAGES {
        match run(named, seed, None) {
            Ok(tally) => images += tally.images,
            Err(failed) => panic!("{failed}"),
        }
        seed += 1;
    }
}

#[test]
fn nothing_is_lost_when_power_fails_while_logs_are_appended_to() {
    every_image_of("append");
}

#[test]
fn nothing_is_lost_when_power_fails_around_rolls() {
    every_image_of("roll");
}

#[test]
fn nothing_is_lost_when_power_fails_around_truncations() {
    every_image_of("truncate");
}

#[test]
fn nothing_is_lost_when_a_truncation_overtakes_a_sync_and_power_fails() {
    every_image_of("race");
}

#[test]
fn producers_and_transactions_are_known_again_after_a_power_cut() {
    every_image_of("producers");
}

#[test]
fn nothing_is_lost_when_power_fails_around_recovery_points() {
    every_image_of("checkpoint");
}

#[test]
fn segments_that_retention_lets_go_stay_whole_or_go_when_power_fails() {
    every_image_of("retain");
}

#[test]
fn deleted_records_stay_deleted_and_no_others_go_when_power_fails() {
    every_image_of("delete-records");
}

#[test]
fn the_newest_record_of_each_key_is_there_when_power_fails_around_compaction() {
    every_image_of("compact");
}

#[test]
fn topics_are_there_or_gone_when_power_fails_around_their_creation_and_deletion() {
    every_image_of("topics");
}

#[test]
fn a_shutdown_that_power_interrupts_is_no_clean_one() {
    every_image_of("shutdown");
}

#[test]
fn leader_epochs_are_those_of_the_batches_after_a_power_cut() {
    every_image_of("epochs");
}

#[test]
fn nothing_is_lost_when_power_fails_in_scripts_of_anything() {
    every_image_of("anything");
}

/// The epochs' file had lost the epochs of the deleted records by then.
#[test]
fn epochs_come_from_the_batches_when_a_crash_takes_the_deletion_of_records_back() {
    let named = SCRIPTS.iter().find(|named| named.name == "epochs").expect("a script of this name");
    for seed in [926, 930] {
        run(named, seed, None).unwrap_or_else(|failed| panic!("{failed}"));
    }
}
