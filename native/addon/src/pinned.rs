//! The engine's files as the reactor sends them.

use odradek_engine::vfs::File;
use odradek_reactor::Source;
use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;

pub struct Pinned(pub Arc<dyn File>);

impl Source for Pinned {
    fn raw_fd(&self) -> Option<RawFd> {
        self.0.raw_fd()
    }

    fn read_at(&self, into: &mut [u8], position: u64) -> io::Result<usize> {
        self.0.read_at(into, position)
    }

    fn resident(&self, position: u64, length: u64) -> bool {
        self.0.resident(position, length)
    }

    fn warm(&self, position: u64, length: u64) {
        // Cold bytes are sent all the same, only later.
        let _ = self.0.warm(position, length);
    }
}
