//! containerd, with its Container Runtime Interface.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::confined_runc;
use super::daemon::Daemon;
use super::image::{IMAGE, PAUSE_IMAGE, archives};
use super::pod::{Cri, Pod, PodPlan};
use super::{run, succeed};

/// The address of every pod in a network of its own.
pub const POD_ADDRESS: &str = "10.213.7.2";

/// A network plugin that says what it would have made, and makes nothing: no packet is to be sent.
const NETWORK_PLUGIN: &str = r#"#!/bin/sh
cat > /dev/null
case "$CNI_COMMAND" in
ADD) cat << END
{"cniVersion": "0.4.0", "interfaces": [{"name": "$CNI_IFNAME", "sandbox": "$CNI_NETNS"}],
 "ips": [{"version": "4", "address": "ADDRESS/24", "interface": 0}]}
END
;;
VERSION) echo '{"cniVersion": "0.4.0", "supportedVersions": ["0.3.1", "0.4.0"]}' ;;
esac
"#;

/// A running containerd that has [`IMAGE`].
pub struct Containerd {
    /// Its daemon.
    pub daemon: Daemon,
    cri: Cri,
}

impl Containerd {
    /// Starts one.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temp dir");
        confined_runc::write(folder.path());
        write_network(&folder.path().join("network"));
        let images = archives(folder.path());
        fs::write(folder.path().join("config.toml"), config(folder.path()))
            .expect("a config is written");
        let mut daemon = Daemon::new(folder, containerd, |folder| {
            run(ctr(folder).arg("version")).status.success()
        });
        daemon.start();
        let cri = Cri::new(&socket(daemon.folder()));
        let runtime = Self { daemon, cri };
        for (namespace, image) in [
            ("k8s.io", &images[0]),
            ("k8s.io", &images[1]),
            ("default", &images[0]),
        ] {
            let image = image.to_string_lossy();
            runtime.ctr(namespace, &["images", "import", &image]);
        }
        runtime.wait_for_images();
        runtime
    }

    /// Waits until pods can have their images: the part that serves pods answers later than the daemon itself, with
    /// "server is not initialized yet" until then.
    fn wait_for_images(&self) {
        for image in [IMAGE, PAUSE_IMAGE] {
            crate::eventually(|| self.cri.has_image(image).then_some(()))
                .expect("pods can have the image");
        }
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        socket(self.daemon.folder())
    }

    /// Runs a command of `ctr` in a namespace, which has to succeed; returns what it says.
    pub fn ctr(&self, namespace: &str, words: &[&str]) -> String {
        let mut command = ctr(self.daemon.folder());
        succeed(command.args(["--namespace", namespace]).args(words))
    }

    /// Runs a container of [`IMAGE`], without a pod: to its end, or in the background with `-d`.
    pub fn run(&self, id: &str, options: &[&str], command: &[&str]) -> String {
        let root = self
            .daemon
            .path("run/containerd/runc")
            .display()
            .to_string();
        let runc = confined_runc::path(self.daemon.folder())
            .display()
            .to_string();
        let start = ["run", "--runc-root", &root, "--runc-binary", &runc];
        let words: Vec<&str> = start
            .iter()
            .chain(options)
            .chain(&[IMAGE, id])
            .chain(command)
            .copied()
            .collect();
        self.ctr("default", &words)
    }

    /// Starts a pod.
    pub fn pod(&self, plan: PodPlan<'_>) -> Pod<'_> {
        Pod::start(&self.cri, plan)
    }

    /// A pod that was left, of a daemon that was started again.
    pub fn rejoin(&self, plan: PodPlan<'_>, id: String) -> Pod<'_> {
        self.wait_for_images();
        Pod::running(&self.cri, plan, id)
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("run/containerd/containerd.sock")
}

fn ctr(folder: &Path) -> Command {
    let mut command = Command::new("ctr");
    command.arg("--address").arg(socket(folder));
    command
}

fn containerd(folder: &Path) -> Command {
    let mut command = Command::new("containerd");
    command.arg("--config").arg(folder.join("config.toml"));
    command
}

/// The plugin under the names by which it is looked for, and the network that it is for.
fn write_network(folder: &Path) {
    fs::create_dir_all(folder).expect("a folder is made");
    for name in ["announce", "loopback"] {
        let path = folder.join(name);
        fs::write(&path, NETWORK_PLUGIN.replace("ADDRESS", POD_ADDRESS))
            .expect("a script is written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it is executable");
    }
    let network = r#"{"cniVersion": "0.4.0", "name": "test", "plugins": [{"type": "announce"}]}"#;
    fs::write(folder.join("test.conflist"), network).expect("a network is written");
}

fn config(folder: &Path) -> String {
    let folder_text = folder.display();
    let runc = confined_runc::path(folder);
    format!(
        r#"version = 2
root = "{folder_text}/data"
state = "{folder_text}/run/containerd"
[grpc]
  address = "{}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{folder_text}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  disable_apparmor = true
  restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{folder_text}/network"
  conf_dir = "{folder_text}/network"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  BinaryName = "{}"
  Root = "{folder_text}/run/containerd/runc"
  SystemdCgroup = false
"#,
        socket(folder).display(),
        runc.display()
    )
}
