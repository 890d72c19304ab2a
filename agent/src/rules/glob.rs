//! fnmatch(3) of the GNU C library in its C locale, with no flags or with `FNM_CASEFOLD`: `*` and `?`
//! match a slash too. Ill-formed brackets do what they do there.

/// Whether the whole text matches the pattern. `*` any text, `?` any byte, `[...]` one of a set or a
/// range (`!` or `^` in front negates), backslash takes the next byte literally.
pub(crate) fn glob_matches(pattern: &[u8], text: &[u8]) -> bool {
    matches(pattern, text, Case::Differs)
}

/// The same in any case. A class such as `[:upper:]` still means what it says.
pub(super) fn glob_matches_in_any_case(pattern: &[u8], text: &[u8]) -> bool {
    matches(pattern, text, Case::Folded)
}

#[derive(Clone, Copy)]
enum Case {
    Differs,
    Folded,
}

impl Case {
    fn of(self, byte: u8) -> u8 {
        match self {
            Self::Differs => byte,
            Self::Folded => byte.to_ascii_lowercase(),
        }
    }
}

fn matches(pattern: &[u8], text: &[u8], case: Case) -> bool {
    let (mut at, mut position) = (0, 0);
    // Where the last star was, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    while position < text.len() || at < pattern.len() {
        if pattern.get(at) == Some(&b'*') {
            star = Some((at, position));
            at += 1;
            continue;
        }
        if let Some(byte) = text.get(position)
            && let Some(length) = one(&pattern[at..], *byte, case)
        {
            at += length;
            position += 1;
            continue;
        }
        match star {
            Some((after, taken)) if taken < text.len() => {
                star = Some((after, taken + 1));
                at = after + 1;
                position = taken + 1;
            }
            _ => return false,
        }
    }
    true
}

/// How many bytes of the pattern match this byte; `None` if it does not match.
fn one(pattern: &[u8], byte: u8, case: Case) -> Option<usize> {
    let is = |literal: u8| case.of(literal) == case.of(byte);
    match pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'\\', literal, ..] => is(*literal).then_some(2),
        // A backslash that escapes nothing matches nothing.
        [b'\\'] => None,
        [b'[', rest @ ..] => match set(rest, byte, case) {
            Set::Matches(length) => Some(length + 1),
            Set::Fails => None,
            Set::Open => (byte == b'[').then_some(1),
        },
        [literal, ..] => is(*literal).then_some(1),
    }
}

/// What a set says of a byte.
enum Set {
    /// The byte matches; so many bytes of the pattern are the set with its bracket.
    Matches(usize),
    /// It does not, or the set is ill-formed.
    Fails,
    /// The closing bracket is missing, so the opening one stands for itself.
    Open,
}

/// The set that follows an opening bracket.
fn set(pattern: &[u8], byte: u8, case: Case) -> Set {
    let negated = matches!(pattern.first(), Some(b'!' | b'^'));
    let first = usize::from(negated);
    let mut at = first;
    loop {
        match pattern.get(at) {
            None => return Set::Open,
            Some(b']') if at > first && negated => return Set::Matches(at + 1),
            Some(b']') if at > first => return Set::Fails,
            Some(_) => {}
        }
        match element(&pattern[at..], byte, case) {
            Element::Other(length) => at += length,
            Element::IllFormed => return Set::Fails,
            Element::Same(length) => {
                return match end_of_set(pattern, at + length) {
                    Set::Matches(_) if negated => Set::Fails,
                    end => end,
                };
            }
        }
    }
}

/// What a member of a set says of a byte, and how long it is.
enum Element {
    Same(usize),
    Other(usize),
    IllFormed,
}

impl Element {
    fn new(is_same: bool, length: usize) -> Self {
        if is_same {
            Self::Same(length)
        } else {
            Self::Other(length)
        }
    }
}

/// The member that a not empty `pattern` starts with.
fn element(pattern: &[u8], byte: u8, case: Case) -> Element {
    let plain =
        |literal: u8, length| range_or_single(pattern, case.of(literal), length, byte, case);
    match pattern {
        [b'\\'] => Element::IllFormed,
        [b'\\', literal, ..] => plain(*literal, 2),
        [b'[', b':', name @ ..] => match class_name(name) {
            None => plain(b'[', 1),
            Some(name) => match class(name) {
                Some(is_in) => Element::new(is_in(&byte), name.len() + 4),
                None => Element::IllFormed,
            },
        },
        [b'[', b'=', same, b'=', b']', ..] => Element::new(*same == byte, 5),
        [b'[', b'.', ..] => match symbol(pattern) {
            None => Element::IllFormed,
            // With a range behind it the closing bracket may follow the hyphen.
            Some((symbol, length)) => match &pattern[length..] {
                [b'-', b']', ..] => Element::Other(length),
                [b'-', _, ..] => range(pattern, symbol, length, byte, case),
                _ => Element::new(symbol == byte, length),
            },
        },
        [literal, ..] => plain(*literal, 1),
        [] => Element::IllFormed,
    }
}

/// A byte, or a range that starts with it; so much of the pattern is read.
fn range_or_single(pattern: &[u8], low: u8, length: usize, byte: u8, case: Case) -> Element {
    match &pattern[length..] {
        [b'-', next, ..] if *next != b']' => range(pattern, low, length, byte, case),
        // A range that the pattern's end cuts off.
        [b'-'] if low != case.of(byte) => Element::IllFormed,
        _ => Element::new(low == case.of(byte), length),
    }
}

/// The range from `low` on, whose hyphen is at `hyphen`.
fn range(pattern: &[u8], low: u8, hyphen: usize, byte: u8, case: Case) -> Element {
    let end = &pattern[hyphen + 1..];
    let (high, length) = match end {
        [b'[', b'.', ..] => match symbol(end) {
            Some(symbol) => symbol,
            None => return Element::IllFormed,
        },
        [b'\\', literal, ..] => (case.of(*literal), 2),
        [] | [b'\\'] => return Element::IllFormed,
        [literal, ..] => (case.of(*literal), 1),
    };
    let is_in = (low..=high).contains(&case.of(byte));
    Element::new(is_in, hyphen + 1 + length)
}

/// The byte of a collating symbol such as `[.a.]`, and its length: the C locale knows no longer names.
fn symbol(pattern: &[u8]) -> Option<(u8, usize)> {
    let name = pattern.get(2..)?;
    let end = name.windows(2).position(|pair| pair == b".]")?;
    match &name[..end] {
        [only] => Some((*only, end + 4)),
        _ => None,
    }
}

/// Where the set ends after a member that decided: what follows it need not be well-formed.
fn end_of_set(pattern: &[u8], mut at: usize) -> Set {
    loop {
        at += match &pattern[at..] {
            [] => return Set::Open,
            [b']', ..] => return Set::Matches(at + 1),
            [b'\\'] => return Set::Fails,
            [b'\\', ..] => 2,
            [b'[', b':', name @ ..] => class_name(name).map_or(1, |name| name.len() + 4),
            [b'[', b'=', _, b'=', b']', ..] => 5,
            [b'[', b'=', ..] => return Set::Fails,
            [b'[', b'.', name @ ..] => match name.windows(2).position(|pair| pair == b".]") {
                Some(end) => end + 4,
                None => return Set::Fails,
            },
            _ => 1,
        };
    }
}

/// The name before `:]`; `None` for what cannot be one.
fn class_name(pattern: &[u8]) -> Option<&[u8]> {
    // No class has a z in its name.
    let is_letter = |byte: &u8| (b'a'..=b'y').contains(byte);
    let length = pattern.iter().take_while(|byte| is_letter(byte)).count();
    let (name, rest) = pattern.split_at(length);
    rest.starts_with(b":]").then_some(name)
}

/// What a class such as `alpha` has in it.
fn class(name: &[u8]) -> Option<fn(&u8) -> bool> {
    Some(match name {
        b"alnum" => u8::is_ascii_alphanumeric,
        b"alpha" => u8::is_ascii_alphabetic,
        b"blank" => |byte| b" \t".contains(byte),
        b"cntrl" => u8::is_ascii_control,
        b"digit" => u8::is_ascii_digit,
        b"graph" => u8::is_ascii_graphic,
        b"lower" => u8::is_ascii_lowercase,
        b"print" => |byte| (b' '..=b'~').contains(byte),
        b"punct" => u8::is_ascii_punctuation,
        b"space" => |byte| b" \t\n\x0b\x0c\r".contains(byte),
        b"upper" => u8::is_ascii_uppercase,
        b"xdigit" => u8::is_ascii_hexdigit,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rules::naive::{FNM_CASEFOLD, fnmatch};

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("/etc/*", "/etc/a/b", true),
            ("*shadow", "/etc/shadow", true),
            ("*a*b*c", "xxaxxbxxc", true),
            ("*a*b*c", "xxaxxbxx", false),
            ("a?c", "a/c", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]]x", "]x", true),
            ("[a", "[a", true),
            ("[[:digit:]x]", "7", true),
            ("[[:digit:]x]", "x", true),
            ("[![:digit:]]", "7", false),
            ("[[:space:]-]", "-", true),
            ("[[:nothing:]", ":", false),
            ("[a-\\z]", "q", true),
            ("[[.a.]]", "a", true),
            ("[[=a=]]", "a", true),
            ("[[.a.]-c]", "b", true),
            ("[a-[.c.]]", "b", true),
            ("a\\", "a\\", false),
            ("\\*", "*", true),
            ("\\*", "a", false),
        ] {
            assert_eq!(
                glob_matches(pattern.as_bytes(), text.as_bytes()),
                expected,
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn classes_know_the_case_where_nothing_else_does() {
        for (pattern, text, expected) in [
            ("[[:upper:]]*", "Bash", true),
            ("[[:lower:]]*", "Bash", false),
            ("[A-C]ASH", "bash", true),
            ("[a-c]*", "Bash", true),
            ("\\BASH", "bash", true),
            ("[[=B=]]ash", "bash", false),
        ] {
            let found = glob_matches_in_any_case(pattern.as_bytes(), text.as_bytes());
            assert_eq!(found, expected, "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn the_c_library_says_the_same(
            pattern in "([abcABz\\[\\]!^\\-\\\\:.=*?]|\\[:|:\\]|\\[\\.|\\.\\]|\\[=|=\\]|alpha|upper|x\\[:lower:\\]|\\[a-){0,10}",
            text in "[abcABz\\[\\]!^\\-\\\\:.=\u{e9}]{0,5}",
        ) {
            let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(glob_matches(pattern, text), fnmatch(pattern, text, 0));
            prop_assert_eq!(
                glob_matches_in_any_case(pattern, text),
                fnmatch(pattern, text, FNM_CASEFOLD)
            );
        }
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern = "*a".repeat(200);
        let text = "b".repeat(20_000);
        assert!(!glob_matches(pattern.as_bytes(), text.as_bytes()));
    }
}
