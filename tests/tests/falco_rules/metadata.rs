//! The rules that ask for what only a container runtime or Kubernetes knows, fired under real ones.

use peregrine_tests::runtime::{ContainerPlan, Containerd, Docker, Engine, PodPlan};
use peregrine_tests::{Agent, AgentBuilder, Alert, MARKER_RULE};

use crate::files;

/// The namespace that the rule about a pod's network is asked to look at: its list is empty in the file.
const SUBNET: &str = "\
- list: namespace_scope_network_only_subnet
  items: [shop]
  override: {items: replace}
";

fn agent(run_folder: std::path::PathBuf, more: &std::path::Path) -> Agent {
    AgentBuilder::rules(MARKER_RULE)
        .files(files())
        .files([more.to_owned()])
        .option("rule_matching=all")
        // Some are switched off in the files.
        .option("rules=[{enable: {rule: \"*\"}}]")
        .option("append_output=[{extra_fields: [container.name, k8s.ns.name, proc.args]}]")
        .run_folder(run_folder)
        .start()
}

/// The alert of a rule about this program.
#[track_caller]
fn alert(agent: &Agent, rule: &str, program: &str) -> Alert {
    agent.wait_for(rule, |alert| {
        alert.rule() == rule && alert.text("proc.name") == program
    })
}

fn rules_of_the_test() -> tempfile::NamedTempFile {
    let file = tempfile::Builder::new()
        .suffix(".yaml")
        .tempfile()
        .expect("a temp file");
    std::fs::write(file.path(), SUBNET).expect("it is written");
    file
}

#[test]
#[ignore = "needs Falco's rule files: cargo xtask test --falco-rules FOLDER"]
fn privileged_containers() {
    let docker = Docker::start();
    let more = rules_of_the_test();
    let agent = agent(docker.daemon.run_folder(), more.path());
    // Busybox has no debugfs; that it was started is what the rule is about.
    let script = "for name in debugfs mount; do ln -s /bin/busybox /tmp/$name; done; /tmp/debugfs; mkdir -p /mnt/x; /tmp/mount -t tmpfs x /mnt/x; sleep 60";
    for (name, options) in [
        ("modest", &[][..]),
        ("mighty", &["--privileged", "--runtime", "confined"]),
    ] {
        let options = [&["-d", "--name", name], options].concat();
        docker.run(&options, &["sh", "-c", script]);
    }
    for (rule, program) in [
        ("Launch Privileged Container", "sh"),
        ("Debugfs Launched in Privileged Container", "debugfs"),
        ("Mount Launched in Privileged Container", "mount"),
    ] {
        let found = alert(&agent, rule, program);
        assert_eq!(found.text("container.name"), "mighty", "{found:#?}");
        crate::row("fired", rule, "Docker, --privileged");
    }
    agent.settle();
    let modest = agent.alerts_where(|alert| {
        alert.rule().contains("Privileged Container")
            && alert.field("container.name").as_str() == Some("modest")
    });
    assert!(modest.is_empty(), "{modest:#?}");
}

#[test]
#[ignore = "needs Falco's rule files: cargo xtask test --falco-rules FOLDER"]
fn the_network_of_a_namespace() {
    let containerd = Containerd::start();
    let more = rules_of_the_test();
    let agent = agent(containerd.daemon.run_folder(), more.path());
    let rule = "Network Connection outside Local Subnet";
    // The address is of the pod's own loopback interface: nothing leaves it.
    let script = "ip link set lo up; ip addr add 203.0.113.9/32 dev lo; ln -s /bin/busybox /tmp/nc; /tmp/nc -l -p 9 & sleep 1; echo x | /tmp/nc -w 5 203.0.113.9 9; sleep 60";
    let mut pods = Vec::new();
    for (namespace, uid) in [
        ("other", "0fd54ab2-3c1e-4b59-8a39-1f2e3d4c5b6a"),
        ("shop", "1fd54ab2-3c1e-4b59-8a39-1f2e3d4c5b6b"),
    ] {
        let pod = containerd.pod(PodPlan {
            name: "web-0",
            namespace,
            uid,
            labels: &[],
            host_network: false,
        });
        pod.run(ContainerPlan {
            name: "main",
            command: &["/bin/sh", "-c", script],
            privileged: true,
            ..ContainerPlan::default()
        });
        pods.push(pod);
    }
    let found = alert(&agent, rule, "nc");
    assert_eq!(found.text("k8s.ns.name"), "shop", "{found:#?}");
    agent.settle();
    let elsewhere =
        agent.alerts_where(|alert| alert.rule() == rule && alert.text("k8s.ns.name") != "shop");
    assert!(elsewhere.is_empty(), "{elsewhere:#?}");
    crate::row("fired", rule, "a pod of containerd's");
}
