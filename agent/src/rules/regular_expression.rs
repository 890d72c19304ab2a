//! Patterns of the operator `regex`: those of RE2 in its POSIX mode, anchored at both ends.
//!
//! The engine is another one. Where the two read the same text differently it is rewritten, so that a
//! pattern means what it does in Falco. What Falco refuses (`\d`, `(?i)`) has its usual meaning here.

use regex::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

/// A pattern that needs more memory than this is refused.
pub(super) const LARGEST_BYTES: usize = 4 << 20;

/// Compiles a pattern that has to match the whole text; the error says what is wrong with it.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(&format!(r"\A(?:{})\z", translate(pattern)))
        // What a process writes is hostile: a newline must not hide the rest from `.*`.
        .dot_matches_new_line(true)
        .size_limit(LARGEST_BYTES)
        .build()
        .map_err(|error| {
            let reason = match &error {
                regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
                // The last line says what; those before show the rewritten pattern.
                other => {
                    let text = other.to_string();
                    let last = text.lines().last().unwrap_or_default();
                    last.trim_start_matches("error: ").to_owned()
                }
            };
            format!("'{pattern}' is no regular expression: {reason}")
        })
}

/// Several patterns as [`compile`] made them, to be matched in one pass; `None` if they are too large
/// together.
pub(super) fn set(compiled: &[String]) -> Option<RegexSet> {
    RegexSetBuilder::new(compiled)
        .dot_matches_new_line(true)
        .size_limit(LARGEST_BYTES)
        .build()
        .ok()
}

/// Whether the pattern says nothing that `=` could not say.
pub(super) fn is_plain(pattern: &str) -> bool {
    !pattern.contains([
        '\\', '.', '*', '+', '?', '(', ')', '[', ']', '{', '}', '|', '^', '$',
    ])
}

/// The pattern for the other engine.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    while let Some(character) = rest.chars().next() {
        let length = match character {
            '\\' => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            '[' => {
                let length = class_length(rest);
                translate_class(&rest[..length], &mut out);
                rest = &rest[length..];
                continue;
            }
            // A brace that counts nothing stands for itself.
            '{' if !is_count(rest) => {
                out.push('\\');
                1
            }
            other => other.len_utf8(),
        };
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    out
}

/// `{2}`, `{2,}`, `{2,3}`
fn is_count(text: &str) -> bool {
    let Some((inner, _)) = text[1..].split_once('}') else {
        return false;
    };
    let (least, most) = inner.split_once(',').unwrap_or((inner, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !least.is_empty() && is_number(least) && is_number(most)
}

/// Bytes of the bracket expression that the text starts with; all of it if it does not end.
fn class_length(text: &str) -> usize {
    let mut position = 1;
    if text[position..].starts_with('^') {
        position += 1;
    }
    // A closing bracket that comes first is one of the set.
    if text[position..].starts_with(']') {
        position += 1;
    }
    loop {
        let rest = &text[position..];
        match rest.chars().next() {
            None => return text.len(),
            Some(']') => return position + 1,
            Some('\\') => position += 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            Some('[') if rest.starts_with("[:") => {
                position += rest.find(":]").map_or(1, |end| end + 2);
            }
            Some(other) => position += other.len_utf8(),
        }
    }
}

/// The other engine nests brackets and computes with sets (`&&`, `--`, `~~`); RE2 does neither.
fn translate_class(class: &str, out: &mut String) {
    let mut position = 1;
    out.push('[');
    if class[position..].starts_with('^') {
        out.push('^');
        position += 1;
    }
    if class[position..].starts_with(']') && class.len() > position + 1 {
        out.push_str("\\]");
        position += 1;
    }
    while let Some(character) = class[position..].chars().next() {
        let rest = &class[position..];
        let length = match character {
            '\\' => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            '[' if rest.starts_with("[:") && rest.contains(":]") => {
                rest.find(":]").map_or(1, |end| end + 2)
            }
            '[' | '&' | '~' => {
                out.push('\\');
                1
            }
            other => other.len_utf8(),
        };
        out.push_str(&rest[..length]);
        position += length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_the_whole_text() {
        for (pattern, text, expected) in [
            ("b.sh", "bash", true),
            ("b.s", "bash", false),
            ("a|b", "b", true),
            ("a|b", "ab", false),
            ("a.*", "a\nb", true),
            ("[[:alpha:]]+", "ab", true),
            ("[[a]+", "a[", true),
            ("[a&&b]", "&", true),
            ("[]a]+", "a]", true),
            ("[^]]", "]", false),
            ("a{", "a{", true),
            ("a{2}", "aa", true),
            ("a{,2}", "a{,2}", true),
            ("a{2,}", "aaa", true),
            ("{x}", "{x}", true),
            (r"\{x\}", "{x}", true),
            (r"[\]]", "]", true),
            ("", "", true),
        ] {
            let regex = compile(pattern).unwrap();
            assert_eq!(regex.is_match(text), expected, "{pattern} {text:?}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_explained() {
        for pattern in ["(", ")", "*a", "[a", "a\\", "(a){1000000}"] {
            let error = compile(pattern).unwrap_err();
            assert!(error.contains("is no regular expression: "), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn plain_patterns() {
        assert!(is_plain("bash"));
        assert!(!is_plain("b.sh"));
        assert!(!is_plain(r"a\d"));
    }
}
