//! What alerts say of a container that runc runs for nobody: what its bundle tells, and no more.

use peregrine_tests::{AgentBuilder, Container, ContainerOptions, MARKER_RULE};
use serde_json::json;

const RULE: &str = "\
- rule: Program in a container
  desc: A test.
  condition: evt.type = execve and container.id != host and proc.name = true
  output: >
    %container.id %container.full_id %container.name %container.image.repository
    %container.privileged %container.mount.source[/hostdata] %proc.cmdline
  priority: INFO
";

#[test]
fn the_bundle_tells_what_nobody_else_can() {
    let folder = tempfile::tempdir().expect("a temp dir");
    let source = folder.path().display().to_string();
    let mount = json!({"destination": "/hostdata", "type": "bind", "source": source,
                       "options": ["rbind", "ro"]});
    let container = Container::start_from(&ContainerOptions {
        mounts: vec![mount],
        ..ContainerOptions::default()
    });
    let agent = AgentBuilder::rules(&format!("{MARKER_RULE}{RULE}"))
        .run_folder(container.run_folder())
        .start();
    assert!(container.exec(&["true", "inside"]).status.success());
    let alert = agent.wait_for("the program", |alert| {
        alert.text("proc.cmdline") == "true inside"
    });
    assert_eq!(alert.text("container.id"), container.short_id());
    assert_eq!(alert.text("container.full_id"), container.id);
    assert_eq!(alert.text("container.mount.source[/hostdata]"), source);
    for field in ["container.name", "container.image.repository"] {
        assert!(alert.field(field).is_null(), "{field} of {alert:#?}");
    }
}
