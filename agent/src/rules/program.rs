//! The rule set as a program: what an event runs through.
//!
//! All conditions together are one graph, in which a part that several rules share stands once and is
//! evaluated once per event. For each type of event the graph is folded with what is known of all
//! events of that type, and rules that cannot match it are left out.

use std::cell::{Cell, OnceCell};
use std::collections::HashMap;
use std::sync::Arc;

use super::ast::Expression;
use super::knowledge::{self, Knowledge, judge};
use super::output::OutputFormat;
use super::rule_set::{Rule, RuleSet};
use super::test::{Check, Test};
use super::{Priority, operand::CompiledOperand};
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct NodeId(u32);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Node {
    Constant(bool),
    And(Box<[NodeId]>),
    Or(Box<[NodeId]>),
    Not(NodeId),
    Test(u32),
}

const FALSE: NodeId = NodeId(0);
const TRUE: NodeId = NodeId(1);

/// A test with its field's slot, if it is of a field alone.
#[derive(Clone, Debug)]
struct SlottedTest {
    test: Test,
    slot: Option<usize>,
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
    memo: Vec<Cell<u64>>,
    values: Vec<OnceCell<Option<Value<'static>>>>,
}

impl Program {
    /// Compiles the enabled rules of a set.
    pub fn compile(rules: &RuleSet, options: CompileOptions) -> Self {
        let mut compiler = Compiler::default();
        compiler.node(Node::Constant(false));
        compiler.node(Node::Constant(true));
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
        // What rendering an alert asks for beside the output's own fields.
        compiler.slot(&FieldUse {
            name: "evt.rawtime",
            argument: FieldArgument::None,
        });
        let mut filed = vec![Vec::new(); EventType::ALL.len()];
        for event in EventType::ALL {
            let known = knowledge::of_event(event);
            for (index, root) in roots.iter().enumerate() {
                let folded = compiler.fold(*root, &known);
                if folded != FALSE {
                    filed[event as usize].push((RuleIndex(index), folded));
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
        EventType::ALL
            .into_iter()
            .filter(|event| !self.filed[*event as usize].is_empty())
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
        let Some(filed) = self.filed.get(event as usize) else {
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
        if !matches!(event, EventType::Execve | EventType::Execveat) {
            return self.can_match(event, &knowledge::of_failure(event));
        }
        let known = knowledge::of_failure(event);
        self.filed[event as usize]
            .iter()
            .any(|(_, root)| self.names_result(*root) && self.judge(*root, &known) != Some(false))
    }

    fn names_result(&self, node: NodeId) -> bool {
        match &self.nodes[node.0 as usize] {
            Node::Constant(_) => false,
            Node::And(parts) | Node::Or(parts) => parts.iter().any(|part| self.names_result(*part)),
            Node::Not(inner) => self.names_result(*inner),
            Node::Test(test) => {
                self.tests[*test as usize]
                    .test
                    .fields()
                    .any(|field| match field.name {
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
        match &self.nodes[node.0 as usize] {
            Node::Constant(constant) => Some(*constant),
            Node::Not(inner) => self.judge(*inner, known).map(|holds| !holds),
            Node::Test(test) => judge(&self.tests[*test as usize].test, known),
            Node::And(parts) => all(parts.iter().map(|part| self.judge(*part, known))),
            Node::Or(parts) => all(parts
                .iter()
                .map(|part| self.judge(*part, known).map(|holds| !holds)))
            .map(|none| !none),
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
        let Some(filed) = self
            .filed
            .get(event as usize)
            .filter(|filed| !filed.is_empty())
        else {
            return;
        };
        cache.epoch += 1;
        let epoch = cache.epoch;
        let [first, second] = &mut cache.views;
        let mut open: [Option<View<'e, '_>>; 2] = [None, None];
        for ((slot, cache), source) in open.iter_mut().zip([&mut *first, &mut *second]).zip(views) {
            *slot = Some(View::new(self, *source, cache, epoch));
        }
        for (rule, root) in filed {
            if open.iter().flatten().any(|view| view.holds(*root)) {
                matches.push(*rule);
                if self.matching == Matching::First {
                    break;
                }
            }
        }
        let used = open.map(|view| view.map(View::into_memory));
        for (cache, memory) in [first, second].into_iter().zip(used) {
            if let Some((memo, values)) = memory {
                cache.memo = memo;
                cache.values = recycle(values, 0);
            }
        }
    }
}

/// `None` beats `Some(true)`, `Some(false)` beats both.
fn all(parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut outcome = Some(true);
    for part in parts {
        match part {
            Some(false) => return Some(false),
            None => outcome = None,
            Some(true) => {}
        }
    }
    outcome
}

/// The same memory for values of another event: the elements are dropped, the allocation is kept.
fn recycle<'a, 'b>(
    mut values: Vec<OnceCell<Option<Value<'a>>>>,
    slots: usize,
) -> Vec<OnceCell<Option<Value<'b>>>> {
    values.clear();
    let mut fresh: Vec<_> = values.into_iter().map(|_| OnceCell::new()).collect();
    fresh.resize_with(slots, OnceCell::new);
    fresh
}

/// One view of one event under evaluation.
struct View<'e, 'p> {
    program: &'p Program,
    source: &'e dyn FieldSource,
    /// By node: the epoch in which it was evaluated, and what came out, in the lowest bit.
    memo: Vec<Cell<u64>>,
    values: Vec<OnceCell<Option<Value<'e>>>>,
    epoch: u64,
}

impl<'e, 'p> View<'e, 'p> {
    fn new(
        program: &'p Program,
        source: &'e dyn FieldSource,
        cache: &mut ViewCache,
        epoch: u64,
    ) -> Self {
        let mut memo = std::mem::take(&mut cache.memo);
        memo.resize(program.nodes.len(), Cell::new(0));
        let values = recycle(std::mem::take(&mut cache.values), program.fields.len());
        Self {
            program,
            source,
            memo,
            values,
            epoch,
        }
    }

    fn into_memory(self) -> (Vec<Cell<u64>>, Vec<OnceCell<Option<Value<'e>>>>) {
        (self.memo, self.values)
    }

    fn holds(&self, node: NodeId) -> bool {
        let memo = &self.memo[node.0 as usize];
        if memo.get() >> 1 == self.epoch {
            return memo.get() & 1 == 1;
        }
        let holds = match &self.program.nodes[node.0 as usize] {
            Node::Constant(constant) => *constant,
            Node::And(parts) => parts.iter().all(|part| self.holds(*part)),
            Node::Or(parts) => parts.iter().any(|part| self.holds(*part)),
            Node::Not(inner) => !self.holds(*inner),
            Node::Test(test) => self.test(&self.program.tests[*test as usize]),
        };
        memo.set((self.epoch << 1) | u64::from(holds));
        holds
    }

    fn test(&self, test: &SlottedTest) -> bool {
        match (&test.test.check, test.slot) {
            (Check::Literals(matcher), Some(slot)) => {
                self.value(slot).is_some_and(|value| matcher.matches(value))
            }
            _ => test.test.holds(&|field| {
                self.program
                    .slot_of(field)
                    .and_then(|slot| self.value(slot).cloned())
            }),
        }
    }

    fn value(&self, slot: usize) -> Option<&Value<'e>> {
        self.values[slot]
            .get_or_init(|| self.source.value(slot))
            .as_ref()
    }
}

/// Builds the graph.
#[derive(Default)]
struct Compiler {
    nodes: Vec<Node>,
    known_nodes: HashMap<Node, NodeId>,
    tests: Vec<SlottedTest>,
    /// By canonical text.
    known_tests: HashMap<String, NodeId>,
    slots: HashMap<FieldUse, usize>,
    fields: Vec<FieldUse>,
}

impl Compiler {
    fn node(&mut self, node: Node) -> NodeId {
        if let Some(known) = self.known_nodes.get(&node) {
            return *known;
        }
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(node.clone());
        self.known_nodes.insert(node, id);
        id
    }

    fn slot(&mut self, field: &FieldUse) -> usize {
        if let Some(slot) = self.slots.get(field) {
            return *slot;
        }
        let slot = self.fields.len();
        self.fields.push(field.clone());
        self.slots.insert(field.clone(), slot);
        slot
    }

    /// A condition that the loader has checked.
    fn expression(&mut self, expression: &Expression) -> NodeId {
        match expression {
            Expression::And(parts) => {
                let parts = parts.iter().map(|part| self.expression(part)).collect();
                self.connect(parts, true)
            }
            Expression::Or(parts) => {
                let parts = parts.iter().map(|part| self.expression(part)).collect();
                self.connect(parts, false)
            }
            Expression::Not(inner) => {
                let inner = self.expression(inner);
                self.negate(inner)
            }
            Expression::Comparison(comparison) => {
                let text = comparison.to_string();
                if let Some(known) = self.known_tests.get(&text) {
                    return *known;
                }
                // A rule that does not compile does not get here; it would never match.
                let Ok(test) = Test::compile(comparison) else {
                    return FALSE;
                };
                for field in test.fields() {
                    self.slot(&field.clone());
                }
                let slot = match &test.left {
                    CompiledOperand::Field(field) => Some(self.slot(&field.clone())),
                    _ => None,
                };
                let index = u32::try_from(self.tests.len()).unwrap_or(u32::MAX);
                self.tests.push(SlottedTest { test, slot });
                let node = self.node(Node::Test(index));
                self.known_tests.insert(text, node);
                node
            }
            // Macros are resolved by the loader.
            Expression::Macro(_) => FALSE,
        }
    }

    /// And (`conjunction`) or or, without the constants and with nested ones of its kind inlined.
    fn connect(&mut self, parts: Vec<NodeId>, conjunction: bool) -> NodeId {
        let (neutral, deciding) = if conjunction {
            (TRUE, FALSE)
        } else {
            (FALSE, TRUE)
        };
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match &self.nodes[part.0 as usize] {
                _ if part == deciding => return deciding,
                _ if part == neutral => {}
                Node::And(inner) if conjunction => flat.extend_from_slice(inner),
                Node::Or(inner) if !conjunction => flat.extend_from_slice(inner),
                _ => flat.push(part),
            }
        }
        let mut seen = std::collections::HashSet::new();
        flat.retain(|part| seen.insert(*part));
        match flat.as_slice() {
            [] => neutral,
            [only] => *only,
            _ if conjunction => self.node(Node::And(flat.into())),
            _ => self.node(Node::Or(flat.into())),
        }
    }

    fn negate(&mut self, inner: NodeId) -> NodeId {
        match &self.nodes[inner.0 as usize] {
            Node::Constant(constant) => {
                if *constant {
                    FALSE
                } else {
                    TRUE
                }
            }
            Node::Not(twice) => *twice,
            _ => self.node(Node::Not(inner)),
        }
    }

    /// The same condition with what is known replaced by constants.
    fn fold(&mut self, node: NodeId, known: Knowledge<'_>) -> NodeId {
        match self.nodes[node.0 as usize].clone() {
            Node::Constant(_) => node,
            Node::Not(inner) => {
                let inner = self.fold(inner, known);
                self.negate(inner)
            }
            Node::Test(test) => match judge(&self.tests[test as usize].test, known) {
                Some(true) => TRUE,
                Some(false) => FALSE,
                None => node,
            },
            Node::And(parts) => {
                let parts = parts.iter().map(|part| self.fold(*part, known)).collect();
                self.connect(parts, true)
            }
            Node::Or(parts) => {
                let parts = parts.iter().map(|part| self.fold(*part, known)).collect();
                self.connect(parts, false)
            }
        }
    }
}
