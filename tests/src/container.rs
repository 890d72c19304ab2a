//! A container that runc runs, looking to the agent like one of Docker's.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;
use tempfile::TempDir;

use crate::agent::exists;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// What a container has beyond busybox.
#[derive(Default)]
pub struct ContainerOptions<'a> {
    /// The network namespace it joins, instead of an empty one of its own.
    pub network_namespace: Option<&'a str>,
    /// Capabilities of everything in it; none by default.
    pub capabilities: &'a [&'a str],
    /// The full id of the container that it is nested in, as one of Docker's in one of Docker's.
    pub inside: Option<&'a str>,
    /// Mounts on top, in the words of the OCI runtime specification.
    pub mounts: Vec<serde_json::Value>,
    /// Changes its OCI configuration.
    pub configure: Option<fn(&mut serde_json::Value)>,
}

/// A running container; deleted when dropped. Its own first program is `sleep`.
pub struct Container {
    /// 64 hex digits.
    pub id: String,
    folder: TempDir,
    init: Child,
}

impl Container {
    /// Starts one from busybox.
    pub fn start() -> Self {
        Self::start_with(&["sleep", "600"], None)
    }

    /// Starts one in a network namespace.
    pub fn start_in(network_namespace: &str) -> Self {
        Self::start_with(&["sleep", "600"], Some(network_namespace))
    }

    /// Starts one that has more than busybox.
    pub fn start_from(options: &ContainerOptions<'_>) -> Self {
        Self::start_all(&["sleep", "600"], options, &[])
    }

    /// Starts one whose own first program is `command`.
    pub fn start_with(command: &[&str], network_namespace: Option<&str>) -> Self {
        let options = ContainerOptions {
            network_namespace,
            ..ContainerOptions::default()
        };
        Self::start_all(command, &options, &[])
    }

    /// The same, with files of this content in its root directory.
    pub fn start_with_files(command: &[&str], files: &[(&str, &str)]) -> Self {
        Self::start_all(command, &ContainerOptions::default(), files)
    }

    fn start_all(command: &[&str], options: &ContainerOptions<'_>, files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temp dir");
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // The first 12 digits are all that most tools show: they have to differ.
        let id = format!("{:08x}{number:04x}{:052x}", std::process::id(), 0xabc);
        make_root(&folder);
        for (path, content) in files {
            let path = folder
                .path()
                .join("root")
                .join(path.trim_start_matches('/'));
            fs::write(path, content).expect("a file is written");
        }
        let mut namespaces = vec![
            json!({"type": "pid"}),
            json!({"type": "mount"}),
            json!({"type": "uts"}),
            json!({"type": "ipc"}),
        ];
        namespaces.push(match options.network_namespace {
            Some(name) => json!({"type": "network", "path": format!("/var/run/netns/{name}")}),
            None => json!({"type": "network"}),
        });
        let mut mounts = vec![
            json!({"destination": "/proc", "type": "proc", "source": "proc"}),
            json!({"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]}),
            json!({"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["mode=1777"]}),
            json!({"destination": "/dev/pts", "type": "devpts", "source": "devpts",
                   "options": ["newinstance", "ptmxmode=0666", "mode=0620"]}),
        ];
        mounts.extend(options.mounts.iter().cloned());
        let capabilities = options.capabilities;
        let cgroup = match options.inside {
            Some(outer) => format!("/docker/{outer}/docker/{id}"),
            None => format!("/docker/{id}"),
        };
        let mut config = json!({
            "ociVersion": "1.0.2",
            "process": {
                "terminal": false, "user": {"uid": 0, "gid": 0}, "args": command, "cwd": "/",
                "env": ["PATH=/bin:/sbin:/usr/bin", "HOME=/root"],
                "capabilities": {
                    "bounding": capabilities, "effective": capabilities, "permitted": capabilities,
                },
            },
            "root": {"path": "root", "readonly": false},
            "hostname": "test",
            "mounts": mounts,
            "linux": {"namespaces": namespaces, "cgroupsPath": cgroup},
        });
        if let Some(configure) = options.configure {
            configure(&mut config);
        }
        fs::write(folder.path().join("config.json"), config.to_string())
            .expect("a config is written");
        let init = runc(&folder)
            .args(["run", "--bundle"])
            .arg(folder.path())
            .arg(&id)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("runc starts");
        let container = Self { id, folder, init };
        crate::eventually(|| {
            let state = container
                .runc()
                .args(["state", &container.id])
                .output()
                .ok()?;
            let state: serde_json::Value = serde_json::from_slice(&state.stdout).ok()?;
            (state["status"] == "running").then_some(())
        })
        .expect("the container runs");
        container
    }

    /// What `container.id` shows.
    pub fn short_id(&self) -> &str {
        &self.id[..12]
    }

    /// Runs a command in it, without a terminal.
    pub fn exec(&self, command: &[&str]) -> Output {
        self.runc()
            .arg("exec")
            .arg(&self.id)
            .args(command)
            .stdin(Stdio::null())
            .output()
            .expect("runc exec runs")
    }

    /// Runs a command in it with a terminal.
    pub fn exec_with_terminal(&self, command: &[&str]) -> Output {
        // `script` gives runc a terminal of its own, which it hands on.
        let mut words = vec![
            self.runc_words(),
            "exec".into(),
            "--tty".into(),
            self.id.clone(),
        ];
        words.extend(command.iter().map(|word| format!("'{word}'")));
        Command::new("script")
            .args([
                "--quiet",
                "--return",
                "--command",
                &words.join(" "),
                "/dev/null",
            ])
            .stdin(Stdio::null())
            .output()
            .expect("script runs")
    }

    /// What would be `/run` if the container's state were at its usual place.
    pub fn run_folder(&self) -> std::path::PathBuf {
        self.folder.path().join("run")
    }

    /// A path of the container as the host sees it.
    pub fn path(&self, inside: &str) -> std::path::PathBuf {
        self.folder
            .path()
            .join("root")
            .join(inside.trim_start_matches('/'))
    }

    fn runc(&self) -> Command {
        runc(&self.folder)
    }

    fn runc_words(&self) -> String {
        format!(
            "runc --root {}",
            self.folder.path().join("run/runc").display()
        )
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let deleted = self.runc().args(["delete", "--force", &self.id]).output();
        if let Err(error) = deleted {
            eprintln!("cannot delete the container: {error}");
        }
        if let Err(error) = self.init.wait() {
            eprintln!("cannot wait for the container: {error}");
        }
    }
}

fn runc(folder: &TempDir) -> Command {
    let mut command = Command::new("runc");
    command.arg("--root").arg(folder.path().join("run/runc"));
    command
}

/// A root file system of busybox and some files.
fn make_root(folder: &TempDir) {
    let root = folder.path().join("root");
    for directory in [
        "bin", "etc", "proc", "dev", "tmp", "root", "var/log", "usr/bin",
    ] {
        fs::create_dir_all(root.join(directory)).expect("a folder is made");
    }
    let busybox = ["/bin/busybox", "/usr/bin/busybox"]
        .into_iter()
        .find(|path| exists(path))
        .expect("busybox-static is installed; `cargo xtask setup` does it");
    fs::copy(busybox, root.join("bin/busybox")).expect("busybox is copied");
    for applet in ["sh", "cat", "sleep", "true", "nc", "cp", "apk"] {
        if applet == "apk" {
            // No applet of busybox has this name: it only has to start.
            fs::write(root.join("bin/apk"), "#!/bin/true\n").expect("a script is written");
            let mode = fs::Permissions::from_mode(0o755);
            fs::set_permissions(root.join("bin/apk"), mode).expect("it is made executable");
        } else {
            symlink("busybox", root.join("bin").join(applet)).expect("a link is made");
        }
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\n").expect("passwd is written");
    fs::write(root.join("etc/shadow"), "root:*:1:0:::::\n").expect("shadow is written");
}
