//! `fd.sip.name = NAME`: an address against names of hosts.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::ast::{Comparison, Literal, Modifier, Operator};
use super::operand::{CompiledOperand, OperandError};
use super::test::{Check, Test};
use crate::fields::{FieldUse, Value, registry};
use crate::state::host_names::{self, HostNames, canonical};

/// Whether an address is one of these hosts', or of none of them.
#[derive(Clone, Debug)]
pub(super) struct HostTest {
    /// One of the hosts, or none.
    expected: bool,
    /// In the form in which they are compared.
    names: BTreeSet<Arc<str>>,
    /// The address whose name is asked for.
    address: CompiledOperand,
}

impl HostTest {
    /// `None` if it is no comparison of this kind: other operators look at the name of the address, as
    /// far as one is known.
    pub(super) fn compile(
        left: &CompiledOperand,
        comparison: &Comparison,
        literals: &[Literal],
    ) -> Result<Option<Test>, OperandError> {
        let address = left.as_field().and_then(|(field, _)| match field.name {
            "fd.cip.name" => Some("fd.cip"),
            "fd.sip.name" => Some("fd.sip"),
            "fd.lip.name" => Some("fd.lip"),
            "fd.rip.name" => Some("fd.rip"),
            _ => None,
        });
        let expected = match (comparison.operator, comparison.modifier) {
            (Operator::Equal | Operator::In, None) | (Operator::Equal, Some(Modifier::AnyOf)) => {
                true
            }
            (Operator::NotEqual, None | Some(Modifier::AllOf)) => false,
            _ => return Ok(None),
        };
        let (Some(address), false) = (address, literals.is_empty()) else {
            return Ok(None);
        };
        let (field, definition) = registry::parse_field(address)
            .map_err(|problem| OperandError::new(comparison.left.offset(), problem.to_string()))?;
        let names = literals.iter().map(|name| canonical(&name.text()).into());
        let test = Self {
            expected,
            names: names.collect(),
            address: CompiledOperand::Field { field, definition },
        };
        Ok(Some(Test {
            left: left.clone(),
            check: Check::Hosts(test),
        }))
    }

    /// The names, to be resolved.
    pub(super) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.names.iter()
    }

    pub(super) fn collect_fields<'t>(&'t self, fields: &mut Vec<&'t FieldUse>) {
        self.address.collect_fields(fields);
    }

    /// Whether it holds for the name of the address, if one is known, and the address.
    pub(super) fn holds<'v>(
        &self,
        name: Option<&Value<'v>>,
        value: &dyn Fn(&FieldUse) -> Option<Value<'v>>,
    ) -> bool {
        let name = match name {
            Some(Value::Bytes(name)) => Some(canonical(&String::from_utf8_lossy(name))),
            _ => None,
        };
        let address = match self.address.value(value) {
            Some(Value::Ip(address)) => Some(address),
            _ => None,
        };
        self.holds_for(name.as_deref(), address, &host_names::known())
    }

    /// The name decides if it is one of theirs, then their addresses. What is not known makes it false.
    fn holds_for(&self, name: Option<&str>, address: Option<IpAddr>, known: &HostNames) -> bool {
        let names = address.map_or(&[][..], |address| known.names_of(address));
        let is_one = name.is_some_and(|name| self.names.contains(name))
            || names.iter().any(|name| self.names.contains(name));
        if is_one || self.expected {
            return is_one == self.expected;
        }
        // It has another name, or the addresses of all hosts are others.
        let are_resolved = || self.names.iter().all(|name| known.is_resolved(name));
        name.is_some() || (address.is_some() && are_resolved())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{Expression, parse};

    #[test]
    fn the_name_decides_and_then_the_addresses() {
        let mut known = HostNames::default();
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        known.set(&"db".into(), &[address]);
        known.set(&"db.example".into(), &[address]);
        known.set(&"web".into(), &[]);
        for (condition, name, has_address, expected) in [
            ("= db", None, true, true),
            ("!= db", None, true, false),
            ("= DB.", None, true, true),
            ("= web", None, true, false),
            ("!= web", None, true, true),
            // Not resolved: nothing is known.
            ("= late", None, true, false),
            ("!= late", None, true, false),
            ("in (late, db)", None, true, true),
            ("in (late, web)", None, true, false),
            ("!= allof (late, web)", None, true, false),
            ("!= allof (web)", None, true, true),
            ("= db", None, false, false),
            ("!= web", None, false, false),
            // A name that is known, whatever the address.
            ("= late", Some("late"), false, true),
            ("= late", Some("other"), false, false),
            ("!= late", Some("other"), true, true),
            ("!= late", Some("late"), true, false),
            // The address has several names.
            ("= db.example", Some("db"), true, true),
            ("!= db.example", Some("db"), true, false),
            ("= web", Some("db"), true, false),
        ] {
            let Expression::Comparison(comparison) =
                parse(&format!("fd.sip.name {condition}")).unwrap()
            else {
                panic!("{condition}");
            };
            let Check::Hosts(test) = Test::compile(&comparison).unwrap().check else {
                panic!("{condition}");
            };
            let found = test.holds_for(name, has_address.then_some(address), &known);
            assert_eq!(found, expected, "{condition} {name:?}");
        }
    }
}
