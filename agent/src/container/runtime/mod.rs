//! Clients of container runtimes: one file a kind, all behind [`RuntimeClient`].

mod bundle;
mod containerd;
mod cri;
mod docker;
mod engine_security;
mod grpc;
mod oci_spec;
mod pods;

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

pub use bundle::Bundles;
use cri::Cri;
use docker::Engine;

use super::{ContainerMetadata, Runtime};

/// How long one request may take.
const REQUEST_TIME: Duration = Duration::from_secs(2);
/// The longest answer that is read, in bytes.
const ANSWER_LIMIT: usize = 4 << 20;

/// Why a runtime did not describe a container.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// The socket cannot be connected to.
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    /// No answer in time.
    #[error("no answer within {REQUEST_TIME:?}")]
    Timeout,
    /// The connection broke, or what came is not its protocol.
    #[error("the answer cannot be read: {0}")]
    Protocol(String),
    /// The runtime refused.
    #[error("the runtime answered: {0}")]
    Refused(String),
}

/// What a client answers: `None` if the runtime does not know the container.
pub type Answer<'c> =
    Pin<Box<dyn Future<Output = Result<Option<ContainerMetadata>, RuntimeError>> + Send + 'c>>;

/// Somebody who can describe containers. A request is ended after two seconds by the one who asks.
pub trait RuntimeClient: Send + Sync {
    /// Describes the container with this full id.
    fn describe<'c>(&'c self, id: &'c str) -> Answer<'c>;

    /// What it tells at once, even while it is busy starting the container: not all. `None` too if it
    /// has no such answer.
    fn glimpse<'c>(&'c self, _id: &'c str) -> Answer<'c> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Whether it is likely the one that made the container.
    fn is_likely(&self, runtime: Runtime) -> bool;

    /// Its socket.
    fn socket(&self) -> &Path;
}

/// The protocol that a socket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// The Container Runtime Interface of Kubernetes, version 1.
    Cri,
    /// Docker Engine's HTTP API.
    Docker,
    /// Podman's, which speaks Docker's too.
    Podman,
}

/// A socket that a runtime may listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// What is spoken there.
    pub protocol: Protocol,
    /// Its path.
    pub path: PathBuf,
}

impl Socket {
    /// The usual sockets of one protocol.
    pub fn defaults(protocol: Protocol) -> &'static [&'static str] {
        match protocol {
            Protocol::Cri => &[
                "/run/containerd/containerd.sock",
                "/run/k3s/containerd/containerd.sock",
                "/run/crio/crio.sock",
            ],
            Protocol::Docker => &["/var/run/docker.sock"],
            Protocol::Podman => &["/run/podman/podman.sock"],
        }
    }

    /// A client of it. Nothing is connected yet.
    pub fn client(&self) -> Box<dyn RuntimeClient> {
        match self.protocol {
            Protocol::Cri => Box::new(Cri::new(self.path.clone())),
            Protocol::Docker => Box::new(Engine::docker(self.path.clone())),
            Protocol::Podman => Box::new(Engine::podman(self.path.clone())),
        }
    }
}

/// Asks a client, but not for longer than [`REQUEST_TIME`].
pub async fn describe(
    client: &dyn RuntimeClient,
    id: &str,
) -> Result<Option<ContainerMetadata>, RuntimeError> {
    in_time(client.describe(id)).await
}

/// An answer, if it comes within [`REQUEST_TIME`].
pub async fn in_time(answer: Answer<'_>) -> Result<Option<ContainerMetadata>, RuntimeError> {
    match tokio::time::timeout(REQUEST_TIME, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(RuntimeError::Timeout),
    }
}
