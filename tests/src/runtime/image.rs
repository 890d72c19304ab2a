//! Images made of busybox: there is no registry to pull from.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::succeed;

/// The image that containers are started from.
pub const IMAGE: &str = "docker.io/library/bb:1";

/// The image of pod sandboxes: it only sleeps.
pub const PAUSE_IMAGE: &str = "docker.io/library/pause:1";

/// Makes both images in a folder, as archives that every runtime loads.
pub(super) fn archives(folder: &Path) -> [PathBuf; 2] {
    let layer = layer(folder);
    [
        (IMAGE, json!(["sh"])),
        (PAUSE_IMAGE, json!(["sleep", "1000000"])),
    ]
    .map(|(name, command)| archive(folder, &layer, name, &command))
}

/// The root file system.
fn layer(folder: &Path) -> PathBuf {
    let root = folder.join("root");
    for directory in ["bin", "etc", "tmp", "data"] {
        fs::create_dir_all(root.join(directory)).expect("a folder is made");
    }
    let busybox = ["/bin/busybox", "/usr/bin/busybox"]
        .into_iter()
        .find(|path| Path::new(path).is_file())
        .expect("busybox-static is installed; `cargo xtask setup` does it");
    fs::copy(busybox, root.join("bin/busybox")).expect("busybox is copied");
    for applet in ["sh", "cat", "sleep", "true", "ls"] {
        symlink("busybox", root.join("bin").join(applet)).expect("a link is made");
    }
    fs::write(root.join("etc/hosts"), "127.0.0.1 localhost\n").expect("hosts are written");
    let layer = folder.join("layer.tar");
    tar(&layer, &root, &["."]);
    layer
}

/// An archive of one image, in the form of `docker save`.
fn archive(folder: &Path, layer: &Path, name: &str, command: &serde_json::Value) -> PathBuf {
    let directory = tempfile::tempdir_in(folder).expect("a temp dir");
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": command, "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", digest(layer))]},
        "history": [{"created": "2020-01-01T00:00:00Z"}],
    });
    let unnamed = directory.path().join("config");
    fs::write(&unnamed, config.to_string()).expect("a config is written");
    let config_name = format!("{}.json", digest(&unnamed));
    fs::rename(&unnamed, directory.path().join(&config_name)).expect("it is named");
    let manifest = json!([{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]);
    fs::write(directory.path().join("manifest.json"), manifest.to_string())
        .expect("a manifest is written");
    fs::copy(layer, directory.path().join("layer.tar")).expect("the layer is copied");
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let archive = folder.join(format!("{name}.tar"));
    tar(
        &archive,
        directory.path(),
        &["manifest.json", &config_name, "layer.tar"],
    );
    archive
}

fn tar(archive: &Path, root: &Path, members: &[&str]) {
    succeed(
        Command::new("tar")
            .args(["--create", "--owner=0", "--group=0", "--file"])
            .arg(archive)
            .arg("--directory")
            .arg(root)
            .args(members),
    );
}

fn digest(file: &Path) -> String {
    let line = succeed(Command::new("sha256sum").arg(file));
    line.split(' ').next().unwrap_or_default().to_owned()
}
