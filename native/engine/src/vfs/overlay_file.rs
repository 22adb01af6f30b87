//! One file of an overlay: reads go through to the one below, and what is written stays here.
//!
//! Invariants: the one below is never written to. The file has the length that it had when it was first opened here.

use super::{File, Map};
use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::sync::{Arc, PoisonError, RwLock};

/// A file's own bytes are kept in pieces of this size.
const BLOCK: u64 = 64 << 10;

/// A file below, and what was written here over it.
#[derive(Default)]
pub struct OverlayFile {
    below: Option<Arc<dyn File>>,
    content: RwLock<Content>,
}

/// Invariant: no block of its own begins at or above `length`; what such a block has above it is zeros.
#[derive(Default)]
struct Content {
    length: u64,
    /// What is not in a block comes from below up to here, and is zeros above.
    through: u64,
    blocks: BTreeMap<u64, Vec<u8>>,
}

impl OverlayFile {
    /// The file as it is now, and nothing written over it.
    pub fn over(below: Arc<dyn File>) -> io::Result<Arc<OverlayFile>> {
        let length = below.len()?;
        let content = RwLock::new(Content { length, through: length, blocks: BTreeMap::new() });
        Ok(Arc::new(OverlayFile { below: Some(below), content }))
    }

    fn content(&self) -> std::sync::RwLockReadGuard<'_, Content> {
        self.content.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> std::sync::RwLockWriteGuard<'_, Content> {
        self.content.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what no block has; some of it.
    fn read_through(&self, into: &mut [u8], at: u64, through: u64) -> io::Result<usize> {
        match &self.below {
            Some(below) if at < through => {
                let limit = (through - at).min(into.len() as u64) as usize;
                match below.read_at(&mut into[..limit], at)? {
                    // Its writer has cut off what was reserved.
                    0 => {
                        into[..limit].fill(0);
                        Ok(limit)
                    }
                    n => Ok(n),
                }
            }
            _ => {
                into.fill(0);
                Ok(into.len())
            }
        }
    }

    /// As it is before it is written to.
    fn block(&self, number: u64, through: u64) -> io::Result<Vec<u8>> {
        let mut block = vec![0; BLOCK as usize];
        let mut filled = 0;
        while filled < block.len() {
            filled += self.read_through(&mut block[filled..], number * BLOCK + filled as u64, through)?;
        }
        Ok(block)
    }
}

impl File for OverlayFile {
    fn write_at(&self, parts: &[IoSlice<'_>], at: u64) -> io::Result<usize> {
        let mut content = self.change();
        let mut end = at;
        for mut part in parts.iter().map(|part| &**part) {
            while !part.is_empty() {
                let (number, inside) = (end / BLOCK, (end % BLOCK) as usize);
                let n = part.len().min(BLOCK as usize - inside);
                if !content.blocks.contains_key(&number) {
                    let block = self.block(number, content.through)?;
                    content.blocks.insert(number, block);
                }
                if let Some(block) = content.blocks.get_mut(&number) {
                    block[inside..inside + n].copy_from_slice(&part[..n]);
                }
                part = &part[n..];
                end += n as u64;
                content.length = content.length.max(end);
            }
        }
        Ok((end - at) as usize)
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        let content = self.content();
        let wanted = (into.len() as u64).min(content.length.saturating_sub(at)) as usize;
        if wanted == 0 {
            return Ok(0);
        }
        let into = &mut into[..wanted];
        if let Some(block) = content.blocks.get(&(at / BLOCK)) {
            let rest = &block[(at % BLOCK) as usize..];
            let n = rest.len().min(wanted);
            into[..n].copy_from_slice(&rest[..n]);
            return Ok(n);
        }
        let next = content.blocks.range(at / BLOCK..).next().map_or(u64::MAX, |(number, _)| number * BLOCK);
        let limit = (next - at).min(wanted as u64) as usize;
        self.read_through(&mut into[..limit], at, content.through)
    }

    fn data_from(&self, at: u64) -> io::Result<u64> {
        let content = self.content();
        let below = match &self.below {
            Some(below) if at < content.through => below.data_from(at)?,
            _ => u64::MAX,
        };
        let own = content.blocks.range(at / BLOCK..).next().map_or(u64::MAX, |(number, _)| (number * BLOCK).max(at));
        Ok(if below < content.through { below.min(own) } else { own })
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn begin_writing(&self) {}

    fn set_len(&self, length: u64) -> io::Result<()> {
        let content = &mut *self.change();
        if length < content.length {
            content.through = content.through.min(length);
            content.blocks.split_off(&length.div_ceil(BLOCK));
            if let Some(block) = content.blocks.get_mut(&(length / BLOCK)) {
                block[(length % BLOCK) as usize..].fill(0);
            }
        }
        content.length = length;
        Ok(())
    }

    fn map(&self, _length: u64) -> io::Result<Box<dyn Map>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.content().length)
    }

    fn resident(&self, at: u64, length: u64) -> bool {
        self.below.as_ref().is_none_or(|below| below.resident(at, length))
    }

    fn warm(&self, at: u64, length: u64) -> io::Result<()> {
        self.below.as_ref().map_or(Ok(()), |below| below.warm(at, length))
    }

    fn modified_ms(&self) -> io::Result<Option<i64>> {
        self.below.as_ref().map_or(Ok(None), |below| below.modified_ms())
    }

    fn raw_fd(&self) -> Option<i32> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::pages::tests::{Step, step};
    use super::super::{MemoryVfs, OpenMode, Vfs, read_exact_at, read_file, write_all_at};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_file_behaves_as_a_copy_of_the_one_below(
            length in 0usize..180_000,
            steps in proptest::collection::vec(step(), 1..8),
        ) {
            let mut model: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let vfs = MemoryVfs::new();
            vfs.create_folders("/d").expect("memory");
            let below = vfs.open("/d/f", OpenMode::Create).expect("memory");
            write_all_at(&*below, &model, 0).expect("memory");
            let file = OverlayFile::over(below).expect("memory");
            for step in steps {
                step.on_vector(&mut model);
                match step {
                    Step::Write(at, bytes) => {
                        let (front, back) = bytes.split_at(bytes.len() / 2);
                        let written = file.write_at(&[IoSlice::new(front), IoSlice::new(back)], at).expect("memory");
                        prop_assert_eq!(written, bytes.len());
                    }
                    Step::SetLen(length) => file.set_len(length).expect("memory"),
                }
                prop_assert_eq!(file.len().expect("memory"), model.len() as u64);
                let mut read = vec![0xaa; model.len()];
                read_exact_at(&*file, &mut read, 0).expect("memory");
                prop_assert!(read == model);
            }
            let kept = read_file(&vfs, "/d/f").expect("memory").unwrap_or_default();
            prop_assert!(kept.iter().enumerate().all(|(at, byte)| *byte == at as u8) && kept.len() == length);
        }
    }
}
