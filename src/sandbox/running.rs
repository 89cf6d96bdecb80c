//! The running of scripts: handed over to where the sandbox lives, or on the runner's own thread, within the budgets, told to
//! those who look on, and entered into the books.

#[cfg(feature = "process")]
use super::Home;
use super::{GRACE, Sandbox};
use crate::budget::{Budget, Limit};
use crate::error::{BudgetExceeded, Error};
use crate::meter::clock::Clock;
use crate::observe::{Ended, Observed, Subject};
use crate::runner::CallError;
use crate::runner::cage::{Cage, Call, Done, Place};
use crate::runner::handover::{Looked, NoAnswer};
use crate::runner::operation::Op;
use crate::usage::Usage;
use crate::value::Value;
use std::borrow::Cow;
use std::sync::Arc;

impl Sandbox {
    pub(super) fn dispatch(&mut self, op: Op, budget: Budget) -> Result<(Value, Usage), Error> {
        let effective = self.within_lifetime(&budget);
        let observed = op.subject().and_then(|subject| self.observe(subject));
        let Some(observed) = observed else { return self.perform(op, &budget, &effective).0 };
        let _inside = observed.span.enter();
        let (result, usage) = self.perform(op, &budget, &effective);
        match &result {
            Ok((value, _)) => {
                let type_name = observed.answers(value.type_name());
                observed.end(Some(&effective), &usage, Ended::Returned(type_name));
            }
            Err(error) => observed.end(Some(&effective), &usage, Ended::Failed(error)),
        }
        result
    }

    /// What is left of a budget by the one for the sandbox's lifetime.
    #[inline]
    fn within_lifetime<'a>(&self, asked: &'a Budget) -> Cow<'a, Budget> {
        match &self.lifetime {
            Some(lifetime) => Cow::Owned(asked.within(lifetime, &self.total_usage())),
            None => Cow::Borrowed(asked),
        }
    }

    /// A run begins, if anybody looks on.
    #[inline]
    pub(crate) fn observe(&self, subject: Subject<'_>) -> Option<Arc<Observed>> {
        self.config.observer.as_ref()?.begin(subject)
    }

    /// Does an operation; gives also the bill of one that failed.
    fn perform(&mut self, op: Op, budget: &Budget, effective: &Budget) -> (Result<(Value, Usage), Error>, Usage) {
        match self.hand_over(op, budget, effective) {
            Ok(mut done) => {
                self.settle(&mut done, budget);
                let usage = done.usage;
                (done.result.map(|value| (value, usage)), usage)
            }
            Err(error) => {
                let usage = error.usage().copied().unwrap_or_default();
                (Err(error), usage)
            }
        }
    }

    /// Has an operation done where the sandbox lives.
    fn hand_over(&mut self, op: Op, budget: &Budget, effective: &Budget) -> Result<Done, Error> {
        let patience = effective.timeout.saturating_add(GRACE);
        #[cfg(feature = "process")]
        if let Home::Process(session) = &mut self.home {
            let done = session.lock().call(op, effective, &self.config, &self.live);
            return done.inspect_err(|error| {
                if let Some(usage) = error.usage() {
                    self.spent.add(usage);
                }
            });
        }
        let call = Call {
            sandbox: self.id,
            config: self.config.clone(),
            budget: effective.clone(),
            live: self.live.clone(),
            op,
        };
        let done = self.runner()?.call(patience, self.live.clone(), move |cage, _| cage.answer(call));
        done.map_err(|why| match why {
            // The thread was parked at the hard memory limit: for the host, a memory budget that ran out.
            CallError::NoAnswer(NoAnswer::OutOfMemory(usage)) => Error::Budget(BudgetExceeded {
                limit: Limit::Memory,
                lifetime: false,
                allowed: budget.memory.value(),
                used: usage.live_bytes,
                traceback: Vec::new(),
                usage: Box::new(usage),
            }),
            why => why.into(),
        })
    }

    /// Does something on the runner's own thread, in the middle of [`Runner::with`]; under the sandbox's own budget if
    /// no other is given.
    #[inline]
    pub(crate) fn enter(
        &mut self,
        cage: &mut Cage<'_>,
        budget: Option<&Budget>,
        subject: Option<Subject<'_>>,
        work: impl FnOnce(&mut Cage<'_>, Place<'_>) -> Done,
    ) -> Done {
        match subject.and_then(|subject| self.observe(subject)) {
            None => self.enter_cage(cage, budget, None, work),
            Some(observed) => self.enter_observed(cage, budget, &observed, work),
        }
    }

    #[cold]
    fn enter_observed(
        &mut self,
        cage: &mut Cage<'_>,
        budget: Option<&Budget>,
        observed: &Arc<Observed>,
        work: impl FnOnce(&mut Cage<'_>, Place<'_>) -> Done,
    ) -> Done {
        let _inside = observed.span.enter();
        let budget = budget.unwrap_or(&self.budget).clone();
        let effective = self.within_lifetime(&budget).into_owned();
        let looked = Some((observed.clone(), Some(effective.clone())));
        let done = self.enter_cage(cage, Some(&budget), looked, work);
        let ended = match &done.result {
            Ok(value) => Ended::Returned(value.type_name()),
            Err(error) => Ended::Failed(error),
        };
        observed.end(Some(&effective), &done.usage, ended);
        done
    }

    #[inline]
    fn enter_cage(
        &mut self,
        cage: &mut Cage<'_>,
        budget: Option<&Budget>,
        looked: Option<Looked>,
        work: impl FnOnce(&mut Cage<'_>, Place<'_>) -> Done,
    ) -> Done {
        if let Err(error) = self.lives_in(cage) {
            return Done::failed(error);
        }
        let asked = budget.unwrap_or(&self.budget);
        let effective = self.within_lifetime(asked);
        let place = Place {
            sandbox: self.id,
            config: &self.config,
            budget: &effective,
            live: &self.live,
            clock: Clock::lazy(),
        };
        let patience = effective.timeout.saturating_add(GRACE);
        let observed = cage.begin_call(patience, looked);
        let mut done = work(cage, place);
        cage.end_call(observed);
        if done.result.is_ok() && done.output.is_empty() && self.books.is_none() {
            // The usual case, which is to be quick.
            self.spent.add(&done.usage);
        } else {
            let asked = asked.clone();
            self.settle(&mut done, &asked);
        }
        done
    }

    /// Whether it can be used in this cage.
    #[inline]
    fn lives_in(&self, cage: &Cage<'_>) -> Result<(), Error> {
        if !cage.is_served_by(&self.runner()?.lease.queue) {
            return Err(Error::Setup(
                "this sandbox lives on another runner; build it with this one's `SandboxBuilder::runner`".to_owned(),
            ));
        }
        cage.usable()
    }

    /// Enters what came of a call into the books.
    fn settle(&mut self, done: &mut Done, budget: &Budget) {
        self.spent.add(&done.usage);
        if let Some(books) = &self.books {
            books.lock().calls = self.spent;
        }
        self.output.push_str(&std::mem::take(&mut done.output));
        if let Err(Error::Budget(stop)) = &mut done.result
            && let Some(lifetime) = &self.lifetime
            && stop.allowed < budget.allowed(stop.limit)
        {
            stop.lifetime = true;
            stop.allowed = lifetime.allowed(stop.limit);
            stop.used = self.spent.of(stop.limit);
        }
    }
}
