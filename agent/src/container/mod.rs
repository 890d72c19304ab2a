//! Which container a process is in.
//!
//! A container is known from its cgroup: the runtime names the cgroup after the container before
//! the first process enters it, so the answer needs no runtime and no waiting. What the runtime
//! knows besides (image, labels, pod) is found from the [`ContainerIdentity`].

mod cgroup;
mod container_table;
mod identity;

pub use cgroup::{CgroupHierarchies, CgroupMembership};
pub use container_table::{ContainerTable, ContainerTableStats};
pub use identity::{ContainerIdentity, Runtime};
