//! What keys there are, of which kind: learnt by reading a configuration that says nothing.

use super::document::{Location, Node, Value};
use super::help;
use super::section::{Choice, Reading, Section};
use super::{Config, LogLevel, OtherAbis, RuleMatching};
use crate::rules::Priority;

/// A key of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// With the keys of its sections: `webserver.listen_port`.
    pub path: String,
    /// What it holds.
    pub kind: KeyKind,
}

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Other keys.
    Section,
    /// True or false.
    Switch {
        /// If it is not given.
        default: bool,
    },
    /// A whole number.
    Number {
        /// If it is not given.
        default: u64,
        /// The least.
        least: u64,
        /// The most.
        most: u64,
    },
    /// One of some words, in any case.
    Choice {
        /// The words.
        words: Vec<String>,
    },
    /// One text or number.
    Text,
    /// One text, or a list of texts.
    Texts,
    /// Texts by names that the user chooses.
    TextMap,
    /// A list of elements with other keys, whose paths start with this one and `[]`.
    Items,
    /// A list of fields, or of formats by names that the user chooses.
    Formats,
}

impl Key {
    /// What it is for, in a phrase.
    pub fn help(&self) -> Option<&'static str> {
        help::of(&self.path)
    }
}

/// Every key, in the order in which they are read.
pub fn keys() -> Vec<Key> {
    let reading = Reading::default();
    let nothing = Node {
        value: Value::Null,
        location: Location::Option("".into()),
    };
    let _defaults = Config::read(Section::root(nothing, &reading), None);
    reading.keys.into_inner()
}

impl Choice for Priority {
    fn words() -> Vec<String> {
        let names = Self::ALL
            .iter()
            .map(|priority| priority.name().to_lowercase());
        names.chain(["info".to_owned()]).collect()
    }
}

impl Choice for RuleMatching {
    fn words() -> Vec<String> {
        vec!["first".to_owned(), "all".to_owned()]
    }
}

impl Choice for OtherAbis {
    fn words() -> Vec<String> {
        ["auto", "always", "never"].map(str::to_owned).to_vec()
    }
}

impl Choice for LogLevel {
    fn words() -> Vec<String> {
        let names = super::LOG_LEVELS.iter();
        names.map(|(name, _)| (*name).to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_help_and_every_help_a_key() {
        let mut paths: Vec<_> = keys().into_iter().map(|key| key.path).collect();
        paths.sort_unstable();
        let mut helped: Vec<_> = help::KEYS.iter().map(|(path, _)| *path).collect();
        helped.sort_unstable();
        assert_eq!(paths, helped);
    }

    #[test]
    fn every_word_of_a_choice_is_understood() {
        fn all_parse<T: Choice + std::str::FromStr>() {
            for word in T::words() {
                assert!(word.parse::<T>().is_ok(), "{word}");
            }
        }
        all_parse::<Priority>();
        all_parse::<RuleMatching>();
        all_parse::<LogLevel>();
    }
}
