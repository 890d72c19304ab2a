//! The benchmark's arguments.

use std::error::Error;
use std::fs;

use peregrine::default_rules;
use peregrine::rules::RuleSource;

/// What to measure with.
pub(crate) struct Options {
    /// How often everything is measured.
    pub(crate) rounds: usize,
    /// JSON rather than a table.
    pub(crate) json: bool,
    files: Vec<String>,
}

impl Options {
    /// `[--rounds N] [--json] [FILE...]`; cargo adds `--bench`.
    pub(crate) fn from_arguments(
        mut arguments: impl Iterator<Item = String>,
    ) -> Result<Self, Box<dyn Error>> {
        let mut options = Self {
            rounds: 5,
            json: false,
            files: Vec::new(),
        };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bench" => {}
                "--json" => options.json = true,
                "--rounds" => {
                    let number = arguments.next().and_then(|number| number.parse().ok());
                    let number = number.filter(|number| *number > 0);
                    options.rounds = number.ok_or("--rounds: expected a number from 1")?;
                }
                option if option.starts_with('-') => {
                    return Err(format!("unknown option {option}").into());
                }
                _ => options.files.push(argument),
            }
        }
        Ok(options)
    }

    /// The rule files; the default rules if none were given.
    pub(crate) fn sources(&self) -> Result<Vec<RuleSource>, Box<dyn Error>> {
        if self.files.is_empty() {
            let source = |(name, text): &(&str, &str)| RuleSource {
                name: (*name).to_owned(),
                text: (*text).to_owned(),
            };
            return Ok(default_rules::FILES.iter().map(source).collect());
        }
        let read = |name: &String| match fs::read_to_string(name) {
            Ok(text) => Ok(RuleSource {
                name: name.clone(),
                text,
            }),
            Err(error) => Err(format!("{name}: {error}").into()),
        };
        self.files.iter().map(read).collect()
    }
}
