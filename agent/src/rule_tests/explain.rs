//! Why a condition holds for an event, or does not.
//!
//! The condition is evaluated as it stands, and all of it: no part is skipped because another one
//! has decided.

use std::fmt;

use super::shown;
use crate::escape::OneLine;
use crate::fields::{FieldUse, Value};
use crate::rules::{Comparison, CompiledComparison, Expression, field_text};

/// A condition, or a part of one, with what came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Whether it holds.
    pub holds: bool,
    /// What it is made of.
    pub part: Part,
}

/// What a condition is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// `and`: each has to hold.
    All(Vec<Explanation>),
    /// `or`: one has to hold.
    Any(Vec<Explanation>),
    /// `not`
    Not(Box<Explanation>),
    /// A comparison.
    Comparison {
        /// In canonical form.
        text: String,
        /// The fields that it looks at, with the values that the event has.
        seen: Vec<(String, Option<String>)>,
    },
}

/// Evaluates a condition whose macros are resolved.
pub fn explain<'v>(
    condition: &Expression,
    value: &dyn Fn(&FieldUse) -> Option<Value<'v>>,
) -> Explanation {
    match condition {
        Expression::And(parts) => {
            let parts: Vec<_> = parts.iter().map(|part| explain(part, value)).collect();
            Explanation {
                holds: parts.iter().all(|part| part.holds),
                part: Part::All(parts),
            }
        }
        Expression::Or(parts) => {
            let parts: Vec<_> = parts.iter().map(|part| explain(part, value)).collect();
            Explanation {
                holds: parts.iter().any(|part| part.holds),
                part: Part::Any(parts),
            }
        }
        Expression::Not(inner) => {
            let inner = explain(inner, value);
            Explanation {
                holds: !inner.holds,
                part: Part::Not(Box::new(inner)),
            }
        }
        Expression::Comparison(comparison) => explain_comparison(comparison, value),
        // The loader has put macros in; one that is left says nothing of any event.
        Expression::Macro(name) => Explanation {
            holds: false,
            part: Part::Comparison {
                text: name.text.clone(),
                seen: Vec::new(),
            },
        },
    }
}

fn explain_comparison<'v>(
    comparison: &Comparison,
    value: &dyn Fn(&FieldUse) -> Option<Value<'v>>,
) -> Explanation {
    // A loaded rule's comparisons compile.
    let compiled = CompiledComparison::compile(comparison).ok();
    let seen = compiled.iter().flat_map(CompiledComparison::fields);
    let seen = seen.map(|field| {
        let found = value(field).map(|found| shown::value(&found));
        (field_text(field), found)
    });
    let mut seen: Vec<(String, Option<String>)> = seen.collect();
    if compiled
        .as_ref()
        .is_some_and(CompiledComparison::first_decides)
    {
        // It is no reason that another one is missing.
        let mut is_first = true;
        seen.retain(|(_, found)| std::mem::take(&mut is_first) || found.is_some());
    }
    Explanation {
        holds: compiled
            .as_ref()
            .is_some_and(|compiled| compiled.holds(value)),
        part: Part::Comparison {
            text: comparison.to_string(),
            seen,
        },
    }
}

impl fmt::Display for Explanation {
    /// One line a clause: what decided in full, and what did not on one line.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(formatter, 0)
    }
}

impl Explanation {
    fn write(&self, formatter: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        let mark = if self.holds { '✓' } else { '✗' };
        write!(formatter, "{:width$}{mark} ", "", width = 2 * depth)?;
        match &self.part {
            Part::All(parts) => {
                let why = if self.holds {
                    "all of these hold"
                } else {
                    "not all of these hold"
                };
                writeln!(formatter, "and: {why}")?;
                parts
                    .iter()
                    .try_for_each(|part| part.write_part(formatter, depth + 1, self.holds))
            }
            Part::Any(parts) => {
                let why = if self.holds {
                    "one of these holds"
                } else {
                    "none of these holds"
                };
                writeln!(formatter, "or: {why}")?;
                parts
                    .iter()
                    .filter(|part| part.holds == self.holds)
                    .try_for_each(|part| part.write(formatter, depth + 1))
            }
            Part::Not(inner) => match &inner.part {
                Part::Comparison { .. } => {
                    formatter.write_str("not ")?;
                    inner.write_comparison(formatter)
                }
                _ => {
                    let why = if self.holds {
                        "this does not hold"
                    } else {
                        "this holds"
                    };
                    writeln!(formatter, "not: {why}")?;
                    inner.write(formatter, depth + 1)
                }
            },
            Part::Comparison { .. } => self.write_comparison(formatter),
        }
    }

    /// A part of an `and`: in one line if it did not decide.
    fn write_part(
        &self,
        formatter: &mut fmt::Formatter<'_>,
        depth: usize,
        decides: bool,
    ) -> fmt::Result {
        if self.holds == decides || matches!(self.part, Part::Comparison { .. }) {
            return self.write(formatter, depth);
        }
        let text = shown::cut(&self.canonical());
        let text = OneLine(&text);
        writeln!(formatter, "{:width$}✓ {text}", "", width = 2 * depth)
    }

    fn write_comparison(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Part::Comparison { text, seen } = &self.part else {
            return Ok(());
        };
        write!(formatter, "{}", OneLine(&shown::cut(text)))?;
        for (index, (field, value)) in seen.iter().enumerate() {
            let joint = if index == 0 { "  <- " } else { ", " };
            match value {
                Some(value) => write!(formatter, "{joint}{field} is {value}")?,
                None => write!(
                    formatter,
                    "{joint}{field} has no value, so the comparison is false"
                )?,
            }
        }
        writeln!(formatter)
    }

    /// The condition in canonical form.
    fn canonical(&self) -> String {
        let joined = |parts: &[Self], word: &str| {
            let parts: Vec<_> = parts.iter().map(Self::canonical).collect();
            format!("({})", parts.join(word))
        };
        match &self.part {
            Part::All(parts) => joined(parts, " and "),
            Part::Any(parts) => joined(parts, " or "),
            Part::Not(inner) => format!("not {}", inner.canonical()),
            Part::Comparison { text, .. } => text.clone(),
        }
    }
}
