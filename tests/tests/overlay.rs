//! Files of an overlay: in which layer they are, and the content of what is run from there.

use std::fs;
use std::process::Command;

use peregrine_tests::{AgentBuilder, MARKER_RULE};

const RULES: &str = "\
- rule: Started
  desc: Programs with a word of ours.
  condition: evt.type = execve and proc.args startswith wanted and proc.apid = OWN
  output: >
    started %proc.exepath %proc.is_exe_upper_layer %proc.is_exe_lower_layer %evt.arg.flags
    %proc.exe_sha256 %proc.exe_sha256.missing
  priority: INFO
- rule: Opened
  desc: Files with names of ours.
  condition: >
    evt.type in (open, openat) and fd.filename startswith wanted- and fd.num >= 0 and proc.apid = OWN
  output: opened %fd.filename %fd.is_upper_layer %fd.is_lower_layer
  priority: INFO
";

/// Runs in a mount namespace of its own, which ends with it.
const ACTIONS: &str = r#"
set -e
cd "$1"
mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged
./merged/below wanted
cp merged/below merged/above
./merged/above wanted
cat merged/wanted-below
echo more >> merged/wanted-below
echo new > merged/wanted-new
cat merged/wanted-new wanted-outside
"#;

#[test]
fn layers_of_an_overlay_are_told_apart() {
    let folder = tempfile::tempdir().expect("a temp dir");
    for name in ["lower", "upper", "work", "merged"] {
        fs::create_dir(folder.path().join(name)).expect("it is made");
    }
    let below = folder.path().join("lower/below");
    fs::copy("/bin/true", below).expect("it is copied");
    for name in ["lower/wanted-below", "wanted-outside"] {
        fs::write(folder.path().join(name), "text\n").expect("it is written");
    }
    let own = std::process::id().to_string();
    let rules = format!("{MARKER_RULE}{}", RULES.replace("OWN", &own));
    let agent = AgentBuilder::rules(&rules).start();
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", ACTIONS, "sh"])
        .arg(folder.path())
        .output()
        .expect("it runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    agent.settle();
    let hash = Command::new("sha256sum").arg("/bin/true").output();
    let hash = String::from_utf8(hash.expect("it runs").stdout).expect("it is text");
    let hash = hash.split(' ').next().expect("the hash comes first");
    for (name, flag, is_upper) in [
        ("below", "EXE_LOWER_LAYER", false),
        ("above", "EXE_UPPER_LAYER", true),
    ] {
        let alert = agent.wait_for("the exec", |alert| {
            alert.rule() == "Started" && alert.text("proc.exepath").ends_with(name)
        });
        let truth = |field: &str| alert.field(field).as_bool();
        assert_eq!(truth("proc.is_exe_upper_layer"), Some(is_upper), "{name}");
        assert_eq!(truth("proc.is_exe_lower_layer"), Some(!is_upper), "{name}");
        assert!(alert.text("evt.arg.flags").contains(flag), "{name}");
        // Nothing but the process itself leads to a file of its own mounts.
        match alert.field("proc.exe_sha256").as_str() {
            Some(found) => assert_eq!(found, hash, "{name}"),
            None => assert!(
                alert
                    .text("proc.exe_sha256.missing")
                    .contains("the process is gone")
            ),
        }
    }
    let opened = |name: &str| {
        let found = agent
            .alerts_where(|alert| alert.rule() == "Opened" && alert.text("fd.filename") == name);
        let layers = |alert: &peregrine_tests::Alert| {
            let truth = |field: &str| alert.field(field).as_bool();
            (truth("fd.is_upper_layer"), truth("fd.is_lower_layer"))
        };
        found.iter().map(layers).collect::<Vec<_>>()
    };
    let (upper, lower) = ((Some(true), Some(false)), (Some(false), Some(true)));
    // To be written to, the file is copied up.
    assert_eq!(opened("wanted-below"), [lower, upper]);
    assert_eq!(opened("wanted-new"), [upper, upper]);
    assert_eq!(opened("wanted-outside"), [(Some(false), Some(false))]);
}
