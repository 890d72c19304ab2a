//! `-o KEY=VALUE`: a value from the command line put into the tree of the file.

use std::sync::Arc;

use super::document::{Entry, Location, Node, Value, parse_option_value};
use super::error::Problem;

/// One step of a path such as `a.b[2][]`.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
    Append,
}

const KEY_SYNTAX: &str =
    "expected KEY=VALUE with a key such as json_output, webserver.listen_port or rules_files[0]";

/// Puts the value of a `-o` argument into the tree, over what the file says.
pub(super) fn apply(root: &mut Node, argument: &str) -> Result<(), Problem> {
    let argument: Arc<str> = argument.into();
    let location = Location::Option(Arc::clone(&argument));
    let syntax = || Problem::new(location.clone(), KEY_SYNTAX);
    let (key, text) = split(&argument).ok_or_else(syntax)?;
    let steps = parse_path(key).ok_or_else(syntax)?;
    let value = if text.starts_with(['{', '[']) {
        parse_option_value(&argument, text)?
    } else {
        Node {
            value: Value::Scalar(text.to_owned()),
            location: location.clone(),
        }
    };
    *descend(root, &steps, &location)? = value;
    Ok(())
}

/// At the first `=` that no backslash precedes.
fn split(argument: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    for (at, character) in argument.char_indices() {
        match character {
            '=' if !escaped => return Some((argument[..at].trim(), argument[at + 1..].trim())),
            _ => escaped = character == '\\' && !escaped,
        }
    }
    None
}

fn parse_path(text: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut characters = text.chars().peekable();
    loop {
        let mut key = String::new();
        while let Some(character) = characters.next_if(|c| !matches!(c, '.' | '[' | ']')) {
            key.push(if character == '\\' {
                characters.next()?
            } else {
                character
            });
        }
        if key.is_empty() {
            return None;
        }
        steps.push(Step::Key(key));
        while characters.next_if_eq(&'[').is_some() {
            let mut index = String::new();
            while let Some(digit) = characters.next_if(char::is_ascii_digit) {
                index.push(digit);
            }
            characters.next_if_eq(&']')?;
            steps.push(if index.is_empty() {
                Step::Append
            } else {
                Step::Index(index.parse().ok()?)
            });
        }
        match characters.next() {
            None => return Some(steps),
            Some('.') => {}
            Some(_) => return None,
        }
    }
}

/// The node at the end of the path; what is missing on the way is made.
fn descend<'n>(
    mut node: &'n mut Node,
    steps: &[Step],
    location: &Location,
) -> Result<&'n mut Node, Problem> {
    let empty = || Node {
        value: Value::Null,
        location: location.clone(),
    };
    for step in steps {
        node = match step {
            Step::Key(key) => {
                if !matches!(node.value, Value::Map(_)) {
                    node.value = Value::Map(Vec::new());
                }
                let Value::Map(entries) = &mut node.value else {
                    return Err(Problem::new(location.clone(), KEY_SYNTAX));
                };
                let at = entries.iter().position(|entry| entry.key == *key);
                let at = at.unwrap_or_else(|| {
                    entries.push(Entry {
                        key: key.clone(),
                        location: location.clone(),
                        value: empty(),
                    });
                    entries.len() - 1
                });
                &mut entries[at].value
            }
            Step::Index(_) | Step::Append => {
                if !matches!(node.value, Value::List(_)) {
                    node.value = Value::List(Vec::new());
                }
                let Value::List(items) = &mut node.value else {
                    return Err(Problem::new(location.clone(), KEY_SYNTAX));
                };
                let at = match step {
                    Step::Index(at) => *at,
                    _ => items.len(),
                };
                // Only the next element can be added, so that none in between is left out.
                if at > items.len() {
                    let message = format!(
                        "the list has {} element(s): the next one is [{}]",
                        items.len(),
                        items.len()
                    );
                    return Err(Problem::new(location.clone(), message));
                }
                if at == items.len() {
                    items.push(empty());
                }
                &mut items[at]
            }
        };
    }
    Ok(node)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_keys_and_indices() {
        let key = |text: &str| Step::Key(text.to_owned());
        for (text, expected) in [
            ("a", Some(vec![key("a")])),
            ("a.b.c", Some(vec![key("a"), key("b"), key("c")])),
            ("a[2]", Some(vec![key("a"), Step::Index(2)])),
            ("a[].b", Some(vec![key("a"), Step::Append, key("b")])),
            (r"a\.b.c\[", Some(vec![key("a.b"), key("c[")])),
            ("", None),
            ("a.", None),
            (".a", None),
            ("a[x]", None),
            ("a[1", None),
            ("a]", None),
            ("a[0]b", None),
            (r"a\", None),
            ("a[99999999999999999999999]", None),
        ] {
            assert_eq!(parse_path(text), expected, "{text}");
        }
    }

    #[test]
    fn the_value_is_what_follows_the_first_equals_sign() {
        assert_eq!(split("a = b=c"), Some(("a", "b=c")));
        assert_eq!(split(r"a\=b=c"), Some((r"a\=b", "c")));
        assert_eq!(split("a"), None);
    }
}
