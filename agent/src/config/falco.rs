//! Keys of Falco's configuration that have no meaning here, or none yet.
//!
//! Someone who brings a falco.yaml along should learn what becomes of each of its settings, not
//! that the key is unknown.

/// The key, which stands for everything below it too, and what to do instead.
const KEYS: &[(&str, &str)] = &[
    (
        "base_syscalls",
        "the loaded rules decide what is attached; remove it",
    ),
    ("capture", NOT_YET),
    (
        "config_files",
        "the configuration is one file; merge the others into it",
    ),
    (
        "engine",
        "there is one engine, eBPF; ring sizes are sensor.process_ring_bytes and sensor.event_ring_bytes",
    ),
    (
        "falco_libs",
        "the size of the process table is process_table_size",
    ),
    ("file_output", NOT_YET),
    (
        "grpc",
        "Falco removed it too; use JSON lines on standard output",
    ),
    (
        "grpc_output",
        "Falco removed it too; use JSON lines on standard output",
    ),
    ("http_output", NOT_YET),
    ("libs_logger", "the level of every message is log_level"),
    ("load_plugins", NO_PLUGINS),
    (
        "log_stderr",
        "messages always go to standard error; remove it",
    ),
    (
        "log_syslog",
        "messages always go to standard error; remove it",
    ),
    (
        "metrics",
        "only metrics.enabled exists; the numbers are at /metrics of the web server",
    ),
    (
        "output_timeout",
        "an output that blocks holds up only itself; remove it",
    ),
    ("outputs", "Falco removed its rate limit too; remove it"),
    ("plugins", NO_PLUGINS),
    ("plugins_hostinfo", NO_PLUGINS),
    ("program_output", NOT_YET),
    ("rules_file", "write rules_files"),
    (
        "syscall_event_drops",
        "losses are counted in peregrine_drops_total, and an alert of its own tells of them; remove it",
    ),
    ("syscall_event_timeouts", "remove it"),
    ("syslog_output", NOT_YET),
    ("watch_config_files", NOT_YET),
    ("webserver.ssl_certificate", NOT_YET),
    ("webserver.ssl_enabled", NOT_YET),
    (
        "webserver.threadiness",
        "the web server needs no threads of its own; remove it",
    ),
];

const NOT_YET: &str = "it may come later; remove it for now";
const NO_PLUGINS: &str = "there are no plugins, container metadata is built in; remove it";

/// What to tell someone who uses this key of Falco's.
pub(super) fn advice(key: &str) -> Option<&'static str> {
    KEYS.iter()
        .find(|(name, _)| {
            key.strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
        .map(|(_, advice)| *advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_for_what_is_below_it_only() {
        assert!(advice("engine.kind").is_some());
        assert!(advice("metrics.interval").is_some());
        assert!(advice("webserver.ssl_enabled").is_some());
        assert!(advice("webserver").is_none());
        assert!(advice("engineer").is_none());
    }
}
