//! Where actions take place: three containers, a network, and a folder of the host.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use peregrine_tests::{Container, ContainerOptions, NetworkNamespace, trigger};
use serde_json::json;
use tempfile::TempDir;

/// An address of the outside; here it is the namespace's own.
pub(crate) const OUTSIDE: &str = "203.0.113.9";
/// Where clouds serve what a machine may know of itself; here it is the namespace's own.
pub(crate) const CLOUD_METADATA: &str = "169.254.169.254";
/// What the agent takes the Kubernetes API server's address to be; here it is the namespace's own.
pub(crate) const API_SERVER: &str = "198.51.100.7";

/// Capabilities that a container needs to reach for its host.
const CAPABLE: [&str; 5] = [
    "CAP_SYS_ADMIN",
    "CAP_SYS_MODULE",
    "CAP_SYS_PTRACE",
    "CAP_NET_RAW",
    "CAP_DAC_OVERRIDE",
];
/// Names under which `/opt` of the containers, and the host's folder, have the trigger program.
const NAMES: [&str; 18] = [
    "agent", "apk", "cat", "crontab", "curl", "debugfs", "editor", "loader", "mysqld", "ncat",
    "nginx", "nmap", "rsync", "ssh", "sshd", "tool", "useradd", "wget",
];
/// Applets of busybox that actions use by their own names.
const APPLETS: [&str; 10] = [
    "chmod", "env", "find", "grep", "ln", "ls", "mount", "rm", "shred", "tar",
];

/// The containers, the network and the folder; all is undone when it is dropped.
pub(crate) struct Stage {
    /// A container without capabilities.
    pub(crate) plain: Container,
    /// A container with many.
    pub(crate) capable: Container,
    /// Programs on the host.
    folder: TempDir,
    listeners: Vec<Child>,
    _network: NetworkNamespace,
    _upper: TempDir,
}

impl Stage {
    /// Sets everything up. To be called after the agent is ready: the start of a container is an action too.
    pub(crate) fn set_up() -> Self {
        let addresses =
            [OUTSIDE, CLOUD_METADATA, API_SERVER].map(|address| format!("{address}/32"));
        let network = NetworkNamespace::with_addresses(&addresses.each_ref().map(String::as_str));
        let listeners = [443, 80].map(|port| listener(&network, port)).into();

        let folder = tempfile::tempdir().expect("a temp dir");
        let everyone = fs::Permissions::from_mode(0o755);
        fs::set_permissions(folder.path(), everyone).expect("it is opened to all");
        put_programs(folder.path());

        // The upper layer of an overlay cannot be on an overlay: the temp dir may be.
        let upper = TempDir::new_in("/dev/shm").expect("a folder in memory");
        let plain = Container::start_from(&ContainerOptions {
            network_namespace: Some(&network.name),
            capabilities: &[],
            mounts: mounts(&folder, Some(&upper)),
            ..ContainerOptions::default()
        });
        let capable = Container::start_from(&ContainerOptions {
            network_namespace: None,
            capabilities: &CAPABLE,
            mounts: mounts(&folder, None),
            ..ContainerOptions::default()
        });
        for container in [&plain, &capable] {
            furnish(container);
        }
        Self {
            plain,
            capable,
            folder,
            listeners,
            _network: network,
            _upper: upper,
        }
    }

    /// The path of a program on the host.
    pub(crate) fn program(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for listener in &mut self.listeners {
            let ended = listener.kill().and_then(|()| listener.wait().map(drop));
            ended.expect("it is ours to end");
        }
    }
}

/// The host's shared libraries, the trigger program in /opt, and for one of them an overlay.
fn mounts(folder: &TempDir, upper: Option<&TempDir>) -> Vec<serde_json::Value> {
    let bind = |from: &Path, to: &str| json!({"destination": to, "type": "bind", "source": from, "options": ["rbind", "ro"]});
    let mut mounts = vec![
        bind(Path::new("/usr/lib"), "/usr/lib"),
        bind(Path::new("/usr/lib64"), "/usr/lib64"),
        bind(folder.path(), "/opt"),
    ];
    if let Some(upper) = upper {
        let layer = |name: &str| {
            let path = upper.path().join(name);
            fs::create_dir(&path).expect("a folder is made");
            path.display().to_string()
        };
        mounts.push(json!({
            "destination": "/layer", "type": "overlay", "source": "overlay",
            "options": [
                format!("lowerdir={}", layer("lower")),
                format!("upperdir={}", layer("upper")),
                format!("workdir={}", layer("work")),
            ],
        }));
    }
    mounts
}

fn put_programs(folder: &Path) {
    let first = folder.join("first");
    fs::copy(trigger("rule_actions"), &first).expect("it is copied");
    for name in NAMES {
        fs::hard_link(&first, folder.join(name)).expect("it is linked");
    }
}

/// Files that actions are about.
fn furnish(container: &Container) {
    for folder in ["root/.ssh", "home/user/.ssh", "etc/cron.d", "tmp/secrets"] {
        fs::create_dir_all(container.path(folder)).expect("a folder is made");
    }
    for file in [
        "root/.ssh/id_test",
        "root/.bash_history",
        "root/.zsh_history",
        "tmp/secrets/a",
        "tmp/liblzma.so.5.6.1",
        "tmp/notes",
        "var/log/auth.log",
    ] {
        fs::write(container.path(file), "text\n").expect("a file is written");
    }
    for applet in APPLETS {
        symlink("busybox", container.path("/bin").join(applet)).expect("a link is made");
    }
    for name in ["lib", "lib64"] {
        let link = container.path(name);
        if !link.exists() {
            symlink(format!("usr/{name}"), link).expect("a link is made");
        }
    }
}

fn listener(network: &NetworkNamespace, port: u16) -> Child {
    let mut listener = network
        .command(trigger("listen"))
        .arg(format!("0.0.0.0:{port}"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("a listener starts");
    let stdout = listener.stdout.take().expect("stdout is piped");
    let mut said = String::new();
    BufReader::new(stdout)
        .read_line(&mut said)
        .expect("it says that it listens");
    listener
}

/// Runs a program of the host to its end; what it says is of no interest.
pub(crate) fn on_host(command: &[&str]) {
    Command::new(command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .output()
        .expect("it starts");
}
