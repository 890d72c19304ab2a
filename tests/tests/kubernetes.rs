//! What the Kubernetes API adds to a pod's alerts, with an API that this test plays.
#![expect(clippy::expect_used, reason = "a test ends by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use peregrine_tests::{
    Agent, AgentBuilder, Container, ContainerOptions, MARKER_RULE, PATIENCE, default_rules,
};
use serde_json::{Value, json};

const UID: &str = "9b2c7f0e-6a51-4c39-8f0d-1c2b3a495867";
const RULE: &str = "\
- rule: Pod
  desc: A test.
  condition: evt.type = execve and container.id != host and proc.args startswith pod-
  output: >-
    pod %container.id %k8s.pod.name %k8s.ns.name %k8s.pod.owner.kind %k8s.pod.owner.name
    %k8s.pod.service_account %k8s.node.name %k8s.pod.label[app] %k8s.pod.annotation[note] %proc.args
  priority: INFO
";

/// A container in a cgroup as kubelet makes it.
fn pod_container() -> Container {
    Container::start_from(&ContainerOptions {
        configure: Some(|config| {
            let path = config["linux"]["cgroupsPath"].as_str().unwrap_or_default();
            let id = path.trim_start_matches("/docker/").to_owned();
            config["linux"]["cgroupsPath"] = json!(format!("/kubepods/besteffort/pod{UID}/{id}"));
        }),
        ..ContainerOptions::default()
    })
}

/// An API that lists one pod, and says nothing more; or one that refuses everybody. Tells when somebody
/// has read the list and watches.
fn serve(refuses: bool) -> (String, Receiver<()>) {
    let (watched, watches) = channel();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    let list = json!({
        "kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "7"},
        "items": [{
            "metadata": {
                "name": "web-0", "namespace": "shop", "uid": UID, "resourceVersion": "5",
                "labels": {"app": "web"}, "annotations": {"note": "of the\nAPI"},
                "ownerReferences": [{"kind": "StatefulSet", "name": "web", "controller": true}],
            },
            "spec": {"serviceAccountName": "shop-web", "nodeName": "node-1"},
        }],
    });
    thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection comes");
            let mut lines = BufReader::new(stream.try_clone().expect("it can be read")).lines();
            let request = lines.next().and_then(Result::ok).unwrap_or_default();
            // To the empty line behind the headers.
            let _headers = lines
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
                .count();
            if refuses {
                let body = json!({"kind": "Status", "code": 403, "message": "pods is forbidden"});
                answer(&mut stream, "403 Forbidden", &body);
            } else if request.contains("watch=1") {
                open.push(stream);
                // Not every test waits for it.
                let _ = watched.send(());
            } else {
                answer(&mut stream, "200 OK", &list);
            }
        }
    });
    (format!("http://{address}"), watches)
}

fn answer(stream: &mut impl Write, status: &str, body: &Value) {
    let body = body.to_string();
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("the answer is taken");
}

fn start_agent(rules: AgentBuilder, server: &str, folder: &tempfile::TempDir) -> Agent {
    let kubeconfig = folder.path().join("kubeconfig");
    let text = format!(
        "current-context: here\ncontexts: [{{name: here, context: {{cluster: c, user: u}}}}]\nclusters: [{{name: c, cluster: {{server: '{server}'}}}}]\nusers: [{{name: u, user: {{token: t}}}}]\n"
    );
    std::fs::write(&kubeconfig, text).expect("a kubeconfig is written");
    rules
        .option("kubernetes.enabled=true")
        .option("kubernetes.node_name=node-1")
        .option(&format!("kubernetes.kubeconfig={}", kubeconfig.display()))
        .start()
}

#[test]
fn owner_account_and_node_come_from_the_api() {
    let container = pod_container();
    let folder = tempfile::tempdir().expect("a temp dir");
    let (server, _watches) = serve(false);
    let rules = AgentBuilder::rules(&format!("{MARKER_RULE}{RULE}"));
    let agent = start_agent(rules, &server, &folder);
    // The API may answer later than the first event: nothing waits for it.
    let alert = peregrine_tests::eventually(|| {
        container.exec(&["true", "pod-a"]);
        let complete = agent.alerts_where(|alert| {
            alert.rule() == "Pod" && !alert.field("k8s.pod.owner.kind").is_null()
        });
        complete.into_iter().next()
    })
    .expect("an alert with the pod's owner");
    assert_eq!(alert.text("container.id"), container.short_id());
    for (field, expected) in [
        ("k8s.pod.name", "web-0"),
        ("k8s.ns.name", "shop"),
        ("k8s.pod.owner.kind", "StatefulSet"),
        ("k8s.pod.owner.name", "web"),
        ("k8s.pod.service_account", "shop-web"),
        ("k8s.node.name", "node-1"),
        ("k8s.pod.label[app]", "web"),
        ("k8s.pod.annotation[note]", "of the\nAPI"),
    ] {
        assert_eq!(alert.text(field), expected, "{field}");
    }
}

#[test]
fn an_api_that_refuses_is_counted_and_alerts_go_on() {
    let container = pod_container();
    let folder = tempfile::tempdir().expect("a temp dir");
    let (server, _watches) = serve(true);
    let rules = AgentBuilder::rules(&format!("{MARKER_RULE}{RULE}"));
    let agent = start_agent(rules, &server, &folder);
    container.exec(&["true", "pod-b"]);
    let alert = agent.wait_for("the program", |alert| alert.rule() == "Pod");
    assert_eq!(alert.text("container.id"), container.short_id());
    assert!(alert.field("k8s.pod.owner.kind").is_null());
    let refused = peregrine_tests::eventually(|| {
        let count = agent.metric("peregrine_kubernetes_errors_total", &["cause=\"request\""]);
        (count >= 1.0).then_some(())
    });
    assert!(refused.is_some(), "no refusal is counted");
    let log = agent.log().join("\n");
    assert!(
        log.contains("403") && log.contains("pods is forbidden"),
        "{log}"
    );
}

#[test]
fn rules_about_the_pods_of_a_namespace_hold_from_the_first_process_on() {
    let folder = tempfile::tempdir().expect("a temp dir");
    let (server, watches) = serve(false);
    let asked = "\
- list: restricted_namespaces
  items: [shop]
  override: {items: append}
- list: hardened_namespaces
  items: [shop]
  override: {items: append}
";
    let rules = AgentBuilder::rules(asked)
        .files([default_rules()])
        .option("rule_matching=all");
    let agent = start_agent(rules, &server, &folder);
    watches.recv_timeout(PATIENCE).expect("the agent watches");
    let container = pod_container();
    for (rule, field, expected) in [
        (
            "Container breaks the restricted Pod Security Standard",
            "k8s.pod.security",
            "privileged",
        ),
        (
            "Container runs as root with a writable root file system",
            "k8s.ns.name",
            "shop",
        ),
    ] {
        let alert = agent.wait_for(rule, |alert| alert.rule() == rule);
        assert_eq!(alert.text("container.id"), container.short_id());
        assert_eq!(alert.text("proc.cmdline"), "sleep 600");
        assert_eq!(alert.text(field), expected, "{alert:?}");
    }
}
