//! What a rule can still match when something is known of the event beforehand.
//!
//! From this the sensor learns what it need not record: an event is worth recording if some rule can
//! match what is known of it. Whatever is not known counts as possible, so nothing is missed.

use super::matcher::{Matcher, NumberTest};
use super::test::{Check, Test};
use super::text_test::TextTest;
use crate::event::EventType;
use crate::event::table::Source;
use crate::fields::{FieldArgument, FieldUse, Value};

/// What is known of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Known {
    /// Nothing.
    Unknown,
    /// It has no value.
    Missing,
    /// Its value.
    Value(Value<'static>),
    /// A number in this range, ends included.
    Between(i128, i128),
    /// The name of an error, which starts with an `E`, or the negative number of one that has none.
    ErrorName,
}

/// Tells what is known of a field.
pub type Knowledge<'k> = &'k dyn Fn(&FieldUse) -> Known;

/// All of them hold, as far as is known: one that does not decides.
pub(super) fn all_hold(parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
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

/// Some of them holds, as far as is known: one that does decides.
pub(super) fn some_holds(parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    all_hold(parts.map(|part| part.map(|holds| !holds))).map(|none| !none)
}

/// Whether a test holds; `None` if that depends on what is not known.
pub(super) fn judge(test: &Test, knowledge: Knowledge<'_>) -> Option<bool> {
    if let Check::Literals(Matcher::Never) = &test.check {
        return Some(false);
    }
    if let (Some((field, _)), Check::Literals(matcher)) = (test.left.as_field(), &test.check) {
        return judge_matcher(matcher, &knowledge(field));
    }
    let known: Vec<(&FieldUse, Known)> = test
        .fields()
        .into_iter()
        .map(|field| (field, knowledge(field)))
        .collect();
    let is_value = |(_, known): &(_, Known)| matches!(known, Known::Value(_) | Known::Missing);
    known.iter().all(is_value).then(|| {
        test.holds(&|field| {
            known.iter().find_map(|(other, known)| match known {
                Known::Value(value) if *other == field => Some(value.clone()),
                _ => None,
            })
        })
    })
}

fn judge_matcher(matcher: &Matcher, known: &Known) -> Option<bool> {
    match (matcher, known) {
        (Matcher::Never, _) | (_, Known::Missing) => Some(false),
        (_, Known::Unknown) => None,
        (matcher, Known::Value(value)) => Some(matcher.matches(value)),
        (Matcher::Exists, _) => Some(true),
        (Matcher::Not(inner), known) => judge_matcher(inner, known).map(|holds| !holds),
        (Matcher::AllOf(all), known) => {
            all_hold(all.iter().map(|inner| judge_matcher(inner, known)))
        }
        (Matcher::AnyOf(all), known) => {
            some_holds(all.iter().map(|inner| judge_matcher(inner, known)))
        }
        (Matcher::Number(test), Known::Between(low, high)) => judge_number(test, *low, *high),
        (Matcher::Text(test), Known::ErrorName) => judge_error_name(test),
        _ => None,
    }
}

fn judge_error_name(test: &TextTest) -> Option<bool> {
    // An error that has no name is a negative number.
    let is_error = |text: &Vec<u8>| text.starts_with(b"E") || text.starts_with(b"-");
    match test {
        TextTest::Equals(text) => (!is_error(text)).then_some(false),
        TextTest::In(texts) => (!texts.iter().any(is_error)).then_some(false),
        TextTest::StartsWith(start) => match start.as_slice() {
            b"" => Some(true),
            start => (!matches!(start.first(), Some(b'E' | b'-'))).then_some(false),
        },
        _ => None,
    }
}

fn judge_number(test: &NumberTest, low: i128, high: i128) -> Option<bool> {
    match test {
        NumberTest::In(numbers) => match numbers.iter().any(|n| (low..=high).contains(n)) {
            false => Some(false),
            true if low == high => Some(true),
            true => None,
        },
        NumberTest::Between(least, most) => {
            if high < *least || low > *most {
                Some(false)
            } else {
                (low >= *least && high <= *most).then_some(true)
            }
        }
        // The others are monotonic: what holds at both ends holds between them.
        monotonic => (monotonic.holds(low) == monotonic.holds(high)).then(|| monotonic.holds(low)),
    }
}

/// What all events have in common.
pub(super) fn of_all(field: &FieldUse) -> Known {
    match field.name {
        // Events count from one: `evt.num = 0` is how rules say "never".
        "evt.num" => Known::Between(1, i128::from(u64::MAX)),
        _ => Known::Unknown,
    }
}

/// What every event of a type has in common.
pub(super) fn of_event(event: EventType) -> impl Fn(&FieldUse) -> Known {
    move |field| match (field.name, &field.argument) {
        ("evt.type", _) => Known::Value(Value::text(event.name().as_bytes())),
        ("syscall.type", _) if event == EventType::PROCEXIT => Known::Missing,
        ("syscall.type", _) => Known::Value(Value::text(event.name().as_bytes())),
        ("evt.type.is", FieldArgument::Key(name)) => {
            Known::Value(Value::Uint(u64::from(name == event.name())))
        }
        ("evt.dir", _) => Known::Value(Value::text(b"<")),
        ("evt.source", _) => Known::Value(Value::text(b"syscall")),
        ("evt.is_async", _) => Known::Value(Value::Bool(false)),
        ("evt.asynctype" | "evt.pluginname" | "evt.plugininfo", _) => Known::Missing,
        ("evt.res" | "evt.rawres" | "evt.failed", _) if event == EventType::PROCEXIT => {
            Known::Missing
        }
        _ => of_all(field),
    }
}

/// What every call of this type that failed has in common.
pub fn of_failure(event: EventType) -> impl Fn(&FieldUse) -> Known {
    let is_open = is_open(event);
    let has_result_parameter = event
        .definition()
        .and_then(|definition| definition.parameter("res"))
        .is_some_and(|parameter| matches!(parameter.source, Source::Result));
    move |field| match (field.name, &field.argument) {
        ("evt.failed", _) => Known::Value(Value::Bool(true)),
        ("evt.rawres", _) => Known::Between(i128::from(i64::MIN), -1),
        ("evt.res", _) => Known::ErrorName,
        ("evt.arg", FieldArgument::Key(name)) if name == "res" && has_result_parameter => {
            Known::ErrorName
        }
        ("evt.count.error", _) => Known::Value(Value::Uint(1)),
        ("fd.num", _) if is_open => Known::Between(-1, -1),
        (
            "evt.is_open_read" | "evt.is_open_write" | "evt.is_open_exec" | "evt.is_open_create",
            _,
        ) if is_open => Known::Value(Value::Bool(false)),
        // There is no file.
        (
            "fd.type" | "fd.filename" | "fd.resolved_name" | "fd.ino" | "fd.dev" | "fd.dev.major"
            | "fd.dev.minor" | "fd.is_upper_layer" | "fd.is_lower_layer",
            _,
        ) if is_open => Known::Missing,
        // Paths of calls that succeeded; what the kernel found is known of others too.
        (name, _) if name.starts_with("fs.path.") && !name.starts_with("fs.path.resolved_") => {
            Known::Missing
        }
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

/// What every call of this type that did not fail has in common.
pub fn of_success(field: &FieldUse) -> Known {
    match (field.name, &field.argument) {
        ("evt.failed", _) => Known::Value(Value::Bool(false)),
        ("evt.rawres", _) => Known::Between(0, i128::from(i64::MAX)),
        ("evt.res", _) => Known::Value(Value::text(b"SUCCESS")),
        ("evt.count.error", _) => Known::Value(Value::Uint(0)),
        _ => Known::Unknown,
    }
}

/// What an event's own parts tell before any field is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EventClass {
    /// Nothing.
    #[default]
    Unknown,
    /// A call that failed.
    Failed,
    /// A call that did not fail.
    Succeeded,
    /// An open that succeeded and cannot write.
    OpenedForReading,
    /// An open that succeeded and can write.
    OpenedForWriting,
}

impl EventClass {
    /// Every class.
    pub const ALL: [Self; 5] = [
        Self::Unknown,
        Self::Failed,
        Self::Succeeded,
        Self::OpenedForReading,
        Self::OpenedForWriting,
    ];

    /// Whether events of this type can be of the class.
    pub fn fits(self, event: EventType) -> bool {
        match self {
            Self::Unknown | Self::Failed => true,
            Self::Succeeded => !is_open(event),
            Self::OpenedForReading | Self::OpenedForWriting => is_open(event),
        }
    }

    /// What every event of the type and class has in common.
    pub fn knowledge(self, event: EventType) -> impl Fn(&FieldUse) -> Known {
        let (of_event, of_failure) = (of_event(event), of_failure(event));
        let (of_reading, of_writing) = (of_open(false), of_open(true));
        move |field| {
            let of_class = match self {
                Self::Unknown => Known::Unknown,
                Self::Failed => of_failure(field),
                Self::Succeeded => of_success(field),
                Self::OpenedForReading => of_reading(field),
                Self::OpenedForWriting => of_writing(field),
            };
            match of_class {
                Known::Unknown => of_event(field),
                known => known,
            }
        }
    }
}

/// Whether the event is of the open family.
pub fn is_open(event: EventType) -> bool {
    matches!(
        event,
        EventType::OPEN | EventType::OPENAT | EventType::OPENAT2 | EventType::CREAT
    )
}
