//! Which events are shown, and what of each: a rule made from the command line.

use crate::config::RuleFile;
use crate::rules::{self, CompileOptions, Matching, OutputSettings, Program, RuleSet, RuleSource};

/// The name of the rule, which no file should have.
const NAME: &str = "peregrine events";
/// The name under which messages speak of it.
const SOURCE: &str = "--filter";
/// Lines of the rule before the condition, and columns before each of its lines.
const LINES_BEFORE: usize = 3;
const INDENT: usize = 4;

/// What is shown without a filter: what changes something, and what connects.
const DEFAULT_CONDITION: &str = "\
(evt.type in (open, openat, openat2, creat) and evt.is_open_write = true)
or evt.type in (
  execve, execveat, procexit, connect, accept, accept4, bind, listen,
  unlink, unlinkat, rename, renameat, renameat2, link, linkat, symlink, symlinkat, mkdir, mkdirat, rmdir,
  chmod, fchmod, fchmodat, chown, fchown, lchown, fchownat,
  mount, umount2, chroot, pivot_root, setns, unshare,
  kill, tkill, tgkill, ptrace, process_vm_writev, memfd_create, bpf,
  setuid, setgid, setresuid, setresgid, capset, init_module, finit_module)";

/// What was asked for on the command line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Selection<'a> {
    /// The condition.
    pub(super) filter: Option<&'a str>,
    /// What is printed of each event.
    pub(super) output: &'a str,
    /// Failed execs are shown also if the condition does not ask about the result.
    pub(super) failed_exec: bool,
}

/// The command line asks for what cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectionError {
    /// The condition.
    #[error("--filter:{line}:{column}: {message}{excerpt}")]
    Filter {
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// What is wrong.
        message: String,
        /// The line with a caret below the place, each on a line of its own; or nothing.
        excerpt: String,
    },
    /// The condition cannot be written down.
    #[error("--filter has a control character in it: expected text, line breaks and tabs")]
    ControlCharacter,
    /// The output.
    #[error("--output: {0}")]
    Output(String),
    /// The rule files, which are loaded for their macros and lists.
    #[error("the rules do not load, and the filter may name their macros:\n{0}")]
    Rules(String),
}

impl Selection<'_> {
    /// Compiles it; the filter may name macros and lists of the files.
    pub(super) fn compile(&self, files: Vec<RuleFile>) -> Result<Program, SelectionError> {
        let condition = self.filter.unwrap_or(DEFAULT_CONDITION);
        if condition
            .chars()
            .any(|character| character.is_control() && !matches!(character, '\n' | '\t'))
        {
            return Err(SelectionError::ControlCharacter);
        }
        rules::OutputFormat::parse(self.output)
            .map_err(|error| SelectionError::Output(error.to_string()))?;
        let mut sources: Vec<RuleSource> = files
            .into_iter()
            .map(|file| RuleSource {
                name: file.name,
                text: file.text,
            })
            .collect();
        sources.push(RuleSource {
            name: SOURCE.to_owned(),
            text: self.rule(condition),
        });
        let report = rules::load_with(&sources, &OutputSettings::default());
        if let Some(finding) = report.errors().next() {
            return Err(if &*finding.place.file == SOURCE {
                in_filter(finding)
            } else {
                SelectionError::Rules(finding.to_string())
            });
        }
        let ours: RuleSet = report
            .rules
            .rules()
            .filter(|rule| &*rule.name == NAME)
            .cloned()
            .collect();
        let options = CompileOptions {
            matching: Matching::All,
            failed_exec: self.failed_exec,
            ..CompileOptions::default()
        };
        Ok(Program::compile(&ours, options))
    }

    /// The rule's text. The condition is a block of its own, in which every character stands for itself.
    fn rule(&self, condition: &str) -> String {
        let block = condition.replace('\n', &format!("\n{:INDENT$}", ""));
        // What JSON says of a text, YAML understands.
        let output = serde_json::Value::from(self.output);
        format!(
            "- rule: {NAME}\n  desc: From the command line.\n  condition: |2\n{:INDENT$}{block}\n  output: {output}\n  priority: DEBUG\n",
            ""
        )
    }
}

/// An error in the rule, with the place in the filter.
fn in_filter(finding: &rules::Finding) -> SelectionError {
    let position = finding.place.position;
    let excerpt = finding
        .excerpt
        .as_ref()
        .map_or_else(String::new, |excerpt| {
            // The line is indented as the block is.
            format!("\n{}", excerpt.lines(""))
        });
    SelectionError::Filter {
        line: position.line.saturating_sub(LINES_BEFORE).max(1),
        column: position.column.saturating_sub(INDENT).max(1),
        message: finding.message.clone(),
        excerpt,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventType;

    fn compile(filter: &str) -> Result<Program, SelectionError> {
        let selection = Selection {
            filter: Some(filter),
            output: "%evt.type",
            failed_exec: false,
        };
        selection.compile(vec![RuleFile {
            name: "macros.yaml".to_owned(),
            text: "- macro: connects\n  condition: evt.type = connect\n\
                   - rule: other\n  desc: x\n  condition: evt.type = unlink\n  output: x\n  priority: INFO\n"
                .to_owned(),
        }])
    }

    #[test]
    fn only_what_the_filter_asks_for_is_delivered() {
        for (filter, expected) in [
            ("evt.type = connect", &[EventType::CONNECT][..]),
            ("connects and proc.name = \"a b\"", &[EventType::CONNECT]),
            (
                "evt.type in (openat,\n\tconnect)",
                &[EventType::OPENAT, EventType::CONNECT],
            ),
        ] {
            let program = compile(filter).unwrap();
            assert_eq!(program.rules().len(), 1, "{filter}");
            let mut events: Vec<_> = program.events().iter().collect();
            events.sort_unstable_by_key(|event| event.name());
            let mut expected = expected.to_vec();
            expected.sort_unstable_by_key(|event| event.name());
            assert_eq!(events, expected, "{filter}");
        }
    }

    #[test]
    fn the_default_names_only_events_that_there_are() {
        let selection = Selection {
            filter: None,
            output: "%evt.type",
            failed_exec: false,
        };
        let program = selection.compile(Vec::new()).unwrap();
        let wanted = DEFAULT_CONDITION
            .split(|character: char| !character.is_ascii_alphanumeric() && character != '_')
            .filter(|word| EventType::from_name(word).is_some());
        for name in wanted {
            let event = EventType::from_name(name).unwrap();
            assert!(program.events().contains(event), "{name}");
        }
        assert!(program.events().contains(EventType::EXECVE));
    }

    #[test]
    fn an_error_is_shown_where_it_is_in_the_filter() {
        for (filter, line, column) in [
            ("evt.typo = open", 1, 1),
            ("evt.type = open and\n  proc.nam = x", 2, 3),
            ("evt.type = open and (", 1, 22),
            ("unknown_macro", 1, 1),
        ] {
            match compile(filter).unwrap_err() {
                SelectionError::Filter {
                    line: seen_line,
                    column: seen_column,
                    excerpt,
                    ..
                } => {
                    assert_eq!((seen_line, seen_column), (line, column), "{filter}");
                    assert!(excerpt.contains('^'), "{filter}: {excerpt}");
                }
                other => panic!("{filter}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert_eq!(
            compile("evt.type = \u{1b}[2J").unwrap_err(),
            SelectionError::ControlCharacter
        );
        let selection = Selection {
            filter: None,
            output: "%proc.nam",
            failed_exec: false,
        };
        let error = selection.compile(Vec::new()).unwrap_err();
        assert!(error.to_string().starts_with("--output: "), "{error}");
        let broken = RuleFile {
            name: "broken.yaml".to_owned(),
            text: "- macro: a\n".to_owned(),
        };
        let error = Selection::default().compile(vec![broken]).unwrap_err();
        assert!(error.to_string().contains("broken.yaml:1"), "{error}");
    }
}
