//! The rule set as a program: what an event runs through.
//!
//! All conditions together are one graph, in which a part that several rules share stands once and is
//! evaluated once per event. For each type of event the graph is folded with what is known of all
//! events of that type, and rules that cannot match it are left out.

use std::collections::HashMap;
use std::sync::Arc;

use super::Priority;
use super::compiler::{Compiler, Node, NodeId, SlottedTest};
use super::knowledge::{self, Knowledge, all_hold, judge, some_holds};
use super::output::OutputFormat;
use super::rule_set::{Rule, RuleSet};
use super::test::Check;
use crate::event::{EventSet, EventType};
use crate::fields::{FieldArgument, FieldSource, FieldUse, Value};

/// A rule's place in a [`Program`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleIndex(pub usize);

/// How many rules one event may match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Matching {
    /// The first in the order of definition.
    #[default]
    First,
    /// Every one.
    All,
}

/// How to compile.
#[derive(Clone, Copy, Debug)]
pub struct CompileOptions {
    /// How many rules one event may match.
    pub matching: Matching,
    /// Rules that matter less are left out.
    pub minimum_priority: Priority,
}

impl Default for CompileOptions {
    fn default() -> Self {
        Self {
            matching: Matching::First,
            minimum_priority: Priority::Debug,
        }
    }
}

/// What is left of a rule beside its condition.
#[derive(Clone, Debug)]
pub struct CompiledRule {
    /// The name.
    pub name: Arc<str>,
    /// The priority.
    pub priority: Priority,
    /// The tags, sorted.
    pub tags: Arc<[Arc<str>]>,
    /// The source of the events it is about.
    pub source: Arc<str>,
    /// What an alert says.
    pub output: OutputFormat,
    /// The types of events that it can match, of those that can be delivered.
    pub events: EventSet,
}

/// A compiled rule set.
#[derive(Debug)]
pub struct Program {
    matching: Matching,
    nodes: Vec<Node>,
    tests: Vec<SlottedTest>,
    slots: HashMap<FieldUse, usize>,
    fields: Vec<FieldUse>,
    rules: Vec<CompiledRule>,
    /// By event type: rules that can match it, in order, with their folded conditions.
    filed: Vec<Vec<(RuleIndex, NodeId)>>,
}

/// Memory that [`Program::evaluate`] uses again for each event.
#[derive(Debug, Default)]
pub struct EvaluationCache {
    views: [ViewCache; 2],
    epoch: u64,
}

#[derive(Debug, Default)]
struct ViewCache {
    /// By node: the epoch in which it was evaluated, and in the lowest bit what came out.
    memo: Vec<u64>,
    /// By slot: the epoch in which the field was asked for, and where its value is.
    places: Vec<(u64, usize)>,
    /// Empty between events: only its allocation is kept.
    values: Vec<Option<Value<'static>>>,
}

impl Program {
    /// Compiles the enabled rules of a set.
    pub fn compile(rules: &RuleSet, options: CompileOptions) -> Self {
        let mut compiler = Compiler::new();
        let wanted = |rule: &&Rule| rule.enabled && rule.priority <= options.minimum_priority;
        let mut compiled = Vec::new();
        let mut roots = Vec::new();
        for rule in rules.rules().filter(wanted) {
            let root = compiler.expression(&rule.condition);
            for field in rule.output.fields() {
                compiler.slot(field);
            }
            roots.push(root);
            compiled.push(CompiledRule {
                name: Arc::clone(&rule.name),
                priority: rule.priority,
                tags: rule
                    .tags
                    .iter()
                    .map(|tag| Arc::from(tag.as_str()))
                    .collect(),
                source: Arc::from(rule.source.as_str()),
                output: rule.output.clone(),
                events: EventSet::EMPTY,
            });
        }
        let mut filed = vec![Vec::new(); EventType::count()];
        for event in EventType::all() {
            let folded = compiler.fold(&roots, &knowledge::of_event(event));
            for (index, root) in folded.into_iter().enumerate() {
                if root != NodeId::FALSE {
                    filed[event.index()].push((RuleIndex(index), root));
                    compiled[index].events.insert(event);
                }
            }
        }
        let Compiler {
            nodes,
            tests,
            slots,
            fields,
            ..
        } = compiler;
        Self {
            matching: options.matching,
            nodes,
            tests,
            slots,
            fields,
            rules: compiled,
            filed,
        }
    }

    /// Every field that a condition or an output names; a field's position is its slot.
    pub fn fields(&self) -> &[FieldUse] {
        &self.fields
    }

    /// The slot of a field.
    pub fn slot_of(&self, field: &FieldUse) -> Option<usize> {
        self.slots.get(field).copied()
    }

    /// The rules, in the order of their definition.
    pub fn rules(&self) -> &[CompiledRule] {
        &self.rules
    }

    /// A rule by its place.
    pub fn rule(&self, index: RuleIndex) -> &CompiledRule {
        &self.rules[index.0]
    }

    /// The events that some rule can match.
    pub fn events(&self) -> EventSet {
        EventType::all()
            .filter(|event| !self.filed[event.index()].is_empty())
            .collect()
    }

    /// Names of rules that can match none of the events that can be delivered.
    pub fn inert_rules(&self) -> impl Iterator<Item = &str> {
        self.rules
            .iter()
            .filter(|rule| rule.events.is_empty())
            .map(|rule| &*rule.name)
    }

    /// Whether some rule can match an event of this type of which this much is known.
    pub fn can_match(&self, event: EventType, known: Knowledge<'_>) -> bool {
        let Some(filed) = self.filed.get(event.index()) else {
            return false;
        };
        filed
            .iter()
            .any(|(_, root)| self.judge(*root, known) != Some(false))
    }

    /// Whether some rule asks about failed calls of this type.
    ///
    /// A rule that does not ask about the result of an exec means the program that started: a failed
    /// one, which Falco shows it too, is a false alert.
    pub fn asks_about_failure(&self, event: EventType) -> bool {
        if !matches!(event, EventType::EXECVE | EventType::EXECVEAT) {
            return self.can_match(event, &knowledge::of_failure(event));
        }
        let known = knowledge::of_failure(event);
        self.filed[event.index()]
            .iter()
            .any(|(_, root)| self.names_result(*root) && self.judge(*root, &known) != Some(false))
    }

    fn names_result(&self, node: NodeId) -> bool {
        match &self.nodes[node.index()] {
            Node::Constant(_) => false,
            Node::And(parts) | Node::Or(parts) => parts.iter().any(|part| self.names_result(*part)),
            Node::Not(inner) => self.names_result(*inner),
            Node::Test(test) => {
                self.tests[*test as usize]
                    .slots
                    .iter()
                    .any(|(field, _)| match field.name {
                        "evt.res" | "evt.rawres" | "evt.failed" => true,
                        "evt.arg" | "evt.rawarg" => {
                            field.argument == FieldArgument::Key("res".to_owned())
                                || field.argument == FieldArgument::Index(0)
                        }
                        _ => false,
                    })
            }
        }
    }

    fn judge(&self, node: NodeId, known: Knowledge<'_>) -> Option<bool> {
        match &self.nodes[node.index()] {
            Node::Constant(constant) => Some(*constant),
            Node::Not(inner) => self.judge(*inner, known).map(|holds| !holds),
            Node::Test(test) => judge(&self.tests[*test as usize].test, known),
            Node::And(parts) => all_hold(parts.iter().map(|part| self.judge(*part, known))),
            Node::Or(parts) => some_holds(parts.iter().map(|part| self.judge(*part, known))),
        }
    }

    /// Adds to `matches` the rules that an event matches under any of its views (at most two).
    pub fn evaluate<'e>(
        &self,
        event: EventType,
        views: &[&'e dyn FieldSource],
        cache: &mut EvaluationCache,
        matches: &mut Vec<RuleIndex>,
    ) {
        let filed = self.filed.get(event.index()).map_or(&[][..], Vec::as_slice);
        if filed.is_empty() {
            return;
        }
        cache.epoch += 1;
        let epoch = cache.epoch;
        let mut sources = views.iter();
        let mut open = cache.views.each_mut().map(|memory| {
            let source: &'e dyn FieldSource = *sources.next()?;
            Some(View::new(self, source, std::mem::take(memory), epoch))
        });
        for (rule, root) in filed {
            if open.iter_mut().flatten().any(|view| view.holds(*root)) {
                matches.push(*rule);
                if self.matching == Matching::First {
                    break;
                }
            }
        }
        for (memory, view) in cache.views.iter_mut().zip(open) {
            if let Some(view) = view {
                *memory = view.into_memory();
            }
        }
    }
}

/// The same memory for values of another event: the elements are dropped, the allocation is kept.
fn recycle<'b>(mut values: Vec<Option<Value<'_>>>) -> Vec<Option<Value<'b>>> {
    values.clear();
    // Nothing is in it; collecting it in place is what keeps the allocation.
    values.into_iter().map(|_| None).collect()
}

/// One view of one event under evaluation.
struct View<'e, 'p> {
    program: &'p Program,
    source: &'e dyn FieldSource,
    memo: Vec<u64>,
    places: Vec<(u64, usize)>,
    values: Vec<Option<Value<'e>>>,
    epoch: u64,
}

impl<'e, 'p> View<'e, 'p> {
    fn new(
        program: &'p Program,
        source: &'e dyn FieldSource,
        memory: ViewCache,
        epoch: u64,
    ) -> Self {
        let ViewCache {
            mut memo,
            mut places,
            values,
        } = memory;
        memo.resize(program.nodes.len(), 0);
        places.resize(program.fields.len(), (0, 0));
        Self {
            program,
            source,
            memo,
            places,
            values: recycle(values),
            epoch,
        }
    }

    fn into_memory(self) -> ViewCache {
        ViewCache {
            memo: self.memo,
            places: self.places,
            values: recycle(self.values),
        }
    }

    fn holds(&mut self, node: NodeId) -> bool {
        let memo = self.memo[node.index()];
        if memo >> 1 == self.epoch {
            return memo & 1 == 1;
        }
        let program = self.program;
        let holds = match &program.nodes[node.index()] {
            Node::Constant(constant) => *constant,
            Node::And(parts) => parts.iter().all(|part| self.holds(*part)),
            Node::Or(parts) => parts.iter().any(|part| self.holds(*part)),
            Node::Not(inner) => !self.holds(*inner),
            Node::Test(test) => self.test(&program.tests[*test as usize]),
        };
        self.memo[node.index()] = (self.epoch << 1) | u64::from(holds);
        holds
    }

    fn test(&mut self, test: &SlottedTest) -> bool {
        if let (Check::Literals(matcher), Some(slot)) = (&test.test.check, test.single) {
            let place = self.place(slot);
            return self.values[place]
                .as_ref()
                .is_some_and(|value| matcher.matches(value));
        }
        for (_, slot) in &test.slots {
            self.place(*slot);
        }
        test.test.holds(&|field| {
            let (_, slot) = test.slots.iter().find(|(other, _)| other == field)?;
            self.values[self.places[*slot].1].clone()
        })
    }

    /// Where the value of a field is; asks for it the first time.
    fn place(&mut self, slot: usize) -> usize {
        let (epoch, place) = self.places[slot];
        if epoch == self.epoch {
            return place;
        }
        let place = self.values.len();
        self.values.push(self.source.value(slot));
        self.places[slot] = (self.epoch, place);
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
