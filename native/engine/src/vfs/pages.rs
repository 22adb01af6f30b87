//! The bytes of one file in memory: fixed pages, shared between forks until one of them writes.

use std::io::IoSlice;
use std::sync::Arc;

const PAGE_BYTES: usize = 64 * 1024;

/// Invariant: every page but the last is full, the last is not empty.
#[derive(Clone, Default)]
pub struct Pages {
    pages: Vec<Arc<Vec<u8>>>,
}

impl Pages {
    pub fn len(&self) -> u64 {
        match self.pages.last() {
            Some(last) => ((self.pages.len() - 1) * PAGE_BYTES + last.len()) as u64,
            None => 0,
        }
    }

    pub fn read(&self, into: &mut [u8], at: u64) -> usize {
        let mut done = 0;
        while done < into.len() {
            let from = at as usize + done;
            let Some(page) = self.pages.get(from / PAGE_BYTES) else { break };
            let Some(rest) = page.get(from % PAGE_BYTES..).filter(|rest| !rest.is_empty()) else { break };
            let n = rest.len().min(into.len() - done);
            into[done..done + n].copy_from_slice(&rest[..n]);
            done += n;
        }
        done
    }

    /// Writes all of `bytes`, after zeros where `at` is beyond the end.
    pub fn write(&mut self, mut bytes: &[u8], at: u64) {
        if bytes.is_empty() {
            return;
        }
        if at > self.len() {
            self.set_len(at);
        }
        let mut at = at as usize;
        while !bytes.is_empty() {
            let inside = at % PAGE_BYTES;
            let n = (PAGE_BYTES - inside).min(bytes.len());
            let number = at / PAGE_BYTES;
            if number == self.pages.len() {
                self.pages.push(Arc::default());
            }
            let page = Arc::make_mut(&mut self.pages[number]);
            let over = (page.len() - inside).min(n);
            page[inside..inside + over].copy_from_slice(&bytes[..over]);
            page.extend_from_slice(&bytes[over..n]);
            bytes = &bytes[n..];
            at += n;
        }
    }

    pub fn set_len(&mut self, length: u64) {
        let length = length as usize;
        self.pages.truncate(length.div_ceil(PAGE_BYTES));
        let full = length / PAGE_BYTES;
        for number in 0..length.div_ceil(PAGE_BYTES) {
            let want = if number < full { PAGE_BYTES } else { length % PAGE_BYTES };
            if number == self.pages.len() {
                self.pages.push(Arc::default());
            }
            if self.pages[number].len() != want {
                Arc::make_mut(&mut self.pages[number]).resize(want, 0);
            }
        }
    }
}

/// The first `limit` bytes of the parts, in one piece.
pub fn gather(parts: &[IoSlice<'_>], limit: u64) -> Vec<u8> {
    let mut all = Vec::new();
    for part in parts {
        let n = part.len().min(limit as usize - all.len());
        all.extend_from_slice(&part[..n]);
    }
    all
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What happens to a file in a property.
    #[derive(Clone, Debug)]
    pub enum Step {
        Write(u64, Vec<u8>),
        SetLen(u64),
    }

    impl Step {
        /// The same on a model.
        pub fn on_vector(&self, model: &mut Vec<u8>) {
            match self {
                Step::Write(at, bytes) if !bytes.is_empty() => {
                    let end = *at as usize + bytes.len();
                    model.resize(model.len().max(end), 0);
                    model[*at as usize..end].copy_from_slice(bytes);
                }
                Step::Write(..) => {}
                Step::SetLen(length) => model.resize(*length as usize, 0),
            }
        }
    }

    pub fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0u64..200_000, 0usize..140_000, any::<u8>()).prop_map(|(at, n, byte)| Step::Write(at, vec![byte; n])),
            (0u64..200_000).prop_map(Step::SetLen),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn pages_behave_as_one_vector(steps in proptest::collection::vec(step(), 1..8)) {
            let (mut pages, mut model) = (Pages::default(), Vec::<u8>::new());
            for step in steps {
                let before = pages.clone();
                let model_before = model.clone();
                step.on_vector(&mut model);
                match step {
                    Step::Write(at, bytes) => pages.write(&bytes, at),
                    Step::SetLen(length) => pages.set_len(length),
                }
                for (pages, model) in [(&pages, &model), (&before, &model_before)] {
                    prop_assert_eq!(pages.len(), model.len() as u64);
                    let mut read = vec![0xaa; model.len() + 3];
                    prop_assert_eq!(pages.read(&mut read, 0), model.len());
                    prop_assert!(read[..model.len()] == model[..]);
                }
            }
        }
    }
}
