//! What runs, and which version of Falco's rule language it understands.

use serde::Serialize;

/// This build's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The version of Falco's rule engine whose language is understood, as a rule file's
/// `required_engine_version` may name it.
pub const ENGINE_VERSION: u32 = 63;

/// The versions, under the names that Falco's `/versions` has where the meaning is the same. Its
/// others speak of parts (drivers, libs) that do not exist here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Versions {
    /// This build.
    pub peregrine_version: &'static str,
    /// The engine version as Falco prints it: a text.
    pub engine_version: String,
    /// The engine version as a semantic version.
    pub engine_version_semver: String,
    /// No plugins: always empty, but there for those who read it.
    pub plugin_versions: serde_json::Map<String, serde_json::Value>,
}

impl Versions {
    /// Those of this build.
    pub fn current() -> Self {
        Self {
            peregrine_version: VERSION,
            engine_version: ENGINE_VERSION.to_string(),
            engine_version_semver: format!("0.{ENGINE_VERSION}.0"),
            plugin_versions: serde_json::Map::new(),
        }
    }
}
