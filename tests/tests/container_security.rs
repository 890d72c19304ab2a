//! What confines a container, as the kernel of this machine says it.

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
