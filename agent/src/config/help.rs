//! What each key of the configuration is for, for editors and listings.

/// A phrase for each key.
pub(super) const KEYS: &[(&str, &str)] = &[
    (
        "rules_files",
        "Files and directories with rules, in order. Default: /etc/peregrine/rules.d if it exists, else the rules in the binary",
    ),
    (
        "rules",
        "Rules to enable or disable, whatever their files say, in order",
    ),
    (
        "rules[].enable",
        "Enables the rules with the name or the tag",
    ),
    ("rules[].enable.rule", "Their name; * stands for any text"),
    ("rules[].enable.tag", "A tag that they have"),
    (
        "rules[].disable",
        "Disables the rules with the name or the tag",
    ),
    ("rules[].disable.rule", "Their name; * stands for any text"),
    ("rules[].disable.tag", "A tag that they have"),
    ("append_output", "What is added to the outputs of rules"),
    (
        "append_output[].match",
        "To which rules; to all if nothing is given",
    ),
    ("append_output[].match.source", "Their source"),
    ("append_output[].match.tags", "Tags, all of which they have"),
    ("append_output[].match.rule", "Their name, exactly"),
    (
        "append_output[].extra_output",
        "Text with fields for the end of the output",
    ),
    (
        "append_output[].extra_fields",
        "What alerts list besides under 'output_fields': a field, or a name with a text with fields",
    ),
    (
        "append_output[].suggested_output",
        "Adds the fields of containers and pods and the static ones, as name=value",
    ),
    (
        "priority",
        "Rules less severe than this are not loaded. Default: debug, all are",
    ),
    (
        "rule_matching",
        "first: one alert an event, from the first rule that matches; all: one from each. Default: first",
    ),
    ("json_output", "Alerts as JSON lines rather than text"),
    (
        "json_include_output_property",
        "The JSON has the alert's text under 'output'",
    ),
    (
        "json_include_message_property",
        "The JSON has the alert's text without time and priority under 'message'",
    ),
    (
        "json_include_output_fields_property",
        "The JSON has the values of the output's fields under 'output_fields'",
    ),
    (
        "json_include_tags_property",
        "The JSON has the rule's tags under 'tags'",
    ),
    (
        "time_format_iso_8601",
        "Date and time in UTC rather than the time of day",
    ),
    ("buffer_format_base64", "Byte buffers in base64"),
    (
        "buffered_outputs",
        "Write alerts in blocks rather than at once",
    ),
    (
        "container_engines",
        "The runtimes that are asked what they know of containers",
    ),
    (
        "container_engines.cri",
        "containerd and CRI-O, as Kubernetes uses them",
    ),
    ("container_engines.cri.enabled", "Ask them"),
    (
        "container_engines.cri.sockets",
        "Their sockets on the host; one that appears later is found",
    ),
    ("container_engines.docker", "Docker Engine"),
    ("container_engines.docker.enabled", "Ask it"),
    (
        "container_engines.docker.sockets",
        "Its sockets on the host",
    ),
    ("container_engines.podman", "Podman"),
    ("container_engines.podman.enabled", "Ask it"),
    (
        "container_engines.podman.sockets",
        "Its sockets on the host",
    ),
    (
        "container_metadata",
        "How events wait for the metadata of their container",
    ),
    (
        "container_metadata.deadline_ms",
        "Milliseconds that an event waits at most",
    ),
    (
        "container_metadata.held_events",
        "Events that wait at most; the container that waited longest is let go first",
    ),
    (
        "container_metadata.held_bytes",
        "Bytes that waiting events take at most",
    ),
    (
        "kubernetes",
        "What the Kubernetes API adds to what the container runtimes tell of pods",
    ),
    (
        "kubernetes.enabled",
        "Watch the pods of this node through the Kubernetes API",
    ),
    (
        "kubernetes.node_name",
        "The name of this node; if it is not set, that in the environment variable NODE_NAME",
    ),
    (
        "kubernetes.kubeconfig",
        "A file that says how to reach the API; without it, the service account of the agent's own pod is used",
    ),
    (
        "outputs_queue",
        "The queue of alerts in front of each output",
    ),
    (
        "outputs_queue.capacity",
        "Alerts that wait for an output; more are dropped and counted. 0 is a bound of the agent's own, not none",
    ),
    ("stdout_output", "Alerts on standard output"),
    ("stdout_output.enabled", "Print alerts on standard output"),
    ("metrics", "Metrics"),
    (
        "metrics.enabled",
        "With webserver.prometheus_metrics_enabled: serve /metrics",
    ),
    ("webserver", "Health and metrics over HTTP"),
    ("webserver.enabled", "Listen at all"),
    (
        "webserver.listen_address",
        "The address to listen on. Default: 0.0.0.0",
    ),
    (
        "webserver.listen_port",
        "The port to listen on. Default: 8765",
    ),
    (
        "webserver.k8s_healthz_endpoint",
        "The path that says that the agent is alive. Default: /healthz",
    ),
    (
        "webserver.prometheus_metrics_enabled",
        "With metrics.enabled: serve /metrics",
    ),
    (
        "log_level",
        "The agent's own messages less severe than this are not logged. Default: info",
    ),
    ("sensor", "What is particular to the eBPF programs"),
    (
        "sensor.process_ring_bytes",
        "Size of the ring for exec, fork, exit and cgroups, a power of two. Default: 2097152",
    ),
    (
        "sensor.data_bytes",
        "Bytes of the data that a call moves to record for evt.buffer, at most 4095. Default: 80",
    ),
    (
        "sensor.event_ring_bytes",
        "Size of the ring for all else, a power of two. Default: 4194304",
    ),
    (
        "sensor.failed_exec",
        "Match failed execs with all rules, not only with those that ask for the result",
    ),
    (
        "sensor.second_view",
        "Where the kernel's path of a file differs from the path as passed, match rules against both",
    ),
    (
        "sensor.other_abis",
        "See system calls by the 32-bit and x32 ABIs too, at some 130 ns for each call of the machine instead of some 90; auto: if the kernel runs 32-bit calls",
    ),
    (
        "sensor.io_uring",
        "See what is done through io_uring too, by programs at the kernel's functions for it (Linux 6.0+)",
    ),
    (
        "sensor.trace_self",
        "Do not leave the agent's own events out",
    ),
    (
        "sensor.oldest_ways",
        "Read the kernel as on 5.8 even where better ways exist, to compare the two",
    ),
    (
        "process_table_size",
        "Processes remembered; the least recently used one makes room",
    ),
    ("static_fields", "Values of the fields static.NAME"),
];

/// The phrase for a key.
pub(super) fn of(path: &str) -> Option<&'static str> {
    KEYS.iter()
        .find(|(known, _)| *known == path)
        .map(|(_, help)| *help)
}
