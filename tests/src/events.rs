//! A running `peregrine events`.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::agent_binary;

/// `peregrine events`, started and ready.
pub struct Events {
    child: Child,
    stderr: BufReader<ChildStderr>,
}

impl Events {
    /// Starts it with these arguments.
    pub fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(agent_binary())
            .arg("events")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let mut line = String::new();
        while !line.contains("ready") {
            line.clear();
            let read = stderr.read_line(&mut line).expect("stderr is text");
            assert!(read > 0, "it ended before it was ready");
        }
        Self { child, stderr }
    }

    /// What it prints until its end, which has to be a good one.
    pub fn output(mut self) -> String {
        let mut text = String::new();
        let mut stdout = self.child.stdout.take().expect("stdout is piped");
        stdout.read_to_string(&mut text).expect("stdout is text");
        let status = self.child.wait().expect("it ends");
        let mut said = String::new();
        self.stderr
            .read_to_string(&mut said)
            .expect("stderr is text");
        assert!(status.success(), "{status}: {said}");
        text
    }

    /// Nobody reads what it prints from now on.
    pub fn close_output(&mut self) {
        drop(self.child.stdout.take());
    }

    /// Its status, once it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it is our child")
    }

    /// What Ctrl-C does.
    pub fn interrupt(&self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).expect("it runs");
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        // It has ended in most tests.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
