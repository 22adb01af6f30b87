//! Runs scripts and checks their images, alone or on several threads, until there were enough. A failure says which
//! script, seed, moment and variant it was, and that one can be run alone.

use crate::check::{Depth, check, moved};
use crate::image::{Variant, fingerprint, variants};
use crate::random::Random;
use crate::rig::lock;
use crate::scripts::{Named, SCRIPTS};
use std::collections::HashSet;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Drawn variants of each moment, beside the five fixed ones.
const DRAWN: usize = 6;

/// One image that was not as it had to be, or a script that did not come to its end.
#[derive(Clone, Debug)]
pub struct Failed {
    pub script: &'static str,
    pub seed: u64,
    /// Which moment of it; None: the script itself.
    pub cut: Option<(usize, Variant)>,
    pub why: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "script {} seed {}", self.script, self.seed)?;
        if let Some((at, variant)) = &self.cut {
            write!(f, " cut {at} {variant:?}")?;
        }
        write!(f, ": {}", self.why)
    }
}

/// What one run of a script has shown.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub scripts: u64,
    pub cuts: u64,
    /// Images that were opened, each different from the others of its script, or known to hold more.
    pub images: u64,
}

/// Runs a script with this seed and checks the images of each of its moments, or of one.
pub fn run(named: &Named, seed: u64, only: Option<usize>) -> Result<Tally, Failed> {
    let fail = |cut, why| Failed { script: named.name, seed, cut, why };
    let cuts = named.cuts(seed).map_err(|why| fail(None, why))?;
    let mut tally = Tally { scripts: 1, cuts: cuts.len() as u64, images: 0 };
    let mut seen = HashSet::new();
    for (at, cut) in cuts.iter().enumerate() {
        if only.is_some_and(|only| only != at) {
            continue;
        }
        let mut random = Random::new(seed ^ (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        for variant in variants(&mut random, DRAWN) {
            let image = cut.vfs.crash(variant.seed, variant.keep);
            let synced: Vec<i64> = cut.logs.iter().flat_map(|known| [known.synced, known.end, known.start]).collect();
            if !seen.insert((fingerprint(&image), synced)) {
                continue;
            }
            let depth = match random.below(24) {
                0 => Depth::Nested,
                1..=3 => Depth::Closed,
                _ => Depth::Plain,
            };
            let without = if random.one_in(8) { moved(&image, cut) } else { Ok(0) };
            match without.and_then(|more| Ok(more + check(&image, cut, depth, random.draw())?)) {
                Ok(images) => tally.images += images,
                Err(why) => return Err(fail(Some((at, variant)), why)),
            }
        }
    }
    Ok(tally)
}

/// What is wanted of a campaign.
#[derive(Clone, Debug)]
pub struct Plan {
    pub images: u64,
    pub seed: u64,
    pub threads: usize,
    /// One script instead of all.
    pub script: Option<String>,
    /// It ends with this many failures.
    pub failures: usize,
}

/// Runs scripts in turn, each with a seed of its own, until the plan's images are reached. `progress` is called after
/// each script with the sums so far.
pub fn campaign(plan: &Plan, progress: impl Fn(&Tally) + Sync) -> (Tally, Vec<Failed>) {
    let chosen: Vec<&Named> =
        SCRIPTS.iter().filter(|named| plan.script.as_deref().is_none_or(|name| name == named.name)).collect();
    let (next, over) = (AtomicU64::new(0), AtomicBool::new(chosen.is_empty()));
    let sums = Mutex::new((Tally::default(), Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..plan.threads.max(1) {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let named = chosen[(number % chosen.len() as u64) as usize];
                    let outcome = run(named, plan.seed.wrapping_add(number / chosen.len() as u64), None);
                    let (tally, failed) = &mut *lock(&sums);
                    match outcome {
                        Ok(one) => {
                            tally.scripts += one.scripts;
                            tally.cuts += one.cuts;
                            tally.images += one.images;
                        }
                        Err(failure) => failed.push(failure),
                    }
                    if tally.images >= plan.images || failed.len() >= plan.failures.max(1) {
                        over.store(true, Ordering::Relaxed);
                    }
                    progress(tally);
                }
            });
        }
    });
    sums.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner())
}
