//! Which conditions ask about the result of a call.

use super::compiler::{Node, NodeId, SlottedTest};
use crate::fields::{FieldArgument, FieldUse};

/// Whether some test of a condition looks at the result of the call, or at what may show it.
pub(super) fn names_result(nodes: &[Node], tests: &[SlottedTest], node: NodeId) -> bool {
    match &nodes[node.index()] {
        Node::Constant(_) => false,
        Node::And(parts) | Node::Or(parts) => {
            parts.iter().any(|part| names_result(nodes, tests, *part))
        }
        Node::Not(inner) => names_result(nodes, tests, *inner),
        Node::Test(test) => {
            let mut slots = tests[*test as usize].slots.iter();
            slots.any(|(field, _)| tells_result(field))
        }
    }
}

fn tells_result(field: &FieldUse) -> bool {
    match field.name {
        "evt.res" | "evt.rawres" | "evt.failed" | "evt.args" | "evt.info" => true,
        "evt.arg" | "evt.rawarg" => {
            field.argument == FieldArgument::Key("res".to_owned())
                || field.argument == FieldArgument::Index(0)
        }
        name => name.starts_with("evt.count.error"),
    }
}
