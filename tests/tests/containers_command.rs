//! `peregrine containers`.
#![expect(clippy::expect_used, reason = "a test ends by panicking")]

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Output, Stdio};

use peregrine_tests::{Container, ContainerOptions, agent_binary, run_to_end};
use serde_json::{Value, json};

/// The container among those of the JSON.
fn entry(output: &Output, container: &Container) -> Value {
    assert!(output.status.success(), "{output:?}");
    let list: Vec<Value> = serde_json::from_slice(&output.stdout).expect("it is a JSON array");
    list.into_iter()
        .find(|entry| entry["full_id"] == container.id.as_str())
        .unwrap_or_else(|| panic!("the container is not listed: {output:?}"))
}

/// Runs the command for a host whose runtime keeps its state where this test says.
fn with_bundle(container: &Container, arguments: &[&str]) -> Output {
    let host = tempfile::tempdir().expect("a temp dir");
    symlink("/proc", host.path().join("proc")).expect("a link is made");
    let state = host.path().join("run/runc").join(&container.id);
    fs::create_dir_all(&state).expect("a folder is made");
    let bundle = container.path("/");
    let bundle = bundle.parent().expect("the root is in the bundle");
    fs::create_dir_all(host.path().join("bundle")).expect("a folder is made");
    fs::copy(
        bundle.join("config.json"),
        host.path().join("bundle/config.json"),
    )
    .expect("the configuration is copied");
    let text = json!({"config": {"labels": ["bundle=/bundle"]}}).to_string();
    fs::write(state.join("state.json"), text).expect("a state is written");
    Command::new(agent_binary())
        .args(arguments)
        .env("HOST_ROOT", host.path())
        .stdin(Stdio::null())
        .output()
        .expect("the command starts")
}

#[test]
fn a_container_that_no_runtime_knows_is_shown_by_what_the_kernel_says() {
    let container = Container::start();
    let output = run_to_end(&["containers", "--json"]);
    let found = entry(&output, &container);
    assert_eq!(found["id"], container.short_id());
    assert_eq!(found["runtime"], "docker");
    assert!(found["name"].is_null() && found["pod"].is_null(), "{found}");
    assert_eq!(found["security"]["host_network"], false);
    assert_eq!(found["security"]["run_as_root"], true);
    let violations = found["pod_security"]["violations"].as_array();
    let violations = violations.expect("a list");
    assert!(violations.contains(&json!("run_as_root")), "{found}");

    let table = run_to_end(&["containers"]);
    let table = String::from_utf8(table.stdout).expect("it is text");
    let line = table
        .lines()
        .find(|line| line.starts_with(container.short_id()))
        .unwrap_or_else(|| panic!("the container is not listed: {table}"));
    assert!(
        line.contains("docker") && line.contains("privileged"),
        "{line}"
    );
    assert!(table.starts_with("CONTAINER"), "{table}");
}

#[test]
fn a_hardened_container_of_a_pod_meets_the_restricted_standard() {
    let container = Container::start_from(&ContainerOptions {
        configure: Some(|config| {
            config["annotations"] = json!({
                "io.kubernetes.cri.container-name": "web\nforged",
                "io.kubernetes.cri.image-name": "registry.example/shop/web:2",
                "io.kubernetes.cri.sandbox-name": "web-0",
                "io.kubernetes.cri.sandbox-namespace": "shop",
                "io.kubernetes.cri.sandbox-uid": "9b2c7f0e-6a51-4c39-8f0d-1c2b3a495867",
            });
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
    let found = entry(
        &with_bundle(&container, &["containers", "--json"]),
        &container,
    );
    assert_eq!(found["name"], "web\nforged");
    assert_eq!(found["image"]["repository"], "registry.example/shop/web");
    assert_eq!(found["image"]["pinned"], false);
    assert_eq!(found["pod"]["name"], "web-0");
    assert_eq!(found["pod_security"]["standard"], "restricted", "{found}");
    assert_eq!(found["pod_security"]["violations"], json!([]));

    let table = with_bundle(&container, &["containers"]);
    let table = String::from_utf8(table.stdout).expect("it is text");
    let line = table
        .lines()
        .find(|line| line.starts_with(container.short_id()))
        .unwrap_or_else(|| panic!("the container is not listed: {table}"));
    for text in [r"web\nforged", "shop/web-0", "restricted"] {
        assert!(line.contains(text), "{line}");
    }
    assert!(!table.contains("\nforged"), "{table}");
}

#[test]
fn a_host_whose_processes_cannot_be_listed_is_an_error() {
    let host = tempfile::tempdir().expect("a temp dir");
    let output = Command::new(agent_binary())
        .arg("containers")
        .env("HOST_ROOT", host.path())
        .stdin(Stdio::null())
        .output()
        .expect("the command starts");
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        message.contains("cannot list the processes in") && message.contains("/proc"),
        "{message}"
    );
}
