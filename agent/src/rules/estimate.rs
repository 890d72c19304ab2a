//! What a part of a condition is likely to cost and to give.
//!
//! All parts are pure, so their order cannot be observed; it decides only how soon a condition is
//! decided. Nothing is known of the events to come, so these are rules of thumb: a text is rarely the
//! one that a rule names, and a test that a group answers costs little.

use super::matcher::Matcher;
use super::test::{Check, Test};
use super::text_index::GroupKind;
use super::text_test::TextTest;
use crate::fields::metadata_extractor;

/// Cost in units of a memory access, and how likely it is true.
#[derive(Clone, Copy, Debug)]
pub(super) struct Estimate {
    cost: f64,
    probability: f64,
}

impl Estimate {
    pub(super) fn constant(constant: bool) -> Self {
        Self {
            cost: 0.1,
            probability: if constant { 1.0 } else { 0.0 },
        }
    }

    pub(super) fn negated(self) -> Self {
        Self {
            cost: self.cost + 0.1,
            probability: 1.0 - self.probability,
        }
    }

    /// Of a test that a group answers.
    pub(super) fn of_bit(kind: GroupKind, test: &Test) -> Self {
        Self {
            cost: cost_of_group(kind) + cost_of_value(test),
            ..Self::of_test(test)
        }
    }

    /// Of several tests of one text that a group answers at once: parts of an or, or the opposites of
    /// such as parts of an and.
    pub(super) fn of_merged(kind: GroupKind, conjunction: bool) -> Self {
        Self {
            cost: cost_of_group(kind),
            probability: if conjunction { 0.8 } else { 0.2 },
        }
    }

    /// Of a test by itself.
    pub(super) fn of_test(test: &Test) -> Self {
        let (cost, probability) = match &test.check {
            Check::Literals(matcher) => of_matcher(matcher),
            Check::Operand(..) => (20.0, 0.2),
            // Reads a table that another thread fills.
            Check::Hosts(..) => (60.0, 0.05),
        };
        // A function of fields allocates.
        let cost = if test.left.as_field().is_some() {
            cost
        } else {
            cost + 30.0
        };
        Self {
            cost: cost + cost_of_value(test),
            probability,
        }
    }

    /// Of all parts together, in their order.
    pub(super) fn of_all(parts: impl Iterator<Item = Self>, conjunction: bool) -> Self {
        let mut cost = 0.0;
        // How likely it is that the parts so far did not decide.
        let mut undecided = 1.0;
        for part in parts {
            cost += undecided * part.cost;
            undecided *= if conjunction {
                part.probability
            } else {
                1.0 - part.probability
            };
        }
        Self {
            cost,
            probability: if conjunction {
                undecided
            } else {
                1.0 - undecided
            },
        }
    }

    /// Cost for each time that it decides an and (`conjunction`) or an or: the smaller, the earlier.
    pub(super) fn per_decision(self, conjunction: bool) -> f64 {
        let decides = if conjunction {
            1.0 - self.probability
        } else {
            self.probability
        };
        self.cost / decides.max(0.001)
    }
}

/// What it costs to have the values that a test looks at, beyond reading them.
fn cost_of_value(test: &Test) -> f64 {
    if reads_file(test) {
        100_000.0
    } else if test
        .fields()
        .iter()
        .any(|field| metadata_extractor(field.name).is_some())
    {
        // It costs little, but an event that asks about a container just made may have to wait.
        50.0
    } else {
        0.0
    }
}

/// Whether a test looks at the content of a file.
pub(super) fn reads_file(test: &Test) -> bool {
    let fields = test.fields();
    let is_hash = |name: &str| name.starts_with("proc.exe_sha256");
    fields.iter().any(|field| is_hash(field.name))
}

/// The first test that asks a group pays for all: this is between that and what the others pay.
fn cost_of_group(kind: GroupKind) -> f64 {
    match kind {
        GroupKind::Head | GroupKind::End => 4.0,
        GroupKind::Part => 15.0,
        GroupKind::Glob | GroupKind::Regex => 40.0,
    }
}

fn of_matcher(matcher: &Matcher) -> (f64, f64) {
    match matcher {
        Matcher::Exists => (1.0, 0.9),
        Matcher::Never => (0.1, 0.0),
        Matcher::Text(test) | Matcher::Buffer(test) => of_text(test),
        // Kinds of access and numbers of descriptors: cheap, and asked for by many rules at once.
        Matcher::Number(_) => (1.5, 0.5),
        Matcher::Bool(_) => (1.5, 0.3),
        Matcher::AddressIn(_) => (3.0, 0.05),
        Matcher::NetworkIn(networks) => (count(networks.len()) * 2.0, 0.2),
        Matcher::Not(inner) => {
            let (cost, probability) = of_matcher(inner);
            (cost, 1.0 - probability)
        }
        Matcher::OneOf(all) | Matcher::AnyOf(all) | Matcher::AllOf(all) => {
            (all.iter().map(|one| of_matcher(one).0).sum(), 0.2)
        }
        Matcher::EveryElement(inner) | Matcher::SomeElement(inner) => {
            let (cost, probability) = of_matcher(inner);
            (20.0 + 4.0 * cost, (2.0 * probability).min(0.9))
        }
    }
}

fn of_text(test: &TextTest) -> (f64, f64) {
    match test {
        // One letter is a type, of which there are few.
        TextTest::Equals(text) if text.len() == 1 => (2.0, 0.4),
        TextTest::Equals(_) => (2.0, 0.03),
        TextTest::In(_) => (8.0, 0.08),
        TextTest::StartsWith(_) | TextTest::EndsWith(_) => (3.0, 0.1),
        TextTest::Order(..) => (3.0, 0.5),
        TextTest::Contains(_) => (10.0, 0.05),
        TextTest::ContainsIgnoringCase(_) => (30.0, 0.05),
        TextTest::PathMatch(paths) => (count(paths.len()) * 5.0, 0.1),
        TextTest::Glob(_) | TextTest::GlobIgnoringCase(_) => (30.0, 0.1),
        TextTest::Regex(_) => (100.0, 0.1),
    }
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::MAX, f64::from)
}
