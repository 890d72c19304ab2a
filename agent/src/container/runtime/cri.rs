//! The Container Runtime Interface, version 1: containerd and CRI-O.
//!
//! Only the messages and members that are read are declared, by the field numbers of the published
//! `runtime.v1` interface; what else a runtime sends is passed over. So no protocol compiler is needed
//! to build.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::grpc::Connection;
use super::oci_spec::OciSpec;
use super::pods::{Pod, Pods};
use super::{Answer, RuntimeClient, RuntimeError, containerd};
use crate::container::Runtime;
use crate::container::metadata::{
    ContainerMetadata, HostNamespaces, Image, Labels, Mount, Mounts, PodMetadata, text,
};

/// `ContainerStatusRequest` and `PodSandboxStatusRequest`, which look alike.
#[derive(Clone, PartialEq, prost::Message)]
struct StatusRequest {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(bool, tag = "2")]
    verbose: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ContainerStatusResponse {
    #[prost(message, optional, tag = "1")]
    status: Option<ContainerStatus>,
    #[prost(map = "string, string", tag = "2")]
    info: HashMap<String, String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ContainerStatus {
    #[prost(message, optional, tag = "2")]
    metadata: Option<Named>,
    #[prost(message, optional, tag = "8")]
    image: Option<ImageSpec>,
    #[prost(string, tag = "9")]
    image_ref: String,
    #[prost(map = "string, string", tag = "12")]
    labels: HashMap<String, String>,
    #[prost(message, repeated, tag = "14")]
    mounts: Vec<CriMount>,
    #[prost(string, tag = "17")]
    image_id: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Named {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ImageSpec {
    #[prost(string, tag = "1")]
    image: String,
    #[prost(string, tag = "18")]
    user_specified: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct CriMount {
    #[prost(string, tag = "1")]
    container_path: String,
    #[prost(string, tag = "2")]
    host_path: String,
    #[prost(bool, tag = "3")]
    readonly: bool,
    #[prost(int32, tag = "5")]
    propagation: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PodSandboxStatusResponse {
    #[prost(message, optional, tag = "1")]
    status: Option<PodSandboxStatus>,
    #[prost(map = "string, string", tag = "2")]
    info: HashMap<String, String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PodSandboxStatus {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(message, optional, tag = "2")]
    metadata: Option<PodSandboxMetadata>,
    #[prost(message, optional, tag = "5")]
    network: Option<SandboxNetwork>,
    #[prost(message, optional, tag = "6")]
    linux: Option<LinuxSandbox>,
    #[prost(map = "string, string", tag = "7")]
    labels: HashMap<String, String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct LinuxSandbox {
    #[prost(message, optional, tag = "1")]
    namespaces: Option<Namespaces>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Namespaces {
    #[prost(message, optional, tag = "2")]
    options: Option<NamespaceOption>,
}

/// Each a `NamespaceMode`.
#[derive(Clone, Copy, PartialEq, prost::Message)]
struct NamespaceOption {
    #[prost(int32, tag = "1")]
    network: i32,
    #[prost(int32, tag = "2")]
    pid: i32,
    #[prost(int32, tag = "3")]
    ipc: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PodSandboxMetadata {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    uid: String,
    #[prost(string, tag = "3")]
    namespace: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SandboxNetwork {
    #[prost(string, tag = "1")]
    ip: String,
}

/// The JSON in `info["info"]` of a verbose answer, which both runtimes give.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Info {
    #[serde(rename = "sandboxID")]
    sandbox_id: String,
    pid: u32,
    /// CRI-O.
    privileged: Option<bool>,
    /// containerd: the request by which the container was made.
    config: Option<InfoConfig>,
    #[serde(rename = "runtimeSpec")]
    spec: Option<OciSpec>,
    #[serde(rename = "cniResult")]
    network: Option<serde_json::Value>,
    image: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct InfoConfig {
    linux: Option<InfoLinux>,
    port_mappings: Vec<InfoPort>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct InfoPort {
    host_port: i32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct InfoLinux {
    security_context: Option<InfoSecurity>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct InfoSecurity {
    privileged: bool,
}

impl Info {
    fn of(info: &HashMap<String, String>) -> Self {
        info.get("info")
            .and_then(|json| serde_json::from_str(json).ok())
            .unwrap_or_default()
    }

    /// Whether ports of the host lead to a pod; containerd alone tells.
    fn host_ports(&self) -> Option<bool> {
        let config = self.config.as_ref()?;
        Some(config.port_mappings.iter().any(|port| port.host_port != 0))
    }

    fn privileged(&self) -> Option<bool> {
        let config = self.config.as_ref();
        self.privileged.or_else(|| {
            // A request leaves out what is false.
            config.map(|config| {
                let security = config
                    .linux
                    .as_ref()
                    .and_then(|linux| linux.security_context.as_ref());
                security.is_some_and(|security| security.privileged)
            })
        })
    }
}

/// A client of one runtime.
pub(super) struct Cri {
    connection: Connection,
    pods: Pods,
}

impl Cri {
    pub(super) fn new(socket: PathBuf) -> Self {
        Self {
            connection: Connection::new(socket),
            pods: Pods::default(),
        }
    }

    /// One call; `None` if the runtime does not know the id.
    async fn call<T>(&self, method: &'static str, id: &str) -> Result<Option<T>, RuntimeError>
    where
        T: prost::Message + Default + 'static,
    {
        let request = StatusRequest {
            id: id.to_owned(),
            verbose: true,
        };
        self.connection.call(method, None, request).await
    }

    async fn container(&self, id: &str) -> Result<Option<ContainerMetadata>, RuntimeError> {
        let found: Option<ContainerStatusResponse> = self
            .call("/runtime.v1.RuntimeService/ContainerStatus", id)
            .await?;
        let Some(ContainerStatusResponse {
            status: Some(status),
            info,
        }) = found
        else {
            return self.sandbox(id).await;
        };
        let info = Info::of(&info);
        let mut described = status.describe(&info);
        if let Some(pod) = self.pod(&info.sandbox_id).await? {
            described.ip.clone_from(&pod.metadata.ip);
            // A container joins its pod's namespaces, whosever those are.
            if let Some(of_pod) = pod.host_namespaces {
                described.host_namespaces = HostNamespaces {
                    user: described.host_namespaces.user,
                    ..of_pod
                };
            }
            described.security.host_ports = pod.host_ports;
            described.pod = Some(Box::new(pod.metadata));
        }
        Ok(Some(described))
    }

    /// The pod with this sandbox; asked for once.
    async fn pod(&self, sandbox: &str) -> Result<Option<Pod>, RuntimeError> {
        if sandbox.is_empty() {
            return Ok(None);
        }
        if let Some(pod) = self.pods.get(sandbox) {
            return Ok(Some(pod));
        }
        let found = self.sandbox_status(sandbox).await?;
        Ok(found.map(|found| self.remembered(sandbox, &found)))
    }

    async fn sandbox_status(
        &self,
        id: &str,
    ) -> Result<Option<PodSandboxStatusResponse>, RuntimeError> {
        self.call("/runtime.v1.RuntimeService/PodSandboxStatus", id)
            .await
    }

    /// A pod by what the runtime answered, for its containers to come.
    fn remembered(&self, sandbox: &str, found: &PodSandboxStatusResponse) -> Pod {
        let pod = Pod {
            metadata: found.describe(),
            host_namespaces: found.host_namespaces(),
            host_ports: Info::of(&found.info).host_ports(),
        };
        self.pods.remember(sandbox, pod.clone());
        pod
    }

    /// The container that holds a pod's namespaces.
    async fn sandbox(&self, id: &str) -> Result<Option<ContainerMetadata>, RuntimeError> {
        let Some(found) = self.sandbox_status(id).await? else {
            return Ok(None);
        };
        let info = Info::of(&found.info);
        let Pod {
            metadata: pod,
            host_namespaces,
            host_ports,
        } = self.remembered(id, &found);
        let mut described = ContainerMetadata {
            name: pod.name.clone(),
            image: Image::new(&info.image, "", &[]),
            privileged: info.privileged(),
            labels: pod.labels.clone(),
            ip: pod.ip.clone(),
            init_pid: Some(info.pid).filter(|pid| *pid != 0),
            pod: Some(Box::new(pod)),
            ..ContainerMetadata::default()
        };
        described.host_namespaces = host_namespaces.unwrap_or_default();
        described.security.host_ports = host_ports;
        if let Some(spec) = info.spec {
            described.complete_from(spec.describe());
        }
        Ok(Some(described))
    }
}

impl RuntimeClient for Cri {
    fn describe<'c>(&'c self, id: &'c str) -> Answer<'c> {
        Box::pin(async move {
            match self.container(id).await? {
                Some(found) => Ok(Some(found)),
                None => containerd::describe(&self.connection, id).await,
            }
        })
    }

    fn glimpse<'c>(&'c self, id: &'c str) -> Answer<'c> {
        Box::pin(containerd::starting_sandbox(&self.connection, id))
    }

    fn is_likely(&self, runtime: Runtime) -> bool {
        matches!(runtime, Runtime::Containerd | Runtime::CriO)
    }

    fn socket(&self) -> &Path {
        self.connection.socket()
    }
}

impl ContainerStatus {
    fn describe(self, info: &Info) -> ContainerMetadata {
        let image = self.image.unwrap_or_default();
        let spec = info.spec.as_ref().map(OciSpec::describe);
        // The runtime shows another of the image's names, or its id, if it has several; the request
        // is in the bundle.
        let asked = spec.as_ref().and_then(|spec| spec.image.reference.clone());
        let reference = if image.user_specified.is_empty() {
            asked.unwrap_or_else(|| image.image.into())
        } else {
            image.user_specified.into()
        };
        // `image_ref` is `REPOSITORY@DIGEST`, or only an id.
        let digests: Vec<String> = self
            .image_ref
            .contains('@')
            .then(|| self.image_ref.clone())
            .into_iter()
            .collect();
        let id = if self.image_id.is_empty() && digests.is_empty() {
            &self.image_ref
        } else {
            &self.image_id
        };
        let mut described = ContainerMetadata {
            name: self.metadata.and_then(|metadata| text(&metadata.name)),
            image: Image::new(&reference, id, &digests),
            privileged: info.privileged(),
            init_pid: Some(info.pid).filter(|pid| *pid != 0),
            ..ContainerMetadata::default()
        };
        described.mounts = self.mounts.iter().map(CriMount::shown).collect();
        described.labels = Labels::new(self.labels);
        if let Some(spec) = spec {
            // The runtime's own mounts are in it too; those that were asked for are known.
            described.complete_from(ContainerMetadata {
                mounts: Mounts::default(),
                ..spec
            });
        }
        described
    }
}

impl CriMount {
    fn shown(&self) -> Mount<'_> {
        Mount {
            source: &self.host_path,
            destination: &self.container_path,
            mode: "",
            writable: !self.readonly,
            // `MountPropagation`.
            propagation: match self.propagation {
                0 => "private",
                1 => "rslave",
                2 => "rshared",
                _ => "unknown",
            },
        }
    }
}

impl PodSandboxStatusResponse {
    /// Which of the pod's namespaces are the host's.
    fn host_namespaces(&self) -> Option<HostNamespaces> {
        /// `NamespaceMode::NODE`.
        const NODE: i32 = 2;
        let linux = self.status.as_ref()?.linux.as_ref()?;
        let options = linux.namespaces.as_ref()?.options.as_ref()?;
        Some(HostNamespaces {
            pid: Some(options.pid == NODE),
            network: Some(options.network == NODE),
            ipc: Some(options.ipc == NODE),
            user: None,
        })
    }

    fn describe(&self) -> PodMetadata {
        let info = Info::of(&self.info);
        let status = self.status.clone().unwrap_or_default();
        let metadata = status.metadata.unwrap_or_default();
        let ip = status.network.map(|network| network.ip).unwrap_or_default();
        PodMetadata {
            name: text(&metadata.name),
            namespace: text(&metadata.namespace),
            uid: text(&metadata.uid),
            sandbox_id: text(&status.id),
            labels: Labels::new(status.labels),
            ip: text(&ip).filter(|ip| ip.parse::<std::net::Ipv4Addr>().is_ok()),
            network_json: info
                .network
                .filter(|json| !json.is_null())
                .and_then(|json| text(&json.to_string())),
            details: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;
    use tokio::net::UnixListener;

    #[test]
    fn a_status_becomes_metadata() {
        let info = HashMap::from([(
            "info".to_owned(),
            r#"{"sandboxID": "s", "pid": 5, "config": {"linux": {"security_context": {"privileged": true}}},
                "runtimeSpec": {"root": {"readonly": true},
                    "annotations": {"io.kubernetes.cri.image-name": "reg/app:3"}}}"#
                .to_owned(),
        )]);
        let info = Info::of(&info);
        let status = ContainerStatus {
            metadata: Some(Named {
                name: "web".to_owned(),
            }),
            image: Some(ImageSpec {
                image: "sha256:12".to_owned(),
                ..ImageSpec::default()
            }),
            image_ref: "reg/app@sha256:aa".to_owned(),
            mounts: vec![CriMount {
                container_path: "/data".to_owned(),
                host_path: "/srv".to_owned(),
                readonly: false,
                propagation: 2,
            }],
            ..ContainerStatus::default()
        };
        let found = status.describe(&info);
        assert_eq!(found.name.as_deref(), Some("web"));
        assert_eq!(found.image.repository.as_deref(), Some("reg/app"));
        assert_eq!(found.image.tag.as_deref(), Some("3"));
        assert_eq!(found.image.digest.as_deref(), Some("sha256:aa"));
        assert_eq!(found.privileged, Some(true));
        assert_eq!(found.read_only_root, Some(true));
        assert_eq!(found.init_pid, Some(5));
        assert_eq!(
            found.mounts.get(0).unwrap().to_string(),
            "/srv:/data::true:rshared"
        );
    }

    #[test]
    fn a_pod_in_the_hosts_network() {
        let options = NamespaceOption {
            network: 2,
            pid: 1,
            ipc: 0,
        };
        let namespaces = Some(Namespaces {
            options: Some(options),
        });
        let status = PodSandboxStatus {
            linux: Some(LinuxSandbox { namespaces }),
            ..PodSandboxStatus::default()
        };
        let pod = PodSandboxStatusResponse {
            status: Some(status),
            ..Default::default()
        };
        let shared = pod.host_namespaces().unwrap();
        assert_eq!(
            (shared.network, shared.pid, shared.ipc),
            (Some(true), Some(false), Some(false))
        );
    }

    #[test]
    fn ports_of_the_host() {
        for (json, expected) in [
            (
                r#"{"config": {"port_mappings": [{"container_port": 80, "host_port": 8080}]}}"#,
                Some(true),
            ),
            (
                r#"{"config": {"port_mappings": [{"container_port": 80}]}}"#,
                Some(false),
            ),
            (r#"{"config": {}}"#, Some(false)),
            ("{}", None),
        ] {
            let info = HashMap::from([("info".to_owned(), json.to_owned())]);
            assert_eq!(Info::of(&info).host_ports(), expected, "{json}");
        }
    }

    #[test]
    fn a_verbose_answer_may_be_anything() {
        for json in ["", "1", "[]", "{\"pid\": \"x\"}"] {
            let info = HashMap::from([("info".to_owned(), json.to_owned())]);
            assert_eq!(Info::of(&info).privileged(), None, "{json}");
        }
    }

    #[tokio::test]
    async fn what_is_no_answer_is_an_error() {
        for garbage in [&b""[..], b"HTTP/1.1 400 Bad\r\n\r\n", &[0xff; 4096]] {
            let directory = tempfile::tempdir().unwrap();
            let socket = directory.path().join("s");
            let listener = UnixListener::bind(&socket).unwrap();
            tokio::spawn(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    // The client may have gone.
                    let _ = stream.write_all(garbage).await;
                }
            });
            let client = Cri::new(socket);
            assert!(super::super::describe(&client, "id").await.is_err());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_runtime_that_hangs_is_given_up() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("s");
        let _listener = UnixListener::bind(&socket).unwrap();
        let client = Cri::new(socket);
        let answer = super::super::describe(&client, "id").await;
        assert!(matches!(answer, Err(RuntimeError::Timeout)));
    }
}
