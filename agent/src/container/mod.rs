//! Which container a process is in.
//!
//! A container is known from its cgroup: the runtime names the cgroup after the container before
//! the first process enters it, so the answer needs no runtime and no waiting. What the runtime
//! knows besides (image, labels, pod) is [`ContainerMetadata`]: asked for when the cgroup appears.

mod bounded_file;
mod cgroup;
mod container_table;
mod directory;
mod first_process;
mod identity;
mod image;
mod kubernetes;
mod metadata;
mod metadata_table;
mod packed_texts;
mod pod_details;
pub mod runtime;
pub mod security;

pub use cgroup::{CgroupHierarchies, CgroupMembership};
pub use container_table::{ContainerTable, ContainerTableStats};
pub use directory::{Description, Directory, DirectoryStats, Inquiry, WakeUp};
pub use first_process::first_processes;
pub use identity::{ContainerIdentity, Runtime};
pub use kubernetes::{KubernetesApi, KubernetesStats};
pub use metadata::{ContainerMetadata, HostNamespaces, Image, Labels, Mount, Mounts, PodMetadata};
pub use metadata_table::{Known, MetadataTable};
pub use pod_details::{PodDetails, PodOwner, PodUpdate};
