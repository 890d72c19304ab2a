//! The rule set as a program: what an event runs through.
//!
//! All conditions together are one graph, in which a part that several rules share stands once and is
//! evaluated once per event. For each type of event the graph is folded with what is known of all
//! events of that type, and rules that cannot match it are left out.

use std::collections::HashMap;
use std::sync::Arc;

use super::Priority;
use super::compiler::{Compiler, Node, NodeId, SlottedTest};
use super::event_types::EventTypes;
use super::execution::{Execution, Memory, StepId, View};
use super::knowledge::{self, EventClass, Knowledge, all_hold, is_open, judge, some_holds};
use super::output::OutputFormat;
use super::result_fields::names_result;
use super::rule_set::{Rule, RuleSet};
use super::test::Check;
use crate::event::table::is_high_volume;
use crate::event::{EventSet, EventType};
use crate::fields::{FieldSource, FieldUse};

/// A rule's place in a [`Program`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleIndex(pub usize);

/// How many classes of events there are.
const CLASSES: usize = EventClass::ALL.len();

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
    /// Failed execs are shown also to rules that do not ask about the result, as Falco does.
    pub failed_exec: bool,
}

impl Default for CompileOptions {
    fn default() -> Self {
        Self {
            matching: Matching::First,
            minimum_priority: Priority::Debug,
            failed_exec: false,
        }
    }
}

/// Why a rule is not asked about an event, whatever its condition says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotShown {
    /// Reading and writing are so frequent that only rules whose condition names the event get it.
    OnlyByName,
    /// The exec failed, and the condition does not ask about the result.
    FailedExec,
}

impl CompileOptions {
    /// Whether a rule is not asked about events of a type and class, and why: for the names that its
    /// condition limits it to, and whether that asks about the result of an event of this type.
    fn not_shown(
        self,
        event: EventType,
        class: EventClass,
        names: &EventTypes,
        asks_about_result: impl FnOnce() -> bool,
    ) -> Option<NotShown> {
        if is_high_volume(event.name()) && !names.names(event.name()) {
            return Some(NotShown::OnlyByName);
        }
        let is_failed_exec = class == EventClass::Failed && is_exec(event) && !self.failed_exec;
        (is_failed_exec && !asks_about_result()).then_some(NotShown::FailedExec)
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
    /// The names of events that its condition limits it to.
    event_types: EventTypes,
    /// The types of events that it can match, of those that can be delivered.
    pub events: EventSet,
    /// It can match no event whatever, as it was written: `evt.num = 0`, or an empty list of what it is
    /// about. So rules say that somebody has to ask for them.
    pub is_switched_off: bool,
}

/// A rule among those that can match one type of event, in the order of definition.
#[derive(Clone, Copy, Debug)]
struct Filed {
    rule: RuleIndex,
    /// The condition, folded with what is known of the type.
    root: NodeId,
    /// The same, ready to run.
    step: StepId,
    /// What has to hold before anything else is looked at.
    guard: StepId,
}

/// A compiled rule set.
#[derive(Debug)]
pub struct Program {
    options: CompileOptions,
    nodes: Vec<Node>,
    tests: Vec<SlottedTest>,
    slots: HashMap<FieldUse, usize>,
    fields: Vec<FieldUse>,
    rules: Vec<CompiledRule>,
    /// By event type and class: the rules that can match it.
    filed: Vec<[Arc<[Filed]>; CLASSES]>,
    execution: Execution,
}

/// Memory that [`Program::evaluate`] uses again for each event.
#[derive(Debug, Default)]
pub struct EvaluationCache {
    views: [Memory; 2],
    epoch: u64,
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
                event_types: rule.event_types.clone(),
                events: EventSet::EMPTY,
                is_switched_off: false,
            });
        }
        let of_all = compiler.fold(&roots, &knowledge::of_all);
        for (rule, root) in compiled.iter_mut().zip(of_all) {
            rule.is_switched_off = root == NodeId::FALSE;
        }
        // Types that no condition tells from each other are folded once.
        let named = compiler.named_events();
        let mut folded: HashMap<(Option<EventType>, EventClass), Arc<[NodeId]>> = HashMap::new();
        let mut by_event = Vec::with_capacity(EventType::count());
        for event in EventType::all() {
            let is_told_apart = named
                .as_ref()
                .is_none_or(|named| named.contains(event.name()) || !is_plain(event));
            by_event.push(EventClass::ALL.map(|class| {
                if !class.fits(event) {
                    return Arc::default();
                }
                let key = (is_told_apart.then_some(event), class);
                let fold = || compiler.fold(&roots, &class.knowledge(event)).into();
                Arc::clone(folded.entry(key).or_insert_with(fold))
            }));
        }
        let Compiler {
            nodes,
            tests,
            slots,
            fields,
            ..
        } = compiler;
        let mut distinct: Vec<NodeId> = folded
            .values()
            .flat_map(|roots| roots.iter().copied())
            .collect();
        distinct.sort_unstable();
        distinct.dedup();
        let (execution, steps) = Execution::new(&nodes, &tests, fields.len(), &distinct);
        let step_of = |root: NodeId| distinct.binary_search(&root).ok().map(|place| steps[place]);
        let mut filed = Vec::with_capacity(by_event.len());
        for (event, classes) in EventType::all().zip(by_event) {
            filed.push(EventClass::ALL.map(|class| {
                let whole = &classes[EventClass::Unknown as usize];
                let asks = |index: usize| names_result(&nodes, &tests, whole[index]);
                let mut rules = Vec::new();
                for (index, root) in classes[class as usize].iter().enumerate() {
                    let not_shown = || {
                        options
                            .not_shown(event, class, &compiled[index].event_types, || asks(index))
                    };
                    let is_asked = *root != NodeId::FALSE && not_shown().is_none();
                    if let Some(step) = is_asked.then(|| step_of(*root)).flatten() {
                        rules.push(Filed {
                            rule: RuleIndex(index),
                            root: *root,
                            step,
                            guard: execution.guard(step),
                        });
                        compiled[index].events.insert(event);
                    }
                }
                rules.into()
            }));
        }
        Self {
            options,
            nodes,
            tests,
            slots,
            fields,
            rules: compiled,
            filed,
            execution,
        }
    }

    /// Every field that a condition or an output names; a field's position is its slot.
    pub fn fields(&self) -> &[FieldUse] {
        &self.fields
    }

    /// The names of hosts that conditions compare addresses with, some perhaps twice: to be resolved
    /// before an event comes.
    pub fn host_names(&self) -> impl Iterator<Item = Arc<str>> {
        self.tests
            .iter()
            .filter_map(|test| match &test.test.check {
                Check::Hosts(hosts) => Some(hosts.names().cloned()),
                Check::Literals(_) | Check::Operand(..) => None,
            })
            .flatten()
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
            .filter(|event| !self.filed_of(*event, EventClass::Unknown).is_empty())
            .collect()
    }

    /// Why a rule is not asked about events of a type and class, if it is not although its condition may
    /// match them.
    pub fn not_shown(
        &self,
        rule: RuleIndex,
        event: EventType,
        class: EventClass,
    ) -> Option<NotShown> {
        let asks_about_result = || {
            let filed = self.filed_of(event, EventClass::Unknown).iter();
            filed
                .filter(|filed| filed.rule == rule)
                .any(|filed| names_result(&self.nodes, &self.tests, filed.root))
        };
        let names = &self.rule(rule).event_types;
        self.options
            .not_shown(event, class, names, asks_about_result)
    }

    /// Names of rules that can match none of the events that can be delivered.
    pub fn inert_rules(&self) -> impl Iterator<Item = &str> {
        // What is switched off was meant so.
        self.rules
            .iter()
            .filter(|rule| rule.events.is_empty() && !rule.is_switched_off)
            .map(|rule| &*rule.name)
    }

    /// Whether some rule can match an event of this type of which this much is known.
    pub fn can_match(&self, event: EventType, known: Knowledge<'_>) -> bool {
        self.filed_of(event, EventClass::Unknown)
            .iter()
            .any(|filed| self.judge(filed.root, known) != Some(false))
    }

    /// Whether some rule asks about failed calls of this type.
    ///
    /// A rule that does not ask about the result of an exec means the program that started: a failed
    /// one, which Falco shows it too, is a false alert. [`CompileOptions::failed_exec`] says otherwise.
    pub fn asks_about_failure(&self, event: EventType) -> bool {
        if is_exec(event) {
            return !self.filed_of(event, EventClass::Failed).is_empty();
        }
        self.can_match(event, &knowledge::of_failure(event))
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

    /// The rules that can match an event of a type and class.
    fn filed_of(&self, event: EventType, class: EventClass) -> &[Filed] {
        match self.filed.get(event.index()) {
            Some(classes) => &classes[class as usize],
            None => &[],
        }
    }

    /// Adds to `matches` the rules that an event matches under any of its views (at most two). Its
    /// class has to be true of it; [`EventClass::Unknown`] is true of any, and an exec of that class
    /// counts as one that succeeded: nothing says that it failed.
    pub fn evaluate(
        &self,
        event: EventType,
        class: EventClass,
        views: &[&dyn FieldSource],
        cache: &mut EvaluationCache,
        matches: &mut Vec<RuleIndex>,
    ) {
        let filed = self.filed_of(event, class);
        if filed.is_empty() {
            return;
        }
        cache.epoch += 1;
        let epoch = cache.epoch;
        let [first, second] = &mut cache.views;
        let Some((source, others)) = views.split_first() else {
            return;
        };
        let mut view = self.execution.view(*source, first, epoch);
        let mut other = others
            .first()
            .map(|source| self.execution.view(*source, second, epoch));
        for rule in filed {
            let holds = |view: &mut View<'_, '_>| view.part(rule.guard) && view.holds(rule.step);
            if holds(&mut view) || other.as_mut().is_some_and(holds) {
                matches.push(rule.rule);
                if self.options.matching == Matching::First {
                    break;
                }
            }
        }
        view.end();
        if let Some(other) = other {
            other.end();
        }
    }
}

fn is_exec(event: EventType) -> bool {
    matches!(event, EventType::EXECVE | EventType::EXECVEAT)
}

/// Whether all that is known of an event before it happens follows from its name: not so for what is no
/// system call, and for opens.
fn is_plain(event: EventType) -> bool {
    let definition = event.definition();
    definition.is_some_and(|definition| definition.syscall.is_some()) && !is_open(event)
}
