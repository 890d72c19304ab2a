//! Pods as kubelet makes them, through the Container Runtime Interface.
//!
//! Only what is used of its messages is declared, by the field numbers of `runtime.v1`.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use hyper::http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

use super::image::IMAGE;
use super::leftovers;
use crate::PATIENCE;

/// A pod to be started.
#[derive(Clone, Copy)]
pub struct PodPlan<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its uid, in the form of a UUID.
    pub uid: &'a str,
    /// Its own labels.
    pub labels: &'a [(&'a str, &'a str)],
    /// It is in the host's network.
    pub host_network: bool,
}

/// A container to be started in a pod.
#[derive(Clone, Copy, Default)]
pub struct ContainerPlan<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its first program, with arguments.
    pub command: &'a [&'a str],
    /// Directories of the host, and where they are mounted, for reading.
    pub mounts: &'a [(&'a str, &'a str)],
    /// Has all rights.
    pub privileged: bool,
}

/// A running pod; ended and removed when dropped.
pub struct Pod<'r> {
    cri: &'r Cri,
    config: SandboxConfig,
    /// The id of its sandbox.
    pub id: String,
}

impl<'r> Pod<'r> {
    pub(super) fn start(cri: &'r Cri, plan: PodPlan<'_>) -> Self {
        let mut pod = Self::running(cri, plan, String::new());
        let question = RunSandbox {
            config: Some(pod.config.clone()),
        };
        let made: Id = cri.call("RunPodSandbox", question);
        pod.id = made.id;
        pod
    }

    /// A pod that has been started before.
    pub(super) fn running(cri: &'r Cri, plan: PodPlan<'_>, id: String) -> Self {
        /// `NamespaceMode`.
        const POD: i32 = 0;
        const NODE: i32 = 2;
        let mut labels = text_map(plan.labels);
        labels.extend(text_map(&[
            ("io.kubernetes.pod.name", plan.name),
            ("io.kubernetes.pod.namespace", plan.namespace),
            ("io.kubernetes.pod.uid", plan.uid),
        ]));
        let config = SandboxConfig {
            metadata: Some(SandboxName {
                name: plan.name.to_owned(),
                uid: plan.uid.to_owned(),
                namespace: plan.namespace.to_owned(),
            }),
            labels,
            linux: Some(LinuxSandbox {
                cgroup_parent: format!("/kubepods/besteffort/pod{}", plan.uid),
                security: Some(SandboxSecurity {
                    namespaces: Some(Namespaces {
                        network: if plan.host_network { NODE } else { POD },
                    }),
                    privileged: true,
                }),
            }),
        };
        Self { cri, config, id }
    }

    /// Lets it run on without this end; returns its id.
    pub fn leave(mut self) -> String {
        std::mem::take(&mut self.id)
    }

    /// Starts a container of [`IMAGE`]; returns its id.
    pub fn run(&self, plan: ContainerPlan<'_>) -> String {
        let mut labels = self.config.labels.clone();
        labels.retain(|key, _| key.starts_with("io.kubernetes."));
        labels.extend(text_map(&[("io.kubernetes.container.name", plan.name)]));
        let mount = |(host, container): &(&str, &str)| Mount {
            container_path: (*container).to_owned(),
            host_path: (*host).to_owned(),
            readonly: true,
        };
        let config = ContainerConfig {
            metadata: Some(Name {
                name: plan.name.to_owned(),
            }),
            image: Some(Name {
                name: IMAGE.to_owned(),
            }),
            command: plan.command.iter().map(ToString::to_string).collect(),
            mounts: plan.mounts.iter().map(mount).collect(),
            labels,
            linux: Some(LinuxContainer {
                security: Some(ContainerSecurity {
                    privileged: plan.privileged,
                }),
            }),
        };
        let made: Id = self.cri.call(
            "CreateContainer",
            CreateContainer {
                sandbox: self.id.clone(),
                config: Some(config),
                sandbox_config: Some(self.config.clone()),
            },
        );
        let _: Empty = self.cri.call("StartContainer", made.clone());
        made.id
    }

    /// Runs a command in a container, to its end.
    pub fn exec(&self, container: &str, command: &[&str]) {
        let _: Empty = self.cri.call(
            "ExecSync",
            Exec {
                container: container.to_owned(),
                command: command.iter().map(ToString::to_string).collect(),
                timeout_seconds: 20,
            },
        );
    }
}

impl Drop for Pod<'_> {
    fn drop(&mut self) {
        if self.id.is_empty() {
            return;
        }
        let id = Id {
            id: self.id.clone(),
        };
        for method in ["StopPodSandbox", "RemovePodSandbox"] {
            if let Err(error) = self.cri.try_call::<_, Empty>(method, id.clone()) {
                eprintln!("{method}: {error}");
            }
        }
        if let Some(linux) = &self.config.linux {
            leftovers::remove_pod_cgroups(&linux.cgroup_parent);
        }
    }
}

fn text_map(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

/// The client's side.
pub(super) struct Cri {
    runtime: tokio::runtime::Runtime,
    channel: Channel,
}

impl Cri {
    pub(super) fn new(socket: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime starts");
        let entered = runtime.enter();
        let channel = Endpoint::from_shared(format!("unix://{}", socket.display()))
            .expect("it is an address")
            .timeout(PATIENCE)
            .connect_timeout(Duration::from_secs(5))
            .connect_lazy();
        drop(entered);
        Self { runtime, channel }
    }

    /// Whether pods can have this image.
    pub(super) fn has_image(&self, name: &str) -> bool {
        let question = ImageQuestion {
            image: Some(Name {
                name: name.to_owned(),
            }),
        };
        let path = "/runtime.v1.ImageService/ImageStatus".to_owned();
        let answer = self.try_path::<_, ImageAnswer>(path, question);
        answer.is_ok_and(|answer| answer.image.is_some())
    }

    fn call<Q, A>(&self, method: &str, question: Q) -> A
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        self.try_call(method, question)
            .unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn try_call<Q, A>(&self, method: &str, question: Q) -> Result<A, tonic::Status>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        self.try_path(format!("/runtime.v1.RuntimeService/{method}"), question)
    }

    fn try_path<Q, A>(&self, path: String, question: Q) -> Result<A, tonic::Status>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        let path = PathAndQuery::try_from(path).expect("it is a path");
        let mut client = Grpc::new(self.channel.clone());
        self.runtime.block_on(async {
            client
                .ready()
                .await
                .map_err(|error| tonic::Status::unavailable(error.to_string()))?;
            let codec = ProstCodec::<Q, A>::default();
            let answer = client.unary(tonic::Request::new(question), path, codec);
            Ok(answer.await?.into_inner())
        })
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct Empty {}

/// A message whose only member is an id.
#[derive(Clone, PartialEq, prost::Message)]
struct Id {
    #[prost(string, tag = "1")]
    id: String,
}

/// A message whose only member of interest is a name.
#[derive(Clone, PartialEq, prost::Message)]
struct Name {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct RunSandbox {
    #[prost(message, optional, tag = "1")]
    config: Option<SandboxConfig>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SandboxConfig {
    #[prost(message, optional, tag = "1")]
    metadata: Option<SandboxName>,
    #[prost(map = "string, string", tag = "6")]
    labels: HashMap<String, String>,
    #[prost(message, optional, tag = "8")]
    linux: Option<LinuxSandbox>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SandboxName {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    uid: String,
    #[prost(string, tag = "3")]
    namespace: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct LinuxSandbox {
    #[prost(string, tag = "1")]
    cgroup_parent: String,
    #[prost(message, optional, tag = "2")]
    security: Option<SandboxSecurity>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SandboxSecurity {
    #[prost(message, optional, tag = "1")]
    namespaces: Option<Namespaces>,
    /// A privileged container may be in it.
    #[prost(bool, tag = "6")]
    privileged: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Namespaces {
    #[prost(int32, tag = "1")]
    network: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct CreateContainer {
    #[prost(string, tag = "1")]
    sandbox: String,
    #[prost(message, optional, tag = "2")]
    config: Option<ContainerConfig>,
    #[prost(message, optional, tag = "3")]
    sandbox_config: Option<SandboxConfig>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ContainerConfig {
    #[prost(message, optional, tag = "1")]
    metadata: Option<Name>,
    #[prost(message, optional, tag = "2")]
    image: Option<Name>,
    #[prost(string, repeated, tag = "3")]
    command: Vec<String>,
    #[prost(message, repeated, tag = "7")]
    mounts: Vec<Mount>,
    #[prost(map = "string, string", tag = "9")]
    labels: HashMap<String, String>,
    #[prost(message, optional, tag = "15")]
    linux: Option<LinuxContainer>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Mount {
    #[prost(string, tag = "1")]
    container_path: String,
    #[prost(string, tag = "2")]
    host_path: String,
    #[prost(bool, tag = "3")]
    readonly: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
struct LinuxContainer {
    #[prost(message, optional, tag = "2")]
    security: Option<ContainerSecurity>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ContainerSecurity {
    #[prost(bool, tag = "2")]
    privileged: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Exec {
    #[prost(string, tag = "1")]
    container: String,
    #[prost(string, repeated, tag = "2")]
    command: Vec<String>,
    #[prost(int64, tag = "3")]
    timeout_seconds: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ImageQuestion {
    #[prost(message, optional, tag = "1")]
    image: Option<Name>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ImageAnswer {
    #[prost(message, optional, tag = "1")]
    image: Option<Name>,
}
