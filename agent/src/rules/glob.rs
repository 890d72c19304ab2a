//! fnmatch(3) with no flags: `*` and `?` match a slash too.

/// Whether the whole text matches the pattern. `*` any text, `?` any byte, `[...]` one of a set or a
/// range (`!` or `^` in front negates), backslash takes the next byte literally.
pub(crate) fn glob_matches(pattern: &[u8], text: &[u8]) -> bool {
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
            && let Some(length) = one(&pattern[at..], *byte)
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
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'\\', literal, ..] => (*literal == byte).then_some(2),
        // A backslash that escapes nothing matches nothing.
        [b'\\'] => None,
        [b'[', rest @ ..] => match set(rest, byte) {
            Some((matches, length)) => matches.then_some(length + 1),
            // No closing bracket: it stands for itself.
            None => (byte == b'[').then_some(1),
        },
        [literal, ..] => (*literal == byte).then_some(1),
    }
}

/// Whether the byte is in the set that `pattern` starts with, and the set's length with its bracket.
fn set(pattern: &[u8], byte: u8) -> Option<(bool, usize)> {
    let negated = matches!(pattern.first(), Some(b'!' | b'^'));
    let mut at = usize::from(negated);
    let first = at;
    let mut found = false;
    loop {
        let mut low = *pattern.get(at)?;
        if low == b']' && at > first {
            return Some((found != negated, at + 1));
        }
        if let Some((is_in_class, length)) = class(&pattern[at..], byte) {
            found |= is_in_class;
            at += length;
            continue;
        }
        if low == b'\\' {
            at += 1;
            low = *pattern.get(at)?;
        }
        at += 1;
        if pattern.get(at) == Some(&b'-') && pattern.get(at + 1).is_some_and(|next| *next != b']') {
            let high = pattern[at + 1];
            at += 2;
            found |= (low..=high).contains(&byte);
        } else {
            found |= low == byte;
        }
    }
}

/// Whether the byte is in the class that `pattern` starts with, such as `[:digit:]`, and the length
/// of its name.
fn class(pattern: &[u8], byte: u8) -> Option<(bool, usize)> {
    type IsIn = fn(&u8) -> bool;
    const CLASSES: [(&str, IsIn); 12] = [
        ("[:alnum:]", u8::is_ascii_alphanumeric),
        ("[:alpha:]", u8::is_ascii_alphabetic),
        ("[:blank:]", |byte| b" \t".contains(byte)),
        ("[:cntrl:]", u8::is_ascii_control),
        ("[:digit:]", u8::is_ascii_digit),
        ("[:graph:]", u8::is_ascii_graphic),
        ("[:lower:]", u8::is_ascii_lowercase),
        ("[:print:]", |byte| (b' '..=b'~').contains(byte)),
        ("[:punct:]", u8::is_ascii_punctuation),
        ("[:space:]", |byte| b" \t\n\x0b\x0c\r".contains(byte)),
        ("[:upper:]", u8::is_ascii_uppercase),
        ("[:xdigit:]", u8::is_ascii_hexdigit),
    ];
    let (name, is_in) = CLASSES
        .iter()
        .find(|(name, _)| pattern.starts_with(name.as_bytes()))?;
    Some((is_in(&byte), name.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("[[:nothing:]", ":", true),
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
    fn many_stars_take_no_exponential_time() {
        let pattern = "*a".repeat(200);
        let text = "b".repeat(20_000);
        assert!(!glob_matches(pattern.as_bytes(), text.as_bytes()));
    }
}
