//! What can be wrong with a test file, shown as `rules check` shows what is wrong with a rule file.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::escape::OneLine;
use crate::rules::{Excerpt, Finding, Position};

/// A test file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", OneLine(&path.display().to_string()))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something in it is not as it has to be.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// A rule file that it names does not load.
    #[error("{0}")]
    Rules(Box<Finding>),
}

/// Something that is wrong in a test file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problem {
    /// The file's name.
    pub file: String,
    /// Where in it.
    pub position: Position,
    /// What is wrong and what was expected.
    pub message: String,
    /// The line that it is in.
    pub excerpt: Option<Excerpt>,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.position;
        write!(
            formatter,
            "{}:{line}:{column}: {}",
            OneLine(&self.file),
            OneLine(&self.message)
        )?;
        match &self.excerpt {
            Some(excerpt) => write!(formatter, "\n{}", excerpt.lines("    ")),
            None => Ok(()),
        }
    }
}
