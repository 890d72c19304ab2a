//! A running agent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::Value;
use tempfile::TempDir;

use crate::{PATIENCE, eventually};

/// One alert, parsed.
#[derive(Clone, Debug)]
pub struct Alert(pub Value);

impl Alert {
    /// The rule's name.
    pub fn rule(&self) -> &str {
        self.0["rule"].as_str().unwrap_or_default()
    }

    /// A field of `output_fields`.
    pub fn field(&self, name: &str) -> &Value {
        &self.0["output_fields"][name]
    }

    /// A field that is text.
    pub fn text(&self, name: &str) -> &str {
        self.field(name).as_str().unwrap_or_default()
    }
}

/// The binary under test.
pub fn agent_binary() -> PathBuf {
    std::env::var_os("PEREGRINE_BIN")
        .expect("PEREGRINE_BIN names the agent to test; `cargo xtask test` sets it")
        .into()
}

/// Runs the agent to its end; for what ends by itself.
pub fn run_to_end(arguments: &[&str]) -> Output {
    Command::new(agent_binary())
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the agent starts")
}

/// An agent to be started.
#[derive(Default)]
pub struct AgentBuilder {
    rules: Option<String>,
    rules_paths: Vec<PathBuf>,
    options: Vec<String>,
    hosts: Option<String>,
    run_folder: Option<PathBuf>,
    text: bool,
}

impl AgentBuilder {
    /// With the rules in this text.
    pub fn rules(rules: &str) -> Self {
        Self {
            rules: Some(rules.to_owned()),
            ..Self::default()
        }
    }

    /// With the project's default rules.
    pub fn default_rules() -> Self {
        Self {
            rules_paths: vec![crate::default_rules()],
            ..Self::default()
        }
    }

    /// With the rules in these files, loaded in this order, and then those of [`Self::rules`].
    #[must_use]
    pub fn files(mut self, paths: impl IntoIterator<Item = PathBuf>) -> Self {
        self.rules_paths.extend(paths);
        self
    }

    /// Lets the agent, and nobody else, see this as /etc/hosts.
    #[must_use]
    pub fn hosts(mut self, text: &str) -> Self {
        self.hosts = Some(text.to_owned());
        self
    }

    /// Lets the agent, and nobody else, see this folder as /run.
    #[must_use]
    pub fn run_folder(mut self, folder: PathBuf) -> Self {
        self.run_folder = Some(folder);
        self
    }

    /// Sets `KEY=VALUE`.
    #[must_use]
    pub fn option(mut self, option: &str) -> Self {
        self.options.push(option.to_owned());
        self
    }

    /// Alerts as text, not as JSON.
    #[must_use]
    pub fn text_output(mut self) -> Self {
        self.text = true;
        self
    }

    /// Starts it and waits until it is ready.
    pub fn start(self) -> Agent {
        let folder = tempfile::tempdir().expect("a temp dir");
        let mut rules = self.rules_paths;
        if let Some(text) = &self.rules {
            let path = folder.path().join("rules.yaml");
            std::fs::write(&path, text).expect("rules are written");
            rules.push(path);
        }
        let port = free_port();
        let mut mounts = Vec::new();
        if let Some(text) = &self.hosts {
            let hosts = folder.path().join("hosts");
            std::fs::write(&hosts, text).expect("a hosts file is written");
            mounts.push((hosts, "/etc/hosts"));
        }
        if let Some(run) = &self.run_folder {
            mounts.push((run.clone(), "/run"));
        }
        let mut command = with_mounts(&mounts);
        command.args([
            "run",
            "--print-attached",
            "-o",
            "webserver.listen_address=127.0.0.1",
        ]);
        command
            .arg("-o")
            .arg(format!("webserver.listen_port={port}"));
        command.arg("-o").arg(format!("json_output={}", !self.text));
        for option in &self.options {
            command.arg("-o").arg(option);
        }
        for path in &rules {
            command.arg("-r").arg(path);
        }
        Agent::spawn(command, folder, port)
    }
}

/// A running agent; killed when dropped.
pub struct Agent {
    child: Child,
    _folder: TempDir,
    port: u16,
    lines: Arc<Mutex<Vec<String>>>,
    log: Arc<Mutex<Vec<String>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Agent {
    fn spawn(mut command: Command, folder: TempDir, port: u16) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the agent starts");
        let (lines, reader) = collect(child.stdout.take().expect("stdout is piped"));
        let (log, log_reader) = collect(child.stderr.take().expect("stderr is piped"));
        let mut agent = Self {
            child,
            _folder: folder,
            port,
            lines,
            log,
            readers: vec![reader, log_reader],
        };
        let ready = eventually(|| {
            let ended = agent
                .child
                .try_wait()
                .expect("the agent can be waited for")
                .is_some();
            let is_ready = agent
                .log()
                .iter()
                .any(|line| line.starts_with("peregrine: ready"));
            (is_ready || ended).then_some(is_ready)
        });
        assert_eq!(
            ready,
            Some(true),
            "the agent is not ready: {:#?}",
            agent.log()
        );
        agent
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to standard error so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().expect("no reader panicked").clone()
    }

    /// What it wrote to standard output so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("no reader panicked").clone()
    }

    /// The programs it attached.
    pub fn attached(&self) -> Vec<String> {
        let names = self.log();
        names
            .iter()
            .filter_map(|line| Some(line.split_once("attached: ")?.1.to_owned()))
            .collect()
    }

    /// Every alert so far; each line has to be one.
    pub fn alerts(&self) -> Vec<Alert> {
        let parse = |line: &String| {
            Alert(serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}")))
        };
        self.lines().iter().map(parse).collect()
    }

    /// The alerts so far for which `wanted` holds.
    pub fn alerts_where(&self, wanted: impl Fn(&Alert) -> bool) -> Vec<Alert> {
        self.alerts()
            .into_iter()
            .filter(|alert| wanted(alert))
            .collect()
    }

    /// Waits for an alert.
    pub fn wait_for(&self, what: &str, wanted: impl Fn(&Alert) -> bool) -> Alert {
        eventually(|| self.alerts_where(&wanted).into_iter().next())
            .unwrap_or_else(|| panic!("no alert: {what}; got {:#?}", self.lines()))
    }

    /// Waits until everything that happened before this call has been judged: an event of our own
    /// has to come through. Needs [`MARKER_RULE`] among the rules, first.
    pub fn settle(&self) {
        // Other agents of this test see it too: no two may be alike.
        static MARKERS: AtomicUsize = AtomicUsize::new(0);

        let number = MARKERS.fetch_add(1, Ordering::Relaxed);
        let marker = format!("marker-{}-{number}.", std::process::id());
        let status = Command::new("/bin/true")
            .arg(&marker)
            .status()
            .expect("/bin/true runs");
        assert!(status.success());
        self.wait_for("the marker", |alert| {
            alert.rule() == "Marker" && alert.text("proc.cmdline").ends_with(&marker)
        });
    }

    /// The value of a metric: the sum over its samples that have all of `labels` in them.
    pub fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let text = self.get("/metrics").1;
        text.lines()
            .filter(|line| {
                line.starts_with(name) && labels.iter().all(|label| line.contains(label))
            })
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// Status code and body of a GET.
    pub fn get(&self, path: &str) -> (u16, String) {
        let mut stream =
            TcpStream::connect(("127.0.0.1", self.port)).expect("the web server listens");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a timeout can be set");
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        .expect("the request is taken");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer comes");
        let status = answer
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .unwrap_or(0);
        let body = answer
            .split_once("\r\n\r\n")
            .map_or("", |(_, body)| body)
            .to_owned();
        (status, body)
    }

    /// Sends a signal to it.
    pub fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.child.id()).expect("a pid is positive");
        // SAFETY: kill takes two numbers; the child has not been waited for, so the pid is its.
        let outcome = unsafe { libc::kill(pid, signal) };
        assert_eq!(outcome, 0, "the agent can be signalled");
    }

    /// Ends it by SIGTERM; returns its exit status and everything it wrote to standard output.
    pub fn stop(mut self) -> (ExitStatus, Vec<String>) {
        self.signal(libc::SIGTERM);
        let status = eventually(|| self.child.try_wait().expect("it can be waited for"))
            .expect("the agent ends when it is asked to");
        for reader in self.readers.drain(..) {
            reader.join().expect("no reader panicked");
        }
        let lines = self.lines();
        (status, lines)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let killed = self.child.kill().and_then(|()| self.child.wait().map(drop));
            if let Err(error) = killed {
                eprintln!("cannot end the agent: {error}");
            }
        }
    }
}

/// A rule for [`Agent::settle`].
pub const MARKER_RULE: &str = "\
- rule: Marker
  desc: Shows that what came before has been judged.
  condition: evt.type = execve and proc.exepath endswith /true and proc.args startswith marker-
  output: marker %proc.cmdline
  priority: DEBUG
";

fn collect(stream: impl Read + Send + 'static) -> (Arc<Mutex<Vec<String>>>, JoinHandle<()>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&lines);
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n') {
            let Ok(line) = line else { return };
            let line = String::from_utf8(line).expect("every line is UTF-8");
            sink.lock().expect("no other holder panicked").push(line);
        }
    });
    (lines, reader)
}

/// The agent in a mount namespace of its own, with these mounts.
fn with_mounts(mounts: &[(PathBuf, &str)]) -> Command {
    if mounts.is_empty() {
        return Command::new(agent_binary());
    }
    let mut command = Command::new("unshare");
    command.args([
        "--mount",
        "sh",
        "-ec",
        "while [ \"$1\" != -- ]; do mount --bind \"$1\" \"$2\"; shift 2; done; shift; exec \"$@\"",
        "sh",
    ]);
    for (source, target) in mounts {
        command.arg(source).arg(target);
    }
    command.arg("--").arg(agent_binary());
    command
}

/// A port that nobody listens on right now.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it has an address").port()
}

/// Whether a program exists at a path.
pub(crate) fn exists(path: &str) -> bool {
    Path::new(path).is_file()
}
