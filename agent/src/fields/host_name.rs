//! The fields `fd.*.name`: the host name of an address, if it is one that a rule compares with.

use std::borrow::Cow;

use super::{Context, Extractor, FieldArgument, Value};
use crate::state::host_names;

/// How the field of this name is computed.
pub(super) fn extractor(name: &str) -> Option<Extractor> {
    Some(match name {
        "fd.cip.name" => |context, _| name_in(context, "fd.cip"),
        "fd.sip.name" => |context, _| name_in(context, "fd.sip"),
        "fd.lip.name" => |context, _| name_in(context, "fd.lip"),
        "fd.rip.name" => |context, _| name_in(context, "fd.rip"),
        _ => return None,
    })
}

/// The name of the address in another field.
fn name_in<'c>(context: &Context<'c>, field: &str) -> Option<Value<'c>> {
    let address = super::extractor(field)?(context, &FieldArgument::None)?;
    let Value::Ip(address) = address else {
        return None;
    };
    let known = host_names::known();
    let name = known.names_of(address).first()?;
    Some(Value::Bytes(Cow::Owned(name.as_bytes().to_vec())))
}
