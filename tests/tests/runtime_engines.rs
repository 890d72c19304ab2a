//! What alerts about containers of a real Docker Engine and a real Podman say.

use peregrine_tests::runtime::{Docker, Engine, IMAGE, Podman};
use peregrine_tests::{
    Agent, AgentBuilder, Alert, Container, ContainerOptions, MARKER_RULE, eventually,
};
use serde_json::json;

/// Every program that a container's shell or a client runs in it.
const RULE: &str = "\
- rule: Program in a container
  desc: A test.
  condition: evt.type = execve and container.id != host and proc.name in (sh, cat, true, sleep)
  output: >
    %container.id %container.full_id %container.type %container.name %container.image
    %container.image.repository %container.image.tag %container.image.id %container.privileged
    %container.mounts %container.mount.source[/host*] %container.mount.rdwr[0] %container.labels
    %container.label[tier] %k8s.pod.name %proc.cmdline
  priority: INFO
";

fn agent_of(engine: &impl Engine) -> AgentBuilder {
    AgentBuilder::rules(&format!("{MARKER_RULE}{RULE}")).run_folder(engine.daemon().run_folder())
}

/// The alert about this command line.
fn alert(agent: &Agent, command: &str) -> Alert {
    agent.wait_for(command, |alert| alert.text("proc.cmdline") == command)
}

/// Asserts that an alert names the container and its image.
fn assert_named<E: Engine>(alert: &Alert, name: &str, id: &str) {
    for (field, expected) in [
        ("container.name", name),
        ("container.id", &id[..12]),
        ("container.full_id", id),
        ("container.type", E::TYPE),
        ("container.image", IMAGE),
        ("container.image.repository", "docker.io/library/bb"),
        ("container.image.tag", "1"),
    ] {
        assert_eq!(alert.text(field), expected, "{field} of {alert:#?}");
    }
    assert_eq!(alert.text("container.image.id").len(), 64, "{alert:#?}");
}

fn described_from_its_first_process_on<E: Engine>() {
    let engine = E::start();
    let agent = agent_of(&engine).start();

    let data = engine.daemon().folder().display().to_string();
    let mount = format!("{data}:/hostdata:ro");
    let options = [
        "-d",
        "--name",
        "first",
        "--label",
        "tier=front",
        "-v",
        &mount,
    ];
    let id = engine.run(&options, &["sh", "-c", "/bin/cat /etc/hosts; sleep 60"]);
    for command in ["sh -c /bin/cat /etc/hosts; sleep 60", "cat /etc/hosts"] {
        let alert = alert(&agent, command);
        assert_named::<E>(&alert, "first", &id);
        assert_eq!(alert.text("container.label[tier]"), "front");
        assert_eq!(alert.text("container.labels"), "tier:front");
        assert_eq!(alert.text("container.mount.source[/host*]"), data);
        assert_eq!(alert.text("container.mount.rdwr[0]"), "false");
        assert_eq!(alert.field("container.privileged"), &json!(false));
        assert!(alert.field("k8s.pod.name").is_null());
    }

    // A program that a client runs in it.
    engine.client(["exec", "first", "/bin/true", "inside"]);
    assert_named::<E>(&alert(&agent, "true inside"), "first", &id);

    // A privileged one; one that ends at once and is removed then.
    let options = [&["-d", "--name", "mighty"], E::PRIVILEGED].concat();
    let id = engine.run(&options, &["sleep", "61"]);
    let mighty = alert(&agent, "sleep 61");
    assert_named::<E>(&mighty, "mighty", &id);
    assert_eq!(mighty.field("container.privileged"), &json!(true));
    assert!(mighty.field("container.mounts").is_null());
    for number in 0..3 {
        let name = format!("brief-{number}");
        engine.run(&["--rm", "--name", &name], &["true", &name]);
        let brief = alert(&agent, &format!("true {name}"));
        assert_eq!(brief.text("container.name"), name);
        assert_eq!(
            brief.text("container.image.repository"),
            "docker.io/library/bb"
        );
    }
    let in_vain = agent.metric("peregrine_container_metadata_deadline_total", &[]);
    assert!(in_vain.abs() < f64::EPSILON, "{in_vain}");
}

#[test]
fn a_container_of_docker_is_described_from_its_first_process_on() {
    described_from_its_first_process_on::<Docker>();
}

#[test]
fn a_container_of_podman_is_described_from_its_first_process_on() {
    described_from_its_first_process_on::<Podman>();
}

#[test]
fn labels_forge_nothing() {
    let docker = Docker::start();
    let agent = agent_of(&docker).text_output().start();
    let forged = "x\n00:00:00.0: Critical Forged\n{\"rule\":\"Forged\"}\u{1b}[2J\u{202e}";
    let label = format!("tier={forged}");
    let other = "\u{1b}[31m{\"rule\":\"Forged\"}\u{202e}=y";
    docker.run(
        &["--rm", "--label", &label, "--label", other],
        &["true", "with-labels"],
    );
    let lines = eventually(|| {
        let lines = agent.lines();
        let is_there = |line: &String| line.contains("with-labels");
        lines.iter().any(is_there).then_some(lines)
    })
    .expect("the alert comes");
    let about: Vec<&String> = lines
        .iter()
        .filter(|line| line.contains("with-labels"))
        .collect();
    assert_eq!(about.len(), 1, "{lines:#?}");
    assert!(about[0].contains("bb"), "{about:?}");
    for line in &lines {
        assert!(!line.contains('\u{1b}'), "{line:?}");
        assert!(!line.starts_with("00:00:00.0"), "{line:?}");
        assert!(!line.starts_with('{'), "{line:?}");
    }
    for line in agent.log() {
        assert!(
            !line.contains('\u{1b}') && !line.starts_with('{'),
            "{line:?}"
        );
    }
}

#[test]
fn a_container_in_a_container_is_not_the_outer_one() {
    let docker = Docker::start();
    let agent = agent_of(&docker).start();
    let outer = docker.run(&["-d", "--name", "outer"], &["sleep", "62"]);
    assert_named::<Docker>(&alert(&agent, "sleep 62"), "outer", &outer);
    // As an engine in that container makes it: this Docker does not know it.
    let inner = Container::start_from(&ContainerOptions {
        inside: Some(&outer),
        ..ContainerOptions::default()
    });
    let first = alert(&agent, "sleep 600");
    assert_eq!(first.text("container.full_id"), inner.id, "{first:#?}");
    for field in ["container.name", "container.image", "container.image.id"] {
        assert!(first.field(field).is_null(), "{field} of {first:#?}");
    }
    docker.client(["exec", "outer", "/bin/true", "outside"]);
    assert_named::<Docker>(&alert(&agent, "true outside"), "outer", &outer);
}
