//! Runtimes that are killed, hang, come late or talk nonsense, and an agent that starts again.

use std::io::Write;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use peregrine_tests::runtime::{ContainerPlan, Containerd, Docker, Engine, PodPlan, Podman};
use peregrine_tests::{Agent, AgentBuilder, Alert, Container, MARKER_RULE, eventually};

const RULE: &str = "\
- rule: Program in a container
  desc: A test.
  condition: evt.type = execve and container.id != host and proc.name = true
  output: in %container.id %container.name %container.image.repository %k8s.pod.name %proc.cmdline
  priority: INFO
";

/// What a container does that lives on.
const TICKING: [&str; 3] = ["sh", "-c", "while :; do /bin/true tick; sleep 0.1; done"];

fn agent_asking(sockets: &[(&str, &Path)]) -> AgentBuilder {
    let rules = AgentBuilder::rules(&format!("{MARKER_RULE}{RULE}"));
    sockets.iter().fold(rules, |agent, (engine, socket)| {
        let option = format!("container_engines.{engine}.sockets=[{}]", socket.display());
        agent.option(&option)
    })
}

fn tick(docker: &Docker, name: &str) -> String {
    docker.run(&["-d", "--name", name], &TICKING)
}

fn is_complete(alert: &Alert, name: &str) -> bool {
    alert.text("container.name") == name
        && alert.text("container.image.repository") == "docker.io/library/bb"
}

/// Waits for an alert of a program that runs from now on.
fn next_alert(agent: &Agent, what: &str, wanted: impl Fn(&Alert) -> bool) -> Alert {
    let before = agent.lines().len();
    eventually(|| {
        let new = agent.alerts().split_off(before);
        new.into_iter().find(|alert| wanted(alert))
    })
    .unwrap_or_else(|| panic!("no alert: {what}; {:#?}", agent.log()))
}

/// A container that only its cgroup shows to be Docker's, and that nobody knows: its alert has its id.
fn assert_known_by_id_alone(agent: &Agent, word: &str) {
    let container = Container::start();
    assert!(container.exec(&["true", word]).status.success());
    let alert = agent.wait_for(word, |alert| {
        alert.text("proc.cmdline") == format!("true {word}")
    });
    assert_eq!(alert.text("container.id"), container.short_id());
    assert!(alert.field("container.name").is_null(), "{alert:#?}");
}

#[test]
fn a_runtime_that_is_killed_and_started_again() {
    let mut docker = Docker::start();
    let id = tick(&docker, "long");
    let is_long = |alert: &Alert| alert.text("container.id") == &id[..12];
    let agent = agent_asking(&[("docker", &docker.socket())]).start();
    assert!(is_complete(&next_alert(&agent, "long", is_long), "long"));

    docker.daemon.kill();
    agent.settle();
    assert!(is_complete(
        &next_alert(&agent, "what was known", is_long),
        "long"
    ));
    assert_known_by_id_alone(&agent, "meanwhile");
    assert!(agent.metric("peregrine_container_runtime_errors_total", &[]) > 0.0);

    // An agent that starts now can know nothing but the id, and is told later.
    let late = agent_asking(&[("docker", &docker.socket())]).start();
    let first = next_alert(&late, "long, by its id", is_long);
    assert!(first.field("container.name").is_null(), "{first:#?}");
    late.settle();

    docker.daemon.start();
    docker.run(&["--rm", "--name", "after"], &["/bin/true", "after"]);
    for agent in [&agent, &late] {
        let after = agent.wait_for("after", |alert| alert.text("proc.cmdline") == "true after");
        assert!(is_complete(&after, "after"), "{after:#?}");
    }
    next_alert(&late, "long, complete", |alert| {
        is_long(alert) && is_complete(alert, "long")
    });
}

#[test]
fn a_containerd_that_is_killed_hangs_and_comes_back() {
    let mut containerd = Containerd::start();
    let agent = agent_asking(&[("cri", &containerd.socket())]).start();
    let plan = PodPlan {
        name: "web-0",
        namespace: "shop",
        uid: "0fd54ab2-3c1e-4b59-8a39-1f2e3d4c0001",
        labels: &[],
        host_network: true,
    };
    let named = |name| ContainerPlan {
        name,
        command: &TICKING,
        ..ContainerPlan::default()
    };
    let is_of = |alert: &Alert, name: &str| {
        is_complete(alert, name) && alert.text("k8s.pod.name") == plan.name
    };
    let pod = containerd.pod(plan);
    pod.run(named("before"));
    next_alert(&agent, "before", |alert| is_of(alert, "before"));
    let id = pod.leave();

    containerd.daemon.kill();
    agent.settle();
    next_alert(&agent, "what was known", |alert| is_of(alert, "before"));
    assert_known_by_id_alone(&agent, "while it was dead");

    containerd.daemon.start();
    let pod = containerd.rejoin(plan, id);
    pod.run(named("after"));
    next_alert(&agent, "after", |alert| is_of(alert, "after"));

    containerd.daemon.signal(libc::SIGSTOP);
    agent.settle();
    next_alert(&agent, "what was known", |alert| is_of(alert, "after"));
    assert_known_by_id_alone(&agent, "while it hung");
    containerd.daemon.signal(libc::SIGCONT);
    pod.run(named("last"));
    next_alert(&agent, "last", |alert| is_of(alert, "last"));

    // Each container that is there now, to an agent that was not there then.
    let late = agent_asking(&[("cri", &containerd.socket())]).start();
    for name in ["before", "after", "last"] {
        late.wait_for(name, |alert| alert.text("container.name") == name);
    }
    for alert in late.alerts_where(|alert| alert.text("proc.cmdline") == "true tick") {
        assert_eq!(alert.text("k8s.pod.name"), plan.name, "{alert:#?}");
        assert_eq!(
            alert.text("container.image.repository"),
            "docker.io/library/bb"
        );
    }
}

#[test]
fn a_runtime_that_hangs_holds_up_nobody_else() {
    let docker = Docker::start();
    let podman = Podman::start();
    let id = tick(&docker, "long");
    let is_long = |alert: &Alert| alert.text("container.id") == &id[..12];
    let sockets = [("docker", &*docker.socket()), ("podman", &*podman.socket())];
    let agent = agent_asking(&sockets).start();
    assert!(is_complete(&next_alert(&agent, "long", is_long), "long"));

    docker.daemon.signal(libc::SIGSTOP);
    agent.settle();
    assert!(is_complete(
        &next_alert(&agent, "what was known", is_long),
        "long"
    ));
    for number in 0..3 {
        let name = format!("of-podman-{number}");
        podman.run(&["--rm", "--name", &name], &["/bin/true", &name]);
        let alert = agent.wait_for(&name, |alert| {
            alert.text("proc.cmdline") == format!("true {name}")
        });
        assert!(is_complete(&alert, &name), "{alert:#?}");
    }
    let in_vain = agent.metric("peregrine_container_metadata_deadline_total", &[]);
    assert!(
        in_vain.abs() < f64::EPSILON,
        "nobody waited in vain: {in_vain}"
    );
    assert_known_by_id_alone(&agent, "meanwhile");
    agent.settle();
    assert!(agent.metric("peregrine_container_metadata_deadline_total", &[]) > 0.0);

    docker.daemon.signal(libc::SIGCONT);
    docker.run(&["--rm", "--name", "after"], &["/bin/true", "after"]);
    let after = agent.wait_for("after", |alert| alert.text("proc.cmdline") == "true after");
    assert!(is_complete(&after, "after"), "{after:#?}");
}

#[test]
fn a_socket_that_comes_late_and_one_that_talks_nonsense() {
    let docker = Docker::start();
    let folder = tempfile::tempdir().expect("a temp dir");
    let (late, nonsense) = (folder.path().join("late"), folder.path().join("nonsense"));
    let listener = UnixListener::bind(&nonsense).expect("a socket is made");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            // The client may have gone, which is as good.
            let _ = stream.write_all(b"\x1b[2J\nready\xff HTTP/9.9 nonsense\r\n\r\n");
        }
    });
    let sockets = [
        ("docker", &*late),
        ("cri", &*nonsense),
        ("podman", &*nonsense),
    ];
    let agent = agent_asking(&sockets).start();
    docker.run(&["--rm", "--name", "before"], &["/bin/true", "before"]);
    let before = agent.wait_for("before", |alert| {
        alert.text("proc.cmdline") == "true before"
    });
    assert!(before.field("container.name").is_null(), "{before:#?}");

    symlink(docker.socket(), &late).expect("the socket appears");
    docker.run(&["--rm", "--name", "after"], &["/bin/true", "after"]);
    let after = agent.wait_for("after", |alert| alert.text("proc.cmdline") == "true after");
    assert!(is_complete(&after, "after"), "{after:#?}");
    assert!(agent.metric("peregrine_container_runtime_errors_total", &[]) > 0.0);
    for line in agent.log() {
        assert!(!line.contains('\u{1b}'), "{line:?}");
    }
}

#[test]
fn an_agent_that_starts_on_a_machine_full_of_containers() {
    let docker = Docker::start();
    let names: Vec<String> = (0..12).map(|number| format!("full-{number}")).collect();
    for name in &names {
        tick(&docker, name);
    }
    for _ in 0..2 {
        let agent = agent_asking(&[("docker", &docker.socket())]).start();
        for name in &names {
            agent.wait_for(name, |alert| alert.text("container.name") == name);
        }
        let is_tick = |alert: &Alert| alert.text("proc.cmdline") == "true tick";
        for alert in agent.alerts_where(is_tick) {
            let name = names.iter().find(|name| is_complete(&alert, name));
            assert!(name.is_some(), "{alert:#?}");
        }
    }
}
