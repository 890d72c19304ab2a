//! What one row of the table is: an action, where it takes place, and the alert that is expected.

use std::path::Path;

use crate::stage::Stage;

/// Where an action takes place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On the host. `@NAME` is a program of the stage.
    Host,
    /// In a container without capabilities.
    Plain,
    /// The same, with a terminal.
    Terminal,
    /// In a container with many capabilities.
    Capable,
}

/// An action and the alert it is to give.
pub(crate) struct Case {
    /// The rule's name.
    pub(crate) rule: &'static str,
    /// Where.
    pub(crate) place: Place,
    /// A command.
    pub(crate) command: &'static [&'static str],
    /// Whether the start of the stage is the action.
    pub(crate) at_the_start: bool,
    /// Fields of the alert; a value that starts with `~` has to be contained.
    pub(crate) fields: &'static [(&'static str, &'static str)],
}

impl Case {
    /// Whether this other rule is for the action too.
    pub(crate) fn is_also_for(&self, rule: &str) -> bool {
        crate::actions::ALSO.contains(&(self.rule, rule))
    }

    /// Whether this kernel has the call that the action makes; one built without modules cannot load any.
    pub(crate) fn is_possible(&self) -> bool {
        !self.command.contains(&"module") || Path::new("/proc/modules").exists()
    }

    /// Does it.
    pub(crate) fn act(&self, stage: &Stage) {
        if self.at_the_start {
            return;
        }
        match self.place {
            Place::Host => {
                let words: Vec<String> = self
                    .command
                    .iter()
                    .map(|word| {
                        let program = word.strip_prefix('@').map(|name| stage.program(name));
                        program.unwrap_or_else(|| (*word).to_owned())
                    })
                    .collect();
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                crate::stage::on_host(&words);
            }
            Place::Plain => drop(stage.plain.exec(self.command)),
            Place::Terminal => drop(stage.plain.exec_with_terminal(self.command)),
            Place::Capable => drop(stage.capable.exec(self.command)),
        }
    }
}

/// A row; without a command, the start of the stage is the action.
pub(crate) const fn case(
    rule: &'static str,
    place: Place,
    command: &'static [&'static str],
    fields: &'static [(&'static str, &'static str)],
) -> Case {
    Case {
        rule,
        place,
        command,
        at_the_start: command.is_empty(),
        fields,
    }
}
