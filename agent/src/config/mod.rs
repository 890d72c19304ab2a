//! Everything that can be configured, with its default.
//!
//! One YAML file, `-o KEY=VALUE` arguments over it, and a few variables of the environment. A key
//! that means the same in falco.yaml has the same name. What is not understood is an error: a
//! security agent that silently ignores a setting does not do what its owner thinks.

mod containers;
mod document;
mod error;
mod falco;
mod help;
mod key;
mod kubernetes;
mod option;
mod rule_files;
mod rule_settings;
mod section;

pub use containers::Containers;
pub use document::Location;
pub use error::{ConfigError, Problem};
pub use key::{Key, KeyKind, keys};
pub use rule_files::{RuleFile, read_rule_files};

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use tracing::level_filters::LevelFilter;

use crate::alert::{AlertFormat, DEFAULT_CAPACITY};
use crate::container::KubernetesApi;
use crate::rules::{AppendOutput, OutputSettings, Priority, RuleSwitch};
use document::{Node, Value};
use section::{Reading, Section};

/// Read if it exists and no other file is named.
pub const DEFAULT_PATH: &str = "/etc/peregrine/peregrine.yaml";

/// The whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// `rules_files`: files and directories with rules; without it `/etc/peregrine/rules.d`, or
    /// the rules in the binary. See [`Config::rule_files`].
    pub rules_files: Option<Vec<PathBuf>>,
    /// `rules`: rules to enable or disable, whatever their files say, applied in order.
    pub rules: Vec<RuleSwitch>,
    /// `append_output`: what is added to the outputs of rules. Default nothing.
    pub append_output: Vec<AppendOutput>,
    /// `priority`: rules less severe than this are not loaded. Default `debug`: all are.
    pub priority: Priority,
    /// `rule_matching`: how many rules an event can match. Default `first`.
    pub rule_matching: RuleMatching,
    /// `json_output`, `json_include_*`, `time_format_iso_8601`.
    pub alert_format: AlertFormat,
    /// `buffer_format_base64`: byte buffers in base64. Default false.
    pub buffer_format_base64: bool,
    /// `buffered_outputs`: write alerts in blocks rather than at once. Default false.
    pub buffered_outputs: bool,
    /// `outputs_queue.capacity`: alerts that each output's queue holds. 0, the default, is
    /// [`DEFAULT_CAPACITY`], not unbounded as in Falco.
    pub outputs_queue_capacity: NonZeroUsize,
    /// `stdout_output.enabled`. Default true.
    pub stdout_output: bool,
    /// `webserver`.
    pub webserver: Webserver,
    /// `log_level`: messages less severe than this are not logged. Default `info`.
    pub log_level: LogLevel,
    /// `sensor`: what is particular to our eBPF programs.
    pub sensor: Sensor,
    /// `container_engines` and `container_metadata`.
    pub containers: Containers,
    /// `kubernetes`: how the Kubernetes API is asked about the pods of this node; `None`, the default, if
    /// it is not.
    pub kubernetes: Option<KubernetesApi>,
    /// `process_table_size`: processes kept; the least recently used one makes room. Default
    /// 262144.
    pub process_table_size: NonZeroUsize,
    /// `static_fields`: values of the fields `static.NAME`.
    pub static_fields: BTreeMap<String, String>,
    /// The host's name in alerts: `PEREGRINE_HOSTNAME`, else `FALCO_HOSTNAME`, else the kernel's.
    pub hostname: String,
    /// `HOST_ROOT`: what to put before `/proc`, `/etc` and the like when the host's root file
    /// system is mounted elsewhere; empty by default.
    pub host_root: PathBuf,
}

/// How many rules an event can match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleMatching {
    /// The first that matches.
    First,
    /// Every one.
    All,
}

/// Settings of the web server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webserver {
    /// `enabled`. Default true.
    pub enabled: bool,
    /// `listen_address` and `listen_port`. Default 0.0.0.0:8765: the kubelet's probes and
    /// Prometheus come from outside of the pod.
    pub listen: SocketAddr,
    /// `k8s_healthz_endpoint`: the path that says the agent is alive. Default `/healthz`.
    pub healthz_endpoint: String,
    /// `prometheus_metrics_enabled` and `metrics.enabled`, both true by default: serve `/metrics`.
    pub metrics: bool,
}

/// Settings of the sensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches of the configuration"
)]
pub struct Sensor {
    /// `process_ring_bytes`: size of the ring for exec, fork, exit and cgroups, a power of two.
    /// Default 2 MiB.
    pub process_ring_bytes: u32,
    /// `event_ring_bytes`: size of the ring for all else, a power of two. Default 4 MiB.
    pub event_ring_bytes: u32,
    /// `data_bytes`: bytes of the data that a call moves which are recorded for `evt.buffer`, at most
    /// 4095. Default 80, as in Falco.
    pub data_bytes: u32,
    /// `failed_exec`: show failed execs also to rules that do not ask for the result, as Falco
    /// does. Default false.
    pub failed_exec: bool,
    /// `second_view`: where the kernel's path of a file differs from the path as passed, match
    /// rules against both. Default true.
    pub second_view: bool,
    /// `other_abis`: see calls by the 32-bit and x32 ABIs too: some 130 ns for each system call of the machine instead of some 90,
    /// as long as rules ask for system calls. Default `auto`: if the kernel runs 32-bit calls.
    pub other_abis: OtherAbis,
    /// `io_uring`: see what is done through `io_uring` too, by programs at the kernel's functions for it. Default true.
    pub io_uring: bool,
    /// `trace_self`: do not leave the agent's own events out. Default false.
    pub trace_self: bool,
    /// `oldest_ways`: read the kernel as on 5.8 even where better ways exist, to compare the two.
    /// Default false.
    pub oldest_ways: bool,
}

/// Whether system calls by other ABIs than that of 64-bit programs are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherAbis {
    /// If the kernel runs 32-bit calls.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Default for Sensor {
    fn default() -> Self {
        Self {
            process_ring_bytes: 2 << 20,
            event_ring_bytes: 4 << 20,
            data_bytes: 80,
            failed_exec: false,
            second_view: true,
            other_abis: OtherAbis::Auto,
            io_uring: true,
            trace_self: false,
            oldest_ways: false,
        }
    }
}

/// The least severe message that is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLevel(LevelFilter);

impl LogLevel {
    /// The filter for `tracing`.
    pub fn filter(self) -> LevelFilter {
        self.0
    }
}

impl Default for LogLevel {
    fn default() -> Self {
        Self(LevelFilter::INFO)
    }
}

/// Falco's names, which are those of syslog, and `trace`.
const LOG_LEVELS: [(&str, LevelFilter); 10] = [
    ("emergency", LevelFilter::ERROR),
    ("alert", LevelFilter::ERROR),
    ("critical", LevelFilter::ERROR),
    ("error", LevelFilter::ERROR),
    ("warning", LevelFilter::WARN),
    ("notice", LevelFilter::INFO),
    ("info", LevelFilter::INFO),
    ("informational", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
];

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        LOG_LEVELS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(text))
            .map(|(_, level)| Self(*level))
            .ok_or_else(|| {
                "expected emergency, alert, critical, error, warning, notice, info, debug or trace"
                    .to_owned()
            })
    }
}

impl FromStr for OtherAbis {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match &*text.to_ascii_lowercase() {
            "auto" => Ok(Self::Auto),
            "always" => Ok(Self::Always),
            "never" => Ok(Self::Never),
            _ => Err("expected auto, always or never"),
        }
    }
}

impl FromStr for RuleMatching {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "first" => Ok(Self::First),
            "all" => Ok(Self::All),
            _ => Err("expected first or all"),
        }
    }
}

impl Config {
    /// Reads the file, or the one at [`DEFAULT_PATH`] if none is named and it exists, and puts the
    /// `-o` arguments over it, in order.
    pub fn load(path: Option<&Path>, options: &[String]) -> Result<Self, ConfigError> {
        let variable = |name: &str| std::env::var_os(name);
        let default = Path::new(DEFAULT_PATH);
        let path = path.or_else(|| default.exists().then_some(default));
        let text = match path {
            None => None,
            Some(path) => match fs::read_to_string(path) {
                Ok(text) => Some((path, text)),
                Err(source) => {
                    let path = path.to_owned();
                    return Err(ConfigError::Read { path, source });
                }
            },
        };
        let file = text.as_ref().map(|(path, text)| (*path, text.as_str()));
        Self::from_text(file, options, &variable)
    }

    /// What applies to the outputs of all rules.
    pub fn output_settings(&self) -> OutputSettings {
        OutputSettings {
            appended: self.append_output.clone(),
            static_fields: self.static_fields.keys().cloned().collect(),
            buffers_in_base64: self.buffer_format_base64,
        }
    }

    /// The same from the text of a file and from these variables of the environment.
    fn from_text(
        file: Option<(&Path, &str)>,
        options: &[String],
        variable: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, ConfigError> {
        let as_text = |name: &str| Some(variable(name)?.to_string_lossy().into_owned());
        let mut root = match file {
            Some((path, text)) => document::parse_file(path, text, &as_text)?,
            None => Node {
                value: Value::Null,
                location: Location::Option("".into()),
            },
        };
        for option in options {
            option::apply(&mut root, option)?;
        }
        let reading = Reading::default();
        let node = as_text("NODE_NAME").filter(|name| !name.is_empty());
        let mut config = Self::read(Section::root(root, &reading), node);
        let mut problems = reading.problems.into_inner();
        problems.sort_by_key(|problem| problem.location.line());
        if !problems.is_empty() {
            return Err(ConfigError::Invalid { problems });
        }
        let named = ["PEREGRINE_HOSTNAME", "FALCO_HOSTNAME"];
        if let Some(name) = named
            .into_iter()
            .filter_map(as_text)
            .find(|n| !n.is_empty())
        {
            config.hostname = name;
        }
        if let Some(root) = variable("HOST_ROOT").filter(|root| !root.is_empty()) {
            config.host_root = root.into();
        }
        Ok(config)
    }

    /// Every key there is, in one place.
    fn read(mut top: Section<'_>, node: Option<String>) -> Self {
        let format = AlertFormat::default();
        let config = Self {
            rules_files: top
                .texts("rules_files")
                .map(|paths| paths.into_iter().map(PathBuf::from).collect()),
            rules: rule_settings::read_rule_switches(&mut top),
            append_output: rule_settings::read_append_output(&mut top),
            priority: top.value("priority", Priority::Debug),
            rule_matching: top.value("rule_matching", RuleMatching::First),
            alert_format: AlertFormat {
                json: top.switch("json_output", format.json),
                output: top.switch("json_include_output_property", format.output),
                message: top.switch("json_include_message_property", format.message),
                output_fields: top
                    .switch("json_include_output_fields_property", format.output_fields),
                tags: top.switch("json_include_tags_property", format.tags),
                iso_8601: top.switch("time_format_iso_8601", format.iso_8601),
            },
            buffer_format_base64: top.switch("buffer_format_base64", false),
            buffered_outputs: top.switch("buffered_outputs", false),
            outputs_queue_capacity: {
                let mut queue = top.section("outputs_queue");
                let capacity = queue.number("capacity", 0, 0..=1_000_000);
                queue.finish();
                size(capacity).unwrap_or(DEFAULT_CAPACITY)
            },
            stdout_output: {
                let mut stdout = top.section("stdout_output");
                let enabled = stdout.switch("enabled", true);
                stdout.finish();
                enabled
            },
            webserver: {
                let mut metrics = top.section("metrics");
                let metrics_enabled = metrics.switch("enabled", true);
                metrics.finish();
                read_webserver(top.section("webserver"), metrics_enabled)
            },
            log_level: top.value("log_level", LogLevel::default()),
            sensor: read_sensor(top.section("sensor")),
            containers: Containers::read(&mut top),
            kubernetes: kubernetes::read(top.section("kubernetes"), node),
            process_table_size: {
                let entries = top.number("process_table_size", 262_144, 1024..=8_388_608);
                size(entries).unwrap_or(NonZeroUsize::MIN)
            },
            static_fields: top.text_map("static_fields").into_iter().collect(),
            hostname: kernel_hostname(),
            host_root: PathBuf::from("/"),
        };
        top.finish();
        config
    }
}

fn read_webserver(mut section: Section<'_>, metrics_enabled: bool) -> Webserver {
    let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let address = section.value_with("listen_address", |text| {
        text.parse()
            .map_err(|_| "expected an IPv4 or IPv6 address".to_owned())
    });
    let port = section.value_with("listen_port", |text| {
        text.parse()
            .map_err(|_| "expected a port from 0 to 65535".to_owned())
    });
    let webserver = Webserver {
        enabled: section.switch("enabled", true),
        listen: SocketAddr::new(address.unwrap_or(any), port.unwrap_or(8765)),
        healthz_endpoint: section
            .value_with("k8s_healthz_endpoint", endpoint)
            .unwrap_or_else(|| "/healthz".to_owned()),
        metrics: section.switch("prometheus_metrics_enabled", true) && metrics_enabled,
    };
    section.finish();
    webserver
}

/// A path that is not one of the server's others and has none of the router's placeholders.
fn endpoint(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '~');
    if text.starts_with('/')
        && text.chars().all(plain)
        && !["/readyz", "/metrics", "/versions"].contains(&text)
    {
        return Ok(text.to_owned());
    }
    Err(
        "expected a path such as /healthz, of letters, digits and -_.~/, \
         that is not /readyz, /metrics or /versions"
            .to_owned(),
    )
}

fn read_sensor(mut section: Section<'_>) -> Sensor {
    /// What `BPF_MAP_TYPE_RINGBUF` demands: a power of two and whole pages. The upper end is ours.
    fn ring(text: &str) -> Result<u32, String> {
        text.parse()
            .ok()
            .filter(|bytes: &u32| bytes.is_power_of_two() && (1 << 16..=1 << 30).contains(bytes))
            .ok_or_else(|| "expected a power of two from 65536 to 1073741824".to_owned())
    }
    let default = Sensor::default();
    let sensor = Sensor {
        process_ring_bytes: section
            .value_with("process_ring_bytes", ring)
            .unwrap_or(default.process_ring_bytes),
        event_ring_bytes: section
            .value_with("event_ring_bytes", ring)
            .unwrap_or(default.event_ring_bytes),
        data_bytes: section
            .value_with("data_bytes", |text| {
                text.parse()
                    .ok()
                    .filter(|bytes| *bytes < agent_ebpf::MAX_DATA)
                    .ok_or_else(|| "expected a number from 0 to 4095".to_owned())
            })
            .unwrap_or(default.data_bytes),
        failed_exec: section.switch("failed_exec", default.failed_exec),
        second_view: section.switch("second_view", default.second_view),
        other_abis: section.value("other_abis", default.other_abis),
        io_uring: section.switch("io_uring", default.io_uring),
        trace_self: section.switch("trace_self", default.trace_self),
        oldest_ways: section.switch("oldest_ways", default.oldest_ways),
    };
    section.finish();
    sensor
}

fn size(number: u64) -> Option<NonZeroUsize> {
    NonZeroUsize::new(usize::try_from(number).ok()?)
}

fn kernel_hostname() -> String {
    let names = rustix::system::uname();
    names.nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
