//! Compaction of a lent log: the pass runs in the background as any other, and what it asks of the lane otherwise is
//! done here, by the log's owner.
//!
//! Invariant: a pass that has come with an errand waits until it is sent on. When the log is given back its
//! passes go on with the lane.

use super::MappedLog;
use crate::cleaner::Cleaning;
use crate::command::{Answer, CleanInfo, CleanLog, Failure};

impl MappedLog {
    /// What a pass would find, as `Answer::Dirt`.
    pub fn dirt(&mut self, now_ms: i64) -> Result<Answer, Failure> {
        self.settle();
        self.all_may_go();
        let range = self.log.clean_range(self.log.end, now_ms);
        self.log.dirt(&range, now_ms)
    }

    /// Begins a pass. Its ticket is answered when it comes with an errand, or can't begin.
    pub fn clean(&mut self, request: CleanLog) {
        self.settle();
        self.all_may_go();
        let request = CleanLog { log: self.log(), limit: self.log.end, ..request };
        match self.log.begin_cleaning(&request) {
            Ok((found, queue)) => {
                self.queue_if(queue);
                self.engine.begin_pass(Box::new(Cleaning::new(self.log(), request, found)));
            }
            Err(failure) => self.engine.answer(request.ticket, Err(failure)),
        }
    }

    /// Does the errand of the pass that has come with one. None: it goes on when it is sent on (`go_on`); otherwise it
    /// is over, with this outcome.
    pub fn errand(&mut self) -> Option<Result<CleanInfo, Failure>> {
        let mut cleaning = self.engine.errand(self.log())?;
        let outcome = self.log.run_errand(&mut cleaning);
        if outcome.is_none() {
            self.pass = Some(cleaning);
        }
        outcome
    }

    /// The ticket is answered when the pass comes with its next errand.
    pub fn go_on(&mut self, ticket: u32) {
        if let Some(mut cleaning) = self.pass.take() {
            cleaning.request.ticket = ticket;
            self.engine.begin_pass(cleaning);
        }
    }
}
