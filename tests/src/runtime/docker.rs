//! Docker Engine.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::confined_runc;
use super::daemon::Daemon;
use super::engine::Engine;
use super::image::archives;
use super::{run, succeed};

/// A running engine that has the image of the tests.
pub struct Docker {
    /// Its daemon.
    pub daemon: Daemon,
}

impl Docker {
    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        socket(self.daemon.folder())
    }

    /// The client.
    pub fn command(&self) -> Command {
        docker(self.daemon.folder())
    }
}

impl Engine for Docker {
    const TYPE: &'static str = "docker";
    const PRIVILEGED: &'static [&'static str] = &["--privileged", "--runtime", "confined"];

    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temp dir");
        confined_runc::write(folder.path());
        let [image, _] = archives(folder.path());
        let mut daemon = Daemon::new(folder, dockerd, |folder| {
            run(docker(folder).arg("version")).status.success()
        });
        daemon.start();
        let engine = Self { daemon };
        engine.client(["load", "--input", &image.to_string_lossy()]);
        engine
    }

    fn daemon(&self) -> &Daemon {
        &self.daemon
    }

    fn client<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> String {
        succeed(self.command().args(words))
    }
}

fn docker(folder: &Path) -> Command {
    let mut command = Command::new("docker");
    command.arg("--host").arg(url(folder));
    // Nobody's own settings.
    command.env("DOCKER_CONFIG", folder);
    command
}

fn url(folder: &Path) -> String {
    format!("unix://{}", socket(folder).display())
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("run/docker.sock")
}

fn dockerd(folder: &Path) -> Command {
    let mut command = Command::new("dockerd");
    command.args(["--iptables=false", "--bridge=none", "--live-restore"]);
    command.arg("--host").arg(url(folder));
    for (option, name) in [
        ("--data-root", "data"),
        ("--exec-root", "run/docker"),
        ("--pidfile", "run/docker.pid"),
    ] {
        command.arg(option).arg(folder.join(name));
    }
    let wrapper = confined_runc::path(folder);
    command
        .arg("--add-runtime")
        .arg(format!("confined={}", wrapper.display()));
    command
}
