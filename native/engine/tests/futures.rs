//! A copy of a log on its way from another directory: how it begins, and how it takes the partition's name, crash by crash.

mod common;

use common::*;
use odradek_engine::command::*;
use odradek_engine::config::LogConfig;
use odradek_engine::driver::DirectoryUse;
use odradek_engine::error::Code;
use odradek_engine::vfs::{Keep, MemoryVfs, VfsKind};

const FUTURE: &str = "topic-0.0123456789abcdef0123456789abcdef-future";

fn rename(rig: &Rig, directory: DirectoryId, folder: &str, name: &str) -> Result<Answer, Failure> {
    let (folder, name) = (folder.to_string(), name.to_string());
    rig.answer(|ticket| Command::SetAside { directory, ticket, folder, name })
}
