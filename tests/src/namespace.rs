//! A network namespace in which addresses of the outside belong to us.

use std::process::{Command, Stdio};

/// A network namespace; deleted when dropped.
pub struct NetworkNamespace {
    /// As `ip netns` knows it.
    pub name: String,
}

impl NetworkNamespace {
    /// Makes one whose loopback interface has these addresses: nothing sent to them leaves it.
    pub fn with_addresses(addresses: &[&str]) -> Self {
        let namespace = Self {
            name: format!("peregrine-{}", std::process::id()),
        };
        ip(&["netns", "add", &namespace.name]);
        ip(&["-n", &namespace.name, "link", "set", "lo", "up"]);
        for address in addresses {
            ip(&["-n", &namespace.name, "addr", "add", address, "dev", "lo"]);
        }
        namespace
    }

    /// A command that runs in it.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.name])
            .arg(program)
            .stdin(Stdio::null());
        command
    }
}

impl Drop for NetworkNamespace {
    fn drop(&mut self) {
        ip(&["netns", "delete", &self.name]);
    }
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip")
        .args(arguments)
        .output()
        .expect("iproute2 is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "ip {}: {said}",
        arguments.join(" ")
    );
}
