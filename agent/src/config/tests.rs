use std::collections::HashMap;

use super::*;
use crate::rules::ExtraField;

fn load_with(
    text: &str,
    options: &[&str],
    variables: &[(&str, &str)],
) -> Result<Config, ConfigError> {
    let variables: HashMap<_, _> = variables.iter().copied().collect();
    let options: Vec<_> = options.iter().map(|option| (*option).to_owned()).collect();
    let config = Config::from_text(Some((Path::new("p.yaml"), text)), &options, &|name| {
        variables.get(name).map(OsString::from)
    });
    if config.is_ok() {
        crate::schema::tests::config_accepts(text);
    }
    config
}

fn load(text: &str) -> Config {
    load_with(text, &[], &[]).unwrap()
}

fn refusal(text: &str, options: &[&str]) -> String {
    load_with(text, options, &[]).unwrap_err().to_string()
}

#[test]
fn an_empty_file_and_no_file_give_the_defaults() {
    for config in [
        load(""),
        load("# nothing\n"),
        load("rules_files:\nsensor:\n"),
        Config::from_text(None, &[], &|_| None).unwrap(),
    ] {
        assert!(config.rules_files.is_none());
        assert_eq!(config.priority, Priority::Debug);
        assert_eq!(config.rule_matching, RuleMatching::First);
        assert_eq!(config.alert_format, AlertFormat::default());
        assert_eq!(config.outputs_queue_capacity, DEFAULT_CAPACITY);
        assert!(config.stdout_output);
        assert!(config.webserver.enabled && config.webserver.metrics);
        assert_eq!(config.webserver.listen.to_string(), "0.0.0.0:8765");
        assert_eq!(config.sensor, Sensor::default());
        assert_eq!(config.process_table_size.get(), 262_144);
        assert_eq!(config.host_root, PathBuf::from("/"));
        assert!(!config.hostname.is_empty());
    }
}

#[test]
fn what_is_done_to_rules_is_read() {
    let config = load(
        "rules:
- disable: {rule: 'Shell *'}
- enable: {tag: mitre, rule: x}
append_output:
- match: {source: syscall, tags: [a, b], rule: r}
  extra_output: on %evt.hostname
  extra_fields: [proc.pid, {parent: '%proc.pname (%proc.ppid)'}]
- suggested_output: true
",
    );
    assert_eq!(
        config.rules,
        [
            RuleSwitch {
                enable: false,
                rule: Some("Shell *".to_owned()),
                tag: None,
            },
            RuleSwitch {
                enable: true,
                rule: Some("x".to_owned()),
                tag: Some("mitre".to_owned()),
            },
        ]
    );
    let [matching, suggested] = config.append_output.as_slice() else {
        panic!("{:?}", config.append_output);
    };
    assert_eq!(matching.source.as_deref(), Some("syscall"));
    assert_eq!(matching.tags.iter().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(matching.rule.as_deref(), Some("r"));
    assert_eq!(matching.extra_output.as_deref(), Some("on %evt.hostname"));
    let keys: Vec<_> = matching.extra_fields.iter().map(ExtraField::key).collect();
    assert_eq!(keys, ["proc.pid", "parent"]);
    assert!(!matching.suggested_output && suggested.suggested_output);
}

#[test]
fn what_cannot_be_done_to_rules_is_refused_with_its_place() {
    for (text, expected) in [
        (
            "rules: [{enable: {rule: x}, disable: {rule: x}}]",
            "p.yaml:1:9: rules[0]: expected 'enable' or 'disable'",
        ),
        ("rules: [{}]", "rules[0]: expected 'enable' or 'disable'"),
        (
            "rules:\n- enable: {}",
            "p.yaml:2:3: rules[0]: expected 'rule' or 'tag'",
        ),
        (
            "rules: [{enable: {rle: x}}]",
            "did you mean 'rules[0].enable.rule'?",
        ),
        ("rules: x", "rules: expected a list"),
        (
            "append_output: [{extra_output: '%proc.nme'}]",
            "append_output[0].extra_output: unknown field 'proc.nme'; did you mean",
        ),
        ("append_output: [{extra_output: 5%}]", "cannot be escaped"),
        (
            "append_output: [{extra_fields: [proc.nme]}]",
            "did you mean 'proc.name'?",
        ),
        (
            "append_output: [{extra_fields: ['proc.name of']}]",
            "is no field alone",
        ),
        (
            "append_output: [{extra_fields: [{a: x, b: y}]}]",
            "expected a field's name, or one key with a format",
        ),
        (
            "append_output: [{extra_fields: [proc.pid, {proc.pid: x}]}]",
            "'proc.pid' is there twice",
        ),
    ] {
        let message = refusal(text, &[]);
        assert!(message.contains(expected), "{text}: {message}");
    }
}

#[test]
fn every_key_is_read() {
    let config = load(
        "rules_files: [/a.yaml, /b]
json_output: true
json_include_output_property: false
json_include_message_property: yes
json_include_output_fields_property: 'false'
json_include_tags_property: off
time_format_iso_8601: true
buffer_format_base64: true
buffered_outputs: true
priority: Warning
rule_matching: all
outputs_queue:
  capacity: 7
stdout_output: {enabled: false}
webserver:
  enabled: false
  listen_port: 1234
  listen_address: '::1'
  k8s_healthz_endpoint: /live
  prometheus_metrics_enabled: true
metrics:
  enabled: false
log_level: debug
sensor:
  process_ring_bytes: 65536
  event_ring_bytes: 131072
  data_bytes: 200
  failed_exec: true
  second_view: false
  other_abis: never
  io_uring: false
  trace_self: true
process_table_size: 5000
static_fields:
  cluster: blue
  version: 1.10
",
    );
    assert_eq!(
        config.rules_files.unwrap(),
        [Path::new("/a.yaml"), Path::new("/b")]
    );
    assert_eq!(
        config.alert_format,
        AlertFormat {
            json: true,
            output: false,
            message: true,
            output_fields: false,
            tags: false,
            iso_8601: true,
        }
    );
    assert!(config.buffer_format_base64 && config.buffered_outputs);
    assert_eq!(config.priority, Priority::Warning);
    assert_eq!(config.rule_matching, RuleMatching::All);
    assert_eq!(config.outputs_queue_capacity.get(), 7);
    assert!(!config.stdout_output);
    assert_eq!(
        config.webserver,
        Webserver {
            enabled: false,
            listen: "[::1]:1234".parse().unwrap(),
            healthz_endpoint: "/live".to_owned(),
            metrics: false,
        }
    );
    assert_eq!(config.log_level.filter(), LevelFilter::DEBUG);
    assert_eq!(
        config.sensor,
        Sensor {
            process_ring_bytes: 65536,
            event_ring_bytes: 131_072,
            data_bytes: 200,
            failed_exec: true,
            second_view: false,
            other_abis: OtherAbis::Never,
            io_uring: false,
            trace_self: true,
            oldest_ways: false,
        }
    );
    assert_eq!(config.process_table_size.get(), 5000);
    assert_eq!(config.static_fields["version"], "1.10");
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_a_way_out() {
    for (text, expected) in [
        (
            "a: 1",
            "p.yaml:1:1: unknown key 'a': expected one of append_output,",
        ),
        (
            "\njson_outptu: true",
            "p.yaml:2:1: unknown key 'json_outptu': did you mean 'json_output'?",
        ),
        (
            "webserver:\n  listen_prot: 1",
            "p.yaml:2:3: unknown key 'webserver.listen_prot': did you mean 'webserver.listen_port'?",
        ),
        (
            "json_output: maybe",
            "p.yaml:1:14: json_output: expected true or false, found 'maybe'",
        ),
        (
            "json_output: [true]",
            "p.yaml:1:14: json_output: expected a single value, found a list",
        ),
        (
            "webserver: 8765",
            "p.yaml:1:12: webserver: expected keys with values, found a single value",
        ),
        (
            "webserver:\n  listen_port: 99999",
            "p.yaml:2:16: webserver.listen_port: expected a port from 0 to 65535, found '99999'",
        ),
        (
            "webserver: {listen_address: localhost}",
            "p.yaml:1:29: webserver.listen_address: expected an IPv4 or IPv6 address, found 'localhost'",
        ),
        (
            "webserver: {k8s_healthz_endpoint: '/{x}'}",
            "p.yaml:1:35: webserver.k8s_healthz_endpoint: expected a path",
        ),
        (
            "priority: loud",
            "p.yaml:1:11: priority: unknown priority 'loud'",
        ),
        (
            "rule_matching: some",
            "p.yaml:1:16: rule_matching: expected first or all, found 'some'",
        ),
        (
            "log_level: loud",
            "p.yaml:1:12: log_level: expected emergency, alert,",
        ),
        (
            "sensor: {event_ring_bytes: 100000}",
            "p.yaml:1:28: sensor.event_ring_bytes: expected a power of two from 65536",
        ),
        (
            "process_table_size: -1",
            "p.yaml:1:21: process_table_size: expected a whole number from 1024 to 8388608, found '-1'",
        ),
        (
            "rules_files: {a: b}",
            "p.yaml:1:14: rules_files: expected a list of texts, found keys with values",
        ),
        (
            "http_output:\n  enabled: true",
            "p.yaml:1:1: 'http_output' is a key of Falco's that Peregrine does not support: it may",
        ),
        (
            "metrics: {interval: 1h}",
            "p.yaml:1:11: 'metrics.interval' is a key of Falco's that Peregrine does not support:",
        ),
        ("- a", "p.yaml:1:1: expected keys with values, found a list"),
        ("json_output: true\n b: 1", "p.yaml:2:"),
    ] {
        let message = refusal(text, &[]);
        assert!(message.starts_with(expected), "{text:?} gave: {message}");
        assert!(!message.contains('\n'), "{message}");
    }
}

#[test]
fn every_problem_is_reported_in_the_order_of_the_text() {
    let message = refusal(
        "log_level: x\nunknown_thing: 1\nsensor:\n  second_view: 7\njson_output: x\n",
        &["priority=x"],
    );
    let places: Vec<_> = message
        .lines()
        .map(|line| line.split(": ").next().unwrap())
        .collect();
    assert_eq!(
        places,
        [
            "p.yaml:1:12",
            "p.yaml:2:1",
            "p.yaml:4:16",
            "p.yaml:5:14",
            "-o priority=x"
        ]
    );
}

#[test]
fn options_go_over_the_file_in_order() {
    let config = load_with(
        "json_output: false\nrules_files: [/a]\nwebserver:\n  listen_port: 1\n",
        &[
            "json_output=true",
            "webserver.listen_port=2",
            "webserver.listen_port=3",
            "webserver.listen_address=127.0.0.1",
            "rules_files[]=/b",
            "rules_files[0]=/c",
            "static_fields={cluster: blue, price: '${FIVE}'}",
            r"static_fields.a\.b=x=y",
        ],
        &[("FIVE", "5")],
    )
    .unwrap();
    assert!(config.alert_format.json);
    assert_eq!(config.webserver.listen.to_string(), "127.0.0.1:3");
    assert_eq!(
        config.rules_files.unwrap(),
        [Path::new("/c"), Path::new("/b")]
    );
    assert_eq!(config.static_fields["cluster"], "blue");
    assert_eq!(config.static_fields["price"], "${FIVE}");
    assert_eq!(config.static_fields["a.b"], "x=y");
}

#[test]
fn a_wrong_option_is_named() {
    for (option, expected) in [
        ("json_output", "-o json_output: expected KEY=VALUE"),
        ("=1", "-o =1: expected KEY=VALUE"),
        (
            "json_output=maybe",
            "-o json_output=maybe: json_output: expected true or false, found 'maybe'",
        ),
        (
            "json_outptu=true",
            "-o json_outptu=true: unknown key 'json_outptu': did you mean 'json_output'?",
        ),
        (
            "rules_files[3]=/a",
            "-o rules_files[3]=/a: the list has 0 element(s): the next one is [0]",
        ),
        ("webserver={a: [}", "-o webserver={a: [}: not valid YAML"),
        (
            "engine.kind=kmod",
            "-o engine.kind=kmod: 'engine' is a key of Falco's",
        ),
    ] {
        let message = refusal("", &[option]);
        assert!(message.starts_with(expected), "{message}");
    }
}

#[test]
fn the_environment_is_honoured() {
    let config = load_with(
        "webserver:\n  listen_port: ${PORT}\nstatic_fields: {node: 'n-${NODE}', raw: '$${NODE}'}",
        &[],
        &[
            ("PORT", "99"),
            ("NODE", "7: {"),
            ("FALCO_HOSTNAME", "falco-name"),
            ("PEREGRINE_HOSTNAME", ""),
            ("HOST_ROOT", "/host"),
        ],
    )
    .unwrap();
    assert_eq!(config.webserver.listen.port(), 99);
    assert_eq!(config.static_fields["node"], "n-7: {");
    assert_eq!(config.static_fields["raw"], "${NODE}");
    assert_eq!(config.hostname, "falco-name");
    assert_eq!(config.host_root, Path::new("/host"));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let error = Config::load(Some(Path::new("/nonexistent/p.yaml")), &[]).unwrap_err();
    assert_eq!(error.to_string(), "cannot read /nonexistent/p.yaml");
}

#[test]
fn rules_of_a_directory_come_in_the_order_of_their_names() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["b.yml", "a.yaml", "notes.txt"] {
        fs::write(directory.path().join(name), name).unwrap();
    }
    let optional = directory.path().join("absent.yaml");
    let paths = format!("[{}, {}]", optional.display(), directory.path().display());
    let config = load(&format!("rules_files: {paths}"));
    let texts = |files: Vec<RuleFile>| files.into_iter().map(|f| f.text).collect::<Vec<_>>();
    assert_eq!(texts(config.rule_files(&[]).unwrap()), ["a.yaml", "b.yml"]);
    // The command line replaces the configuration, and must be right.
    let chosen = directory.path().join("notes.txt");
    assert_eq!(texts(config.rule_files(&[chosen]).unwrap()), ["notes.txt"]);
    assert!(config.rule_files(&[optional]).is_err());
}

#[test]
fn the_kubernetes_api_is_asked_if_it_is_enabled_and_the_node_is_named() {
    let load = |options: &[&str], node: Option<&str>| {
        let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        let variable = |name: &str| (name == "NODE_NAME").then(|| node.map(Into::into))?;
        Config::from_text(None, &options, &variable)
            .map(|config| config.kubernetes.map(|api| api.node))
            .map_err(|error| error.to_string())
    };
    let enabled = "kubernetes.enabled=true";
    assert_eq!(load(&[], Some("n1")), Ok(None));
    assert_eq!(load(&[enabled], Some("n1")), Ok(Some("n1".to_owned())));
    let named = "kubernetes.node_name=n2.example";
    assert_eq!(
        load(&[enabled, named], Some("n1")),
        Ok(Some("n2.example".to_owned()))
    );
    let missing = load(&[enabled], None).unwrap_err();
    assert!(missing.contains("NODE_NAME"), "{missing}");
    let hostile = load(&[enabled, "kubernetes.node_name=a,b"], None).unwrap_err();
    assert!(hostile.contains("expected the name of a node"), "{hostile}");
}
