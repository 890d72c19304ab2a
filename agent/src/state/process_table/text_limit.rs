//! What all arguments, environments and paths may take together.
//!
//! Whoever starts many programs with long arguments must not push other processes out: a process that
//! is read from `/proc` again is known later and less well. So no entry leaves for its texts; the
//! longest texts leave, those first that rules ask for least.

use std::sync::Arc;

use super::super::process::{Process, Program};
use super::super::text_pool::Text;
use super::ProcessTable;

/// So much of the limit is made free at once, since it takes a look at every process.
const PART: usize = 16;

/// The texts of a process, in the order in which they are given up.
const KINDS: [Kind; 4] = [
    Kind::Environment,
    Kind::Arguments,
    Kind::Directory,
    Kind::Executable,
];

#[derive(Clone, Copy, Debug)]
enum Kind {
    Environment,
    Arguments,
    Directory,
    Executable,
}

impl Kind {
    fn of(self, process: &Process) -> Option<&Text> {
        match self {
            Self::Environment => process.program.env.as_ref(),
            Self::Arguments => process.program.args.as_ref(),
            Self::Directory => process.cwd.as_ref(),
            Self::Executable => process.program.exe_path.as_ref(),
        }
    }

    /// What a process's text takes of the memory, as far as it is the only one to have it.
    fn share(self, process: &Process) -> Option<usize> {
        let text = self.of(process)?;
        let programs = match self {
            Self::Directory => 1,
            Self::Environment | Self::Arguments | Self::Executable => {
                Arc::strong_count(&process.program)
            }
        };
        let share = text.len() / (Arc::strong_count(text) * programs).max(1);
        (share > 0).then_some(share)
    }

    fn remove_from(self, program: &mut Program) {
        match self {
            Self::Environment => program.env = None,
            Self::Arguments => program.args = None,
            Self::Directory => {}
            Self::Executable => program.exe_path = None,
        }
    }
}

impl ProcessTable {
    /// Gives up texts until there is room again, but none of the process of the event at hand.
    pub(super) fn limit_texts(&mut self) {
        if self.texts.bytes() <= self.text_limit {
            return;
        }
        let goal = self.text_limit - self.text_limit / PART;
        for kind in KINDS {
            // With the program's address, so that those who share one are side by side.
            let mut candidates: Vec<(usize, *const Program, usize)> = self
                .processes
                .iter()
                .enumerate()
                .filter(|(_, process)| process.key != self.pinned)
                .filter_map(|(slot, process)| {
                    Some((kind.share(process)?, Arc::as_ptr(&process.program), slot))
                })
                .collect();
            candidates.sort_unstable_by(|one, other| other.cmp(one));
            let mut shared: Option<(*const Program, Arc<Program>)> = None;
            for (_, address, slot) in candidates {
                if self.texts.bytes() <= goal {
                    return;
                }
                self.stats.dropped_texts += 1;
                let process = &mut self.processes[slot];
                if matches!(kind, Kind::Directory) {
                    process.cwd = None;
                    continue;
                }
                let program = match shared.take() {
                    Some((of, program)) if of == address => program,
                    _ => {
                        let mut program = Program::clone(&process.program);
                        kind.remove_from(&mut program);
                        Arc::new(program)
                    }
                };
                process.program = Arc::clone(&program);
                shared = Some((address, program));
            }
        }
    }
}
