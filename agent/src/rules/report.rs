//! What was wrong with rule files: the codes are Falco's, the messages say what to do.

use std::fmt;

use serde_json::{Value as Json, json};

/// The kind of an error or a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each is named after its code, and `description` explains it"
)]
pub enum Code {
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
}

impl Code {
    /// The code as Falco prints it.
    pub fn name(self) -> &'static str {
        match self {
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
        }
    }

    /// The code in words.
    pub fn description(self) -> &'static str {
        match self {
            Self::YamlParse => "not YAML",
            Self::YamlValidate => "not the structure of a rule file",
            Self::CompileCondition => "the condition does not compile",
            Self::CompileOutput => "the output does not compile",
            Self::Validate => "not valid together with the rest",
            Self::UnknownSource => "unknown event source",
            Self::NoEventType => "the rule looks at every type of event",
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
        }
    }

    /// Whether the file does not load because of it.
    pub fn is_error(self) -> bool {
        matches!(
            self,
            Self::YamlParse
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
    /// From 1.
    pub column: usize,
}

/// One error or warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind.
    pub code: Code,
    /// What is wrong and what was expected.
    pub message: String,
    /// The file's name.
    pub file: String,
    /// Where in it.
    pub position: Position,
    /// Kind and name of the item that it is in (`rule`, `Some rule`).
    pub item: Option<(&'static str, String)>,
    /// The text that is wrong, and the offset in it.
    pub excerpt: Option<(String, usize)>,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.position;
        write!(
            formatter,
            "{}:{line}:{column}: {} ({})",
            self.file,
            self.code.name(),
            self.code.description()
        )?;
        if let Some((kind, name)) = &self.item {
            write!(formatter, " in {kind} '{}'", name.escape_debug())?;
        }
        write!(formatter, ": {}", self.message)?;
        if let Some((text, offset)) = &self.excerpt {
            let (line, column) = excerpt(text, *offset);
            write!(formatter, "\n    {line}\n    {:>column$}", '^')?;
        }
        Ok(())
    }
}

/// The part of a text around an offset, on one line, and the column of the offset in it (from 1).
fn excerpt(text: &str, offset: usize) -> (String, usize) {
    const AROUND: usize = 40;
    let clean = |part: &str| -> String {
        part.chars()
            .map(|character| {
                if character.is_control() {
                    ' '
                } else {
                    character
                }
            })
            .collect()
    };
    let offset = text.floor_char_boundary(offset.min(text.len()));
    let start = text.floor_char_boundary(offset.saturating_sub(AROUND));
    let end = text.floor_char_boundary((offset + AROUND).min(text.len()));
    let before = clean(&text[start..offset]);
    let column = before.chars().count() + 1;
    (before + &clean(&text[offset..end]), column)
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
}

impl LoadReport {
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

    /// Falco's JSON: an entry for each file.
    pub fn to_json(&self) -> Json {
        let entry = |finding: &Finding| {
            let (kind, name) = finding
                .item
                .clone()
                .unwrap_or(("rules content", String::new()));
            let snippet = finding
                .excerpt
                .as_ref()
                .map_or_else(String::new, |(text, offset)| {
                    let (line, column) = excerpt(text, *offset);
                    format!("{line}\n{:>column$}\n", '^')
                });
            json!({
                "code": finding.code.name(),
                "codedesc": finding.code.description(),
                "message": finding.message,
                "context": {
                    "locations": [{
                        "item_type": kind,
                        "item_name": name,
                        "position": {
                            "name": finding.file,
                            "line": finding.position.line,
                            "column": finding.position.column,
                        },
                    }],
                    "snippet": snippet,
                },
            })
        };
        let of_file = |file: &String| {
            let mine = |finding: &&Finding| finding.file == *file;
            json!({
                "name": file,
                "successful": !self.errors().any(|finding| finding.file == *file),
                "errors": self.errors().filter(mine).map(entry).collect::<Vec<_>>(),
                "warnings": self.warnings().filter(mine).map(entry).collect::<Vec<_>>(),
            })
        };
        Json::Array(self.files.iter().map(of_file).collect())
    }
}
