//! Macros: put into conditions as trees.

use std::collections::BTreeSet;

use super::ast::{Expression, Name};
use super::definitions::MacroDefinition;
use super::expansion::TracedText;
use super::item::Fatal;
use super::lists::Lists;
use super::operand::OperandError;
use super::parser::{self, MAX_NESTING};
use super::report::{Code, Finding};
use super::suggestion::did_you_mean;
use super::test::Test;
use crate::fields::registry::closest;

/// Tests in one condition; macros of macros multiply, and more than this is a mistake.
const MOST_TESTS: usize = 100_000;
/// Tests in all conditions of a rule set. Each is a place in memory, as often as it is repeated.
const MOST_TESTS_OF_ALL: usize = 1_000_000;
/// Macros that name macros that are defined later: each costs stack.
const MOST_FORWARD: usize = 100;

/// A macro whose condition stands by itself.
#[derive(Debug)]
struct ReadyMacro {
    definition: MacroDefinition,
    text: TracedText,
    tree: Expression,
    state: State,
    used: bool,
    lists: BTreeSet<String>,
    /// What is wrong with its comparisons: an error of whoever uses it.
    problem: Option<OperandError>,
}

#[derive(Debug)]
enum State {
    Waiting,
    /// Under way: whoever names it now is within it.
    Open,
    Done(Box<Resolved>),
}

/// A condition without macros.
#[derive(Clone, Debug)]
pub(super) struct Resolved {
    pub(super) condition: Expression,
    /// The macros that it is made of.
    pub(super) macros: BTreeSet<String>,
    tests: usize,
    depth: usize,
}

/// A macro that cannot be put in.
pub(super) struct MacroError {
    pub(super) message: String,
    /// Bytes from the start of the condition.
    pub(super) offset: usize,
}

/// What is wrong with a comparison within a macro.
pub(super) struct MacroProblem<'m> {
    pub(super) definition: &'m MacroDefinition,
    pub(super) text: &'m TracedText,
    pub(super) problem: &'m OperandError,
}

/// All macros, in the order of their definition.
#[derive(Debug)]
pub(super) struct Macros {
    known: Vec<ReadyMacro>,
    /// Tests in all conditions so far, those of macros too.
    tests: usize,
}

impl Macros {
    /// Parses and resolves all of them.
    pub(super) fn new(definitions: Vec<MacroDefinition>, lists: &mut Lists) -> Result<Self, Fatal> {
        let mut macros = Self {
            known: Vec::new(),
            tests: 0,
        };
        for definition in definitions {
            let condition = |text: &TracedText, code, offset, message: String| {
                Finding::new(code, text.place(offset), Some(definition.shown()), message)
            };
            let mut names = BTreeSet::new();
            let text = lists
                .expand(&definition.condition, &mut names)
                .map_err(|_| {
                    let message = "the condition is too large with its lists put in".to_owned();
                    condition(&definition.condition, Code::Validate, 0, message)
                })?;
            let tree = parser::parse(text.as_str()).map_err(|error| {
                condition(&text, Code::CompileCondition, error.offset, error.message)
            })?;
            macros.known.push(ReadyMacro {
                problem: check(&tree).err(),
                definition,
                text,
                tree,
                state: State::Waiting,
                used: false,
                lists: names,
            });
        }
        for index in 0..macros.known.len() {
            macros.resolve_macro(index, 0).map_err(|error| {
                let known = &macros.known[index];
                Finding::new(
                    Code::Validate,
                    known.text.place(error.offset),
                    Some(known.definition.shown()),
                    error.message,
                )
            })?;
        }
        Ok(macros)
    }

    /// A rule's condition with its macros put in; a rule sees all of them.
    pub(super) fn resolve(&mut self, tree: &Expression) -> Result<Resolved, MacroError> {
        let resolved = self.expression(tree, usize::MAX, 0)?;
        self.count(&resolved)?;
        Ok(resolved)
    }

    fn count(&mut self, resolved: &Resolved) -> Result<(), MacroError> {
        self.tests += resolved.tests;
        if self.tests > MOST_TESTS_OF_ALL {
            let message = format!(
                "more than {MOST_TESTS_OF_ALL} tests in all conditions together with macros put in"
            );
            return Err(MacroError { message, offset: 0 });
        }
        Ok(())
    }

    /// The first problem in one of these macros.
    pub(super) fn problem_in(&self, names: &BTreeSet<String>) -> Option<MacroProblem<'_>> {
        self.known.iter().find_map(|known| {
            let problem = known.problem.as_ref()?;
            names
                .contains(&known.definition.name)
                .then_some(MacroProblem {
                    definition: &known.definition,
                    text: &known.text,
                    problem,
                })
        })
    }

    /// The lists that these macros name.
    pub(super) fn lists_in(&self, names: &BTreeSet<String>) -> BTreeSet<String> {
        self.known
            .iter()
            .filter(|known| names.contains(&known.definition.name))
            .flat_map(|known| known.lists.iter().cloned())
            .collect()
    }

    /// Macros that no condition names.
    pub(super) fn unused(&self) -> impl Iterator<Item = &MacroDefinition> {
        self.known
            .iter()
            .filter(|known| !known.used)
            .map(|known| &known.definition)
    }

    fn resolve_macro(&mut self, index: usize, forward: usize) -> Result<Resolved, MacroError> {
        if let State::Done(resolved) = &self.known[index].state {
            return Ok(Resolved::clone(resolved));
        }
        let error = |message: String| MacroError { message, offset: 0 };
        let known = &mut self.known[index];
        let name = known.definition.name.clone();
        if matches!(known.state, State::Open) {
            return Err(error(format!("reference loop in macro '{name}'")));
        }
        if forward > MOST_FORWARD {
            return Err(error(format!(
                "more than {MOST_FORWARD} macros name a macro that is defined later"
            )));
        }
        known.state = State::Open;
        let tree = known.tree.clone();
        let visible = known.definition.visible_from;
        let mut resolved = self.expression(&tree, visible, forward + 1)?;
        self.count(&resolved)?;
        resolved.macros.insert(name);
        self.known[index].state = State::Done(Box::new(resolved.clone()));
        Ok(resolved)
    }

    /// `visible` is the definition from which on macros cannot be seen.
    fn expression(
        &mut self,
        tree: &Expression,
        visible: usize,
        forward: usize,
    ) -> Result<Resolved, MacroError> {
        match tree {
            Expression::And(parts) => self.parts(parts, visible, forward, Expression::And),
            Expression::Or(parts) => self.parts(parts, visible, forward, Expression::Or),
            Expression::Not(inner) => {
                let mut inner = self.expression(inner, visible, forward)?;
                inner.depth += 1;
                inner.condition = match inner.condition {
                    Expression::Not(twice) => *twice,
                    condition => Expression::Not(Box::new(condition)),
                };
                Ok(inner)
            }
            Expression::Comparison(comparison) => Ok(Resolved {
                condition: Expression::Comparison(comparison.clone()),
                macros: BTreeSet::new(),
                tests: 1,
                depth: 1,
            }),
            Expression::Macro(name) => self.named(name, visible, forward),
        }
    }

    fn parts(
        &mut self,
        parts: &[Expression],
        visible: usize,
        forward: usize,
        connect: fn(Vec<Expression>) -> Expression,
    ) -> Result<Resolved, MacroError> {
        let mut conditions = Vec::with_capacity(parts.len());
        let mut macros = BTreeSet::new();
        let (mut tests, mut depth) = (0, 0);
        for part in parts {
            let part = self.expression(part, visible, forward)?;
            tests += part.tests;
            depth = depth.max(part.depth);
            let error = |message| Err(MacroError { message, offset: 0 });
            if tests > MOST_TESTS {
                return error(format!("more than {MOST_TESTS} tests with macros put in"));
            }
            if depth > MAX_NESTING {
                return error(format!("more than {MAX_NESTING} levels with macros put in"));
            }
            macros.extend(part.macros);
            conditions.push(part.condition);
        }
        Ok(Resolved {
            condition: connect(conditions),
            macros,
            tests,
            depth: depth + 1,
        })
    }

    fn named(
        &mut self,
        name: &Name,
        visible: usize,
        forward: usize,
    ) -> Result<Resolved, MacroError> {
        let is_visible = |known: &&ReadyMacro| known.definition.defined_at < visible;
        let Some(index) = self
            .known
            .iter()
            .position(|known| known.definition.name == name.text && is_visible(&known))
        else {
            let names = self
                .known
                .iter()
                .filter(is_visible)
                .map(|known| known.definition.name.as_str());
            let mut message = format!("Undefined macro '{}' used in filter.", name.text);
            if self
                .known
                .iter()
                .any(|known| known.definition.name == name.text)
            {
                message.push_str(" It is defined, but not before this macro: move it up");
            } else {
                message.push_str(&did_you_mean(closest(&name.text, names)));
            }
            return Err(MacroError {
                message,
                offset: name.offset,
            });
        };
        self.known[index].used = true;
        // Whatever is wrong within is the fault of this name.
        self.resolve_macro(index, forward)
            .map_err(|error| MacroError {
                offset: name.offset,
                ..error
            })
    }
}

/// Compiles every comparison, to find what is wrong with it.
pub(super) fn check(tree: &Expression) -> Result<(), OperandError> {
    match tree {
        Expression::And(parts) | Expression::Or(parts) => parts.iter().try_for_each(check),
        Expression::Not(inner) => check(inner),
        Expression::Macro(_) => Ok(()),
        Expression::Comparison(comparison) => Test::compile(comparison).map(drop),
    }
}
