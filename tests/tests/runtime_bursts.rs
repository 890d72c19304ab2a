//! Many containers that end at once: each one's alert names it, and says what it is.
//!
//! `PEREGRINE_BURST=300` makes it 300 containers of each runtime.

#![expect(clippy::expect_used, reason = "a test ends by panicking")]

use std::sync::atomic::{AtomicUsize, Ordering};

use peregrine_tests::runtime::{ContainerPlan, Containerd, Daemon, Docker, Engine, IMAGE, PodPlan};
use peregrine_tests::{Agent, AgentBuilder, Alert, MARKER_RULE, eventually};

/// Of the first rule the cheap test, the program's name, is asked first: only a program that matches waits
/// for the runtime's answer, if that is not there yet. For the second each program waits that starts in a
/// container, be it the runtime's own.
const RULE: &str = "\
- rule: Program of a burst
  desc: A test.
  condition: >
    evt.type = execve and container.image.repository = docker.io/library/bb and proc.name = true
  output: >
    %container.full_id %container.name %container.image %container.image.repository
    %container.image.tag %k8s.pod.name %k8s.ns.name %k8s.pod.uid %proc.cmdline
  priority: INFO
- rule: Other program of a burst
  desc: A test.
  condition: evt.type = execve and container.image.repository = docker.io/library/bb
  output: '%container.image.tag %proc.cmdline'
  priority: INFO
- rule: Sandbox of a burst
  desc: A test.
  condition: evt.type = execve and container.id != host and proc.args = 1000000
  output: in %container.image.tag %k8s.ns.name
  priority: INFO
";

/// How many at a time.
const AT_ONCE: usize = 8;

fn containers() -> usize {
    std::env::var("PEREGRINE_BURST")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(40)
}

fn start_agent(runtime: &Daemon) -> Agent {
    AgentBuilder::rules(&format!("{MARKER_RULE}{RULE}"))
        .run_folder(runtime.run_folder())
        .start()
}

/// Calls `one` for each number up to the count, from so many threads; each thread has made its own
/// state before. Returns the states.
fn in_threads<S: Send>(make: impl Fn(usize) -> S + Sync, one: impl Fn(&S, usize) + Sync) -> Vec<S> {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let (next, make, one) = (&next, &make, &one);
        let threads: Vec<_> = (0..AT_ONCE)
            .map(|thread| {
                scope.spawn(move || {
                    let state = make(thread);
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= containers() {
                            return state;
                        }
                        one(&state, number);
                    }
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("the thread ends well"))
            .collect()
    })
}

/// The alerts in the order of their numbers: one for each container, all with an image.
fn alerts_of_all(agent: &Agent) -> Vec<Alert> {
    let of_burst = |alert: &Alert| alert.rule() == "Program of a burst";
    // A container's events may still wait when a marker does not: so wait for the number.
    let alerts = eventually(|| {
        let alerts = agent.alerts_where(of_burst);
        (alerts.len() >= containers()).then_some(alerts)
    });
    let mut alerts = alerts.unwrap_or_else(|| agent.alerts_where(of_burst));
    alerts.sort_by_key(number_of);
    let numbers: Vec<usize> = alerts.iter().map(number_of).collect();
    assert!(
        numbers.iter().copied().eq(0..containers()),
        "alerts of {numbers:?} of {}\n{}",
        containers(),
        losses(agent)
    );
    for alert in &alerts {
        assert_eq!(alert.text("container.image"), IMAGE, "{alert:#?}");
        assert_eq!(
            alert.text("container.image.repository"),
            "docker.io/library/bb"
        );
        assert_eq!(alert.text("container.image.tag"), "1");
        assert_eq!(alert.text("container.full_id").len(), 64, "{alert:#?}");
    }
    let shells = agent.alerts_where(|alert| {
        alert.rule() == "Other program of a burst"
            && alert.text("proc.cmdline").starts_with("sh -c /bin/true ")
    });
    assert_eq!(shells.len(), containers(), "{}", losses(agent));
    alerts
}

/// What the agent counted that could explain an alert too few.
fn losses(agent: &Agent) -> String {
    let (_, text) = agent.get("/metrics");
    let may_explain = |line: &&str| {
        line.contains("drop") || line.contains("_container_") || line.contains("_error")
    };
    let lines: Vec<&str> = text.lines().filter(may_explain).collect();
    lines.join("\n")
}

fn number_of(alert: &Alert) -> usize {
    let command = alert.text("proc.cmdline");
    command
        .rsplit('-')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("{command}"))
}

/// Prints how long the alerts' events waited; most need not.
#[expect(
    clippy::print_stdout,
    reason = "these figures are what a person runs the test for"
)]
fn print_delays(agent: &Agent, runtime: &str) {
    const NAME: &str = "peregrine_container_metadata_wait_seconds";
    let waited = agent.metric(&format!("{NAME}_count"), &[]);
    let late = agent.metric("peregrine_container_metadata_deadline_total", &[]);
    println!(
        "{runtime}: {} containers, {waited} events waited, {late} in vain; how many up to how many seconds:",
        containers()
    );
    let (_, text) = agent.get("/metrics");
    let mut before = "0";
    for line in text.lines() {
        let bucket = line.strip_prefix(&format!("{NAME}_bucket{{le=\""));
        let Some((bound, count)) = bucket.and_then(|bucket| bucket.split_once("\"} ")) else {
            continue;
        };
        if count != before {
            println!("  {bound}: {count}");
            before = count;
        }
    }
}

fn shell_command(number: usize) -> String {
    format!("/bin/true burst-{number}")
}

#[test]
fn many_short_containers_of_docker() {
    let docker = Docker::start();
    let agent = start_agent(&docker.daemon);
    in_threads(
        |_| (),
        |(), number| {
            let name = format!("name-{number}");
            docker.run(
                &["--rm", "--name", &name],
                &["sh", "-c", &shell_command(number)],
            );
        },
    );
    for (number, alert) in alerts_of_all(&agent).iter().enumerate() {
        assert_eq!(alert.text("container.name"), format!("name-{number}"));
    }
    print_delays(&agent, "Docker");
}

#[test]
fn many_short_containers_of_pods() {
    let containerd = Containerd::start();
    let agent = start_agent(&containerd.daemon);
    let uid = |thread: usize| format!("0fd54ab2-3c1e-4b59-8a39-1f2e3d4c{thread:04}");
    // A container is started when the call returns, which is before its command runs: pods that end
    // then would kill it.
    let pods = in_threads(
        |thread| {
            containerd.pod(PodPlan {
                name: &format!("burst-{thread}"),
                namespace: "shop",
                uid: &uid(thread),
                labels: &[],
                host_network: true,
            })
        },
        |pod, number| {
            pod.run(ContainerPlan {
                name: &format!("name-{number}"),
                command: &["sh", "-c", &shell_command(number)],
                ..ContainerPlan::default()
            });
        },
    );
    let alerts = alerts_of_all(&agent);
    drop(pods);
    let sandboxes = agent.alerts_where(|alert| alert.rule() == "Sandbox of a burst");
    assert_eq!(sandboxes.len(), AT_ONCE);
    for pause in sandboxes {
        assert_eq!(pause.text("container.image.tag"), "1", "{pause:#?}");
        assert_eq!(pause.text("k8s.ns.name"), "shop", "{pause:#?}");
    }
    for (number, alert) in alerts.iter().enumerate() {
        assert_eq!(alert.text("container.name"), format!("name-{number}"));
        assert_eq!(alert.text("k8s.ns.name"), "shop", "{alert:#?}");
        let pod = alert.text("k8s.pod.name");
        let thread = pod.strip_prefix("burst-").and_then(|n| n.parse().ok());
        let thread: usize = thread.unwrap_or_else(|| panic!("{alert:#?}"));
        assert_eq!(alert.text("k8s.pod.uid"), uid(thread));
    }
    print_delays(&agent, "containerd");
}
