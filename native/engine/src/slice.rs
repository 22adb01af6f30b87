//! A pinned range of a file: the descriptor stays open as long as the slice lives, so that retention, roll and
//! deletion never pull it away under a reader.

use crate::vfs::File;
use std::sync::Arc;

#[derive(Clone)]
pub struct FileSlice {
    pub file: Arc<dyn File>,
    pub position: u64,
    pub length: u32,
}

impl std::fmt::Debug for FileSlice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FileSlice {{ position: {}, length: {} }}", self.position, self.length)
    }
}
