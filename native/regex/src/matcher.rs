//! A compiled pattern, and matching many names with it.
//!
//! Invariant: the automaton's states are made as names ask for them and kept within `CACHE_BYTES`; when that is full,
//! the pattern is given up. So the work of one call is bounded whatever the pattern and however many the names.

use crate::parser;
use regex_automata::hybrid::dfa;
use regex_automata::nfa::thompson;
use regex_automata::{Anchored, Input, MatchKind};
use std::fmt;

/// Bounds the nondeterministic automaton.
const NFA_BYTES: usize = 1 << 20;
/// Bounds the deterministic one.
const CACHE_BYTES: usize = 8 << 20;

/// A regular expression of a subscription.
#[derive(Debug)]
pub struct Pattern {
    automaton: dfa::DFA,
}

/// Matching took more than its bounds allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooCostly;

impl fmt::Display for TooCostly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is too costly to match")
    }
}

impl Pattern {
    /// What is wrong with the pattern, as the error.
    pub fn new(pattern: &str) -> Result<Pattern, String> {
        let too_large = |_| "it is too large".to_owned();
        let parsed = parser::parse(pattern)?;
        let config = thompson::Config::new().utf8(false).nfa_size_limit(Some(NFA_BYTES));
        let states = thompson::Compiler::new().configure(config).build_from_hir(&parsed).map_err(too_large)?;
        // Every way through the pattern counts, not the first one alone: one of them has to end where the name does.
        let config = dfa::Config::new()
            .match_kind(MatchKind::All)
            .cache_capacity(CACHE_BYTES)
            .minimum_cache_clear_count(Some(0));
        let automaton =
            dfa::Builder::new().configure(config).build_from_nfa(states).map_err(|_| "it is too large".to_owned())?;
        Ok(Pattern { automaton })
    }

    /// The indices of the names that match, whole.
    pub fn matching<'a>(&self, names: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u32>, TooCostly> {
        let mut cache = self.automaton.create_cache();
        let mut matching = Vec::new();
        for (index, name) in names.into_iter().enumerate() {
            if self.matches(&mut cache, name).ok_or(TooCostly)? {
                matching.push(index as u32);
            }
        }
        Ok(matching)
    }

    /// None: the cache is full.
    fn matches(&self, cache: &mut dfa::Cache, name: &[u8]) -> Option<bool> {
        let input = Input::new(name).anchored(Anchored::Yes);
        let mut state = self.automaton.start_state_forward(cache, &input).ok()?;
        for byte in name {
            state = self.automaton.next_state(cache, state, *byte).ok()?;
            if state.is_dead() {
                return Some(false);
            }
        }
        state = self.automaton.next_eoi_state(cache, state).ok()?;
        Some(state.is_match())
    }
}
