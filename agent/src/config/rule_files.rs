//! Which rules are loaded, and their text.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Config, ConfigError};
use crate::default_rules;

/// Where rules are looked for if no file is named.
const DEFAULT_DIRECTORY: &str = "/etc/peregrine/rules.d";

/// A file of rules, not parsed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFile {
    /// Its path, or its name for one that is part of the binary: for messages.
    pub name: String,
    /// Its text.
    pub text: String,
}

impl Config {
    /// The rules to load, in order: those named on the command line (`-r`), else `rules_files`,
    /// else `/etc/peregrine/rules.d`, else those in the binary.
    ///
    /// Of a directory, the files ending in `.yaml` or `.yml` in the order of their names. A path
    /// of `rules_files` that does not exist is skipped with a warning, as a configuration may list
    /// optional files; one named on the command line is an error.
    pub fn rule_files(&self, command_line: &[PathBuf]) -> Result<Vec<RuleFile>, ConfigError> {
        let mut files = Vec::new();
        if !command_line.is_empty() {
            for path in command_line {
                read_path(path, &mut files)?;
            }
            return Ok(files);
        }
        if let Some(paths) = &self.rules_files {
            for path in paths {
                if path.exists() {
                    read_path(path, &mut files)?;
                } else {
                    tracing::warn!("rules_files: {} does not exist, skipped", path.display());
                }
            }
            return Ok(files);
        }
        let directory = Path::new(DEFAULT_DIRECTORY);
        if directory.is_dir() {
            read_path(directory, &mut files)?;
            return Ok(files);
        }
        Ok(default_rules::FILES
            .iter()
            .map(|(name, text)| RuleFile {
                name: (*name).to_owned(),
                text: (*text).to_owned(),
            })
            .collect())
    }
}

/// Reads a file of rules, or of a directory the files ending in `.yaml` or `.yml` in the order of their
/// names.
pub fn read_rule_files(path: &Path) -> Result<Vec<RuleFile>, ConfigError> {
    let mut files = Vec::new();
    read_path(path, &mut files)?;
    Ok(files)
}

fn read_path(path: &Path, files: &mut Vec<RuleFile>) -> Result<(), ConfigError> {
    let error = |source| ConfigError::Read {
        path: path.to_owned(),
        source,
    };
    if !path.is_dir() {
        files.push(RuleFile {
            name: path.display().to_string(),
            text: fs::read_to_string(path).map_err(error)?,
        });
        return Ok(());
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(path).map_err(error)? {
        let path = entry.map_err(error)?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        // `is_file` follows links: the files of a mounted ConfigMap are links.
        if matches!(extension, Some("yaml" | "yml")) && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    for path in paths {
        read_path(&path, files)?;
    }
    Ok(())
}
