//! The fields `static.NAME`: constants of the configuration.

use super::{Extractor, FieldArgument, Value};

/// How the field of this name is computed.
pub(super) fn extractor(name: &str) -> Option<Extractor> {
    (name == "static").then_some(|context, argument| match argument {
        FieldArgument::Key(key) => context
            .static_fields
            .get(key)
            .map(|text| Value::text(text.as_bytes())),
        FieldArgument::None | FieldArgument::Index(_) => None,
    })
}
