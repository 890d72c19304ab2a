//! What a container's OCI bundle tells, without asking anybody.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::oci_spec::OciSpec;
use crate::container::ContainerMetadata;
use crate::container::bounded_file::read_start;

/// Where bundles are: below `DIRECTORY/[NAMESPACE/]ID`.
const BUNDLES: &[(&str, bool, &str)] = &[
    ("run/containerd/io.containerd.runtime.v2.task", true, ""),
    ("run/k3s/containerd/io.containerd.runtime.v2.task", true, ""),
    (
        "run/docker/containerd/daemon/io.containerd.runtime.v2.task",
        true,
        "",
    ),
    (
        "run/containers/storage/overlay-containers",
        false,
        "userdata",
    ),
];

/// Where runc keeps the state of its containers, which names the bundle.
const STATES: &[(&str, bool)] = &[
    ("run/runc", false),
    ("run/containerd/runc", true),
    ("run/docker/runtime-runc", true),
];

/// The longest file that is read, in bytes.
const FILE_LIMIT: u64 = 1 << 20;

/// Finds the bundles of containers below the host's root.
#[derive(Clone, Debug)]
pub struct Bundles {
    root: PathBuf,
}

/// runc's `state.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct State {
    init_process_pid: Option<u32>,
    config: StateConfig,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StateConfig {
    /// `KEY=VALUE`.
    labels: Vec<String>,
}

impl Bundles {
    /// Below this root.
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// What the bundle of the container with this id tells; `None` if none is found. Reads files.
    pub fn describe(&self, id: &str) -> Option<ContainerMetadata> {
        // An id is one component; ids from a cgroup's path cannot be anything else.
        if id.contains('/') || id.starts_with('.') {
            return None;
        }
        let state = STATES
            .iter()
            .find_map(|(directory, spaced)| self.find(directory, *spaced, id, "state.json"))
            .and_then(|text| serde_json::from_slice::<State>(&text).ok());
        let spec = BUNDLES.iter().find_map(|(directory, spaced, below)| {
            let file = Path::new(below).join("config.json");
            self.find(directory, *spaced, id, file)
        });
        let spec = spec.or_else(|| {
            let labels = &state.as_ref()?.config.labels;
            let bundle = labels
                .iter()
                .find_map(|label| label.strip_prefix("bundle="))?;
            read(
                &self
                    .root
                    .join(bundle.trim_start_matches('/'))
                    .join("config.json"),
            )
        })?;
        let spec: OciSpec = serde_json::from_slice(&spec).ok()?;
        let mut described = spec.describe();
        described.init_pid = state.and_then(|state| state.init_process_pid);
        Some(described)
    }

    /// The file of a container below `DIRECTORY/ID`, or below each `DIRECTORY/NAMESPACE/ID`.
    fn find(
        &self,
        directory: &str,
        spaced: bool,
        id: &str,
        file: impl AsRef<Path>,
    ) -> Option<Vec<u8>> {
        let directory = self.root.join(directory);
        let file = Path::new(id).join(file);
        if !spaced {
            return read(&directory.join(file));
        }
        fs::read_dir(directory)
            .ok()?
            .flatten()
            .find_map(|namespace| read(&namespace.path().join(&file)))
    }
}

fn read(path: &Path) -> Option<Vec<u8>> {
    read_start(path, FILE_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: PathBuf, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn the_bundle_is_found_by_place_or_by_state() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        write(
            at("run/containerd/io.containerd.runtime.v2.task/k8s.io/one/config.json"),
            r#"{"annotations": {"io.kubernetes.cri.container-name": "first"}}"#,
        );
        write(
            at("run/runc/two/state.json"),
            r#"{"init_process_pid": 7, "config": {"labels": ["bundle=/srv/two"]}}"#,
        );
        write(at("srv/two/config.json"), r#"{"root": {"readonly": true}}"#);
        write(at("run/runc/bad/state.json"), "nonsense");
        let bundles = Bundles::new(root.path());
        assert_eq!(
            bundles.describe("one").unwrap().name.as_deref(),
            Some("first")
        );
        let two = bundles.describe("two").unwrap();
        assert_eq!((two.init_pid, two.read_only_root), (Some(7), Some(true)));
        for id in ["bad", "none", "../two", "..", ""] {
            assert_eq!(bundles.describe(id), None, "{id}");
        }
    }
}
