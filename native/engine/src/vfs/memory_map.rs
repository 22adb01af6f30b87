//! A map of a file in memory: a window of its own, whose bytes reach the file when they are told of, one change for
//! each telling. So a crash image shows what the end of the process would leave between any two of them.

use super::Map;
use super::durability::{ByteChange, Inode};
use super::memory::{Operation, Shared, lock};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub struct MemoryMap {
    shared: Arc<Shared>,
    inode: Arc<Inode>,
    length: u64,
    /// File position of the window's first byte.
    from: u64,
    window: Vec<u8>,
    broken: bool,
}

impl MemoryMap {
    pub fn new(shared: Arc<Shared>, inode: Arc<Inode>, length: u64) -> MemoryMap {
        MemoryMap { shared, inode, length, from: 0, window: Vec::new(), broken: false }
    }
}

impl Map for MemoryMap {
    fn populate(&mut self, at: u64, length: u64) -> io::Result<()> {
        self.shared.enter(Operation::Populate, &self.inode.path)?;
        let content = lock(&self.inode.content);
        assert!(at + length <= self.length.min(content.bytes.len()), "a range inside the map and the file");
        if at != self.from + self.window.len() as u64 || self.window.is_empty() {
            self.from = at;
            self.window.clear();
        }
        let inside = self.window.len();
        self.window.resize(inside + length as usize, 0);
        content.bytes.read(&mut self.window[inside..], at);
        Ok(())
    }

    fn leave(&mut self, until: u64) {
        let gone = (until.saturating_sub(self.from) as usize).min(self.window.len());
        self.window.drain(..gone);
        self.from += gone as u64;
    }

    fn bytes(&mut self, at: u64, length: usize) -> &mut [u8] {
        let inside = at.checked_sub(self.from).expect("a store into a part that is ready") as usize;
        &mut self.window[inside..inside + length]
    }

    fn stored(&mut self, at: u64, length: usize) -> bool {
        self.broken |= self.shared.enter(Operation::Store, &self.inode.path).is_err();
        if !self.broken {
            let bytes = Arc::new(self.bytes(at, length).to_vec());
            let mut content = lock(&self.inode.content);
            // A file that was cut meanwhile is the map's end.
            self.broken = at + length as u64 > content.bytes.len();
            if !self.broken {
                let order = self.shared.order.load(Ordering::Acquire);
                content.change(ByteChange::Write { at, bytes, order }, self.shared.tracked);
            }
        }
        !self.broken
    }
}
