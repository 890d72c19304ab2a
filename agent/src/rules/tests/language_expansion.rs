//! Lists, macros and exceptions: what conditions are made of. Each row says which rule of the language
//! it shows.

use super::language_loader::{check, check_errors, named};
use super::*;

#[test]
fn lists_and_macros() {
    let with = |items: &str, condition: &str| {
        format!("- list: l\n  items: [{items}]\n{}", rule(condition))
    };
    check(&[
        (
            "a name between parentheses",
            with("a, b", "proc.name in (l)"),
            &["proc.name in (a, b)"],
        ),
        (
            "a name among values",
            with("a, b", "proc.name in (x,l,y)"),
            &["proc.name in (x, a, b, y)"],
        ),
        (
            "a name behind an equals sign",
            with("a", "proc.name=l"),
            &["proc.name = a"],
        ),
        (
            "a part of a word is none",
            with("a", "proc.name in (l-x, xl, l.x)"),
            &["proc.name in (l-x, xl, l.x)"],
        ),
        (
            "a name in quotes, between blanks",
            with("a", "proc.cmdline = \"x l y\""),
            &["proc.cmdline = \"x a y\""],
        ),
        (
            "an item with a blank gets quotes",
            with("a b", "proc.name in (l)"),
            &["proc.name in (\"a b\")"],
        ),
        (
            "an item with quotes keeps its own",
            with("'\"a b\"', \"'c d'\"", "proc.name in (l)"),
            &["proc.name in (\"a b\", \"c d\")"],
        ),
        (
            "an item that needs quotes and has no blank brings them",
            with("'\"(sd-pam)\"'", "proc.name in (l)"),
            &["proc.name in (\"(sd-pam)\")"],
        ),
        (
            "an empty list takes a comma with it",
            with("", "proc.name in (a, l)"),
            &["proc.name in (a)"],
        ),
        (
            "on its right, too",
            with("", "proc.name in (l, a)"),
            &["proc.name in (a)"],
        ),
        (
            "an empty list alone",
            with("", "proc.name in (l)"),
            &["proc.name in ()"],
        ),
        (
            "a list may be defined after its use",
            rule("proc.name in (l)") + "- list: l\n  items: [a]\n",
            &["proc.name in (a)"],
        ),
        (
            "the last definition counts everywhere",
            with("a", "proc.name in (l)") + "- list: l\n  items: [b]\n",
            &["proc.name in (b)"],
        ),
        (
            "a list in a list that was defined before it",
            format!(
                "- list: k\n  items: [x]\n{}",
                with("k, y", "proc.name in (l)")
            ),
            &["proc.name in (x, y)"],
        ),
        (
            "a list in a list in a macro",
            format!(
                "- list: k\n  items: [x]\n- macro: m\n  condition: proc.name in (l)\n{}",
                with("k", "m")
            ),
            &["proc.name in (x)"],
        ),
        (
            "an unknown list is a text",
            rule("proc.name in (l)"),
            &["proc.name in (l)"],
        ),
        (
            "a rule sees macros behind it",
            rule("m") + "- macro: m\n  condition: fd.num = 1\n",
            &["fd.num = 1"],
        ),
        (
            "a macro is put in as a whole",
            format!(
                "- macro: m\n  condition: fd.num = 1 or fd.num = 2\n{}",
                rule("m and proc.pid = 1")
            ),
            &["((fd.num = 1 or fd.num = 2) and proc.pid = 1)"],
        ),
        (
            "a macro sees one that was first defined before it",
            format!(
                "- macro: a\n  condition: fd.num = 1\n- macro: b\n  condition: a\n- macro: a\n  condition: fd.num = 2\n{}",
                rule("b")
            ),
            &["fd.num = 2"],
        ),
    ]);
    check_errors(&[
        (
            "a macro that is not there",
            rule("m"),
            Code::Validate,
            "Undefined macro 'm' used in filter.",
        ),
        (
            "a macro does not see one behind it",
            format!(
                "- macro: a\n  condition: b\n- macro: b\n  condition: fd.num = 1\n{}",
                rule("a")
            ),
            Code::Validate,
            "Undefined macro 'b'",
        ),
        (
            "two that name each other",
            format!(
                "- macro: a\n  condition: fd.num = 1\n- macro: b\n  condition: a\n- macro: a\n  condition: b\n{}",
                rule("a")
            ),
            Code::Validate,
            "reference loop in macro",
        ),
    ]);
}

#[test]
fn exceptions() {
    let with = |exception: &str| {
        rule("fd.num = 1") + &format!("  exceptions:\n  - {{name: e, {exception}}}\n")
    };
    check(&[
        (
            "operators are = if none is given",
            with("fields: [proc.name, proc.exe], values: [[a, b]]"),
            &["(fd.num = 1 and not (proc.name = a and proc.exe = b))"],
        ),
        (
            "tuples are alternatives",
            with("fields: [proc.name], values: [[a], [b]]"),
            &["(fd.num = 1 and not (proc.name = a or proc.name = b))"],
        ),
        (
            "a list is a list",
            with("fields: [proc.name], comps: [in], values: [[[a, b c]]]"),
            &["(fd.num = 1 and not proc.name in (a, \"b c\"))"],
        ),
        (
            "one value of a list operator gets parentheses",
            with("fields: [fd.name], comps: [pmatch], values: [[/a]]"),
            &["(fd.num = 1 and not fd.name pmatch (/a))"],
        ),
        (
            "so it does behind a modifier",
            with("fields: [fd.name], comps: [contains anyof], values: [[a]]"),
            &["(fd.num = 1 and not fd.name contains anyof (a))"],
        ),
        (
            "unless it has some",
            with("fields: [proc.name], comps: [in], values: [['(a, b)']]"),
            &["(fd.num = 1 and not proc.name in (a, b))"],
        ),
        (
            "a value with a blank gets quotes",
            with("fields: [proc.name], comps: [startswith], values: [[a b]]"),
            &["(fd.num = 1 and not proc.name startswith \"a b\")"],
        ),
        (
            "also if it starts with a parenthesis",
            with("fields: [proc.name], values: [['(a b)']]"),
            &["(fd.num = 1 and not proc.name = \"(a b)\")"],
        ),
        (
            "one field is in a flat list",
            with("fields: proc.name, values: [a, b c]"),
            &["(fd.num = 1 and not proc.name in (a, \"b c\"))"],
        ),
        (
            "one field with another operator",
            with("fields: proc.name, comps: intersects, values: [a]"),
            &["(fd.num = 1 and not proc.name intersects (a))"],
        ),
        (
            "without values it says nothing",
            with("fields: proc.name"),
            &["fd.num = 1"],
        ),
        (
            "nor with no value",
            with("fields: proc.name, values: []"),
            &["fd.num = 1"],
        ),
        (
            "a transformer is a field",
            with("fields: tolower(proc.name), values: [a]"),
            &["(fd.num = 1 and not tolower(proc.name) in (a))"],
        ),
        (
            "a list's name among the values is replaced",
            "- list: l\n  items: [x, y]\n".to_owned() + &with("fields: proc.name, values: [l]"),
            &["(fd.num = 1 and not proc.name in (x, y))"],
        ),
        (
            "the condition is one part",
            rule("fd.num = 1 or fd.num = 2")
                + "  exceptions: [{name: e, fields: proc.name, values: [a]}, {name: f, fields: proc.exe, values: [b]}]\n",
            &["((fd.num = 1 or fd.num = 2) and not proc.name in (a) and not proc.exe in (b))"],
        ),
        (
            "fields of another source are not looked at",
            named("x", "a.b = 1")
                + "  source: other\n  exceptions: [{name: e, fields: no.such, values: [a]}]\n",
            &[],
        ),
    ]);
    check_errors(&[
        (
            "a nested list for one field",
            with("fields: proc.name, values: [[a]]"),
            Code::Validate,
            "single values",
        ),
        (
            "lengths differ",
            with("fields: [proc.name], comps: [=, in]"),
            Code::Validate,
            "1 operators",
        ),
        (
            "an operator that takes no list, for one field",
            with("fields: proc.name, comps: '='"),
            Code::Validate,
            "cannot be used with one field",
        ),
        (
            "a field that is none",
            with("fields: proc.nothing, values: [a]"),
            Code::Validate,
            "unknown field",
        ),
        (
            "no fields",
            with("values: [a]"),
            Code::Validate,
            "needs the key 'fields'",
        ),
    ]);
}
