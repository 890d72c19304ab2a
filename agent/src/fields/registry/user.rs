//! Fields of the user and the group.

use super::definition::FieldType::{Int, Text, Uint};
use super::definition::{FieldDef, FieldType};

const fn field(
    class: &'static str,
    name: &'static str,
    field_type: FieldType,
    help: &'static str,
) -> FieldDef {
    FieldDef::new(class, name, field_type, help)
}

pub(super) const FIELDS: &[FieldDef] = &[
    field("user", "user.uid", Uint, "effective user id"),
    field("user", "user.name", Text, "name of that user"),
    field("user", "user.homedir", Text, "home directory of that user"),
    field("user", "user.shell", Text, "login shell of that user"),
    field(
        "user",
        "user.loginuid",
        Int,
        "user id that logged in; -1 for none",
    ),
    field(
        "user",
        "user.loginname",
        Text,
        "name of the user that logged in",
    ),
    field("group", "group.gid", Uint, "effective group id"),
    field("group", "group.name", Text, "name of that group"),
];
