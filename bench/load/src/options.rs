//! The command line of the programs with a name: `--name value`, each with a default or required.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::str::FromStr;

pub struct Options(HashMap<String, String>);

impl Options {
    pub fn parse(mut words: impl Iterator<Item = String>, known: &[&str]) -> Result<Options, String> {
        let mut values = HashMap::new();
        while let Some(word) = words.next() {
            let name = word.strip_prefix("--").filter(|name| known.contains(name));
            let name = name.ok_or_else(|| format!("unknown option {word}"))?;
            values.insert(name.to_string(), words.next().ok_or_else(|| format!("{word} wants a value"))?);
        }
        Ok(Options(values))
    }

    pub fn address(&self) -> Result<SocketAddr, String> {
        self.required("address")
    }

    pub fn required<T: FromStr>(&self, name: &str) -> Result<T, String> {
        let value = self.0.get(name).ok_or_else(|| format!("--{name} is missing"))?;
        value.parse().map_err(|_| format!("--{name}: {value} is no value for it"))
    }

    pub fn number(&self, name: &str, otherwise: u64) -> Result<u64, String> {
        if self.0.contains_key(name) { self.required(name) } else { Ok(otherwise) }
    }

    pub fn text(&self, name: &str, otherwise: &str) -> String {
        self.0.get(name).cloned().unwrap_or_else(|| otherwise.to_string())
    }
}
