//! "Did you mean ...?"

use crate::fields::registry::closest;

/// `; did you mean 'x'?` or nothing.
pub(super) fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |name| format!("; did you mean '{name}'?"))
}

/// The name that is nearest to `wanted`, if any is near.
pub(super) fn nearest<'n>(
    wanted: &str,
    names: impl IntoIterator<Item = &'n str>,
) -> Option<String> {
    closest(wanted, names.into_iter()).map(str::to_owned)
}
