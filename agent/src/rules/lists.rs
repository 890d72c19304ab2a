//! Lists: put into conditions as text, before anything is parsed.

/// A list as defined.
#[derive(Clone, Debug)]
pub(super) struct List {
    pub(super) name: String,
    /// As written, quotes of YAML removed.
    pub(super) items: Vec<String>,
    /// Counts definitions and updates: later ones see earlier ones.
    pub(super) visible_from: usize,
    /// Where it was first defined, in that count.
    pub(super) defined_at: usize,
    pub(super) used: bool,
}

/// Replaces the names of lists in a condition by their items.
///
/// Every word that is a list's name is replaced, in quotes too: that is how Falco does it, and rules
/// rely on the order, each list being applied to what the former left.
pub(super) fn expand(condition: &str, lists: &mut [List]) -> String {
    let mut text = condition.to_owned();
    for index in 0..lists.len() {
        if !text.contains(&lists[index].name) {
            continue;
        }
        let joined = joined_items(index, lists);
        let list = &mut lists[index];
        let (replaced, used) = replace_word(&text, &list.name, &joined);
        text = replaced;
        list.used |= used;
    }
    text
}

/// A list's items as they go into a condition; an item that is the name of an earlier list stands for
/// that list's items.
fn joined_items(index: usize, lists: &mut [List]) -> String {
    let visible_from = lists[index].visible_from;
    let mut items: Vec<String> = Vec::new();
    for item in lists[index].items.clone() {
        let nested = lists
            .iter_mut()
            .find(|list| list.name == item && list.defined_at < visible_from);
        match nested {
            Some(list) => {
                list.used = true;
                items.extend(list.items.iter().map(|item| quoted(item)));
            }
            None => items.push(quoted(&item)),
        }
    }
    items.join(", ")
}

/// An item with a blank needs quotes, unless it brings its own.
pub(super) fn quoted(item: &str) -> String {
    if item.contains(' ') && !item.starts_with(['"', '\'']) {
        format!("\"{item}\"")
    } else {
        item.to_owned()
    }
}

fn replace_word(text: &str, word: &str, replacement: &str) -> (String, bool) {
    let is_delimiter = |byte: u8| b" \t\n\r(),=".contains(&byte);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut used = false;
    let mut before = b' ';
    while let Some(found) = (!word.is_empty()).then(|| rest.find(word)).flatten() {
        let bytes = rest.as_bytes();
        let preceding = if found == 0 { before } else { bytes[found - 1] };
        let end = found + word.len();
        let delimited = is_delimiter(preceding) && bytes.get(end).copied().is_none_or(is_delimiter);
        out.push_str(&rest[..found]);
        rest = &rest[end..];
        before = *word.as_bytes().last().unwrap_or(&b' ');
        if !delimited {
            out.push_str(word);
            continue;
        }
        used = true;
        if replacement.is_empty() {
            // An empty list takes a comma beside it with it.
            let after = rest.trim_start();
            if let Some(without) = after.strip_prefix(',') {
                rest = without;
            } else {
                let kept = out.trim_end();
                if let Some(without) = kept.strip_suffix(',') {
                    out.truncate(without.len());
                }
            }
        } else {
            out.push_str(replacement);
        }
    }
    out.push_str(rest);
    (out, used)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(name: &str, items: &[&str], at: usize) -> List {
        List {
            name: name.to_owned(),
            items: items.iter().map(|item| (*item).to_owned()).collect(),
            visible_from: at,
            defined_at: at,
            used: false,
        }
    }

    #[test]
    fn names_are_replaced_as_text() {
        let mut lists = [
            list("shells", &["sh", "bash"], 0),
            list("empty", &[], 1),
            list("all", &["shells", "a b"], 2),
            list("early", &["late"], 3),
            list("late", &["x"], 4),
        ];
        for (text, expected) in [
            ("proc.name in (shells)", "proc.name in (sh, bash)"),
            ("proc.name in (shells, x)", "proc.name in (sh, bash, x)"),
            ("proc.name = myshells", "proc.name = myshells"),
            ("proc.name in (empty)", "proc.name in ()"),
            ("proc.name in (a, empty)", "proc.name in (a)"),
            ("proc.name in (empty, a)", "proc.name in ( a)"),
            ("proc.name in (all)", "proc.name in (sh, bash, \"a b\")"),
            ("proc.name in (early)", "proc.name in (x)"),
            ("x = shells", "x = sh, bash"),
        ] {
            assert_eq!(expand(text, &mut lists), expected, "{text}");
        }
        assert!(lists.iter().all(|list| list.used));
    }
}
