//! What a rule can still match when something is known of the event beforehand.
//!
//! From this the sensor learns what it need not record: an event is worth recording if some rule can
//! match what is known of it. Whatever is not known counts as possible, so nothing is missed.

use super::matcher::{Matcher, NumberTest};
use super::operand::CompiledOperand;
use super::test::{Check, Test};
use crate::event::EventType;
use crate::fields::{FieldArgument, FieldUse, Value};

/// What is known of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Known {
    /// Nothing.
    Unknown,
    /// Its value.
    Value(Value<'static>),
    /// A number in this range, ends included.
    Between(i128, i128),
    /// The name of an error: starts with an `E`.
    ErrorName,
}

/// Tells what is known of a field.
pub type Knowledge<'k> = &'k dyn Fn(&FieldUse) -> Known;

/// Whether a test holds; `None` if that depends on what is not known.
pub(super) fn judge(test: &Test, knowledge: Knowledge<'_>) -> Option<bool> {
    let (CompiledOperand::Field(field), Check::Literals(matcher)) = (&test.left, &test.check)
    else {
        return None;
    };
    judge_matcher(matcher, &knowledge(field))
}

fn judge_matcher(matcher: &Matcher, known: &Known) -> Option<bool> {
    match (matcher, known) {
        (_, Known::Unknown) => None,
        (Matcher::Never, _) => Some(false),
        (matcher, Known::Value(value)) => Some(matcher.matches(value)),
        (Matcher::Exists, _) => Some(true),
        (Matcher::Not(inner), known) => judge_matcher(inner, known).map(|holds| !holds),
        (Matcher::Number(test), Known::Between(low, high)) => judge_number(test, *low, *high),
        (Matcher::TextEquals(text), Known::ErrorName) => (!text.starts_with(b"E")).then_some(false),
        (Matcher::TextIn(texts), Known::ErrorName) => {
            (!texts.iter().any(|text| text.starts_with(b"E"))).then_some(false)
        }
        (Matcher::StartsWith(start), Known::ErrorName) => match start.as_slice() {
            b"" | b"E" => Some(true),
            start => (!start.starts_with(b"E")).then_some(false),
        },
        _ => None,
    }
}

fn judge_number(test: &NumberTest, low: i128, high: i128) -> Option<bool> {
    if let NumberTest::In(numbers) = test {
        return match numbers.iter().any(|number| (low..=high).contains(number)) {
            false => Some(false),
            true if low == high => Some(true),
            true => None,
        };
    }
    // Every other test is monotonic: what holds at both ends holds between them.
    (test.holds(low) == test.holds(high)).then(|| test.holds(low))
}

/// What every event of a type has in common.
pub(super) fn of_event(event: EventType) -> impl Fn(&FieldUse) -> Known {
    move |field| match field.name {
        "evt.type" => Known::Value(Value::text(event.name().as_bytes())),
        "syscall.type" if event != EventType::Procexit => {
            Known::Value(Value::text(event.name().as_bytes()))
        }
        // Events count from one: `evt.num = 0` is how rules say "never".
        "evt.num" => Known::Between(1, i128::from(u64::MAX)),
        "evt.dir" => Known::Value(Value::text(b"<")),
        _ => Known::Unknown,
    }
}

/// What every call of this type that failed has in common.
pub fn of_failure(event: EventType) -> impl Fn(&FieldUse) -> Known {
    let is_open = is_open(event);
    move |field| match (field.name, &field.argument) {
        ("evt.failed", _) => Known::Value(Value::Bool(true)),
        ("evt.rawres", _) => Known::Between(i128::from(i64::MIN), -1),
        ("evt.res", _) => Known::ErrorName,
        ("evt.arg", FieldArgument::Key(name)) if name == "res" => Known::ErrorName,
        ("evt.count.error", _) => Known::Value(Value::Uint(1)),
        ("fd.num", _) if is_open => Known::Between(-1, -1),
        (
            "evt.is_open_read" | "evt.is_open_write" | "evt.is_open_exec" | "evt.is_open_create",
            _,
        ) => Known::Value(Value::Bool(false)),
        _ => Known::Unknown,
    }
}

/// What every open that succeeded and can write, or cannot, has in common.
pub fn of_open(can_write: bool) -> impl Fn(&FieldUse) -> Known {
    move |field| match (field.name, &field.argument) {
        ("evt.failed", _) => Known::Value(Value::Bool(false)),
        ("evt.rawres" | "fd.num", _) => Known::Between(0, i128::from(i64::MAX)),
        ("evt.res", _) => Known::Value(Value::text(b"SUCCESS")),
        ("evt.count.error", _) => Known::Value(Value::Uint(0)),
        ("evt.is_open_write", _) => Known::Value(Value::Bool(can_write)),
        ("evt.is_open_read", _) if !can_write => Known::Value(Value::Bool(true)),
        _ => Known::Unknown,
    }
}

/// Whether the event is of the open family.
pub fn is_open(event: EventType) -> bool {
    matches!(
        event,
        EventType::Open | EventType::Openat | EventType::Openat2 | EventType::Creat
    )
}
