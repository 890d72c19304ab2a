//! A kubeconfig, as far as an agent needs it: one cluster, and a token or a certificate.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Uri;
use saphyr::{LoadableYamlNode, Yaml};

use super::access::{Access, ClientCertificate, Tls, bearer, read};
use super::api_error::ApiError;

/// The file, and what its current context names.
pub(super) struct Kubeconfig {
    path: PathBuf,
    cluster: Yaml<'static>,
    user: Yaml<'static>,
}

impl Kubeconfig {
    /// Reads the file and finds the cluster and the user of its current context.
    pub(super) fn read(path: &Path) -> Result<Self, ApiError> {
        let bytes = read(path)?;
        let problem = |problem: String| ApiError::Kubeconfig {
            path: path.to_owned(),
            problem,
        };
        let text = std::str::from_utf8(&bytes).map_err(|error| problem(error.to_string()))?;
        let documents = Yaml::load_from_str(text).map_err(|error| problem(error.to_string()))?;
        let document = documents
            .into_iter()
            .next()
            .ok_or_else(|| problem("the file is empty".to_owned()))?;
        let current = text_of(&document, "current-context").ok_or_else(|| {
            problem("expected the name of a context in current-context".to_owned())
        })?;
        // `LIST: [{name: NAME, ENTRY: {...}}]`
        let find = |list: &str, entry: &str, name: &str| {
            let entries = document.as_mapping_get(list).and_then(Yaml::as_vec);
            entries
                .into_iter()
                .flatten()
                .find(|one| text_of(one, "name").as_deref() == Some(name))
                .and_then(|one| one.as_mapping_get(entry))
                .ok_or_else(|| problem(format!("there is no '{name}' in {list}")))
        };
        let context = find("contexts", "context", &current)?;
        let named = |key: &str| {
            text_of(context, key)
                .ok_or_else(|| problem(format!("the context '{current}' names no {key}")))
        };
        let cluster = find("clusters", "cluster", &named("cluster")?)?;
        let user = find("users", "user", &named("user")?)?;
        Ok(Self {
            path: path.to_owned(),
            cluster: cluster.clone(),
            user: user.clone(),
        })
    }

    /// How the API is reached.
    pub(super) fn access(&self) -> Result<Access, ApiError> {
        let server = text_of(&self.cluster, "server")
            .ok_or_else(|| self.problem("the cluster has no server"))?;
        let address: Uri = server.parse().map_err(|_| {
            self.problem("expected an address such as https://10.0.0.1:6443 in server")
        })?;
        let host = address
            .host()
            .ok_or_else(|| self.problem("the server's address has no host"))?;
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        for (key, instead) in [
            ("exec", "a token or a certificate"),
            ("auth-provider", "a token or a certificate"),
            ("username", "a token or a certificate"),
        ] {
            if self.user.as_mapping_get(key).is_some() {
                return Err(self.problem(&format!(
                    "users with {key} are not supported: use {instead}"
                )));
            }
        }
        let tls = match address.scheme_str() {
            Some("http") => None,
            Some("https") => {
                let authority = self
                    .content(&self.cluster, "certificate-authority")?
                    .ok_or_else(|| {
                        self.problem("the cluster has no certificate-authority, so its server cannot be trusted")
                    })?;
                let certificate = self.content(&self.user, "client-certificate")?;
                let client = match (certificate, self.content(&self.user, "client-key")?) {
                    (Some(certificate), Some(key)) => Some(ClientCertificate { certificate, key }),
                    _ => None,
                };
                let name = text_of(&self.cluster, "tls-server-name");
                let name = name.as_deref().unwrap_or(&host);
                Some(Tls::new(name, &authority, client.as_ref())?)
            }
            _ => return Err(self.problem("expected http:// or https:// in server")),
        };
        let token = match (
            text_of(&self.user, "token"),
            text_of(&self.user, "tokenFile"),
        ) {
            (Some(token), _) => Some(token.into_bytes()),
            (None, Some(file)) => Some(read(&self.beside(&file))?),
            (None, None) => None,
        };
        let usual = if tls.is_some() { 443 } else { 80 };
        Ok(Access {
            port: address.port_u16().unwrap_or(usual),
            host,
            tls,
            authorization: token.map(|token| bearer(&token)),
        })
    }

    /// What `KEY-data` holds in base64, or the file that `KEY` names.
    fn content(&self, section: &Yaml<'_>, key: &str) -> Result<Option<Vec<u8>>, ApiError> {
        if let Some(data) = text_of(section, &format!("{key}-data")) {
            let decoded = STANDARD
                .decode(data.trim())
                .map_err(|error| self.problem(&format!("{key}-data: {error}")))?;
            return Ok(Some(decoded));
        }
        text_of(section, key)
            .map(|file| read(&self.beside(&file)))
            .transpose()
    }

    /// Paths in the file are relative to it.
    fn beside(&self, file: &str) -> PathBuf {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        folder.join(file)
    }

    fn problem(&self, problem: &str) -> ApiError {
        ApiError::Kubeconfig {
            path: self.path.clone(),
            problem: problem.to_owned(),
        }
    }
}

fn text_of(section: &Yaml<'_>, key: &str) -> Option<String> {
    section
        .as_mapping_get(key)?
        .as_str()
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(server: &str, user: &str) -> Result<Access, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        std::fs::write(folder.path().join("token"), "of-file\n").unwrap();
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: here\ncontexts:\n- name: here\n  context: {{cluster: c, user: u}}\nclusters:\n- name: c\n  cluster: {{server: '{server}'}}\nusers:\n- name: u\n  user: {user}\n"
        );
        std::fs::write(&path, text).unwrap();
        Kubeconfig::read(&path)
            .and_then(|config| config.access())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_current_context_says_how_to_reach_the_api() {
        for (server, user, host, port, authorization) in [
            (
                "http://127.0.0.1:8080",
                "{token: abc}",
                "127.0.0.1",
                8080,
                Some("Bearer abc"),
            ),
            (
                "http://api.example",
                "{tokenFile: token}",
                "api.example",
                80,
                Some("Bearer of-file"),
            ),
            ("http://[::1]:1", "{}", "::1", 1, None),
        ] {
            let found = access(server, user).unwrap();
            assert_eq!((&*found.host, found.port), (host, port));
            assert_eq!(found.authorization.as_deref(), authorization);
            assert!(found.tls.is_none());
        }
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        for (server, user, expected) in [
            (
                "https://127.0.0.1:6443",
                "{token: abc}",
                "certificate-authority",
            ),
            ("ftp://x", "{}", "expected http:// or https://"),
            ("", "{}", "has no server"),
            ("http://x", "{exec: {command: y}}", "exec are not supported"),
            ("http://x", "{tokenFile: none}", "cannot read"),
        ] {
            let error = access(server, user).err().unwrap();
            assert!(error.contains(expected), "{error}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        for (text, expected) in [
            ("", "empty"),
            ("a: b", "current-context"),
            ("current-context: x", "no 'x' in contexts"),
            ("a: [", "config"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = Kubeconfig::read(&path).err().unwrap().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
