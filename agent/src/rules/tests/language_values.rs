//! What conditions mean for the values of an event. Each row says which rule of the language it shows.

use super::*;
use crate::state::host_names;

fn texts(items: &[&'static str]) -> Value<'static> {
    Value::List(items.iter().map(|item| text(item)).collect())
}

fn ip(address: &str) -> Value<'static> {
    Value::Ip(address.parse().unwrap())
}

/// Checks each condition against an event with these values.
fn check(values: &[(&str, Value<'static>)], rows: &[(&str, &str, bool)]) {
    for (sentence, condition, expected) in rows {
        let program = program(&rule(condition));
        let found = matches(&program, event("openat"), values);
        assert_eq!(!found.is_empty(), *expected, "{sentence}: {condition}");
    }
}

#[test]
fn text_operators() {
    let values = [
        ("proc.name", text("b.sh")),
        ("proc.exe", text("/usr/bin/x y")),
        ("proc.cmdline", Value::text(b"run \xff\xfe now")),
        ("fd.name", text("//var/run//docker.sock/")),
        ("proc.cwd", text("")),
        ("fs.path.name", text("a[1]")),
    ];
    check(
        &values,
        &[
            (
                "a star of a glob matches slashes",
                "proc.exe glob /*y",
                true,
            ),
            (
                "a question mark matches a slash",
                "proc.exe glob ?usr*",
                true,
            ),
            (
                "a glob has to match it all",
                "proc.exe glob /usr/bin",
                false,
            ),
            (
                "a class of a glob",
                "proc.exe glob \"/[t-v]sr/bin/x[[:space:]]y\"",
                true,
            ),
            (
                "a class that is negated",
                "proc.exe glob \"/[!a-c]*\"",
                true,
            ),
            (
                "a backslash in a glob",
                "fs.path.name glob \"a\\\\[1]\"",
                true,
            ),
            (
                "a class where brackets were meant",
                "fs.path.name glob \"a[1]\"",
                false,
            ),
            ("case counts in a glob", "proc.exe glob /USR*", false),
            ("and not in iglob", "proc.exe iglob /USR*", true),
            (
                "nor in a class of iglob",
                "proc.exe iglob \"/[U]SR*\"",
                true,
            ),
            (
                "a regular expression has to match it all",
                "proc.name regex \"b.s\"",
                false,
            ),
            ("at its start too", "proc.name regex \"[.]sh\"", false),
            (
                "a backslash in a regular expression",
                "proc.name regex \"b\\\\.sh\"",
                true,
            ),
            (
                "each part of an alternative is anchored",
                "proc.name regex \"a|b.sh\"",
                true,
            ),
            (
                "bytes that are no text count as one character",
                "proc.cmdline regex \"run .. now\"",
                true,
            ),
            ("contains", "proc.name contains .s", true),
            ("contains nothing", "proc.name contains \"\"", true),
            ("case counts in contains", "proc.name contains SH", false),
            ("and not in icontains", "proc.name icontains SH", true),
            ("startswith", "proc.name startswith b.", true),
            (
                "startswith looks at the start only",
                "proc.name startswith sh",
                false,
            ),
            ("endswith", "proc.name endswith .sh", true),
            (
                "endswith of more than there is",
                "proc.name endswith xb.sh",
                false,
            ),
            ("an empty text is a value", "proc.cwd exists", true),
            ("and equals an empty text", "proc.cwd = \"\"", true),
            (
                "pmatch: the path itself, slashes do not count",
                "fd.name pmatch (/var/run/docker.sock)",
                true,
            ),
            ("pmatch: a path below", "fd.name pmatch (/var/)", true),
            (
                "pmatch: a part of a name is no path",
                "fd.name pmatch (/var/ru)",
                false,
            ),
            (
                "pmatch: more than there is",
                "fd.name pmatch (/var/run/docker.sock/x)",
                false,
            ),
            (
                "pmatch: a component may be a glob",
                "fd.name pmatch (/v*/[r]un/d?cker.sock)",
                true,
            ),
            (
                "pmatch: a glob stays in its component",
                "fd.name pmatch (/*.sock)",
                false,
            ),
            (
                "pmatch: a shorter path serves for longer ones",
                "fd.name pmatch (/var/run/x, /var)",
                true,
            ),
            ("pmatch: no path at all", "fd.name pmatch ()", false),
        ],
    );
}

#[test]
fn sets_modifiers_and_missing_values() {
    let values = [
        ("proc.name", text("ab")),
        ("fd.types", texts(&["file", "ipv4"])),
        ("fd.types[9]", Value::List(Vec::new())),
        ("fd.num", Value::Int(3)),
        ("fd.sip", ip("10.0.0.1")),
    ];
    check(
        &values,
        &[
            ("in looks for the whole text", "proc.name in (a, b)", false),
            ("case counts", "proc.name in (AB)", false),
            (
                "intersects with a scalar is in",
                "proc.name intersects (x, ab)",
                true,
            ),
            ("numbers in a list", "fd.num in (1, 3)", true),
            ("in nothing", "proc.name in ()", false),
            ("not in nothing", "not proc.name in ()", true),
            (
                "a list field is in a set with all its elements",
                "fd.types in (ipv4, file, x)",
                true,
            ),
            ("and not with some", "fd.types in (file, x)", false),
            (
                "it intersects with some",
                "fd.types intersects (file, x)",
                true,
            ),
            ("an empty list is in any set", "fd.types[9] in (x)", true),
            (
                "and intersects with none",
                "fd.types[9] intersects (x)",
                false,
            ),
            ("oneof: one", "proc.name startswith oneof (a, x)", true),
            (
                "oneof: not two",
                "proc.name startswith oneof (a, ab)",
                false,
            ),
            (
                "oneof: not none",
                "proc.name startswith oneof (x, y)",
                false,
            ),
            ("anyof: two", "proc.name startswith anyof (a, ab)", true),
            ("allof: both", "proc.name contains allof (a, b)", true),
            (
                "allof: not one of them",
                "proc.name contains allof (a, x)",
                false,
            ),
            ("= anyof is a set", "proc.name = anyof (x, ab)", true),
            ("!= allof is not in it", "proc.name != allof (x, y)", true),
            (
                "!= allof is not in it, which it is",
                "proc.name != allof (x, ab)",
                false,
            ),
            (
                "!= anyof: it differs from one",
                "proc.name != anyof (x, ab)",
                true,
            ),
            (
                "regex anyof: each is a pattern",
                "proc.name regex anyof (\"x.\", \"a.\")",
                true,
            ),
            ("glob anyof", "proc.name glob anyof (x*, ?b)", true),
            ("oneof of nothing", "proc.name = oneof ()", false),
            ("anyof of nothing", "proc.name = anyof ()", false),
            ("allof of nothing", "proc.name = allof ()", false),
            ("!= allof of nothing", "proc.name != allof ()", false),
            (
                "!= anyof with addresses",
                "fd.sip != anyof (10.0.0.1, 10.0.0.2)",
                true,
            ),
            ("a missing value equals nothing", "proc.exe = x", false),
            ("and differs from nothing", "proc.exe != x", false),
            ("nor is it in a set", "proc.exe in (x)", false),
            ("nor less than a number", "fd.ino < 1", false),
            ("nor does it exist", "proc.exe exists", false),
            ("but what is not so holds", "not proc.exe = x", true),
            ("also that it does not differ", "not proc.exe != x", true),
            (
                "a missing value on the right",
                "proc.name != val(proc.exe)",
                false,
            ),
            (
                "a transformer of a missing value",
                "len(proc.exe) = 0",
                false,
            ),
            (
                "and ends at what does not hold",
                "proc.name = x and proc.name = ab",
                false,
            ),
            (
                "or ends at what holds",
                "proc.name = ab or proc.name = x",
                true,
            ),
        ],
    );
}

#[test]
fn both_ends_and_all_ancestors() {
    let ports = |numbers: &[u64]| Value::List(numbers.iter().map(|n| Value::Uint(*n)).collect());
    let values = [
        ("fd.ip", Value::List(vec![ip("10.0.0.1"), ip("192.0.2.9")])),
        ("fd.net", Value::List(vec![ip("10.0.0.1"), ip("192.0.2.9")])),
        ("fd.port", ports(&[40_000, 443])),
        ("fd.proto", ports(&[40_000, 443])),
        ("fd.cip", ip("10.0.0.1")),
        ("proc.aname", texts(&["sshd", "systemd"])),
        ("proc.apid", Value::List(vec![Value::Int(7), Value::Int(1)])),
        ("proc.acmdline", texts(&["sshd -D", "init"])),
        ("proc.aname[2]", text("systemd")),
        ("proc.aargs", texts(&["-D", "-x"])),
    ];
    check(
        &values,
        &[
            ("an address of one end", "fd.ip = 10.0.0.1", true),
            ("of the other", "fd.ip = 192.0.2.9", true),
            ("of none", "fd.ip = 10.0.0.2", false),
            ("one of several", "fd.ip in (1.1.1.1, 192.0.2.9)", true),
            ("!= holds if both differ", "fd.ip != 10.0.0.2", true),
            ("and not if one does", "fd.ip != 10.0.0.1", false),
            ("another family is not equal", "fd.ip = ::1", false),
            ("and differs", "fd.ip != ::1", true),
            ("a network of either end", "fd.net = \"192.0.2.0/24\"", true),
            (
                "in looks at the first network only",
                "fd.net in (\"1.0.0.0/8\", \"10.0.0.0/8\")",
                false,
            ),
            (
                "which may match",
                "fd.net in (\"10.0.0.0/8\", \"1.0.0.0/8\")",
                true,
            ),
            ("!= with a network", "fd.net != \"10.0.0.0/8\"", false),
            (
                "!= with a network of neither",
                "fd.net != \"11.0.0.0/8\"",
                true,
            ),
            ("either port", "fd.port = 443", true),
            ("either port is less", "fd.port < 1000", true),
            ("either is at least so much", "fd.port >= 40000", true),
            ("neither is more", "fd.port > 50000", false),
            ("either is in a set", "fd.port in (80, 443)", true),
            ("!= of both", "fd.port != 443", false),
            ("!= of neither", "fd.port != 80", true),
            ("the port's other name", "fd.proto = 443", true),
            ("and its !=", "fd.proto != 443", false),
            ("some ancestor", "proc.aname = systemd", true),
            ("some ancestor is another", "proc.aname != sshd", true),
            ("no ancestor is", "not proc.aname = bash", true),
            (
                "some ancestor's command line",
                "proc.acmdline contains -D",
                true,
            ),
            ("some ancestor's number", "proc.apid < 2", true),
            ("one level", "proc.aname[2] != sshd", true),
            ("one level is not any", "proc.aname[2] = sshd", false),
            (
                "arguments of all are one text",
                "proc.aargs = \"-D -x\"",
                true,
            ),
            ("and not looked at one by one", "proc.aargs = -x", false),
            (
                "a name of no host that is known",
                "fd.cip.name = host.invalid",
                false,
            ),
            (
                "it has no value to differ from",
                "fd.cip.name != host.invalid",
                false,
            ),
            (
                "nor is it one of several",
                "not fd.cip.name in (a.invalid, b.invalid)",
                true,
            ),
            (
                "without an address nothing holds",
                "fd.sip.name != host.invalid",
                false,
            ),
        ],
    );
    // A socket that is only bound has one end.
    check(
        &[("fd.ip", ip("10.0.0.1")), ("fd.port", Value::Uint(80))],
        &[
            ("the bound address", "fd.ip = 10.0.0.1", true),
            ("!= the bound address", "fd.ip != 10.0.0.1", false),
            ("the bound port", "fd.port = 80", true),
        ],
    );
}

#[test]
fn an_address_is_compared_with_those_of_a_host() {
    host_names::set_known("db.language-values.test", &["192.0.2.77"]);
    host_names::set_known("web.language-values.test", &[]);
    check(
        &[("fd.sip", ip("192.0.2.77"))],
        &[
            ("=", "fd.sip.name = db.language-values.test", true),
            ("in any case", "fd.sip.name = DB.Language-Values.test", true),
            (
                "in",
                "fd.sip.name in (host.invalid, db.language-values.test)",
                true,
            ),
            ("!=", "fd.sip.name != db.language-values.test", false),
            (
                "!= another",
                "fd.sip.name != web.language-values.test",
                true,
            ),
            (
                "!= one that is not resolved",
                "fd.sip.name != host.invalid",
                false,
            ),
            (
                "of the address asked for",
                "fd.cip.name = db.language-values.test",
                false,
            ),
        ],
    );
    check(
        &[
            ("fd.sip", ip("192.0.2.77")),
            ("fd.sip.name", text("host.invalid")),
        ],
        &[
            ("the name comes first", "fd.sip.name = host.invalid", true),
            ("and its !=", "fd.sip.name != host.invalid", false),
            (
                "then the address",
                "fd.sip.name = db.language-values.test",
                true,
            ),
            (
                "and nothing that is not resolved",
                "fd.sip.name != other.invalid",
                true,
            ),
        ],
    );
}

#[test]
fn transformers() {
    let values = [
        ("proc.name", text("BaSh")),
        ("proc.exepath", text("/usr/bin/Env")),
        ("proc.cwd", text("/tmp/")),
        ("proc.args", text("aGVsbG8")),
        ("proc.pid", Value::Int(7)),
        ("evt.buffer", Value::text(b"ab\0c")),
        (
            "fd.types",
            texts(&["-x", "-abc", "-v", "one", "--long", "-b", "two", "-z"]),
        ),
    ];
    check(
        &values,
        &[
            ("lower case", "tolower(proc.name) = bash", true),
            ("upper case", "toupper(proc.name) = BASH", true),
            ("on the right", "proc.name != toupper(proc.name)", true),
            (
                "what is behind the last slash",
                "basename(proc.exepath) = Env",
                true,
            ),
            ("nothing behind it", "basename(proc.cwd) = \"\"", true),
            ("no slash", "basename(proc.name) = BaSh", true),
            (
                "one in another",
                "toupper(basename(proc.exepath)) = ENV",
                true,
            ),
            ("base64 without padding", "b64(proc.args) = hello", true),
            (
                "what is no base64 has no value",
                "b64(proc.cwd) exists",
                false,
            ),
            ("the length of a text", "len(proc.name) = 4", true),
            (
                "the length of a buffer has the NUL in it",
                "len(evt.buffer) = 4",
                true,
            ),
            ("the length of a list", "len(fd.types) = 8", true),
            (
                "texts one after another",
                "concat(proc.name, \"-\", basename(proc.exepath)) = BaSh-Env",
                true,
            ),
            (
                "elements of a list literal",
                "join(\"-\", (proc.name, \"x\", proc.pid)) = BaSh-x-7",
                true,
            ),
            (
                "a missing element is left out",
                "join(\"-\", (proc.name, proc.exe, 1)) = BaSh-1",
                true,
            ),
            (
                "elements of a transformed list",
                "join(\"\", toupper(fd.types)) startswith -X-ABC",
                true,
            ),
            (
                "the value behind a letter",
                "getopt(fd.types, \"xa:v\")[a] = bc",
                true,
            ),
            (
                "a letter without a value is its own",
                "getopt(fd.types, \"xa:v\")[v] = v",
                true,
            ),
            (
                "what follows another word is no option",
                "getopt(fd.types, \"xa:vb:\")[b] exists",
                false,
            ),
            (
                "an option that is not there",
                "getopt(fd.types, \"xa:vq\")[q] exists",
                false,
            ),
            (
                "unknown letters are question marks",
                "getopt(fd.types, \"a:v\") intersects (\"?\")",
                true,
            ),
            (
                "all options and values",
                "getopt(fd.types, \"xa:v\") in (x, a, bc, v)",
                true,
            ),
        ],
    );
}
