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
}

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
    Write { at: u64, bytes: Arc<Vec<u8>> },
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
            Keep::All => names = self.names.clone(),
            Keep::Some | Keep::Torn => {
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

    pub fn after_crash(&self, keep: Keep, random: &mut Random) -> Pages {
        let mut pages = self.durable.clone();
        match keep {
            Keep::None => {}
            Keep::All => pages = self.bytes.clone(),
            Keep::Some | Keep::Torn => {
                for change in &self.pending {
                    match change {
                        ByteChange::Write { at, bytes } if random.coin() => {
                            let kept = match keep {
                                Keep::Torn if random.coin() => random.below(bytes.len() as u64 + 1) as usize,
                                _ => bytes.len(),
                            };
                            pages.write(&bytes[..kept], *at);
                        }
                        ByteChange::Write { at, bytes } => {
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
}

impl ByteChange {
    pub fn apply(&self, pages: &mut Pages) {
        match self {
            ByteChange::Write { at, bytes } => pages.write(bytes, *at),
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
