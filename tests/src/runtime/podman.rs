//! Podman, and the service by which others ask it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::confined_runc;
use super::daemon::Daemon;
use super::engine::Engine;
use super::image::archives;
use super::succeed;

/// Podman with the image of the tests, and its running service. Containers do not need the service.
pub struct Podman {
    /// Its service.
    pub daemon: Daemon,
}

impl Podman {
    /// Where its service listens.
    pub fn socket(&self) -> PathBuf {
        socket(self.daemon.folder())
    }
}

impl Engine for Podman {
    const TYPE: &'static str = "podman";
    const PRIVILEGED: &'static [&'static str] = &["--privileged"];

    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temp dir");
        confined_runc::write(folder.path());
        let [image, _] = archives(folder.path());
        fs::write(folder.path().join("containers.conf"), config(folder.path()))
            .expect("a config is written");
        let mut daemon = Daemon::new(folder, service, |folder| socket(folder).exists());
        fs::create_dir_all(daemon.path("run/podman")).expect("a folder is made");
        daemon.start();
        let podman = Self { daemon };
        podman.client(["load", "--input", &image.to_string_lossy()]);
        podman
    }

    fn daemon(&self) -> &Daemon {
        &self.daemon
    }

    fn client<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> String {
        succeed(podman(self.daemon.folder()).args(words))
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("run/podman/podman.sock")
}

fn service(folder: &Path) -> Command {
    let mut command = podman(folder);
    command.args(["system", "service", "--time", "0"]);
    command.arg(format!("unix://{}", socket(folder).display()));
    command
}

fn podman(folder: &Path) -> Command {
    let mut command = Command::new("podman");
    for (option, name) in [
        ("--root", "data"),
        ("--runroot", "run/containers/storage"),
        ("--tmpdir", "run/libpod"),
    ] {
        command.arg(option).arg(folder.join(name));
    }
    command.env("CONTAINERS_CONF", folder.join("containers.conf"));
    command
}

fn config(folder: &Path) -> String {
    let runc = confined_runc::path(folder);
    format!(
        r#"[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
pids_limit = 0
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "{0}"
[engine.runtimes]
runc = ["{0}"]
"#,
        runc.display()
    )
}
