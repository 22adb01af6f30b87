//! Ten thousand flips, cuts and runs of zeros in files of closed directories and of crashed ones.

use odradek_proof::random::Random;
use odradek_proof::rot::{Damage, Site, Verdict, decay};
use std::collections::BTreeMap;

const DAMAGES: u64 = 5_000;

fn every_damage(closed: bool) -> BTreeMap<Verdict, u64> {
    let mut verdicts = BTreeMap::new();
    let (mut done, mut seed) = (0, 0);
    while done < DAMAGES {
        seed += 1;
        let site = Site::new(seed, closed).expect("the script comes to its end");
        let mut random = Random::new(seed);
        for _ in 0..250 {
            let damage = Damage::draw(&site, &mut random);
            match decay(&site, &damage, random.draw()) {
                Ok(Some(verdict)) => {
                    done += 1;
                    *verdicts.entry(verdict).or_default() += 1;
                }
                Ok(None) => {}
                Err(why) => panic!("seed {seed}, closed {closed}, {damage:?}: {why}"),
            }
        }
    }
    println!("{verdicts:?}");
    verdicts
}

#[test]
fn a_decayed_file_of_a_closed_directory_is_noticed_or_harmless_and_nothing_is_cut() {
    let verdicts = every_damage(true);
    assert_eq!(verdicts.get(&Verdict::Cut), None);
}

#[test]
fn a_decayed_file_of_a_crashed_directory_is_noticed_or_harmless() {
    every_damage(false);
}
