//! Which fields a rule can name: the type of each, its argument, and what may be done with it.
//!
//! Names, types, arguments and flags are those of Falco's libsinsp (driver schema 4.5) and its
//! container plugin, so that a rule means the same here.

mod container;
mod definition;
mod descriptor;
mod event;
mod kubernetes;
mod parameters;
mod parse;
mod process;
mod thread;
mod user;

use std::sync::LazyLock;

pub use definition::{ArgumentRule, ArgumentSyntax, Comparison, FieldDef, FieldType, PrintFormat};
pub use parse::{FieldError, field_prefix, parse_field, parse_prefix};

static SORTED: LazyLock<Vec<FieldDef>> = LazyLock::new(|| {
    let mut fields = [
        event::FIELDS,
        process::FIELDS,
        thread::FIELDS,
        user::FIELDS,
        descriptor::FIELDS,
        container::FIELDS,
        kubernetes::FIELDS,
    ]
    .concat();
    fields.sort_by_key(|field| field.name);
    fields
});

/// Every field, sorted by name.
pub fn all() -> &'static [FieldDef] {
    &SORTED
}

/// The field of exactly this name, without an argument (`evt.arg`, `proc.aname`).
pub fn find(name: &str) -> Option<&'static FieldDef> {
    let fields = all();
    fields
        .binary_search_by_key(&name, |field| field.name)
        .ok()
        .and_then(|index| fields.get(index))
}

/// The field, event or parameter name closest to a misspelt one, if one is close.
pub(crate) fn closest<'n>(misspelt: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    // Nobody misspells so long a name; the bound keeps a hostile rule file cheap.
    const LONGEST: usize = 64;
    if misspelt.len() > LONGEST {
        return None;
    }
    let tolerated = (misspelt.len() / 3).clamp(1, 4);
    names
        .map(|name| (strsim::damerau_levenshtein(misspelt, name), name))
        .filter(|&(distance, _)| distance <= tolerated)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_sorted() {
        for pair in all().windows(2) {
            assert!(pair[0].name < pair[1].name, "{} twice", pair[1].name);
        }
    }

    #[test]
    fn every_field_can_be_found_and_has_help() {
        for field in all() {
            assert_eq!(find(field.name).map(|found| found.name), Some(field.name));
            assert!(!field.help.is_empty(), "{} has no help", field.name);
            assert!(!field.class.is_empty(), "{} has no class", field.name);
        }
        assert!(find("proc.nam").is_none());
    }

    #[test]
    fn argument_rule_and_syntax_agree() {
        for field in all() {
            assert_eq!(
                field.argument == ArgumentRule::None,
                field.syntax == ArgumentSyntax::None,
                "{}",
                field.name
            );
        }
    }

    #[test]
    fn special_comparisons() {
        for name in ["fd.ip", "fd.port", "fd.net", "fd.proto"] {
            assert_eq!(
                find(name).unwrap().comparison,
                Comparison::EitherEnd,
                "{name}"
            );
        }
        for name in [
            "proc.aname",
            "proc.aexe",
            "proc.aexepath",
            "proc.acmdline",
            "proc.apid",
            "proc.aenv",
        ] {
            assert_eq!(
                find(name).unwrap().comparison,
                Comparison::AnyAncestor,
                "{name}"
            );
        }
        let special = all()
            .iter()
            .filter(|field| field.comparison != Comparison::Normal)
            .count();
        assert_eq!(special, 10);
    }

    #[test]
    fn suggested_fields_are_those_of_the_default_output() {
        let suggested: Vec<_> = all()
            .iter()
            .filter(|field| field.suggested)
            .map(|field| field.name)
            .collect();
        assert_eq!(
            suggested,
            [
                "container.id",
                "container.image.repository",
                "container.image.tag",
                "container.name",
                "k8s.ns.name",
                "k8s.pod.name",
                "static",
            ]
        );
    }

    #[test]
    fn closest_wants_a_near_name() {
        let cases = [
            ("proc.nmae", Some("proc.name")),
            ("proc.cmdlin", Some("proc.cmdline")),
            ("fd.directoy", Some("fd.directory")),
            ("something.else.entirely", None),
        ];
        for (misspelt, expected) in cases {
            let names = all().iter().map(|field| field.name);
            assert_eq!(closest(misspelt, names), expected, "{misspelt}");
        }
    }
}
