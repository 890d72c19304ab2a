//! Every field that a rule can name.
//!
//! [`registry`] says which fields there are, of which type and with which argument. The other
//! modules, one a class, say how a value is computed.

mod call_path;
mod connection;
mod constant;
mod container;
mod context;
mod descriptor;
mod errno;
mod evt;
mod fd;
mod flags;
mod fs_path;
mod host_name;
mod listed;
mod live_process;
mod parameter;
mod path_text;
mod proc;
pub mod registry;
mod resolved;
#[cfg(test)]
mod tests;
mod user;
mod value;

pub use container::{MetadataExtractor, metadata_extractor};
pub use context::{Context, EventFields, EventTimes, Extractor, Extractors, FileNames, View};
pub(crate) use errno::errno_name;
pub use fd::file_names;
pub use resolved::{ResolvedName, resolved_names};
pub use value::{FieldArgument, FieldSource, FieldUse, Value};

/// How the field of this name is computed; `None` for a field that has no value yet.
pub fn extractor(name: &str) -> Option<Extractor> {
    evt::extractor(name)
        .or_else(|| proc::extractor(name))
        .or_else(|| live_process::extractor(name))
        .or_else(|| fd::extractor(name))
        .or_else(|| listed::extractor(name))
        .or_else(|| fs_path::extractor(name))
        .or_else(|| user::extractor(name))
        .or_else(|| container::extractor(name))
        .or_else(|| constant::extractor(name))
        .or_else(|| host_name::extractor(name))
}
