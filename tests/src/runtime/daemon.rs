//! A daemon in a temp dir of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::leftovers;
use crate::eventually;

/// A runtime's daemon; it and all that it started are ended when dropped.
pub struct Daemon {
    folder: TempDir,
    child: Option<Child>,
    command: fn(&Path) -> Command,
    is_ready: fn(&Path) -> bool,
}

impl Daemon {
    /// One that this command starts, in this folder. It does not run yet.
    pub(super) fn new(
        folder: TempDir,
        command: fn(&Path) -> Command,
        is_ready: fn(&Path) -> bool,
    ) -> Self {
        fs::create_dir_all(folder.path().join("run")).expect("a folder is made");
        Self {
            folder,
            child: None,
            command,
            is_ready,
        }
    }

    /// Starts it, once more perhaps, and waits until it answers.
    pub fn start(&mut self) {
        let folder = self.folder.path();
        let log = folder.join("log");
        let output = File::create(&log).expect("a log is made");
        let errors = output.try_clone().expect("it is shared");
        let child = (self.command)(folder)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .expect("the daemon starts; `cargo xtask setup` installs it");
        self.child = Some(child);
        let ready = eventually(|| (self.is_ready)(folder).then_some(()));
        assert!(
            ready.is_some(),
            "the daemon is not ready: {}",
            fs::read_to_string(&log).unwrap_or_default()
        );
    }

    /// Ends it by SIGKILL; its containers go on.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("the daemon is ours to end");
            child.wait().expect("it ends");
        }
    }

    /// Lets it stand still (SIGSTOP), or go on (SIGCONT).
    pub fn signal(&self, signal: i32) {
        let child = self.child.as_ref().expect("the daemon runs");
        let pid = i32::try_from(child.id()).expect("a pid is positive");
        // SAFETY: kill takes two numbers; the child has not been waited for, so the pid is its.
        let outcome = unsafe { libc::kill(pid, signal) };
        assert_eq!(outcome, 0, "the daemon can be signalled");
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What would be `/run` if it were the machine's own: its sockets and the state of its containers.
    pub fn run_folder(&self) -> PathBuf {
        self.path("run")
    }

    /// A path in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take()
            && let Err(error) = child.kill().and_then(|()| child.wait())
        {
            eprintln!("cannot end the daemon: {error}");
        }
        leftovers::clear(self.folder.path());
    }
}
