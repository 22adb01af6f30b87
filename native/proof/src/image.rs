//! What a power cut at one moment can leave, enumerated and drawn.

use crate::random::Random;
use odradek_engine::vfs::{Keep, MemoryVfs, OpenMode, Piece, Vfs, path};
use std::hash::{DefaultHasher, Hasher};

/// One way in which unsynced bytes and names come through.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    pub keep: Keep,
    pub seed: u64,
}

/// Those of one moment. The last operation's pieces are the ones between before it and after it.
pub fn variants(random: &mut Random, drawn: usize) -> Vec<Variant> {
    let fixed = [
        Keep::None,
        Keep::All,
        Keep::Last(Piece::FirstByte),
        Keep::Last(Piece::Half),
        Keep::Last(Piece::AllButLastByte),
    ];
    let mut all: Vec<Variant> = fixed.into_iter().map(|keep| Variant { keep, seed: 0 }).collect();
    for n in 0..drawn {
        let keep = [Keep::Pages, Keep::Torn, Keep::Pages, Keep::Some][n % 4];
        all.push(Variant { keep, seed: random.draw() });
    }
    all
}

/// Two images with one number hold the same.
pub fn fingerprint(vfs: &MemoryVfs) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut buffer = vec![0; 16 * 1024];
    visit(vfs, "", &mut hasher, &mut buffer);
    hasher.finish()
}

fn visit(vfs: &MemoryVfs, folder: &str, hasher: &mut DefaultHasher, buffer: &mut [u8]) {
    for entry in vfs.list(folder).unwrap_or_default() {
        let name = path(folder, &entry.name);
        hasher.write(name.as_bytes());
        hasher.write_u8(entry.folder as u8);
        if entry.folder {
            visit(vfs, &format!("{name}/"), hasher, buffer);
            continue;
        }
        let Ok(file) = vfs.open(&name, OpenMode::Read) else { continue };
        let mut at = 0;
        while let Ok(n @ 1..) = file.read_at(buffer, at) {
            hasher.write(&buffer[..n]);
            at += n as u64;
        }
        hasher.write_u64(at);
    }
}
