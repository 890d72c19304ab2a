//! The value of a field, and where values come from.

use std::borrow::Cow;
use std::net::IpAddr;

/// A field's value. Its type is fixed by the field's definition; a missing value is `None` around
/// it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'e> {
    /// Text, a path, or a byte buffer: any bytes. Comparisons of text stop at the first NUL.
    Bytes(Cow<'e, [u8]>),
    /// A signed number.
    Int(i64),
    /// An unsigned number, a time in ns, a port.
    Uint(u64),
    /// A floating point number.
    Double(f64),
    /// Truth.
    Bool(bool),
    /// An address (also the value of the network-typed `fd.*net` fields: a host address that
    /// rules compare with networks).
    Ip(IpAddr),
    /// The elements of a list-valued field; also both ends for `fd.ip`, `fd.port`, `fd.net` and
    /// every ancestor, nearest first, for the unindexed `proc.aname` and its like, whose
    /// comparisons look at each.
    List(Vec<Value<'e>>),
}

impl<'e> Value<'e> {
    /// Text that lives as long as the event.
    pub fn text(bytes: &'e [u8]) -> Self {
        Self::Bytes(Cow::Borrowed(bytes))
    }

    /// The same, on its own.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Bytes(bytes) => Value::Bytes(Cow::Owned(bytes.into_owned())),
            Self::Int(number) => Value::Int(number),
            Self::Uint(number) => Value::Uint(number),
            Self::Double(number) => Value::Double(number),
            Self::Bool(truth) => Value::Bool(truth),
            Self::Ip(address) => Value::Ip(address),
            Self::List(values) => Value::List(values.into_iter().map(Value::into_owned).collect()),
        }
    }
}

/// The argument of a field: `proc.aname[2]`, `proc.env[HOME]`, `evt.arg.flags`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum FieldArgument {
    /// None was given.
    #[default]
    None,
    /// A number: a position, a level.
    Index(u64),
    /// A name or any other text.
    Key(String),
}

/// A field as a rule uses it: its name with its argument apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FieldUse {
    /// The name in the registry, such as `proc.aname` or `evt.arg`.
    pub name: &'static str,
    /// The argument.
    pub argument: FieldArgument,
}

/// Gives the values of one event's fields. The engine asks for a field at most once per event and
/// only when a rule comes to it; `slot` counts through the fields of the compiled rule set.
pub trait FieldSource {
    /// The value of the field in this slot, or `None` if the event has none.
    fn value(&self, slot: usize) -> Option<Value<'_>>;
}
