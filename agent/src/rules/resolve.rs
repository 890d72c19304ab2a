//! From what the files define to rules whose conditions stand by themselves.

use std::collections::HashMap;
use std::sync::Arc;

use super::ast::{Comparison, Expression};
use super::definitions::{Definitions, Located, RuleDefinition};
use super::exceptions;
use super::lists;
use super::loader::Fatal;
use super::operand::OperandError;
use super::output::OutputFormat;
use super::parser;
use super::report::{Code, Finding};
use super::rule_set::{Rule, RuleSet};
use super::suggestion::{did_you_mean, nearest};
use super::test::Test;

/// Macros inside of macros.
const MAX_DEPTH: usize = 100;

/// Resolves everything; the first error ends it.
pub(super) fn resolve(
    mut definitions: Definitions,
    findings: &mut Vec<Finding>,
) -> Result<RuleSet, Fatal> {
    let macros = parse_macros(&mut definitions)?;
    let mut used_macros = vec![false; macros.len()];
    let mut rules = Vec::new();
    for definition in std::mem::take(&mut definitions.rules) {
        if definition.source != "syscall" {
            findings.push(*at_rule(
                &definition,
                Code::UnknownSource,
                format!(
                    "the source '{}' is not there; the rule is ignored",
                    definition.source
                ),
            ));
            continue;
        }
        match rule(&definition, &mut definitions, &macros, &mut used_macros)? {
            Outcome::Rule(rule) => rules.push(*rule),
            Outcome::Skipped(finding) => findings.push(*finding),
        }
    }
    for (index, unused) in used_macros.iter().enumerate().filter(|(_, used)| !**used) {
        debug_assert!(!unused);
        let name = &definitions.macros[index].name;
        findings.push(unused_item(&definitions, Code::UnusedMacro, "macro", name));
    }
    for list in definitions.lists.iter().filter(|list| !list.used) {
        findings.push(unused_item(
            &definitions,
            Code::UnusedList,
            "list",
            &list.name,
        ));
    }
    Ok(rules.into_iter().collect())
}

fn unused_item(definitions: &Definitions, code: Code, kind: &'static str, name: &str) -> Finding {
    let (file, position) = definitions.place_of(kind, name);
    Finding {
        code,
        message: format!("no rule uses this {kind}"),
        file,
        position,
        item: Some((kind, name.to_owned())),
        excerpt: None,
    }
}

/// A macro's tree, in which other macros still stand by name.
struct ParsedMacro {
    name: String,
    tree: Expression,
    defined_at: usize,
    visible_from: usize,
}

fn parse_macros(definitions: &mut Definitions) -> Result<Vec<ParsedMacro>, Fatal> {
    let mut parsed = Vec::new();
    for index in 0..definitions.macros.len() {
        let definition = definitions.macros[index].clone();
        let text = lists::expand(&definition.condition.text, &mut definitions.lists);
        let item = Some(("macro", definition.name.clone()));
        let tree = parser::parse(&text).map_err(|error| {
            at(
                &definition.condition,
                item.clone(),
                Code::CompileCondition,
                error.message,
                &text,
                error.offset,
            )
        })?;
        check_comparisons(&tree).map_err(|error| {
            at(
                &definition.condition,
                item,
                Code::CompileCondition,
                error.message,
                &text,
                error.offset,
            )
        })?;
        parsed.push(ParsedMacro {
            name: definition.name,
            tree,
            defined_at: definition.defined_at,
            visible_from: definition.visible_from,
        });
    }
    Ok(parsed)
}

enum Outcome {
    Rule(Box<Rule>),
    /// It has a field or event type that is not known, and said that it may.
    Skipped(Fatal),
}

fn rule(
    definition: &RuleDefinition,
    definitions: &mut Definitions,
    macros: &[ParsedMacro],
    used: &mut [bool],
) -> Result<Outcome, Fatal> {
    let with_exceptions = exceptions::apply(&definition.condition.text, &definition.exceptions);
    let text = lists::expand(&with_exceptions, &mut definitions.lists);
    let item = Some(("rule", definition.name.clone()));
    let error = |code, message: String, offset| {
        at(
            &definition.condition,
            item.clone(),
            code,
            message,
            &text,
            offset,
        )
    };
    let skipped = |problem: &OperandError, located: &Located, text: &str| {
        let message = format!("{}; the rule is ignored", problem.message);
        Outcome::Skipped(at(
            located,
            item.clone(),
            Code::UnknownFilter,
            message,
            text,
            problem.offset,
        ))
    };
    let tree = parser::parse(&text)
        .map_err(|problem| error(Code::CompileCondition, problem.message, problem.offset))?;
    match check_comparisons(&tree) {
        Ok(()) => {}
        Err(problem) if problem.unknown_field && definition.skip_if_unknown => {
            return Ok(skipped(&problem, &definition.condition, &text));
        }
        Err(problem) => {
            return Err(error(
                Code::CompileCondition,
                problem.message,
                problem.offset,
            ));
        }
    }
    let mut resolver = Resolver {
        macros,
        used,
        resolved: HashMap::new(),
    };
    let condition = resolver
        .expression(&tree, usize::MAX, 0)
        .map_err(|problem| error(Code::Validate, problem.message, problem.offset))?;
    let output = match OutputFormat::parse(&definition.output.text) {
        Ok(output) => output,
        Err(problem) if definition.skip_if_unknown => {
            let problem = OperandError {
                message: problem.message,
                offset: problem.offset,
                unknown_field: true,
            };
            return Ok(skipped(
                &problem,
                &definition.output,
                &definition.output.text,
            ));
        }
        Err(problem) => {
            return Err(at(
                &definition.output,
                item,
                Code::CompileOutput,
                problem.message,
                &definition.output.text,
                problem.offset,
            ));
        }
    };
    Ok(Outcome::Rule(Box::new(Rule {
        name: Arc::from(definition.name.as_str()),
        description: definition.description.clone(),
        condition,
        output,
        priority: definition.priority,
        tags: definition.tags.clone(),
        source: definition.source.clone(),
        enabled: definition.enabled,
    })))
}

fn at(
    located: &Located,
    item: Option<(&'static str, String)>,
    code: Code,
    message: String,
    text: &str,
    offset: usize,
) -> Fatal {
    Box::new(Finding {
        code,
        message,
        file: located.file.clone(),
        position: located.position,
        item,
        excerpt: Some((text.to_owned(), offset)),
    })
}

fn at_rule(definition: &RuleDefinition, code: Code, message: String) -> Fatal {
    Box::new(Finding {
        code,
        message,
        file: definition.file.clone(),
        position: definition.position,
        item: Some(("rule", definition.name.clone())),
        excerpt: None,
    })
}

/// Compiles every comparison, to find what is wrong with it.
fn check_comparisons(tree: &Expression) -> Result<(), OperandError> {
    match tree {
        Expression::And(parts) | Expression::Or(parts) => {
            parts.iter().try_for_each(check_comparisons)
        }
        Expression::Not(inner) => check_comparisons(inner),
        Expression::Macro(_) => Ok(()),
        Expression::Comparison(comparison) => check(comparison),
    }
}

fn check(comparison: &Comparison) -> Result<(), OperandError> {
    Test::compile(comparison).map(drop)
}

/// Puts macros in.
struct Resolver<'m> {
    macros: &'m [ParsedMacro],
    used: &'m mut [bool],
    resolved: HashMap<usize, Expression>,
}

/// A macro that cannot be put in.
struct MacroError {
    message: String,
    offset: usize,
}

impl Resolver<'_> {
    /// `visible` is the definition from which on macros cannot be seen.
    fn expression(
        &mut self,
        tree: &Expression,
        visible: usize,
        depth: usize,
    ) -> Result<Expression, MacroError> {
        let parts = |parts: &[Expression], this: &mut Self| {
            parts
                .iter()
                .map(|part| this.expression(part, visible, depth))
                .collect::<Result<Vec<_>, _>>()
        };
        Ok(match tree {
            Expression::And(inner) => Expression::And(parts(inner, self)?),
            Expression::Or(inner) => Expression::Or(parts(inner, self)?),
            Expression::Not(inner) => {
                Expression::Not(Box::new(self.expression(inner, visible, depth)?))
            }
            Expression::Comparison(comparison) => Expression::Comparison(comparison.clone()),
            Expression::Macro(name) => {
                let error = |message: String| MacroError {
                    message,
                    offset: name.offset,
                };
                let found = self
                    .macros
                    .iter()
                    .position(|known| known.name == name.text && known.defined_at < visible);
                let Some(index) = found else {
                    let names = self.macros.iter().map(|known| known.name.as_str());
                    let suggestion = nearest(&name.text, names).filter(|near| *near != name.text);
                    return Err(error(format!(
                        "Undefined macro '{}' used in filter.{}",
                        name.text,
                        did_you_mean(suggestion.as_deref())
                    )));
                };
                self.used[index] = true;
                if let Some(resolved) = self.resolved.get(&index) {
                    return Ok(resolved.clone());
                }
                if depth > MAX_DEPTH {
                    return Err(error(format!("reference loop in macro '{}'", name.text)));
                }
                let visible_from = self.macros[index].visible_from;
                let tree = self.macros[index].tree.clone();
                let inner = self.expression(&tree, visible_from, depth + 1);
                let inner = inner.map_err(|inner| error(inner.message))?;
                self.resolved.insert(index, inner.clone());
                inner
            }
        })
    }
}
