//! The grammar of conditions. Each row says which rule of the language it shows.

use super::*;

/// What a text is parsed to, in canonical form, or the message of the error.
fn parsed(text: &str) -> Result<String, String> {
    parse(text)
        .map(|tree| tree.to_string())
        .map_err(|error| error.message)
}

#[test]
fn what_the_grammar_takes() {
    for (sentence, text, expected) in [
        (
            "and binds tighter than or",
            "a or b and c or d",
            "(a or (b and c) or d)",
        ),
        ("and before or, too", "a and b or c", "((a and b) or c)"),
        ("chains are one node", "a and b and c", "(a and b and c)"),
        ("a chain of or", "a or b or c", "(a or b or c)"),
        ("parentheses nest", "((a))", "a"),
        ("not twice is nothing", "not not a", "a"),
        ("not three times is one", "not not not a", "not a"),
        ("not with a parenthesis and no blank", "not(a)", "not a"),
        (
            "not with a blank and a parenthesis",
            "not (a and b)",
            "not (a and b)",
        ),
        (
            "not binds to the next test only",
            "not a or b",
            "(not a or b)",
        ),
        ("not not( ... )", "not not(a or b)", "(a or b)"),
        (
            "a word that starts with not is a macro",
            "nothing and notes",
            "(nothing and notes)",
        ),
        (
            "and with a parenthesis and no blank",
            "a and(b)",
            "(a and b)",
        ),
        ("or with a parenthesis and no blank", "(a)or(b)", "(a or b)"),
        (
            "a word that starts with or is a macro",
            "order or android",
            "(order or android)",
        ),
        (
            "every kind of blank",
            "a\tand\nb\r\nor\u{8}c",
            "((a and b) or c)",
        ),
        ("blanks around it all", " \n a \t", "a"),
        (
            "the symbol operators need no blank",
            "proc.name=a",
            "proc.name = a",
        ),
        ("nor does !=", "proc.name!=a", "proc.name != a"),
        (
            "two equals signs are one",
            "proc.name == a",
            "proc.name = a",
        ),
        ("<= is not <", "fd.num<=1", "fd.num <= 1"),
        (">= is not >", "fd.num>=1", "fd.num >= 1"),
        ("in needs no blank", "proc.name in(a)", "proc.name in (a)"),
        (
            "intersects is not in",
            "proc.name intersects(a)",
            "proc.name intersects (a)",
        ),
        (
            "pmatch needs no blank",
            "fd.name pmatch(/a)",
            "fd.name pmatch (/a)",
        ),
        (
            "exists needs no blank",
            "(fd.name exists)and(a)",
            "(fd.name exists and a)",
        ),
        (
            "a word operator takes any blank",
            "proc.name contains\n\ta",
            "proc.name contains a",
        ),
        (
            "a bare value may look like an operator",
            "proc.name = contains",
            "proc.name = contains",
        ),
        (
            "a bare value may look like a field",
            "proc.name = fd.name",
            "proc.name = fd.name",
        ),
        (
            "a bare value has nearly any character",
            "proc.name = /a-b:[c]*{d}%$",
            "proc.name = /a-b:[c]*{d}%$",
        ),
        (
            "a bare value of other languages",
            "proc.name = \u{e9}\u{a0}x",
            "proc.name = \u{e9}\u{a0}x",
        ),
        (
            "a bare value ends at a parenthesis",
            "(proc.name = a)",
            "proc.name = a",
        ),
        (
            "no dollar or percent sign is special",
            "proc.name = \"$x %y\"",
            "proc.name = \"$x %y\"",
        ),
        ("an empty text", "proc.name = \"\"", "proc.name = \"\""),
        ("an empty list", "proc.name in ()", "proc.name in ()"),
        (
            "blanks in a list",
            "proc.name in ( a ,b , \"c d\" )",
            "proc.name in (a, b, \"c d\")",
        ),
        (
            "an identifier in the place of a list",
            "proc.name in names",
            "proc.name in (names)",
        ),
        (
            "a list of numbers is of texts",
            "fd.num in (1, -2)",
            "fd.num in (1, -2)",
        ),
        (
            "a modifier with a list",
            "proc.name = oneof (a, b)",
            "proc.name = oneof (a, b)",
        ),
        (
            "a modifier with an identifier",
            "proc.name contains allof names",
            "proc.name contains allof (names)",
        ),
        (
            "a modifier with no list is a text",
            "proc.name = anyof",
            "proc.name = \"anyof\"",
        ),
        (
            "a modifier before and is a text",
            "proc.name = allof and a",
            "(proc.name = \"allof\" and a)",
        ),
        (
            "a modifier before or is a text",
            "proc.name = allof or a",
            "(proc.name = \"allof\" or a)",
        ),
        (
            "a modifier that goes on is a text",
            "proc.name = oneofus",
            "proc.name = oneofus",
        ),
        (
            "a field on the right",
            "proc.name = val(proc.pname)",
            "proc.name = val(proc.pname)",
        ),
        (
            "blanks in val",
            "proc.name = val( proc.pname )",
            "proc.name = val(proc.pname)",
        ),
        (
            "a list operator takes a field on the right",
            "proc.name in val(proc.pname)",
            "proc.name in val(proc.pname)",
        ),
        (
            "a number operator takes a field on the right",
            "proc.pid > val(proc.ppid)",
            "proc.pid > val(proc.ppid)",
        ),
        (
            "a transformer on the right",
            "fd.num < len(proc.name)",
            "fd.num < len(proc.name)",
        ),
        (
            "a transformer's name alone is a text",
            "proc.name = len",
            "proc.name = len",
        ),
        (
            "a transformer's name alone is a macro",
            "len and basename",
            "(len and basename)",
        ),
        (
            "transformers nest",
            "toupper(basename(proc.exepath)) = A",
            "toupper(basename(proc.exepath)) = A",
        ),
        (
            "an argument may be a list",
            "join( \"-\" , ( proc.name , 'x' , 7 , len(proc.exe) ) ) = a",
            "join(\"-\", (proc.name, \"x\", 7, len(proc.exe))) = a",
        ),
        (
            "an argument may be an empty list",
            "join(\"-\", ()) = a",
            "join(\"-\", ()) = a",
        ),
        (
            "an option in brackets",
            "getopt(proc.aargs, \"a:\")[a] = x",
            "getopt(proc.aargs, \"a:\")[a] = x",
        ),
        (
            "an argument in brackets",
            "proc.aname[2] = a",
            "proc.aname[2] = a",
        ),
        (
            "a quoted argument",
            "proc.env[\"a b\"] = x",
            "proc.env[\"a b\"] = x",
        ),
        (
            "a hexadecimal number is a number by the grammar",
            "fd.num > 0x1F",
            "fd.num > 0x1F",
        ),
        ("a sign", "fd.num > -1", "fd.num > -1"),
        ("a plus sign", "fd.num > +1", "fd.num > +1"),
        (
            "a fraction and an exponent",
            "fd.num > 1.5e+3",
            "fd.num > 1.5e+3",
        ),
    ] {
        assert_eq!(parsed(text).as_deref(), Ok(expected), "{sentence}: {text}");
        assert_eq!(parsed(expected).as_deref(), Ok(expected), "{sentence}");
    }
}

#[test]
fn what_the_grammar_refuses() {
    for (sentence, text, part) in [
        ("an empty condition", "", "empty"),
        ("nothing but blanks", " \n\t", "empty"),
        ("and with nothing behind", "a and", "after 'and'"),
        ("or with blanks behind", "a or  ", "expected a test"),
        (
            "and needs a blank or a parenthesis",
            "a and\"b\"",
            "'and', 'or'",
        ),
        ("text that is left over", "a b", "'and', 'or'"),
        ("a parenthesis that closes nothing", "a)", "'and', 'or'"),
        (
            "a parenthesis that does not close",
            "(a and (b)",
            "expected ')'",
        ),
        ("empty parentheses", "()", "expected a test"),
        ("keywords are lower case", "a AND b", "'and', 'or'"),
        ("so are operators", "proc.name IN (a)", "operator"),
        (
            "a word operator needs a blank",
            "proc.name contains\"a\"",
            "operator",
        ),
        ("a field needs a dot to be one", "proc = a", "'and', 'or'"),
        (
            "a comma at the end of a list",
            "proc.name in (a, )",
            "a value in the list",
        ),
        (
            "two values without a comma",
            "proc.name in (a b)",
            "',' or ')'",
        ),
        (
            "a field in a list is a text, a call is none",
            "proc.name in (len(proc.name))",
            "',' or ')'",
        ),
        (
            "a list where one value goes",
            "proc.name = (a)",
            "expected a value",
        ),
        ("a value where a list goes", "proc.name in \"a\"", "a list"),
        (
            "a number operator takes no text",
            "proc.name < abc",
            "a number",
        ),
        ("nor a quoted number", "fd.num > \"1\"", "a number"),
        (
            "an equals sign in a bare value",
            "proc.name = a=b",
            "'and', 'or'",
        ),
        (
            "val stands on the right only",
            "val(proc.name) = a",
            "'and', 'or'",
        ),
        (
            "val takes a field only",
            "proc.name = val(tolower(proc.name))",
            "a field",
        ),
        (
            "val takes one field",
            "proc.name = val(proc.name, proc.exe)",
            "')'",
        ),
        ("an argument that does not close", "proc.aname[2 = a", "']'"),
        ("an empty argument", "proc.aname[] = a", "an argument"),
        (
            "a transformer without an argument",
            "tolower() = a",
            "expected a field",
        ),
        (
            "a bare text as an argument",
            "concat(a, b) = c",
            "expected a field",
        ),
        (
            "a modifier with in",
            "proc.name in anyof (a)",
            "'and', 'or'",
        ),
        ("exists takes nothing", "proc.name exists a", "'and', 'or'"),
    ] {
        let message = parsed(text).expect_err(sentence);
        assert!(message.contains(part), "{sentence}: {text}: {message}");
    }
}

#[test]
fn quotes_and_escapes() {
    for (sentence, text, expected) in [
        ("double quotes", r#""a b""#, Ok("a b")),
        ("single quotes", "'a b'", Ok("a b")),
        ("the other quote is a character", r#""it's""#, Ok("it's")),
        ("and the other way round", r#"'say "x"'"#, Ok("say \"x\"")),
        (
            "the escapes of C",
            r#""\b\f\n\r\t\\\/""#,
            Ok("\u{8}\u{c}\n\r\t\\/"),
        ),
        ("a byte", r#""\x41\x7f""#, Ok("A\u{7f}")),
        ("the quote itself", r#""a\"b""#, Ok("a\"b")),
        ("the single quote itself", r"'a\'b'", Ok("a'b")),
        (
            "a backslash and a space are a backslash",
            r#""a\ b""#,
            Ok("a\\b"),
        ),
        (
            "a single quote escaped in double quotes",
            r#""a\'b""#,
            Err("no escape"),
        ),
        (
            "a double quote escaped in single quotes",
            r#"'a\"b'"#,
            Err("no escape"),
        ),
        ("any other escape", r#""\d""#, Err("no escape")),
        ("half a byte", r#""\x4""#, Err("two hexadecimal digits")),
        ("no byte at all", r#""\xzz""#, Err("two hexadecimal digits")),
        ("a NUL byte", r#""\x00""#, Err("NUL")),
        ("a quote that does not close", r#""abc"#, Err("no closing")),
    ] {
        let condition = format!("proc.name = {text}");
        match (parse(&condition), expected) {
            (Ok(Expression::Comparison(comparison)), Ok(expected)) => {
                let Right::Text(literal) = &comparison.right else {
                    panic!("{sentence}: {comparison:?}");
                };
                assert_eq!(literal.text(), expected, "{sentence}");
            }
            (Err(error), Err(part)) => assert!(error.message.contains(part), "{sentence}: {error}"),
            (other, _) => panic!("{sentence}: {other:?}"),
        }
    }
}

#[test]
fn every_operator_and_modifier_has_its_spelling() {
    let spellings: Vec<_> = Operator::ALL
        .iter()
        .map(|(spelling, _)| *spelling)
        .collect();
    assert_eq!(spellings.len(), 20);
    for spelling in spellings {
        let right = match spelling {
            "exists" => "",
            "in" | "intersects" | "pmatch" => "(x)",
            "<" | "<=" | ">" | ">=" => "1",
            _ => "x",
        };
        let condition = format!("proc.name {spelling} {right}");
        assert!(parse(condition.trim()).is_ok(), "{condition}");
        let modified = format!("proc.name {spelling} anyof (x)");
        let takes_modifier = right == "x";
        assert_eq!(parse(&modified).is_ok(), takes_modifier, "{modified}");
    }
    assert_eq!(Modifier::ALL.len(), 3);
}
