//! Which names of events a condition can match, as Falco computes it.

use std::collections::BTreeSet;

use super::ast::{Comparison, Expression, Literal, Operand, Operator, Right};
use super::event_names;
use super::literal::parse_number;
use crate::fields::registry::FieldType;

/// Names of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventTypes {
    names: BTreeSet<String>,
    /// All but these names, and not only these.
    complement: bool,
}

impl EventTypes {
    const fn none() -> Self {
        Self {
            names: BTreeSet::new(),
            complement: false,
        }
    }

    const fn all() -> Self {
        Self {
            names: BTreeSet::new(),
            complement: true,
        }
    }

    /// Those that a condition, its macros resolved, can match.
    pub fn of(condition: &Expression) -> Self {
        of(condition, false)
    }

    /// Whether nothing limits them.
    pub fn is_all(&self) -> bool {
        self.complement && self.names.is_empty()
    }

    /// Whether the condition names this event, rather than only not excluding it.
    pub fn names(&self, event: &str) -> bool {
        !self.complement && self.names.contains(event)
    }

    /// The names, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let given = (!self.complement).then(|| self.names.iter().map(String::as_str));
        let others = self.complement.then(|| {
            event_names::all()
                .iter()
                .copied()
                .filter(|name| !self.names.contains(*name))
        });
        given
            .into_iter()
            .flatten()
            .chain(others.into_iter().flatten())
    }

    /// How many names.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether no event can match.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn complement(mut self) -> Self {
        self.complement = !self.complement;
        self
    }

    fn intersection(self, other: &Self) -> Self {
        let names = match (self.complement, other.complement) {
            (false, false) => self.names.intersection(&other.names).cloned().collect(),
            (false, true) => self.names.difference(&other.names).cloned().collect(),
            (true, false) => other.names.difference(&self.names).cloned().collect(),
            (true, true) => self.names.union(&other.names).cloned().collect(),
        };
        Self {
            names,
            complement: self.complement && other.complement,
        }
    }

    fn union(self, other: &Self) -> Self {
        self.complement()
            .intersection(&other.clone().complement())
            .complement()
    }
}

/// Negation goes down to the tests, and only a test of the type knows what it excludes.
fn of(expression: &Expression, negated: bool) -> EventTypes {
    match (expression, negated) {
        (Expression::And(parts), false) | (Expression::Or(parts), true) => parts
            .iter()
            .map(|part| of(part, negated))
            .fold(EventTypes::all(), |all, part| all.intersection(&part)),
        (Expression::Or(parts), false) | (Expression::And(parts), true) => parts
            .iter()
            .map(|part| of(part, negated))
            .fold(EventTypes::none(), |all, part| all.union(&part)),
        (Expression::Not(inner), negated) => of(inner, !negated),
        (Expression::Macro(_), _) => EventTypes::all(),
        (Expression::Comparison(comparison), negated) => match of_comparison(comparison) {
            Some(types) if negated => types.complement(),
            Some(types) => types,
            None => EventTypes::all(),
        },
    }
}

/// `None` if the comparison says nothing of the type.
fn of_comparison(comparison: &Comparison) -> Option<EventTypes> {
    let Operand::Field(field) = &comparison.left else {
        return None;
    };
    let literals: &[Literal] = match &comparison.right {
        Right::Text(literal) => std::slice::from_ref(literal),
        Right::List(literals) => literals,
        Right::Nothing | Right::Operand(_) => return None,
    };
    match field.text.as_str() {
        "evt.type" | "syscall.type" if comparison.modifier.is_none() => {
            let named = EventTypes {
                names: literals
                    .iter()
                    .map(|literal| literal.text().into_owned())
                    .collect(),
                complement: false,
            };
            match comparison.operator {
                Operator::Equal | Operator::In => Some(named),
                Operator::NotEqual => Some(named.complement()),
                _ => None,
            }
        }
        // Events count from one, so this holds for all of them, or for none, or for some.
        "evt.num" if comparison.operator == Operator::In => {
            let number = |literal: &Literal| parse_number(FieldType::Uint, &literal.text());
            let is_zero = |literal| number(literal) == Ok(0);
            literals.iter().all(is_zero).then(EventTypes::none)
        }
        "evt.num" => {
            let number = parse_number(FieldType::Uint, &literals.first()?.text()).ok()?;
            match (comparison.operator, number) {
                (Operator::Equal | Operator::LessOrEqual, 0) | (Operator::Less, 0 | 1) => {
                    Some(EventTypes::none())
                }
                (Operator::GreaterOrEqual, 0 | 1) | (Operator::Greater | Operator::NotEqual, 0) => {
                    Some(EventTypes::all())
                }
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::parse;

    #[test]
    fn conditions_and_their_event_types() {
        for (condition, expected) in [
            ("evt.type = open", Some(&["open"][..])),
            (
                "evt.type in (open, close) and proc.name = x",
                Some(&["close", "open"]),
            ),
            (
                "evt.type in (open, close) and not evt.type = open",
                Some(&["close"]),
            ),
            (
                "evt.type = open or evt.type = close",
                Some(&["close", "open"]),
            ),
            ("evt.type = open and evt.num = 0", Some(&[])),
            ("evt.type = open or evt.num = 0", Some(&["open"])),
            ("evt.type = open or evt.num in (0)", Some(&["open"])),
            ("evt.type = open or evt.num in (0, 1)", None),
            ("evt.type = open and evt.num >= 0", Some(&["open"])),
            ("evt.type = open and not evt.num = 0", Some(&["open"])),
            (
                "evt.type = open and not (proc.name = x or evt.type = close)",
                Some(&["open"]),
            ),
            ("not (evt.type != open and proc.name = x)", None),
            ("not (evt.type != open or proc.name = x)", Some(&["open"])),
            ("proc.name = x", None),
            ("evt.type = open or proc.name = x", None),
            ("evt.type exists", None),
        ] {
            let types = EventTypes::of(&parse(condition).unwrap());
            let names: Vec<_> = types.iter().collect();
            match expected {
                Some(expected) => assert_eq!(names, expected, "{condition}"),
                None => assert!(types.is_all(), "{condition}: {types:?}"),
            }
        }
        let others = EventTypes::of(&parse("evt.type != open").unwrap());
        assert_eq!(others.len(), event_names::all().len() - 1);
        assert!(!others.is_all());
    }
}
