//! The file system in memory.

/// A file system in memory. Clones share it.
#[derive(Clone, Default)]
pub struct MemoryVfs {}

impl MemoryVfs {
    pub fn new() -> MemoryVfs {
        MemoryVfs::default()
    }
}
