//! Generated programs: instrumented and bare code do the same, and the bill keeps its promises.

use super::super::blocks::MAX_BLOCK;
use super::writer::Writer;
use super::{BY_LINE, OPTIONS, PLENTY, UNSUNK, compile, execute, instrumented, metered, on_vm, traced};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::sync::mpsc;

#[test]
fn instrumented_and_bare_code_do_the_same() {
    on_vm(|vm| {
        let cases = std::env::var("PYCAGE_PROGRAMS").ok().and_then(|cases| cases.parse().ok()).unwrap_or(150);
        let config = Config { cases, failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
        let (sender, receiver) = mpsc::channel();
        let mut runner = TestRunner::new(config);
        let result = runner.run(&prop::collection::vec(any::<u8>(), 40..400), |choices| {
            let source = Writer::program(&choices);
            let bare = execute(vm, compile(vm, &source));
            let (_, events) = traced(vm, &source);
            for options in [OPTIONS, UNSUNK, BY_LINE] {
                let code = instrumented(vm, &source, &options);
                let (outcome, first, trip) = metered(vm, code.clone(), PLENTY);
                prop_assert_eq!((&outcome, trip), (&bare, None), "{}", source);
                let over = first.instructions.saturating_sub(events.opcodes);
                let under = events.opcodes.saturating_sub(first.instructions);
                prop_assert!(
                    over.max(under) <= events.exceptions * MAX_BLOCK as u64,
                    "{:?} {:?}\n{}",
                    first,
                    events,
                    source
                );
                for _ in 0..3 {
                    let (outcome, again, _) = metered(vm, code.clone(), PLENTY);
                    prop_assert_eq!(&outcome, &bare, "{}", source);
                    prop_assert_eq!(again.instructions, first.instructions, "{}", source);
                }
            }
            let _ = sender.send((bare.result.is_ok(), events));
            Ok(())
        });
        if let Err(error) = result {
            panic!("{error}");
        }
        // The generator is worth something: programs of both kinds, and none trivial on average.
        let seen: Vec<_> = receiver.try_iter().collect();
        let opcodes: u64 = seen.iter().map(|(_, events)| events.opcodes).sum();
        let raising = seen.iter().filter(|(_, events)| events.exceptions > 0).count();
        assert!(opcodes / seen.len() as u64 > 300, "{opcodes} in {}", seen.len());
        assert!(raising > seen.len() / 10, "{raising} of {}", seen.len());
    });
}
