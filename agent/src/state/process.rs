//! One process, as it was last known.

use std::sync::Arc;

use super::text_pool::Text;
use crate::container::ContainerIdentity;
use crate::event::{
    BootTime, Capabilities, CgroupId, Comm, ExecutableFile, Gid, Origin, Pid, ProcessKey, Uid,
};

/// What is known of a process.
#[derive(Clone, Debug)]
pub struct Process {
    /// Which one.
    pub key: ProcessKey,
    /// Its parent now (after re-parenting: the reaper). Pid 0 for none.
    pub parent: ProcessKey,
    /// The name that the program had when it was started, by this process or the ancestor that it
    /// was forked from; if that was not seen, the name at the first sight of it. A name that a
    /// process gave to itself is only in the event's header.
    pub comm: Comm,
    /// What it runs. A child shares its parent's until it starts a program itself.
    pub program: Arc<Program>,
    /// Working directory as of the program's start, the reading of `/proc` or the last change, if
    /// changes are watched; `None` if not known.
    pub cwd: Option<Text>,
    /// Ids, as of the last event.
    pub ids: ProcessIds,
    /// What it may do, as of its exec or the reading of `/proc`.
    pub capabilities: Option<Capabilities>,
    /// When the first process of its pid namespace was created.
    pub namespace_start: Option<BootTime>,
    /// Its cgroup; `CgroupId(0)` if not known.
    pub cgroup: CgroupId,
    /// The container it is in; `None` for the host.
    pub container: Option<Arc<ContainerIdentity>>,
    /// Where the program and working directory are known from.
    pub source: Source,
    /// When the program was started; `None` if that was not seen.
    pub execed: Option<BootTime>,
    /// When the process ended; `None` while it lives, as far as is known.
    pub exited: Option<BootTime>,
    /// Whether an event told that it ended.
    pub(super) exit_seen: bool,
    /// When its last event was.
    pub(super) last_seen: BootTime,
    /// [`Origin::exec_id`] of what it runs; `None` if that is only known from `/proc`.
    pub(super) exec_id: Option<u64>,
    /// How many losses of events were known when this was last known to be right.
    pub(super) losses: u32,
}

/// Where the knowledge of a process is from: the reason, where something is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// The program's start was seen.
    Exec,
    /// The process's creation was seen; it runs what its parent ran.
    Fork,
    /// From `/proc`, later than the start: what the process itself can change there (arguments,
    /// environment) may be changed.
    Proc,
    /// Only from the header of an event: the earlier events were lost and `/proc` no longer has it.
    Degraded,
}

/// What a process runs. Each part is `None` if it could not be learnt.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// The executable as the kernel opened it.
    pub exe_path: Option<Text>,
    /// The start of `exe_path` is missing.
    pub exe_path_truncated: bool,
    /// argv, each string ended by a NUL.
    pub args: Option<Text>,
    /// argv was longer.
    pub args_truncated: bool,
    /// The environment, each string ended by a NUL.
    pub env: Option<Text>,
    /// The environment was longer.
    pub env_truncated: bool,
    /// The executable's file.
    pub file: Option<ExecutableFile>,
    /// The script that the executable was run for; `None` for a program, and where the start was
    /// not seen.
    pub script: Option<Script>,
}

/// A file that the kernel runs by running another, its interpreter.
#[derive(Clone, Debug)]
pub struct Script {
    /// Its path as it was passed.
    pub path: Text,
    /// The working directory at that time.
    pub directory: Option<Text>,
}

/// The ids of a process that are neither its key nor its parent's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessIds {
    /// The process id in the process's own pid namespace.
    pub vpid: Pid,
    /// Process group, in the host's pid namespace.
    pub pgid: Pid,
    /// Session, in the host's pid namespace.
    pub sid: Pid,
    /// Process group, in the process's own pid namespace.
    pub vpgid: Pid,
    /// Session, in the process's own pid namespace.
    pub vsid: Pid,
    /// Effective user.
    pub uid: Uid,
    /// Effective group.
    pub gid: Gid,
    /// The audit login uid; `Uid::UNSET` when nobody logged in.
    pub loginuid: Uid,
    /// The controlling terminal as an encoded device number, 0 for none.
    pub tty: u32,
}

impl ProcessIds {
    /// The ids in an event's header.
    pub fn of(origin: &Origin) -> Self {
        Self {
            vpid: origin.vpid,
            pgid: origin.pgid,
            sid: origin.sid,
            vpgid: origin.vpgid,
            vsid: origin.vsid,
            uid: origin.uid,
            gid: origin.gid,
            loginuid: origin.loginuid,
            tty: origin.tty,
        }
    }
}

impl Process {
    /// argv\[0\]; `None` if argv is not known or empty.
    pub fn exe(&self) -> Option<&[u8]> {
        self.program.argv()?.next()
    }

    /// argv without its first; `None` if argv is not known.
    pub fn args(&self) -> Option<Strings<'_>> {
        let mut argv = self.program.argv()?;
        argv.next();
        Some(argv)
    }

    /// When the process was created, to 10 ms.
    pub fn started(&self) -> BootTime {
        self.key.start()
    }
}

impl Program {
    /// argv; `None` if it is not known.
    pub fn argv(&self) -> Option<Strings<'_>> {
        self.args.as_deref().map(|args| Strings { rest: args })
    }

    /// The environment as `NAME=VALUE`; `None` if it is not known.
    pub fn environment(&self) -> Option<Strings<'_>> {
        self.env.as_deref().map(|env| Strings { rest: env })
    }

    /// The value of an environment variable.
    pub fn environment_variable(&self, name: &[u8]) -> Option<&[u8]> {
        self.environment()?
            .find_map(|variable| variable.strip_prefix(name)?.strip_prefix(b"="))
    }
}

/// The strings of an argv or environment, in order.
#[derive(Clone, Debug)]
pub struct Strings<'p> {
    rest: &'p [u8],
}

impl<'p> Iterator for Strings<'p> {
    type Item = &'p [u8];

    fn next(&mut self) -> Option<&'p [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(0, self.rest);
        let string = &self.rest[..end.unwrap_or(self.rest.len())];
        self.rest = end.map_or(&[], |end| &self.rest[end + 1..]);
        Some(string)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::text_pool::TextPool;

    #[test]
    fn strings_are_ended_by_nul() {
        for (bytes, expected) in [
            (&b""[..], &[][..]),
            (b"a\0", &[&b"a"[..]]),
            (b"a\0b", &[b"a", b"b"]),
            (b"a\0\0b\0", &[b"a", b"", b"b"]),
            (b"\0", &[b""]),
        ] {
            let found: Vec<&[u8]> = Strings { rest: bytes }.collect();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_variable_is_found_by_its_whole_name() {
        let program = Program {
            env: Some(TextPool::new().text(b"PATHS=1\0PATH=/bin\0EMPTY=\0PATH=2\0")),
            ..Program::default()
        };
        for (name, value) in [
            (&b"PATH"[..], Some(&b"/bin"[..])),
            (b"EMPTY", Some(b"")),
            (b"PAT", None),
        ] {
            assert_eq!(program.environment_variable(name), value);
        }
        assert_eq!(Program::default().environment_variable(b"PATH"), None);
    }
}
