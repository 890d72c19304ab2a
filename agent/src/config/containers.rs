//! Settings of container runtimes and what they are asked for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::section::Section;
use crate::container::runtime::{Protocol, Socket};
use crate::pipeline::HoldLimits;

/// Where container runtimes are, and how long is waited for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Containers {
    /// `container_engines`: the sockets of those that are enabled, as on the host. Default: the usual
    /// ones of CRI, Docker and Podman.
    pub sockets: Vec<Socket>,
    /// `container_metadata`: bounds of the events that wait for a container's metadata.
    pub hold: HoldLimits,
}

impl Containers {
    pub(super) fn read(top: &mut Section<'_>) -> Self {
        let mut engines = top.section("container_engines");
        let mut sockets = Vec::new();
        for (key, protocol) in [
            ("cri", Protocol::Cri),
            ("docker", Protocol::Docker),
            ("podman", Protocol::Podman),
        ] {
            let mut engine = engines.section(key);
            let enabled = engine.switch("enabled", true);
            let paths = engine.texts("sockets").unwrap_or_else(|| {
                let usual = Socket::defaults(protocol);
                usual.iter().map(|path| (*path).to_owned()).collect()
            });
            engine.finish();
            if enabled {
                sockets.extend(paths.into_iter().map(|path| Socket {
                    protocol,
                    path: PathBuf::from(path),
                }));
            }
        }
        engines.finish();

        let usual = HoldLimits::default();
        let mut metadata = top.section("container_metadata");
        let deadline = metadata.number("deadline_ms", 500, 0..=60_000);
        let events = metadata.number("held_events", 4096, 0..=1_000_000);
        let bytes = metadata.number("held_bytes", 4 << 20, 0..=1 << 30);
        metadata.finish();
        Self {
            sockets,
            hold: HoldLimits {
                deadline: Duration::from_millis(deadline),
                events: usize::try_from(events).unwrap_or(usual.events),
                bytes: usize::try_from(bytes).unwrap_or(usual.bytes),
            },
        }
    }

    /// The sockets as seen below the host's root.
    pub fn sockets_below(&self, host_root: &Path) -> Vec<Socket> {
        let below = |socket: &Socket| {
            let path = socket.path.strip_prefix("/").unwrap_or(&socket.path);
            // On the host /var/run is a link to /run, which would lead out of its root.
            let path = match path.strip_prefix("var/run") {
                Ok(rest) if host_root != Path::new("/") => Path::new("run").join(rest),
                _ => path.to_owned(),
            };
            Socket {
                protocol: socket.protocol,
                path: host_root.join(path),
            }
        };
        self.sockets.iter().map(below).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_below_the_host_root() {
        let containers = Containers {
            sockets: ["/var/run/docker.sock", "/run/x.sock"]
                .map(|path| Socket {
                    protocol: Protocol::Docker,
                    path: path.into(),
                })
                .into(),
            hold: HoldLimits::default(),
        };
        for (root, expected) in [
            ("/", ["/var/run/docker.sock", "/run/x.sock"]),
            ("/host", ["/host/run/docker.sock", "/host/run/x.sock"]),
        ] {
            let found = containers.sockets_below(Path::new(root));
            let paths: Vec<&Path> = found.iter().map(|socket| socket.path.as_path()).collect();
            assert_eq!(paths, expected.map(Path::new), "{root}");
        }
    }
}
