//! What is on disk and what is not, for the file system in memory: each file and folder keeps its durable state and the
//! changes since its last sync, and a crash leaves the one and some of the others.

use super::pages::Pages;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// How much of what was not yet durable a crash leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    None,
    All,
    /// Each pending change by the seed, in order; a lost write may leave zeros where it extended the file.
    Some,
    /// As `Some`, and the writes that are kept may be cut short.
    Torn,
    /// As a page cache writes back: each piece of each file in any state that it had since its last sync, lengths and
    /// names apart from them.
    Pages,
    /// All, but of the last operation, if it was a write, only this much.
    Last(Piece),
}

/// How much of a write came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    FirstByte,
    Half,
    AllButLastByte,
}

impl Piece {
    fn of(self, length: usize) -> usize {
        match self {
            Piece::FirstByte => length.min(1),
            Piece::Half => length / 2,
            Piece::AllButLastByte => length.saturating_sub(1),
        }
    }
}

/// What is written back as one: of a disk that tears sectors down to them, and of pages.
const UNITS: [usize; 3] = [64, 512, 4096];

pub type FolderId = u64;

#[derive(Clone)]
pub enum Node {
    File(Arc<Inode>),
    Folder(FolderId),
}

#[derive(Default)]
pub struct Folder {
    pub names: BTreeMap<String, Node>,
    pub durable: BTreeMap<String, Node>,
    pub pending: Vec<NameChange>,
}

#[derive(Clone)]
pub struct NameChange {
    pub removed: Option<String>,
    pub added: Option<(String, Node)>,
}

pub struct Inode {
    pub path: String,
    pub content: Mutex<Content>,
}

#[derive(Clone, Default)]
pub struct Content {
    pub bytes: Pages,
    pub durable: Pages,
    pub pending: Vec<ByteChange>,
}

#[derive(Clone)]
pub enum ByteChange {
    /// `order`: which operation of the file system it was.
    Write {
        at: u64,
        bytes: Arc<Vec<u8>>,
        order: u64,
    },
    SetLen(u64),
}

impl NameChange {
    pub fn apply(&self, names: &mut BTreeMap<String, Node>) {
        if let Some(name) = &self.removed {
            names.remove(name);
        }
        if let Some((name, node)) = &self.added {
            names.insert(name.clone(), node.clone());
        }
    }
}

impl Folder {
    pub fn after_crash(&self, keep: Keep, random: &mut Random) -> BTreeMap<String, Node> {
        let mut names = self.durable.clone();
        match keep {
            Keep::None => {}
            Keep::All | Keep::Last(_) => names = self.names.clone(),
            Keep::Some | Keep::Torn | Keep::Pages => {
                // A journal keeps a prefix, a file system without one anything.
                let prefix = random.coin();
                for change in &self.pending {
                    if random.coin() {
                        change.apply(&mut names);
                    } else if prefix {
                        break;
                    }
                }
            }
        }
        names
    }
}

impl Content {
    pub fn change(&mut self, change: ByteChange, tracked: bool) {
        change.apply(&mut self.bytes);
        if tracked {
            self.pending.push(change);
        }
    }

    /// `last`: the number of the last operation of the file system.
    pub fn after_crash(&self, keep: Keep, last: u64, random: &mut Random) -> Pages {
        let mut pages = self.durable.clone();
        match keep {
            Keep::None => {}
            Keep::All => pages = self.bytes.clone(),
            Keep::Last(piece) => match self.pending.split_last() {
                Some((ByteChange::Write { at, bytes, order }, before)) if *order == last => {
                    before.iter().for_each(|change| change.apply(&mut pages));
                    pages.write(&bytes[..piece.of(bytes.len())], *at);
                }
                _ => pages = self.bytes.clone(),
            },
            Keep::Pages => return self.written_back(random),
            Keep::Some | Keep::Torn => {
                for change in &self.pending {
                    match change {
                        ByteChange::Write { at, bytes, .. } if random.coin() => {
                            let kept = match keep {
                                Keep::Torn if random.coin() => random.below(bytes.len() as u64 + 1) as usize,
                                _ => bytes.len(),
                            };
                            pages.write(&bytes[..kept], *at);
                        }
                        ByteChange::Write { at, bytes, .. } => {
                            let end = at + bytes.len() as u64;
                            if random.coin() && pages.len() < end {
                                pages.set_len(end);
                            }
                        }
                        ByteChange::SetLen(length) if random.coin() => pages.set_len(*length),
                        ByteChange::SetLen(_) => {}
                    }
                }
            }
        }
        pages
    }

    /// Each unit as it was after any of the changes; zeros where the length came through and the bytes did not.
    fn written_back(&self, random: &mut Random) -> Pages {
        if self.pending.is_empty() {
            return self.durable.clone();
        }
        let mut states = vec![self.durable.clone()];
        for change in &self.pending {
            let mut next = states[states.len() - 1].clone();
            change.apply(&mut next);
            states.push(next);
        }
        let count = states.len() as u64;
        let unit = UNITS[random.below(UNITS.len() as u64) as usize];
        let length = states[random.below(count) as usize].len();
        let mut pages = Pages::default();
        let mut buffer = vec![0; unit];
        let mut at = 0;
        while at < length {
            let want = unit.min((length - at) as usize);
            let filled = states[random.below(count) as usize].read(&mut buffer[..want], at);
            buffer[filled..want].fill(0);
            pages.write(&buffer[..want], at);
            at += want as u64;
        }
        pages
    }
}

impl ByteChange {
    pub fn apply(&self, pages: &mut Pages) {
        match self {
            ByteChange::Write { at, bytes, .. } => pages.write(bytes, *at),
            ByteChange::SetLen(length) => pages.set_len(*length),
        }
    }
}

/// SplitMix64: all that a crash image needs.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
