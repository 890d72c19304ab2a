//! How the API is reached: an address, certificates, and who asks.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::KubernetesApi;
use super::api_error::ApiError;
use super::kubeconfig::Kubeconfig;

/// Where a pod finds its service account.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// All that a request needs beside its path. It is made anew for each: tokens and certificates are
/// replaced while the agent runs.
pub(super) struct Access {
    pub(super) host: String,
    pub(super) port: u16,
    /// `None` for plain HTTP.
    pub(super) tls: Option<Tls>,
    /// The value of the `authorization` header.
    pub(super) authorization: Option<String>,
}

/// What a connection is secured with.
pub(super) struct Tls {
    pub(super) config: Arc<ClientConfig>,
    pub(super) server: ServerName<'static>,
}

/// A certificate of the client and its key, in PEM.
pub(super) struct ClientCertificate {
    pub(super) certificate: Vec<u8>,
    pub(super) key: Vec<u8>,
}

impl Access {
    /// `HOST:PORT`.
    pub(super) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Reads it from the kubeconfig, or from the pod that the agent is in. Reads files.
    pub(super) fn load(api: &KubernetesApi) -> Result<Self, ApiError> {
        match &api.kubeconfig {
            Some(path) => Kubeconfig::read(path)?.access(),
            None => {
                let variable = |name: &str| std::env::var(name).ok();
                Self::of_pod(&variable, Path::new(SERVICE_ACCOUNT))
            }
        }
    }

    fn of_pod(variable: &dyn Fn(&str) -> Option<String>, account: &Path) -> Result<Self, ApiError> {
        let host = variable("KUBERNETES_SERVICE_HOST").ok_or(ApiError::NoCluster)?;
        let port = variable("KUBERNETES_SERVICE_PORT")
            .and_then(|port| port.parse().ok())
            .ok_or(ApiError::NoCluster)?;
        let token = read(&account.join("token"))?;
        let authority = read(&account.join("ca.crt"))?;
        Ok(Self {
            tls: Some(Tls::new(&host, &authority, None)?),
            host,
            port,
            authorization: Some(bearer(&token)),
        })
    }
}

impl Tls {
    /// Trusts a server of this name by these authorities.
    pub(super) fn new(
        server: &str,
        authorities: &[u8],
        client: Option<&ClientCertificate>,
    ) -> Result<Self, ApiError> {
        let problem = |error: &dyn std::fmt::Display| ApiError::Tls(error.to_string());
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authorities) {
            let certificate = certificate.map_err(|error| problem(&error))?;
            roots.add(certificate).map_err(|error| problem(&error))?;
        }
        if roots.is_empty() {
            return Err(problem(&"there is no certificate of an authority"));
        }
        let trusting = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| problem(&error))?
            .with_root_certificates(roots);
        let config = match client {
            None => trusting.with_no_client_auth(),
            Some(client) => {
                let chain = CertificateDer::pem_slice_iter(&client.certificate)
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(|error| problem(&error))?;
                let key =
                    PrivateKeyDer::from_pem_slice(&client.key).map_err(|error| problem(&error))?;
                trusting
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| problem(&error))?
            }
        };
        Ok(Self {
            config: Arc::new(config),
            server: ServerName::try_from(server.to_owned()).map_err(|error| problem(&error))?,
        })
    }
}

/// The header that shows a token.
pub(super) fn bearer(token: &[u8]) -> String {
    format!("Bearer {}", String::from_utf8_lossy(token).trim())
}

/// The content of a file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, ApiError> {
    fs::read(path).map_err(|source| ApiError::File {
        path: PathBuf::from(path),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_without_a_service_account_cannot_ask() {
        let account = tempfile::tempdir().unwrap();
        let nothing = |_: &str| None;
        assert!(matches!(
            Access::of_pod(&nothing, account.path()),
            Err(ApiError::NoCluster)
        ));
        let cluster = |name: &str| {
            Some(match name {
                "KUBERNETES_SERVICE_HOST" => "10.96.0.1".to_owned(),
                _ => "443".to_owned(),
            })
        };
        let no_token = Access::of_pod(&cluster, account.path());
        assert!(matches!(no_token, Err(ApiError::File { .. })));
        fs::write(account.path().join("token"), "secret\n").unwrap();
        fs::write(account.path().join("ca.crt"), "no certificate").unwrap();
        let no_authority = Access::of_pod(&cluster, account.path());
        assert!(matches!(no_authority, Err(ApiError::Tls(_))));
    }

    #[test]
    fn a_token_has_no_line_end() {
        assert_eq!(bearer(b"abc\n"), "Bearer abc");
    }
}
