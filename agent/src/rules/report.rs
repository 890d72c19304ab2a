//! What was wrong with rule files: the codes are Falco's, the messages say what to do.

use std::fmt;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::escape::{OneLine, is_unprintable};

/// The kind of an error or a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each is named after its code, and `description` explains it"
)]
pub enum Code {
    FileRead,
    YamlParse,
    YamlValidate,
    CompileCondition,
    CompileOutput,
    Validate,
    UnknownSource,
    NoEventType,
    UnknownFilter,
    UnusedMacro,
    UnusedList,
    UnknownItem,
    UnknownKey,
    DeprecatedItem,
    AppendNoValues,
    ExceptionNameNotUnique,
    InvalidMacroName,
    InvalidListName,
    ConditionHint,
}

impl Code {
    /// The code as Falco prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::FileRead => "LOAD_ERR_FILE_READ",
            Self::YamlParse => "LOAD_ERR_YAML_PARSE",
            Self::YamlValidate => "LOAD_ERR_YAML_VALIDATE",
            Self::CompileCondition => "LOAD_ERR_COMPILE_CONDITION",
            Self::CompileOutput => "LOAD_ERR_COMPILE_OUTPUT",
            Self::Validate => "LOAD_ERR_VALIDATE",
            Self::UnknownSource => "LOAD_UNKNOWN_SOURCE",
            Self::NoEventType => "LOAD_NO_EVTTYPE",
            Self::UnknownFilter => "LOAD_UNKNOWN_FILTER",
            Self::UnusedMacro => "LOAD_UNUSED_MACRO",
            Self::UnusedList => "LOAD_UNUSED_LIST",
            Self::UnknownItem => "LOAD_UNKNOWN_ITEM",
            Self::UnknownKey => "LOAD_UNKNOWN_KEY",
            Self::DeprecatedItem => "LOAD_DEPRECATED_ITEM",
            Self::AppendNoValues => "LOAD_APPEND_NO_VALUES",
            Self::ExceptionNameNotUnique => "LOAD_EXCEPTION_NAME_NOT_UNIQUE",
            Self::InvalidMacroName => "LOAD_INVALID_MACRO_NAME",
            Self::InvalidListName => "LOAD_INVALID_LIST_NAME",
            Self::ConditionHint => "LOAD_COMPILE_CONDITION",
        }
    }

    /// The code in words.
    pub fn description(self) -> &'static str {
        match self {
            Self::FileRead => "the file cannot be read",
            Self::YamlParse => "not YAML",
            Self::YamlValidate => "not the structure of a rule file",
            Self::CompileCondition => "the condition does not compile",
            Self::CompileOutput => "the output does not compile",
            Self::Validate => "not valid together with the rest",
            Self::UnknownSource => "unknown event source",
            Self::NoEventType => "the rule looks at nearly every type of event",
            Self::UnknownFilter => "unknown field or event type",
            Self::UnusedMacro => "unused macro",
            Self::UnusedList => "unused list",
            Self::UnknownItem => "unknown item",
            Self::UnknownKey => "unknown key",
            Self::DeprecatedItem => "deprecated",
            Self::AppendNoValues => "an appended exception without values",
            Self::ExceptionNameNotUnique => "two exceptions of one name",
            Self::InvalidMacroName => "a macro's name that cannot be used",
            Self::InvalidListName => "a list's name that cannot be used",
            Self::ConditionHint => "the condition may not mean what it seems to",
        }
    }

    /// Whether the file does not load because of it.
    pub fn is_error(self) -> bool {
        matches!(
            self,
            Self::FileRead
                | Self::YamlParse
                | Self::YamlValidate
                | Self::CompileCondition
                | Self::CompileOutput
                | Self::Validate
        )
    }
}

/// A place in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

/// A place in one of the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The file's name.
    pub file: Arc<str>,
    /// Where in it.
    pub position: Position,
}

/// Something that has a name in a rule file, and what it is in: `rule 'x'`, `exception 'y'`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// `rule`, `macro`, `list`, `exception`, ...
    pub kind: &'static str,
    /// Its name; empty if it has none.
    pub name: String,
    /// Where it is defined.
    pub place: Place,
}

/// One error or warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind.
    pub code: Code,
    /// What is wrong and what was expected.
    pub message: String,
    /// Where.
    pub place: Place,
    /// What it is in, outermost first.
    pub items: Vec<Item>,
    /// The line that it is in.
    pub excerpt: Option<Excerpt>,
    /// For each of `items`: bytes from the start of its file.
    item_offsets: Vec<usize>,
}

impl Finding {
    /// Of an item, or of no item.
    pub(super) fn new(
        code: Code,
        place: Place,
        item: Option<Item>,
        message: impl Into<String>,
    ) -> Box<Self> {
        Box::new(Self {
            code,
            message: message.into(),
            place,
            items: item.into_iter().collect(),
            excerpt: None,
            item_offsets: Vec::new(),
        })
    }

    /// Says that it is within another item too, inside of those known.
    pub(super) fn within(mut self: Box<Self>, item: Item) -> Box<Self> {
        self.items.push(item);
        self
    }

    /// Takes the excerpt from the file, and finds the offsets; `text_of` gives a file's text.
    pub(super) fn read_files<'t>(&mut self, text_of: &dyn Fn(&str) -> Option<&'t str>) {
        let excerpt = |place: &Place| Excerpt::of(text_of(&place.file)?, place.position);
        self.excerpt = excerpt(&self.place);
        let offset = |item: &Item| excerpt(&item.place).map_or(0, |excerpt| excerpt.offset);
        self.item_offsets = self.items.iter().map(offset).collect();
    }
}

/// A line of a file, or the part of it around a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// The text, control characters replaced.
    pub text: String,
    /// The column in `text` that the finding points at, in characters from 1.
    pub column: usize,
    /// Bytes from the start of the file.
    pub offset: usize,
}

impl Excerpt {
    pub(crate) fn of(text: &str, position: Position) -> Option<Self> {
        const AROUND: usize = 60;
        let start = text
            .split_inclusive('\n')
            .take(position.line.checked_sub(1)?)
            .map(str::len)
            .sum::<usize>();
        let line = text.get(start..)?.lines().next().unwrap_or_default();
        let column = position.column.saturating_sub(1);
        let skipped = column.saturating_sub(AROUND);
        let clean = |c: char| if is_unprintable(c) { ' ' } else { c };
        let before: usize = line.chars().take(column).map(char::len_utf8).sum();
        Some(Self {
            text: line
                .chars()
                .skip(skipped)
                .take(2 * AROUND)
                .map(clean)
                .collect(),
            column: column - skipped + 1,
            offset: start + before,
        })
    }

    /// The line, and below it a caret.
    pub(crate) fn lines(&self, indent: &str) -> String {
        let Self { text, column, .. } = self;
        format!("{indent}{text}\n{indent}{:>column$}", '^')
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.place.position;
        write!(
            formatter,
            "{}:{line}:{column}: {} ({})",
            OneLine(&self.place.file),
            self.code.name(),
            self.code.description()
        )?;
        for (index, item) in self.items.iter().enumerate() {
            let joint = if index == 0 { " in" } else { "," };
            write!(formatter, "{joint} {}", item.kind)?;
            if !item.name.is_empty() {
                write!(formatter, " '{}'", OneLine(&item.name))?;
            }
        }
        write!(formatter, ": {}", OneLine(&self.message))?;
        match &self.excerpt {
            Some(excerpt) => write!(formatter, "\n{}", excerpt.lines("    ")),
            None => Ok(()),
        }
    }
}

/// What loading gave.
#[derive(Debug, Default)]
pub struct LoadReport {
    /// The rules; empty after an error.
    pub rules: super::RuleSet,
    /// Files, in order.
    pub files: Vec<String>,
    /// Errors and warnings, in the order in which they were found.
    pub findings: Vec<Finding>,
    /// Where the files do not keep to the schema of rule files, by file: they load all the same.
    pub schema_warnings: Vec<(String, String)>,
}

impl LoadReport {
    /// Notes a file that cannot be read: none of the rules load.
    pub fn add_unreadable(&mut self, file: &str, why: &str) {
        let place = Place {
            file: Arc::from(file),
            position: Position { line: 1, column: 1 },
        };
        let message = format!("cannot read the file: {why}");
        self.rules = super::RuleSet::default();
        self.files.push(file.to_owned());
        self.findings
            .push(*Finding::new(Code::FileRead, place, None, message));
    }

    /// Those that keep the rules from loading.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(|finding| finding.code.is_error())
    }

    /// The others.
    pub fn warnings(&self) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(|finding| !finding.code.is_error())
    }

    /// An entry for each file, as `falco -V` prints it under `falco_load_results`.
    pub fn to_json(&self) -> Json {
        let is_unread = |error: &Json| error["code"] == Code::FileRead.name();
        let of_file = |file: &String| {
            let mine = |finding: &&Finding| *finding.place.file == **file;
            let errors: Vec<_> = self.errors().filter(mine).map(entry).collect();
            let warnings: Vec<_> = self.warnings().filter(mine).map(entry).collect();
            let of_schema = self.schema_warnings.iter().filter(|(name, _)| name == file);
            let of_schema: Vec<&str> = of_schema.map(|(_, warning)| warning.as_str()).collect();
            json!({
                "name": file,
                "successful": errors.is_empty(),
                "schema_valid": of_schema.is_empty() && !errors.iter().any(is_unread),
                "schema_warnings": of_schema,
                "errors": errors,
                "warnings": warnings,
            })
        };
        self.files.iter().map(of_file).collect()
    }
}

/// A finding as Falco shows it in JSON, with its position beside the code besides.
fn entry(finding: &Finding) -> Json {
    let location = |kind: &str, name: &str, place: &Place, offset: usize| {
        json!({
            "item_type": kind,
            "item_name": name,
            "position": {
                "name": &*place.file,
                "line": place.position.line,
                "column": place.position.column,
                "offset": offset,
            },
        })
    };
    let offset = finding.excerpt.as_ref().map_or(0, |excerpt| excerpt.offset);
    let mut locations: Vec<Json> = finding
        .items
        .iter()
        .zip(&finding.item_offsets)
        .map(|(item, offset)| location(item.kind, &item.name, &item.place, *offset))
        .collect();
    locations.push(location("rules content", "", &finding.place, offset));
    let snippet = finding
        .excerpt
        .as_ref()
        .map_or_else(String::new, |excerpt| excerpt.lines("") + "\n");
    json!({
        "code": finding.code.name(),
        "codedesc": finding.code.description(),
        "message": finding.message,
        "position": {
            "name": &*finding.place.file,
            "line": finding.place.position.line,
            "column": finding.place.position.column,
        },
        "context": { "locations": locations, "snippet": snippet },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_points_at_its_column() {
        let long = "x".repeat(200);
        for (text, line, column, expected) in [
            ("a\nbcd\n", 2, 2, Some(("bcd".to_owned(), 2, 3))),
            ("a\tb", 1, 3, Some(("a b".to_owned(), 3, 2))),
            ("", 1, 1, Some((String::new(), 1, 0))),
            (&long, 1, 101, Some(("x".repeat(120), 61, 100))),
            ("a", 0, 1, None),
        ] {
            let found = Excerpt::of(text, Position { line, column });
            let found = found.map(|found| (found.text, found.column, found.offset));
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn a_finding_is_one_line_and_its_excerpt() {
        let place = Place {
            file: "f\n.yaml".into(),
            position: Position { line: 2, column: 3 },
        };
        let item = Item {
            kind: "rule",
            name: "a\nb".to_owned(),
            place: place.clone(),
        };
        let mut finding = *Finding::new(Code::Validate, place, Some(item), "it\u{1b} is 'so'");
        finding.read_files(&|_| Some("first\nsecond\u{202e}\n"));
        assert_eq!(
            finding.to_string(),
            "f\\n.yaml:2:3: LOAD_ERR_VALIDATE (not valid together with the rest) in rule 'a\\nb': \
             it\\u001b is 'so'\n    second \n      ^"
        );
    }
}
