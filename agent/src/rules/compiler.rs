//! From conditions to the graph of a [`Program`](super::Program).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::ast::{Comparison, Expression};
use super::knowledge::{Knowledge, judge};
use super::test::{Check, Test};
use crate::fields::{FieldArgument, FieldUse};

/// A node's place in the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct NodeId(u32);

impl NodeId {
    pub(super) const FALSE: Self = Self(0);
    pub(super) const TRUE: Self = Self(1);

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A part of a condition; each stands in the graph once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Node {
    Constant(bool),
    And(Box<[NodeId]>),
    Or(Box<[NodeId]>),
    Not(NodeId),
    /// Place in the tests.
    Test(u32),
}

/// A test with the slots of its fields.
#[derive(Clone, Debug)]
pub(super) struct SlottedTest {
    pub(super) test: Test,
    /// The slot of the field, if a field alone is compared with literals: nearly every test.
    pub(super) single: Option<usize>,
    pub(super) slots: Vec<(FieldUse, usize)>,
}

/// Builds the graph.
pub(super) struct Compiler {
    pub(super) nodes: Vec<Node>,
    pub(super) tests: Vec<SlottedTest>,
    pub(super) slots: HashMap<FieldUse, usize>,
    pub(super) fields: Vec<FieldUse>,
    known_nodes: HashMap<Node, NodeId, foldhash::fast::FixedState>,
    /// By canonical text.
    known_tests: HashMap<String, NodeId>,
    /// By place in memory, which it keeps: a macro's tests are the same in all conditions that name it.
    known_comparisons: HashMap<*const Comparison, (Arc<Comparison>, NodeId)>,
}

impl Compiler {
    pub(super) fn new() -> Self {
        let mut compiler = Self {
            nodes: Vec::new(),
            tests: Vec::new(),
            slots: HashMap::new(),
            fields: Vec::new(),
            known_nodes: HashMap::default(),
            known_tests: HashMap::new(),
            known_comparisons: HashMap::new(),
        };
        compiler.node(Node::Constant(false));
        compiler.node(Node::Constant(true));
        compiler
    }

    fn node(&mut self, node: Node) -> NodeId {
        if let Some(known) = self.known_nodes.get(&node) {
            return *known;
        }
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(node.clone());
        self.known_nodes.insert(node, id);
        id
    }

    /// The slot of a field, a new one if it has none.
    pub(super) fn slot(&mut self, field: &FieldUse) -> usize {
        if let Some(slot) = self.slots.get(field) {
            return *slot;
        }
        let slot = self.fields.len();
        self.fields.push(field.clone());
        self.slots.insert(field.clone(), slot);
        slot
    }

    /// A condition that the loader has checked.
    pub(super) fn expression(&mut self, expression: &Expression) -> NodeId {
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
                let place = Arc::as_ptr(comparison);
                if let Some((_, known)) = self.known_comparisons.get(&place) {
                    return *known;
                }
                let node = self.comparison(comparison);
                let kept = Arc::clone(comparison);
                self.known_comparisons.insert(place, (kept, node));
                node
            }
            // Macros are resolved by the loader.
            Expression::Macro(_) => NodeId::FALSE,
        }
    }

    fn comparison(&mut self, comparison: &Comparison) -> NodeId {
        let text = comparison.to_string();
        if let Some(known) = self.known_tests.get(&text) {
            return *known;
        }
        // A rule that does not compile does not get here; it would never match.
        let Ok(test) = Test::compile(comparison) else {
            return NodeId::FALSE;
        };
        let node = self.test(test);
        self.known_tests.insert(text, node);
        node
    }

    fn test(&mut self, test: Test) -> NodeId {
        let fields: Vec<FieldUse> = test.fields().into_iter().cloned().collect();
        let slots: Vec<_> = fields
            .into_iter()
            .map(|field| {
                let slot = self.slot(&field);
                (field, slot)
            })
            .collect();
        let is_single = test.left.as_field().is_some() && matches!(test.check, Check::Literals(_));
        let index = u32::try_from(self.tests.len()).unwrap_or(u32::MAX);
        self.tests.push(SlottedTest {
            test,
            single: slots.first().map(|(_, slot)| *slot).filter(|_| is_single),
            slots,
        });
        self.node(Node::Test(index))
    }

    /// And (`conjunction`) or or, without the constants and with nested ones of its kind inlined.
    fn connect(&mut self, parts: Vec<NodeId>, conjunction: bool) -> NodeId {
        let (neutral, deciding) = if conjunction {
            (NodeId::TRUE, NodeId::FALSE)
        } else {
            (NodeId::FALSE, NodeId::TRUE)
        };
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match &self.nodes[part.index()] {
                _ if part == deciding => return deciding,
                _ if part == neutral => {}
                Node::And(inner) if conjunction => flat.extend_from_slice(inner),
                Node::Or(inner) if !conjunction => flat.extend_from_slice(inner),
                _ => flat.push(part),
            }
        }
        let mut seen = HashSet::new();
        flat.retain(|part| seen.insert(*part));
        match flat.as_slice() {
            [] => neutral,
            [only] => *only,
            _ if conjunction => self.node(Node::And(flat.into())),
            _ => self.node(Node::Or(flat.into())),
        }
    }

    fn negate(&mut self, inner: NodeId) -> NodeId {
        match &self.nodes[inner.index()] {
            Node::Constant(true) => NodeId::FALSE,
            Node::Constant(false) => NodeId::TRUE,
            Node::Not(twice) => *twice,
            _ => self.node(Node::Not(inner)),
        }
    }

    /// The names of events that some test compares with; `None` if a test looks at them in another way,
    /// so that any two events may differ to it.
    pub(super) fn named_events(&self) -> Option<HashSet<String>> {
        let mut names = HashSet::new();
        for test in &self.tests {
            let about_type = |field: &&FieldUse| {
                matches!(field.name, "evt.type" | "syscall.type" | "evt.type.is")
            };
            let fields = test.test.fields();
            let Some(field) = fields.iter().copied().find(about_type) else {
                continue;
            };
            if let ("evt.type.is", FieldArgument::Key(name)) = (field.name, &field.argument) {
                names.insert(name.clone());
                continue;
            }
            let Check::Literals(matcher) = &test.test.check else {
                return None;
            };
            let is_field = test.test.left.as_field().is_some();
            let texts = matcher.equal_texts().filter(|_| is_field)?;
            names.extend(texts.map(|text| String::from_utf8_lossy(text).into_owned()));
        }
        Some(names)
    }

    /// The same conditions with what is known replaced by constants.
    pub(super) fn fold(&mut self, roots: &[NodeId], known: Knowledge<'_>) -> Vec<NodeId> {
        let mut folded = vec![None; self.nodes.len()];
        let fold = |root: &NodeId| self.fold_node(*root, known, &mut folded);
        roots.iter().map(fold).collect()
    }

    fn fold_node(
        &mut self,
        node: NodeId,
        known: Knowledge<'_>,
        folded: &mut Vec<Option<NodeId>>,
    ) -> NodeId {
        // A node that folding made is folded already.
        let Some(slot) = folded.get(node.index()) else {
            return node;
        };
        if let Some(done) = slot {
            return *done;
        }
        let done = match self.nodes[node.index()].clone() {
            Node::Constant(_) => node,
            Node::Not(inner) => {
                let inner = self.fold_node(inner, known, folded);
                self.negate(inner)
            }
            Node::Test(test) => match judge(&self.tests[test as usize].test, known) {
                Some(true) => NodeId::TRUE,
                Some(false) => NodeId::FALSE,
                None => node,
            },
            Node::And(parts) => {
                let parts = parts
                    .iter()
                    .map(|part| self.fold_node(*part, known, folded))
                    .collect();
                self.connect(parts, true)
            }
            Node::Or(parts) => {
                let parts = parts
                    .iter()
                    .map(|part| self.fold_node(*part, known, folded))
                    .collect();
                self.connect(parts, false)
            }
        };
        folded[node.index()] = Some(done);
        done
    }
}
