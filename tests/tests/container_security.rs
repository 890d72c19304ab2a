//! What confines a container, as the kernel of this machine says it.
#![expect(clippy::expect_used, reason = "a test ends by panicking")]

use peregrine_tests::{AgentBuilder, Alert, Container, ContainerOptions, MARKER_RULE};
use serde_json::json;

/// What a program that is run in the container tells of it.
fn seen_in(container: &Container) -> Alert {
    let rules = format!(
        "{MARKER_RULE}- rule: State\n  desc: A test.\n  condition: evt.type = execve and container.id != host and proc.args = security-state\n  output: >-\n    state %container.id %container.security.cap_effective %container.security.cap_bounding\n    %container.security.seccomp %container.security.no_new_privs\n    %container.security.read_only_root %container.security.host_pid\n    %container.security.host_network %container.security.host_ipc\n    %container.security.host_user %container.security.run_as_root %container.privileged\n    %k8s.pod.security %k8s.pod.security.violations\n  priority: INFO\n"
    );
    let agent = AgentBuilder::rules(&rules).start();
    container.exec(&["true", "security-state"]);
    agent.wait_for("the state of the container", |alert| {
        alert.rule() == "State" && alert.text("container.id") == container.short_id()
    })
}

#[test]
fn a_hardened_container() {
    let container = Container::start_from(&ContainerOptions {
        capabilities: &["CAP_NET_BIND_SERVICE"],
        configure: Some(|config| {
            config["root"]["readonly"] = json!(true);
            config["process"]["noNewPrivileges"] = json!(true);
            config["process"]["user"] = json!({"uid": 1000, "gid": 1000});
            config["linux"]["maskedPaths"] = json!(["/proc/kcore", "/proc/keys"]);
            config["linux"]["seccomp"] = json!({
                "defaultAction": "SCMP_ACT_ALLOW",
                "syscalls": [{"names": ["swapon"], "action": "SCMP_ACT_ERRNO"}],
            });
        }),
        ..ContainerOptions::default()
    });
    let state = seen_in(&container);
    let bounding = state.text("container.security.cap_bounding");
    assert_eq!(bounding, "CAP_NET_BIND_SERVICE");
    assert_eq!(state.text("container.security.seccomp"), "filter");
    for (field, expected) in [
        ("container.security.no_new_privs", true),
        ("container.security.read_only_root", true),
        ("container.security.host_pid", false),
        ("container.security.host_network", false),
        ("container.security.host_ipc", false),
        ("container.security.host_user", true),
        ("container.security.run_as_root", false),
        ("container.privileged", false),
    ] {
        assert_eq!(
            state.field(field).as_bool(),
            Some(expected),
            "{field}: {state:?}"
        );
    }
    // No runtime tells of its mounts here, so no standard can be said to be met.
    assert!(state.field("k8s.pod.security").is_null(), "{state:?}");
}

#[test]
fn a_container_with_everything_of_the_host() {
    let container = Container::start_from(&ContainerOptions {
        capabilities: &["CAP_SYS_ADMIN", "CAP_CHOWN"],
        configure: Some(|config| {
            config["linux"]["namespaces"] = json!([{"type": "mount"}, {"type": "pid"}]);
            config["hostname"] = json!("");
        }),
        ..ContainerOptions::default()
    });
    let state = seen_in(&container);
    assert_eq!(
        state.text("container.security.cap_effective"),
        "CAP_CHOWN CAP_SYS_ADMIN"
    );
    assert_eq!(state.text("container.security.seccomp"), "disabled");
    for (field, expected) in [
        ("container.security.no_new_privs", false),
        ("container.security.read_only_root", false),
        ("container.security.host_pid", false),
        ("container.security.host_network", true),
        ("container.security.host_ipc", true),
        ("container.security.run_as_root", true),
        ("container.privileged", false),
    ] {
        assert_eq!(
            state.field(field).as_bool(),
            Some(expected),
            "{field}: {state:?}"
        );
    }
    assert_eq!(state.text("k8s.pod.security"), "privileged");
    let broken = [
        "host_namespaces",
        "capabilities",
        "proc_mount",
        "privilege_escalation",
        "run_as_root",
        "seccomp",
        "drop_capabilities",
    ];
    assert_eq!(state.field("k8s.pod.security.violations"), &json!(broken));
}

#[test]
fn a_privileged_container_is_reported_at_its_start_and_a_plain_one_is_not() {
    let agent = AgentBuilder::default_rules().start();
    let plain = Container::start();
    let privileged = Container::start_from(&ContainerOptions {
        capabilities: &all_capabilities(),
        ..ContainerOptions::default()
    });
    let of = |container: &Container| {
        let id = container.short_id().to_owned();
        move |alert: &Alert| {
            alert.rule() == "Privileged container started" && alert.text("container.id") == id
        }
    };
    let alert = agent.wait_for("the privileged container", of(&privileged));
    assert_eq!(alert.text("proc.cmdline"), "sleep 600");
    assert!(agent.alerts_where(of(&plain)).is_empty());
}

/// The capabilities that this machine has to give: virtual machines may lack some.
fn all_capabilities() -> Vec<&'static str> {
    let status = std::fs::read_to_string("/proc/1/status").expect("procfs is mounted");
    let set = status
        .lines()
        .find_map(|line| line.strip_prefix("CapBnd:"))
        .and_then(|set| u64::from_str_radix(set.trim(), 16).ok())
        .expect("the kernel tells the bounding set");
    let has = |number: &usize| set >> number & 1 == 1;
    let names = CAPABILITIES.into_iter().enumerate();
    names
        .filter(|(number, _)| has(number))
        .map(|(_, name)| name)
        .collect()
}

/// By number.
const CAPABILITIES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];
