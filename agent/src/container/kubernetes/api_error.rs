//! Why the API was not asked, or gave no answer.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// A request failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    /// A file that says how to reach the API.
    #[error("cannot read {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    /// What such a file says.
    #[error("{}: {problem}", path.display())]
    Kubeconfig { path: PathBuf, problem: String },
    /// There is nothing to say how to reach it.
    #[error(
        "the environment has no KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT: outside of a pod, set kubernetes.kubeconfig"
    )]
    NoCluster,
    /// The certificates.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// Nobody answers there.
    #[error("cannot connect to {address}: {source}")]
    Connect { address: String, source: io::Error },
    /// Not HTTP, or broken off.
    #[error("the answer cannot be read: {0}")]
    Protocol(String),
    /// Nothing came for too long.
    #[error("no answer within {0:?}")]
    Silence(Duration),
    /// A refusal; the text is the API's.
    #[error("the API answered {status}: {message}")]
    Refused { status: u16, message: String },
    /// The version from which a watch should go on is forgotten.
    #[error("the API has forgotten the version of the list")]
    Expired,
}
