//! From what the files define to rules whose conditions stand by themselves.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::append_output::OutputSettings;
use super::definitions::{Definitions, RuleDefinition};
use super::event_types::EventTypes;
use super::exceptions;
use super::expansion::TracedText;
use super::item::Fatal;
use super::lists::Lists;
use super::macros::{self, Macros};
use super::output::OutputFormat;
use super::parser;
use super::report::{Code, Finding, Item, Place};
use super::rule_item::SYSCALL;
use super::rule_set::{Rule, RuleSet};
use super::warnings;

/// Resolves everything; the first error ends it.
pub(super) fn resolve(
    definitions: Definitions,
    outputs: &OutputSettings,
    findings: &mut Vec<Finding>,
) -> Result<RuleSet, Fatal> {
    let mut lists = Lists::new(&definitions.lists).map_err(|_| {
        let place = definitions.lists.last().map(|list| list.place.clone());
        let message = "lists of lists are too large";
        Finding::new(Code::Validate, place.unwrap_or_default(), None, message)
    })?;
    let mut macros = Macros::new(definitions.macros, &mut lists)?;
    let mut rules = Vec::new();
    for definition in &definitions.rules {
        if definition.source != SYSCALL {
            let message = format!(
                "the source '{}' is not there, so the rule is ignored: the only one is '{SYSCALL}'",
                definition.source
            );
            let place = definition.place.clone();
            let item = Some(definition.shown());
            findings.push(*Finding::new(Code::UnknownSource, place, item, message));
            continue;
        }
        match rule(definition, outputs, &mut lists, &mut macros) {
            Ok(rule) => {
                warnings::check(definition, &rule, findings);
                rules.push(rule);
            }
            Err(Problem::Fatal(finding)) => return Err(finding),
            Err(Problem::Skipped(finding)) => findings.push(*finding),
        }
    }
    findings.extend(
        macros
            .unused()
            .map(|known| unused(Code::UnusedMacro, known.shown())),
    );
    findings.extend(lists.unused().map(|(name, place)| {
        unused(
            Code::UnusedList,
            Item {
                kind: "list",
                name: name.to_owned(),
                place: place.clone(),
            },
        )
    }));
    Ok(rules.into_iter().collect())
}

fn unused(code: Code, item: Item) -> Finding {
    let message = format!("nothing uses this {}", item.kind);
    *Finding::new(code, item.place.clone(), Some(item), message)
}

/// Why there is no rule.
enum Problem {
    Fatal(Fatal),
    /// It has a field or event type that is not known, and said that it may.
    Skipped(Fatal),
}

fn rule(
    definition: &RuleDefinition,
    outputs: &OutputSettings,
    lists: &mut Lists,
    macros: &mut Macros,
) -> Result<Rule, Problem> {
    let fatal = |code, place: Place, message: String| {
        Problem::Fatal(Finding::new(code, place, Some(definition.shown()), message))
    };
    let unknown_or_fatal =
        |code, place: Place, unknown: bool, message: String, within: Option<Item>| {
            let skipped = unknown && definition.skip_if_unknown;
            let code = if skipped { Code::UnknownFilter } else { code };
            let message = if skipped {
                format!("{message}; the rule is ignored, as it asks for")
            } else {
                message
            };
            let finding = Finding::new(code, place, Some(definition.shown()), message);
            let finding = match within {
                Some(item) => finding.within(item),
                None => finding,
            };
            if skipped {
                Problem::Skipped(finding)
            } else {
                Problem::Fatal(finding)
            }
        };
    let mut list_names = BTreeSet::new();
    let with_exceptions = exceptions::apply(&definition.condition, &definition.exceptions);
    let text = lists
        .expand(&with_exceptions, &mut list_names)
        .map_err(|_| {
            let message = "the condition is too large with its lists put in".to_owned();
            fatal(Code::Validate, definition.condition.place(0), message)
        })?;
    let tree = parser::parse(text.as_str()).map_err(|error| {
        fatal(
            Code::CompileCondition,
            text.place(error.offset),
            error.message,
        )
    })?;
    let resolved = macros
        .resolve(&tree)
        .map_err(|error| fatal(Code::Validate, text.place(error.offset), error.message))?;
    let condition_error = |text: &TracedText, problem: &super::operand::OperandError, within| {
        let place = text.place(problem.offset);
        let message = problem.message.clone();
        unknown_or_fatal(
            Code::CompileCondition,
            place,
            problem.unknown,
            message,
            within,
        )
    };
    macros::check(&tree).map_err(|problem| condition_error(&text, &problem, None))?;
    if let Some(found) = macros.problem_in(&resolved.macros) {
        let within = Some(found.definition.shown());
        return Err(condition_error(found.text, found.problem, within));
    }
    // First alone, for the place of what is wrong in the file; then with what is appended, which was
    // checked when the configuration was read.
    let output_text = outputs.output_text(definition);
    let output = OutputFormat::parse(definition.output.as_str())
        .and_then(|_| outputs.compile(&output_text, definition))
        .map_err(|error| {
            let place = definition.output.place(error.offset);
            unknown_or_fatal(Code::CompileOutput, place, true, error.message, None)
        })?;
    list_names.extend(macros.lists_in(&resolved.macros));
    Ok(Rule {
        name: Arc::from(definition.name.as_str()),
        description: definition.description.as_str().trim_end().to_owned(),
        event_types: EventTypes::of(&resolved.condition),
        condition: resolved.condition,
        macros: resolved.macros,
        lists: list_names,
        output,
        output_text,
        priority: definition.priority,
        tags: definition.tags.clone(),
        source: definition.source.clone(),
        enabled: definition.enabled,
        capture: definition.capture.then_some(definition.capture_duration),
        place: definition.place.clone(),
    })
}
