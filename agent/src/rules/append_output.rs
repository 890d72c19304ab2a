//! What the configuration adds to the outputs of rules: `append_output`, suggested fields, and how
//! byte buffers print.

use std::collections::BTreeSet;

use super::definitions::RuleDefinition;
use super::output::{OutputError, OutputFormat};
use crate::fields::registry::{self, ArgumentRule};

/// What applies to the outputs of all rules.
#[derive(Clone, Debug, Default)]
pub struct OutputSettings {
    /// `append_output`: those that match a rule apply to it, in order.
    pub appended: Vec<AppendOutput>,
    /// The names of `static_fields`, which are suggested fields too.
    pub static_fields: Vec<String>,
    /// `buffer_format_base64`: byte buffers print in base64, not as text with dots.
    pub buffers_in_base64: bool,
}

/// One entry of `append_output`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppendOutput {
    /// Only rules of this source.
    pub source: Option<String>,
    /// Only rules that have all these tags.
    pub tags: BTreeSet<String>,
    /// Only the rule of exactly this name.
    pub rule: Option<String>,
    /// Text for the end of the output, a format like the output itself.
    pub extra_output: Option<String>,
    /// Fields that alerts list beside those of the output.
    pub extra_fields: Vec<ExtraField>,
    /// Append every field that is worth showing in any alert, as `container_id=%container.id`.
    pub suggested_output: bool,
}

/// A field that an alert lists although its output does not print it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExtraField {
    /// A field under its own name, its value of its own type.
    Value(String),
    /// What a format gives, as text, under this name.
    Text {
        /// The name in `output_fields`.
        key: String,
        /// The format.
        format: String,
    },
}

impl ExtraField {
    /// The name in `output_fields`.
    pub fn key(&self) -> &str {
        match self {
            Self::Value(key) | Self::Text { key, .. } => key,
        }
    }

    /// What is wrong with the field or the format, if something is.
    pub fn check(&self) -> Result<(), OutputError> {
        OutputFormat::parse("")?.add_field(self)
    }
}

impl AppendOutput {
    fn matches(&self, rule: &RuleDefinition) -> bool {
        self.source
            .as_ref()
            .is_none_or(|source| *source == rule.source)
            && self.rule.as_ref().is_none_or(|name| *name == rule.name)
            && self.tags.is_subset(&rule.tags)
    }
}

impl OutputSettings {
    /// A rule's output as it is compiled: with everything appended.
    pub(super) fn output_text(&self, rule: &RuleDefinition) -> String {
        let mut text = rule.output.as_str().trim_end().to_owned();
        for entry in self.entries(rule) {
            let suggested = entry.suggested_output.then(|| self.suggested());
            for more in entry.extra_output.iter().chain(&suggested) {
                if !text.is_empty() {
                    text.push(' ');
                }
                text.push_str(more.trim_end());
            }
        }
        text
    }

    /// Compiles an output with what is added to it.
    pub(super) fn compile(
        &self,
        text: &str,
        rule: &RuleDefinition,
    ) -> Result<OutputFormat, OutputError> {
        let mut format = OutputFormat::parse(text)?;
        for field in self.entries(rule).flat_map(|entry| &entry.extra_fields) {
            format.add_field(field)?;
        }
        if self.buffers_in_base64 {
            format.print_buffers_in_base64();
        }
        Ok(format)
    }

    fn entries(&self, rule: &RuleDefinition) -> impl Iterator<Item = &AppendOutput> {
        self.appended.iter().filter(|entry| entry.matches(rule))
    }

    /// `container_id=%container.id container_name=%container.name ...`
    fn suggested(&self) -> String {
        let of_registry = registry::all()
            .iter()
            .filter(|field| field.suggested && field.argument != ArgumentRule::Required)
            .map(|field| field.name.to_owned());
        let constants = self
            .static_fields
            .iter()
            .map(|key| format!("static.{key}"))
            // A name with other characters cannot be written as a field.
            .filter(|name| registry::field_prefix(name) == Some(name.len()));
        let shown = |name: String| format!("{}=%{name}", name.replace('.', "_"));
        of_registry
            .chain(constants)
            .map(shown)
            .collect::<Vec<_>>()
            .join(" ")
    }
}
