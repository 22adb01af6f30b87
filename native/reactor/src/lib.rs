//! Sockets: accept, frame, skim, write, sendfile, limits. Knows no Kafka API, no engine and no N-API.

pub mod skim;
