//! What shows that the engine keeps its promises: scripts whose every crash image is opened and compared with what was
//! acknowledged, and directories whose files decay. Runs on the file system in memory alone; never shipped.

pub mod campaign;
pub mod check;
pub mod folder;
pub mod image;
pub mod model;
pub mod random;
pub mod rig;
pub mod rot;
pub mod script;
pub mod scripts;
