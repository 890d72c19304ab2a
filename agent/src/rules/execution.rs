//! The graph of a program as it runs: parts in the order in which they are likely to decide, texts
//! tested in groups, each field asked for once.

use std::collections::HashMap;

use super::compiler::{Node, NodeId, SlottedTest};
use super::estimate::{Estimate, reads_file};
use super::matcher::Matcher;
use super::operand::as_one_text;
use super::test::{Check, Test};
use super::text_index::{Group, GroupKind};
use super::text_test::TextTest;
use crate::fields::{FieldSource, FieldUse, Value};

/// A step's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StepId(u32);

impl StepId {
    fn new(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }

    fn index(self) -> usize {
        self.0 as usize
    }
}

/// A node of the graph, ready to run.
#[derive(Clone, Copy, Debug)]
enum Step {
    Constant(bool),
    /// The children from, up to.
    And(u32, u32),
    Or(u32, u32),
    Not(StepId),
    /// A column of a group.
    Bit(Bit),
    /// A field in a slot with literals, by the test's place.
    Single(u32),
    /// Anything else.
    Test(u32),
}

/// A column of a group, and what follows from it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bit {
    group: u32,
    /// Where the column is among the words of all answers, and which bit of the word it is.
    word: u32,
    mask: u64,
    /// Whether it holds if the column is not set.
    negated: bool,
    /// Whether it holds if the field has no value.
    if_missing: bool,
}

impl Bit {
    fn not(self) -> Self {
        Self {
            negated: !self.negated,
            if_missing: !self.if_missing,
            ..self
        }
    }
}

/// A group of tests with the field that they are about.
#[derive(Debug)]
struct SlottedGroup {
    group: Group,
    slot: usize,
    /// Whether each element of the field's list is tested by itself.
    elements: bool,
    /// Where its answer is among the words.
    start: usize,
}

/// Conditions ready to run.
#[derive(Debug, Default)]
pub(super) struct Execution {
    steps: Vec<Step>,
    /// By step: whether it is part of more than one condition, and long, so that its outcome is worth
    /// keeping.
    shared: Vec<bool>,
    children: Vec<StepId>,
    tests: Vec<SlottedTest>,
    groups: Vec<SlottedGroup>,
    words: usize,
    slots: usize,
}

/// Memory that is used again for each event.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// By step: the epoch in which it ran, and in the lowest bit what came out.
    memo: Vec<u64>,
    /// By slot: the epoch in which the field was asked for, and where its value is.
    places: Vec<(u64, usize)>,
    /// By group: the epoch in which it answered, and in the lowest bit whether there was a value.
    answered: Vec<u64>,
    /// The answers.
    answers: Vec<u64>,
    /// Empty between events: only its allocation is kept.
    values: Vec<Option<Value<'static>>>,
}

/// Which group a test belongs to: the field's slot, the kind of test, whether it is about elements.
type GroupKey = (usize, GroupKind, bool);

/// How a test can be part of a group: which, its text, and whether it is negated.
fn groupable(test: &SlottedTest) -> Option<(GroupKey, &TextTest, bool)> {
    // What a group merges comes early; this has to come last.
    let slot = test.single.filter(|_| !reads_file(&test.test))?;
    let Check::Literals(matcher) = &test.test.check else {
        return None;
    };
    let (text, negated, elements) = match matcher {
        Matcher::Text(text) => (text, false, false),
        Matcher::Not(inner) => match &**inner {
            Matcher::Text(text) => (text, true, false),
            _ => return None,
        },
        Matcher::SomeElement(inner) => match &**inner {
            Matcher::Text(text) => (text, false, true),
            _ => return None,
        },
        _ => return None,
    };
    Some(((slot, GroupKind::of(text)?, elements), text, negated))
}

/// What a column of a group stands for.
enum Column {
    /// A test, perhaps negated.
    Test(u32, bool),
    /// Several tests of one and or or.
    Merged(NodeId, Vec<u32>),
}

/// Turns nodes into steps.
struct Builder<'n> {
    nodes: &'n [Node],
    tests: &'n [SlottedTest],
    /// By test: what a group answers for it.
    bits: HashMap<u32, Bit>,
    /// By an and or or, and the group: what answers for all of its parts of that group at once.
    merged: HashMap<(NodeId, GroupKey), Bit>,
    steps: HashMap<NodeId, StepId>,
    estimates: Vec<Estimate>,
    execution: Execution,
}

impl Execution {
    /// For these conditions; gives the step of each as well.
    pub(super) fn new(
        nodes: &[Node],
        tests: &[SlottedTest],
        slots: usize,
        roots: &[NodeId],
    ) -> (Self, Vec<StepId>) {
        let mut builder = Builder {
            nodes,
            tests,
            bits: HashMap::new(),
            merged: HashMap::new(),
            steps: HashMap::new(),
            estimates: Vec::new(),
            execution: Self {
                slots,
                ..Self::default()
            },
        };
        builder.group(roots);
        let steps = roots.iter().map(|root| builder.step(*root)).collect();
        let mut execution = builder.execution;
        execution.tests = tests.to_vec();
        (execution, steps)
    }

    /// What decides a condition first: the first part of an and, else all of it.
    pub(super) fn guard(&self, step: StepId) -> StepId {
        match self.steps[step.index()] {
            Step::And(start, _) => self.children[start as usize],
            _ => step,
        }
    }

    /// One view of one event. The memory has to have been used with these conditions only.
    pub(super) fn view<'e, 'p>(
        &'p self,
        source: &'e dyn FieldSource,
        memory: &'p mut Memory,
        epoch: u64,
    ) -> View<'e, 'p> {
        if memory.memo.len() != self.steps.len() {
            memory.memo.resize(self.steps.len(), 0);
            memory.places.resize(self.slots, (0, 0));
            memory.answered.resize(self.groups.len(), 0);
            memory.answers.resize(self.words, 0);
        }
        View {
            execution: self,
            source,
            values: std::mem::take(&mut memory.values),
            memory,
            epoch,
        }
    }
}

impl Builder<'_> {
    /// Finds the tests that can be answered together.
    fn group(&mut self, roots: &[NodeId]) {
        let reachable = self.reachable(roots);
        let mut keys: Vec<GroupKey> = Vec::new();
        let mut columns: HashMap<GroupKey, Vec<Column>> = HashMap::new();
        for node in reachable {
            let mut add = |key: GroupKey, column: Column| {
                let group = columns.entry(key).or_default();
                if group.is_empty() {
                    keys.push(key);
                }
                group.push(column);
            };
            match &self.nodes[node.index()] {
                Node::Test(index) => {
                    if let Some((key, _, negated)) = groupable(&self.tests[*index as usize]) {
                        add(key, Column::Test(*index, negated));
                    }
                }
                Node::And(parts) | Node::Or(parts) => {
                    for (key, tests) in self.mergeable(node, parts) {
                        add(key, Column::Merged(node, tests));
                    }
                }
                Node::Constant(_) | Node::Not(_) => {}
            }
        }
        for key in keys {
            let columns = &columns[&key];
            let tests = |column: &Column| match column {
                Column::Test(index, _) => vec![*index],
                Column::Merged(_, tests) => tests.clone(),
            };
            let texts: Vec<Vec<&TextTest>> = columns
                .iter()
                .map(|column| {
                    tests(column)
                        .into_iter()
                        .filter_map(|index| groupable(&self.tests[index as usize]))
                        .map(|(_, text, _)| text)
                        .collect()
                })
                .collect();
            let (slot, kind, elements) = key;
            let Some(group) = Group::build(kind, &texts) else {
                continue;
            };
            let start = self.execution.words;
            let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
            for (number, column) in columns.iter().enumerate() {
                let bit = Bit {
                    group: small(self.execution.groups.len()),
                    word: small(start + number / 64),
                    mask: 1 << (number % 64),
                    negated: false,
                    if_missing: false,
                };
                match column {
                    Column::Test(index, negated) => {
                        let bit = Bit {
                            negated: *negated,
                            ..bit
                        };
                        self.bits.insert(*index, bit);
                    }
                    Column::Merged(node, _) => {
                        let is_and = matches!(self.nodes[node.index()], Node::And(_));
                        let bit = if is_and { bit.not() } else { bit };
                        self.merged.insert((*node, key), bit);
                    }
                }
            }
            self.execution.words += group.words();
            self.execution.groups.push(SlottedGroup {
                group,
                slot,
                elements,
                start,
            });
        }
    }

    /// The parts of an or that are tests of one group, and of an and those that are the opposite of one:
    /// one column can stand for all of them.
    fn mergeable(&self, node: NodeId, parts: &[NodeId]) -> Vec<(GroupKey, Vec<u32>)> {
        let mut found: Vec<(GroupKey, Vec<u32>)> = Vec::new();
        for part in parts {
            let Some((key, test)) = self.merge_key(node, *part) else {
                continue;
            };
            match found.iter_mut().find(|(other, _)| *other == key) {
                Some((_, tests)) => tests.push(test),
                None => found.push((key, vec![test])),
            }
        }
        found.retain(|(_, tests)| tests.len() > 1);
        found
    }

    /// The group and test of a part that can be merged with others of its kind.
    fn merge_key(&self, node: NodeId, part: NodeId) -> Option<(GroupKey, u32)> {
        let is_and = matches!(self.nodes[node.index()], Node::And(_));
        let test = match &self.nodes[part.index()] {
            Node::Test(index) if !is_and => *index,
            Node::Not(inner) if is_and => match &self.nodes[inner.index()] {
                Node::Test(index) => *index,
                _ => return None,
            },
            _ => return None,
        };
        let (key, _, negated) = groupable(&self.tests[test as usize])?;
        (!negated).then_some((key, test))
    }

    /// The nodes that some condition comes to, in a fixed order.
    fn reachable(&self, roots: &[NodeId]) -> Vec<NodeId> {
        let mut seen = vec![false; self.nodes.len()];
        let mut open: Vec<NodeId> = roots.to_vec();
        let mut nodes = Vec::new();
        while let Some(node) = open.pop() {
            if std::mem::replace(&mut seen[node.index()], true) {
                continue;
            }
            nodes.push(node);
            match &self.nodes[node.index()] {
                Node::Constant(_) | Node::Test(_) => {}
                Node::And(parts) | Node::Or(parts) => open.extend_from_slice(parts),
                Node::Not(inner) => open.push(*inner),
            }
        }
        nodes.sort_unstable();
        nodes
    }

    fn step(&mut self, node: NodeId) -> StepId {
        if let Some(step) = self.steps.get(&node) {
            let step = *step;
            let is_long = !matches!(self.execution.steps[step.index()], Step::Bit(_));
            self.execution.shared[step.index()] = is_long;
            return step;
        }
        let (step, estimate) = match &self.nodes[node.index()] {
            Node::Constant(constant) => (Step::Constant(*constant), Estimate::constant(*constant)),
            Node::Not(inner) => {
                let inner = self.step(*inner);
                let estimate = self.estimates[inner.index()].negated();
                match self.execution.steps[inner.index()] {
                    Step::Bit(bit) => (Step::Bit(bit.not()), estimate),
                    _ => (Step::Not(inner), estimate),
                }
            }
            Node::And(parts) => self.connect(node, parts, true),
            Node::Or(parts) => self.connect(node, parts, false),
            Node::Test(index) => self.test(*index),
        };
        let id = self.push(step, estimate);
        self.steps.insert(node, id);
        id
    }

    fn push(&mut self, step: Step, estimate: Estimate) -> StepId {
        let id = StepId::new(self.execution.steps.len());
        self.execution.steps.push(step);
        self.execution.shared.push(false);
        self.estimates.push(estimate);
        id
    }

    /// And (`conjunction`) or or: what decides soonest comes first.
    fn connect(&mut self, node: NodeId, parts: &[NodeId], conjunction: bool) -> (Step, Estimate) {
        let mut steps: Vec<StepId> = Vec::with_capacity(parts.len());
        let mut merged: Vec<GroupKey> = Vec::new();
        for part in parts {
            let key = self.merge_key(node, *part).map(|(key, _)| key);
            let bit = key.and_then(|key| Some((key, *self.merged.get(&(node, key))?)));
            match bit {
                None => steps.push(self.step(*part)),
                Some((key, _)) if merged.contains(&key) => {}
                Some((key, bit)) => {
                    merged.push(key);
                    steps.push(self.push(Step::Bit(bit), Estimate::of_merged(key.1, conjunction)));
                }
            }
        }
        steps.sort_by(|one, other| {
            let worth = |step: &StepId| self.estimates[step.index()].per_decision(conjunction);
            worth(one).total_cmp(&worth(other))
        });
        let estimates = steps.iter().map(|step| self.estimates[step.index()]);
        let estimate = Estimate::of_all(estimates, conjunction);
        let place = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
        let start = place(self.execution.children.len());
        self.execution.children.extend(steps);
        let end = place(self.execution.children.len());
        let step = if conjunction {
            Step::And(start, end)
        } else {
            Step::Or(start, end)
        };
        (step, estimate)
    }

    fn test(&self, index: u32) -> (Step, Estimate) {
        let test = &self.tests[index as usize];
        if let Some(bit) = self.bits.get(&index) {
            let kind = groupable(test).map_or(GroupKind::Head, |((_, kind, _), ..)| kind);
            return (Step::Bit(*bit), Estimate::of_bit(kind, &test.test));
        }
        let is_single = test.single.is_some() && matches!(test.test.check, Check::Literals(_));
        let step = if is_single {
            Step::Single(index)
        } else {
            Step::Test(index)
        };
        (step, Estimate::of_test(&test.test))
    }
}

/// The same memory for values of another event: the elements are dropped, the allocation is kept.
fn recycle<'b>(mut values: Vec<Option<Value<'_>>>) -> Vec<Option<Value<'b>>> {
    values.clear();
    // Nothing is in it; collecting it in place is what keeps the allocation.
    values.into_iter().map(|_| None).collect()
}

/// One view of one event under evaluation.
pub(super) struct View<'e, 'p> {
    execution: &'p Execution,
    source: &'e dyn FieldSource,
    memory: &'p mut Memory,
    values: Vec<Option<Value<'e>>>,
    epoch: u64,
}

impl View<'_, '_> {
    /// Gives the memory back.
    pub(super) fn end(self) {
        self.memory.values = recycle(self.values);
    }

    /// Whether a condition holds.
    pub(super) fn holds(&mut self, step: StepId) -> bool {
        let execution = self.execution;
        if let Step::Bit(bit) = execution.steps[step.index()] {
            return self.bit(bit);
        }
        let shared = execution.shared[step.index()];
        if shared {
            let memo = self.memory.memo[step.index()];
            if memo >> 1 == self.epoch {
                return memo & 1 == 1;
            }
        }
        let holds = match execution.steps[step.index()] {
            Step::Bit(bit) => self.bit(bit),
            Step::Constant(constant) => return constant,
            Step::And(start, end) => execution.children[start as usize..end as usize]
                .iter()
                .all(|part| self.part(*part)),
            Step::Or(start, end) => execution.children[start as usize..end as usize]
                .iter()
                .any(|part| self.part(*part)),
            Step::Not(inner) => !self.holds(inner),
            Step::Single(test) => self.single(&execution.tests[test as usize]),
            Step::Test(test) => self.test(&execution.tests[test as usize]),
        };
        if shared {
            self.memory.memo[step.index()] = (self.epoch << 1) | u64::from(holds);
        }
        holds
    }

    /// A part of a condition: most are bits, which need no call.
    #[inline]
    pub(super) fn part(&mut self, step: StepId) -> bool {
        match self.execution.steps[step.index()] {
            Step::Bit(bit) => self.bit(bit),
            _ => self.holds(step),
        }
    }

    #[inline]
    fn bit(&mut self, bit: Bit) -> bool {
        let place = bit.group as usize;
        if self.memory.answered[place] >> 1 != self.epoch {
            self.ask(place);
        }
        if self.memory.answered[place] & 1 == 0 {
            return bit.if_missing;
        }
        let is_set = self.memory.answers[bit.word as usize] & bit.mask != 0;
        is_set != bit.negated
    }

    /// Lets a group answer for this event.
    #[inline(never)]
    fn ask(&mut self, place: usize) {
        let SlottedGroup {
            group,
            slot,
            elements,
            start,
        } = &self.execution.groups[place];
        let value = self.place(*slot);
        let answer = &mut self.memory.answers[*start..start + group.words()];
        answer.fill(0);
        let value = &self.values[value];
        match value {
            None => {}
            Some(Value::Bytes(text)) => group.answer(text, answer),
            Some(Value::List(items)) if *elements => {
                for item in items {
                    if let Value::Bytes(text) = item {
                        group.answer(text, answer);
                    }
                }
            }
            Some(list @ Value::List(_)) => {
                if let Value::Bytes(line) = as_one_text(list.clone()) {
                    group.answer(&line, answer);
                }
            }
            // A text field gives text; anything else satisfies no test of text.
            Some(_) => {}
        }
        self.memory.answered[place] = (self.epoch << 1) | u64::from(value.is_some());
    }

    fn single(&mut self, test: &SlottedTest) -> bool {
        let (Check::Literals(matcher), Some(slot)) = (&test.test.check, test.single) else {
            return false;
        };
        let place = self.place(slot);
        self.values[place]
            .as_ref()
            .is_some_and(|value| matcher.matches(value))
    }

    fn test(&mut self, test: &SlottedTest) -> bool {
        for (_, slot) in &test.slots {
            self.place(*slot);
        }
        let Test { .. } = &test.test;
        test.test.holds(&|field: &FieldUse| {
            let (_, slot) = test.slots.iter().find(|(other, _)| other == field)?;
            self.values[self.memory.places[*slot].1].clone()
        })
    }

    /// Where the value of a field is; asks for it the first time.
    fn place(&mut self, slot: usize) -> usize {
        let (epoch, place) = self.memory.places[slot];
        if epoch == self.epoch {
            return place;
        }
        let place = self.values.len();
        self.values.push(self.source.value(slot));
        self.memory.places[slot] = (self.epoch, place);
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_the_next_event_use_the_same_memory() {
        let mut values: Vec<Option<Value<'_>>> = Vec::with_capacity(10);
        values.push(None);
        let address = values.as_ptr() as usize;
        let again = recycle(values);
        assert!(again.is_empty());
        assert_eq!((again.capacity(), again.as_ptr() as usize), (10, address));
    }
}
