//! What alerts about containers of a real containerd say: those of pods, and plain ones.

use peregrine_tests::runtime::{ContainerPlan, Containerd, IMAGE, POD_ADDRESS, PodPlan};
use peregrine_tests::{Agent, AgentBuilder, Alert, MARKER_RULE};
use serde_json::json;

/// Every program that a container's shell or a client runs in it.
const RULE: &str = "\
- rule: Program in a container
  desc: A test.
  condition: evt.type = execve and container.id != host and proc.name in (sh, cat, true, sleep)
  output: >
    %container.id %container.full_id %container.type %container.name %container.image
    %container.image.repository %container.image.tag %container.image.digest
    %container.privileged %container.mounts %container.mount.source[/host*]
    %container.host_network %container.ip %k8s.pod.ip %k8s.pod.cni.json %k8s.pod.name %k8s.ns.name %k8s.pod.uid %k8s.pod.sandbox_id
    %k8s.pod.labels %k8s.pod.label[tier] %container.label[io.kubernetes.container.name] %proc.cmdline
  priority: INFO
";

const POD: PodPlan<'_> = PodPlan {
    name: "web-0",
    namespace: "shop",
    uid: "0fd54ab2-3c1e-4b59-8a39-1f2e3d4c0001",
    labels: &[
        ("tier", "front"),
        ("evil", "x\n{\"rule\":\"Forged\"}\u{1b}[2J"),
    ],
    host_network: true,
};

fn start_agent(containerd: &Containerd) -> Agent {
    AgentBuilder::rules(&format!("{MARKER_RULE}{RULE}"))
        .run_folder(containerd.daemon.run_folder())
        .start()
}

/// The alert about this command line.
fn alert(agent: &Agent, command: &str) -> Alert {
    agent.wait_for(command, |alert| alert.text("proc.cmdline") == command)
}

fn assert_fields(alert: &Alert, fields: &[(&str, &str)]) {
    for (field, expected) in fields {
        assert_eq!(alert.text(field), *expected, "{field} of {alert:#?}");
    }
}

fn assert_image(alert: &Alert) {
    assert_fields(
        alert,
        &[
            ("container.type", "containerd"),
            ("container.image", IMAGE),
            ("container.image.repository", "docker.io/library/bb"),
            ("container.image.tag", "1"),
        ],
    );
}

/// Asserts that an alert is about this container of [`POD`].
fn assert_in_pod(alert: &Alert, sandbox: &str, name: &str, id: &str) {
    assert_image(alert);
    assert_fields(
        alert,
        &[
            ("container.name", name),
            ("container.id", &id[..12]),
            ("container.full_id", id),
            ("container.label[io.kubernetes.container.name]", name),
            ("k8s.pod.name", POD.name),
            ("k8s.ns.name", POD.namespace),
            ("k8s.pod.uid", POD.uid),
            ("k8s.pod.sandbox_id", &sandbox[..12]),
            ("k8s.pod.label[tier]", "front"),
        ],
    );
    assert_eq!(alert.field("container.host_network"), &json!(true));
}

#[test]
fn containers_of_a_pod_are_described_from_their_first_process_on() {
    let containerd = Containerd::start();
    let agent = start_agent(&containerd);
    let pod = containerd.pod(POD);
    let folder = containerd.daemon.folder().display().to_string();

    // The sandbox's own.
    let pause = alert(&agent, "sleep 1000000");
    assert_fields(
        &pause,
        &[
            ("container.full_id", &pod.id),
            ("container.image.repository", "docker.io/library/pause"),
            ("container.image.tag", "1"),
            ("k8s.pod.name", POD.name),
            ("k8s.ns.name", POD.namespace),
            ("k8s.pod.uid", POD.uid),
            ("k8s.pod.label[tier]", "front"),
        ],
    );

    // An init container, which ends at once; then two that stay.
    let init = pod.run(ContainerPlan {
        name: "prepare",
        command: &["true", "prepare"],
        ..ContainerPlan::default()
    });
    assert_in_pod(&alert(&agent, "true prepare"), &pod.id, "prepare", &init);
    let main = pod.run(ContainerPlan {
        name: "main",
        command: &["sh", "-c", "/bin/cat /etc/hosts; sleep 60"],
        mounts: &[(&folder, "/hostdata")],
        ..ContainerPlan::default()
    });
    for command in ["sh -c /bin/cat /etc/hosts; sleep 60", "cat /etc/hosts"] {
        let alert = alert(&agent, command);
        assert_in_pod(&alert, &pod.id, "main", &main);
        assert_eq!(alert.text("container.mount.source[/host*]"), folder);
        assert_eq!(alert.field("container.privileged"), &json!(false));
    }
    let side = pod.run(ContainerPlan {
        name: "side",
        command: &["sleep", "62"],
        privileged: true,
        ..ContainerPlan::default()
    });
    let of_side = alert(&agent, "sleep 62");
    assert_in_pod(&of_side, &pod.id, "side", &side);
    assert_eq!(of_side.field("container.privileged"), &json!(true));

    // A program that a client runs in one of them.
    pod.exec(&main, &["/bin/cat", "/etc/passwd"]);
    assert_in_pod(&alert(&agent, "cat /etc/passwd"), &pod.id, "main", &main);

    // Of hostile labels, every line still is one alert.
    let shown = agent.alerts();
    let of_pod = shown
        .iter()
        .find(|alert| alert.text("container.name") == "main");
    assert!(of_pod.is_some_and(|alert| alert.text("k8s.pod.labels").contains("Forged")));
    assert!(shown.iter().all(|alert| alert.rule() != "Forged"));

    let in_vain = agent.metric("peregrine_container_metadata_deadline_total", &[]);
    assert!(in_vain.abs() < f64::EPSILON, "{in_vain}");
}

#[test]
fn a_pod_in_a_network_of_its_own_has_an_address() {
    let containerd = Containerd::start();
    let agent = start_agent(&containerd);
    let pod = containerd.pod(PodPlan {
        host_network: false,
        ..POD
    });
    pod.run(ContainerPlan {
        name: "main",
        command: &["true", "first"],
        ..ContainerPlan::default()
    });
    let first = alert(&agent, "true first");
    assert_fields(
        &first,
        &[
            ("container.name", "main"),
            ("container.ip", POD_ADDRESS),
            ("k8s.pod.ip", POD_ADDRESS),
        ],
    );
    assert!(first.text("k8s.pod.cni.json").contains(POD_ADDRESS));
    assert_eq!(first.field("container.host_network"), &json!(false));
}

#[test]
fn containers_without_a_pod_are_described_too() {
    let containerd = Containerd::start();
    let agent = start_agent(&containerd);
    let folder = containerd.daemon.folder().display().to_string();
    let mount = format!("type=bind,src={folder},dst=/hostdata,options=rbind:ro");
    containerd.run(
        "plain",
        &["--rm", "--mount", &mount],
        &["/bin/cat", "/etc/hosts"],
    );
    let alert_of_plain = alert(&agent, "cat /etc/hosts");
    assert_image(&alert_of_plain);
    assert_fields(
        &alert_of_plain,
        &[
            ("container.id", "plain"),
            ("container.full_id", "plain"),
            ("container.name", "plain"),
            ("container.mount.source[/host*]", &folder),
        ],
    );
    assert!(
        alert_of_plain
            .text("container.image.digest")
            .starts_with("sha256:")
    );
    assert_eq!(alert_of_plain.field("container.privileged"), &json!(false));
    assert!(alert_of_plain.field("k8s.pod.name").is_null());

    containerd.run("mighty", &["-d", "--privileged"], &["/bin/sleep", "63"]);
    let mighty = alert(&agent, "sleep 63");
    assert_image(&mighty);
    assert_eq!(mighty.field("container.privileged"), &json!(true));
    containerd.ctr(
        "default",
        &[
            "tasks",
            "exec",
            "--exec-id",
            "e",
            "mighty",
            "/bin/true",
            "inside",
        ],
    );
    assert_fields(
        &alert(&agent, "true inside"),
        &[("container.name", "mighty")],
    );

    // Its name may be given again, to another one.
    for round in ["one", "two"] {
        containerd.run(
            "brief",
            &["--rm", "--label", &format!("round={round}")],
            &["/bin/true", round],
        );
        let brief = alert(&agent, &format!("true {round}"));
        assert_image(&brief);
        assert_eq!(brief.text("container.name"), "brief");
    }
}
