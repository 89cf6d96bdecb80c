//! Where the cost of runs goes: by line, and by the functions that led there.
//!
//! Each probe of a profiled script says where it stands. What was spent since the probe before belongs to that one's line:
//! its instructions, the native steps, the instructions of granted modules, and the time. So the parts are the whole.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Places in the tree of calls that are kept apart. What goes beyond counts for where the tree ends.
const MAX_NODES: usize = 10_000;

/// A place of a probe in the source.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Site {
    pub file: Arc<str>,
    /// The function's name with those of what it is nested in; `<module>` for a script's top level.
    pub function: Arc<str>,
    pub line: u32,
}

/// What a place has cost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub passes: u64,
    pub instructions: u64,
    /// Native steps, and the instructions of what is not profiled: the modules of the library.
    pub beyond: u64,
    pub time: Duration,
}

/// What the runs of a sandbox have cost by place, added up.
#[derive(Debug, Default)]
pub(crate) struct Tallies {
    places: HashMap<Arc<Site>, usize>,
    pub sites: Vec<(Arc<Site>, Tally)>,
    pub nodes: Vec<Node>,
    children: HashMap<(Option<usize>, Arc<str>), usize>,
}

/// A function as called from its caller's node, and what it has cost itself: instructions and what is beyond them.
#[derive(Debug)]
pub(crate) struct Node {
    pub function: Arc<str>,
    pub caller: Option<usize>,
    pub cost: u64,
}

impl Tallies {
    fn place(&mut self, site: &Arc<Site>) -> usize {
        if let Some(&place) = self.places.get(site) {
            return place;
        }
        let place = self.sites.len();
        self.places.insert(site.clone(), place);
        self.sites.push((site.clone(), Tally::default()));
        place
    }

    fn node(&mut self, caller: Option<usize>, function: &Arc<str>) -> usize {
        if let Some(&node) = self.children.get(&(caller, function.clone())) {
            return node;
        }
        if let (true, Some(caller)) = (self.nodes.len() >= MAX_NODES, caller) {
            return caller;
        }
        self.nodes.push(Node { function: function.clone(), caller, cost: 0 });
        self.children.insert((caller, function.clone()), self.nodes.len() - 1);
        self.nodes.len() - 1
    }
}

/// What one run adds to the tallies of its sandbox.
#[derive(Debug)]
pub(crate) struct Recorder {
    tallies: Arc<Mutex<Tallies>>,
    /// The place and the node of the last probe.
    last: Option<(usize, usize)>,
    /// The functions that are under way, each with its depth of recursion.
    stack: Vec<(usize, usize)>,
    spent: u64,
    time: Duration,
}

impl Recorder {
    pub(crate) fn new(tallies: Arc<Mutex<Tallies>>) -> Self {
        Recorder { tallies, last: None, stack: Vec::new(), spent: 0, time: Duration::ZERO }
    }

    /// A run begins, with nothing spent.
    pub(crate) fn begin(&mut self) {
        self.last = None;
        self.stack.clear();
        (self.spent, self.time) = (0, Duration::ZERO);
    }

    /// A probe that will spend `weight`, at this depth of recursion; `spent` and `time` are those of the run before it.
    pub(crate) fn pass(&mut self, site: &Arc<Site>, weight: u64, depth: usize, spent: u64, time: Duration) {
        self.settle(spent, time);
        let mut tallies = self.tallies.lock();
        // What is as deep as this has been left, and so has what it had called.
        while self.stack.last().is_some_and(|&(deep, node)| {
            deep > depth || (deep == depth && tallies.nodes[node].function != site.function)
        }) {
            self.stack.pop();
        }
        let node = match self.stack.last() {
            Some(&(deep, node)) if deep == depth => node,
            caller => {
                let node = tallies.node(caller.map(|&(_, node)| node), &site.function);
                self.stack.push((depth, node));
                node
            }
        };
        let place = tallies.place(site);
        let tally = &mut tallies.sites[place].1;
        tally.passes += 1;
        tally.instructions += weight;
        tallies.nodes[node].cost += weight;
        self.last = Some((place, node));
        self.spent += weight;
    }

    /// What was spent since the last probe is its own.
    pub(crate) fn settle(&mut self, spent: u64, time: Duration) {
        if let Some((place, node)) = self.last {
            let mut tallies = self.tallies.lock();
            let beyond = spent.saturating_sub(self.spent);
            tallies.nodes[node].cost += beyond;
            let tally = &mut tallies.sites[place].1;
            tally.beyond += beyond;
            tally.time += time.saturating_sub(self.time);
        }
        (self.spent, self.time) = (spent, time);
    }
}
