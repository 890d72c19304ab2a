//! For each rule the action that it is for, and what an alert has to say of it.

use crate::case::Case;
use crate::case::Place::{Capable, Host, Plain, Terminal};
use crate::case::case;

/// Rules that need what only a container runtime or Kubernetes knows: they have actions of their own, in `metadata.rs`.
pub(crate) const NEED_METADATA: [&str; 4] = [
    "Debugfs Launched in Privileged Container",
    "Launch Privileged Container",
    "Mount Launched in Privileged Container",
    "Network Connection outside Local Subnet",
];

/// Rules whose action is one for another rule too.
pub(crate) const ALSO: [(&str, &str); 4] = [
    (
        "Read sensitive file trusted after startup",
        "Read sensitive file untrusted",
    ),
    (
        "Netcat Remote Code Execution in Container",
        "Launch Suspicious Network Tool in Container",
    ),
    (
        "Contact EC2 Instance Metadata Service From Container",
        "Contact cloud metadata service from container",
    ),
    (
        "Contact cloud metadata service from container",
        "Contact EC2 Instance Metadata Service From Container",
    ),
];

/// Actions of which no rule says anything, each close to one of which a rule does.
pub(crate) const HARMLESS: [Case; 6] = [
    case("", Plain, &["cat", "/tmp/notes"], &[]),
    case("", Plain, &["find", "/tmp", "-name", "harmless"], &[]),
    case("", Plain, &["grep", "harmless", "/tmp/notes"], &[]),
    case("", Plain, &["chmod", "644", "/tmp/notes"], &[]),
    case("", Plain, &["ln", "-s", "/tmp/notes", "/tmp/harmless"], &[]),
    case("", Plain, &["/opt/editor", "write", "/tmp/notes"], &[]),
];

/// Every rule of the two files but [`NEED_METADATA`].
pub(crate) const CASES: &[Case] = &[
    // Files that are read.
    case(
        "Directory traversal monitored file read",
        Plain,
        &["cat", "/tmp/secrets/../../etc/passwd"],
        &[
            ("proc.name", "cat"),
            ("fd.name", "/etc/passwd"),
            ("fd.nameraw", "/tmp/secrets/../../etc/passwd"),
        ],
    ),
    case(
        "Read sensitive file trusted after startup",
        Plain,
        &["/opt/nginx", "read-late", "/etc/shadow"],
        &[("proc.name", "nginx"), ("fd.name", "/etc/shadow")],
    ),
    case(
        "Read sensitive file untrusted",
        Plain,
        &["cat", "/etc/shadow"],
        &[
            ("proc.name", "cat"),
            ("fd.name", "/etc/shadow"),
            ("proc.cmdline", "cat /etc/shadow"),
        ],
    ),
    case(
        "Read ssh information",
        Plain,
        &["cat", "/root/.ssh/id_test"],
        &[("proc.name", "cat"), ("fd.name", "/root/.ssh/id_test")],
    ),
    case(
        "Read environment variable from /proc files",
        Plain,
        &["cat", "/proc/1/environ"],
        &[("proc.name", "cat"), ("fd.name", "/proc/1/environ")],
    ),
    case(
        "Exfiltrating Artifacts via Kubernetes Control Plane",
        Plain,
        &["tar", "cf", "-", "/tmp/secrets/a"],
        &[
            ("proc.name", "tar"),
            ("fd.name", "/tmp/secrets/a"),
            ("proc.tty", "0"),
        ],
    ),
    case(
        "Backdoored library loaded into SSHD (CVE-2024-3094)",
        Plain,
        &["/opt/sshd", "read", "/tmp/liblzma.so.5.6.1"],
        &[("proc.name", "sshd"), ("fd.name", "/tmp/liblzma.so.5.6.1")],
    ),
    // Files that are written, linked, changed or removed.
    case(
        "Clear Log Activities",
        Plain,
        &["/opt/editor", "truncate", "/var/log/auth.log"],
        &[("proc.name", "editor"), ("fd.name", "/var/log/auth.log")],
    ),
    case(
        "Modify Shell Configuration File",
        Plain,
        &["/opt/editor", "write", "/root/.bashrc"],
        &[("proc.name", "editor"), ("fd.name", "/root/.bashrc")],
    ),
    case(
        "Schedule Cron Jobs",
        Plain,
        &["/opt/editor", "write", "/etc/cron.d/job"],
        &[("proc.name", "editor"), ("fd.name", "/etc/cron.d/job")],
    ),
    case(
        "Adding ssh keys to authorized_keys",
        Plain,
        &["/opt/editor", "write", "/root/.ssh/authorized_keys"],
        &[
            ("proc.name", "editor"),
            ("fd.name", "/root/.ssh/authorized_keys"),
        ],
    ),
    case(
        "Create files below dev",
        Plain,
        &["/opt/editor", "write", "/dev/hidden"],
        &[("proc.name", "editor"), ("fd.name", "/dev/hidden")],
    ),
    case(
        "Detect release_agent File Container Escapes",
        Capable,
        &["/opt/editor", "write", "/tmp/release_agent"],
        &[
            ("fd.name", "/tmp/release_agent"),
            ("thread.cap_effective", "~CAP_SYS_ADMIN"),
        ],
    ),
    case(
        "Create Symlink Over Sensitive Files",
        Plain,
        &["ln", "-s", "/etc", "/tmp/link"],
        &[
            ("proc.name", "ln"),
            ("evt.arg.target", "/etc"),
            ("evt.arg.linkpath", "/tmp/link"),
        ],
    ),
    case(
        "Create Hardlink Over Sensitive Files",
        Plain,
        &["ln", "/etc/shadow", "/tmp/hard"],
        &[
            ("proc.name", "ln"),
            ("evt.arg.oldpath", "/etc/shadow"),
            ("evt.arg.newpath", "/tmp/hard"),
        ],
    ),
    case(
        "Set Setuid or Setgid bit",
        Plain,
        &["chmod", "4755", "/tmp/notes"],
        &[
            ("proc.name", "chmod"),
            ("evt.arg.filename", "/tmp/notes"),
            ("evt.arg.mode", "~S_ISUID"),
        ],
    ),
    case(
        "Delete or rename shell history",
        Plain,
        &["rm", "/root/.bash_history"],
        &[
            ("proc.name", "rm"),
            ("proc.cmdline", "rm /root/.bash_history"),
        ],
    ),
    // Programs.
    case(
        "Remove Bulk Data from Disk",
        Plain,
        &["shred", "/tmp/secrets/a"],
        &[("proc.name", "shred")],
    ),
    case(
        "Search Private Keys or Passwords",
        Plain,
        &["find", "/tmp", "-name", "id_rsa"],
        &[("proc.cmdline", "find /tmp -name id_rsa")],
    ),
    case(
        "Find AWS Credentials",
        Plain,
        &["find", "/tmp", "-path", "*/.aws/credentials"],
        &[("proc.cmdline", "find /tmp -path */.aws/credentials")],
    ),
    case(
        "Run shell untrusted",
        Plain,
        &["/opt/nginx", "run", "/bin/sh", "-c", "true"],
        &[
            ("proc.name", "sh"),
            ("proc.pname", "nginx"),
            ("proc.cmdline", "sh -c true"),
        ],
    ),
    case(
        "DB program spawned process",
        Plain,
        &["/opt/mysqld", "run", "/bin/cat", "/tmp/notes"],
        &[("proc.name", "cat"), ("proc.pname", "mysqld")],
    ),
    case(
        "System user interactive",
        Host,
        &["@sshd", "run-as", "1", "/bin/true", "interactive"],
        &[
            ("user.name", "daemon"),
            ("proc.cmdline", "true interactive"),
            ("proc.pname", "sshd"),
        ],
    ),
    case(
        "Terminal shell in container",
        Terminal,
        &["sh", "-c", "true"],
        &[("proc.name", "sh")],
    ),
    case(
        "Netcat Remote Code Execution in Container",
        Plain,
        &["nc", "-e", "/bin/sh", "127.0.0.1", "1"],
        &[("proc.cmdline", "nc -e /bin/sh 127.0.0.1 1")],
    ),
    case(
        "Launch Package Management Process in Container",
        Plain,
        &["/opt/apk", "add"],
        &[("proc.name", "apk")],
    ),
    case(
        "Launch Suspicious Network Tool in Container",
        Plain,
        &["/opt/nmap", "outside"],
        &[("proc.cmdline", "nmap outside")],
    ),
    case(
        "Launch Suspicious Network Tool on Host",
        Host,
        &["@nmap", "from-the-host"],
        &[
            ("proc.cmdline", "nmap from-the-host"),
            ("container.id", "host"),
        ],
    ),
    case(
        "Launch Remote File Copy Tools in Container",
        Plain,
        &["/opt/rsync", "x"],
        &[("proc.name", "rsync")],
    ),
    case(
        "Launch Ingress Remote File Copy Tools in Container",
        Plain,
        &["/opt/wget", "x"],
        &[("proc.name", "wget")],
    ),
    case(
        "Program run with disallowed http proxy env",
        Plain,
        &["env", "HTTP_PROXY=http://x", "/opt/curl", "x"],
        &[("proc.name", "curl"), ("proc.env", "~HTTP_PROXY=http://x")],
    ),
    case(
        "Potential Local Privilege Escalation via Environment Variables Misuse",
        Plain,
        &["env", "GLIBC_TUNABLES=x=y", "/opt/tool", "tunables"],
        &[
            ("proc.cmdline", "tool tunables"),
            ("proc.env", "~GLIBC_TUNABLES=x=y"),
        ],
    ),
    case(
        "User mgmt binaries",
        Host,
        &["@useradd", "someone"],
        &[
            ("proc.cmdline", "useradd someone"),
            ("container.id", "host"),
        ],
    ),
    case(
        "Execution from /dev/shm",
        Plain,
        &[
            "sh",
            "-c",
            "cp /bin/busybox /dev/shm/true && /dev/shm/true shm",
        ],
        &[
            ("proc.exepath", "/dev/shm/true"),
            ("proc.cmdline", "true shm"),
        ],
    ),
    case(
        "Drop and execute new binary in container",
        Plain,
        &[
            "sh",
            "-c",
            "cp /bin/busybox /layer/true && /layer/true dropped",
        ],
        &[
            ("proc.exepath", "/layer/true"),
            ("proc.cmdline", "true dropped"),
        ],
    ),
    case(
        "Fileless execution via memfd_create",
        Plain,
        &[
            "/opt/loader",
            "run",
            "/opt/loader",
            "from-memory",
            "/opt/tool",
        ],
        &[
            ("proc.cmdline", "~from-memory-done"),
            ("proc.exepath", "~memfd:payload"),
        ],
    ),
    case(
        "Launch Excessively Capable Container",
        Capable,
        &[],
        &[("proc.cmdline", "sleep 600")],
    ),
    // Connections.
    case(
        "Contact K8S API Server From Container",
        Plain,
        &["/opt/agent", "connect", "198.51.100.7:443"],
        &[("fd.name", "~->198.51.100.7:443"), ("fd.rport", "443")],
    ),
    case(
        "Contact EC2 Instance Metadata Service From Container",
        Plain,
        &["/opt/agent", "connect", "169.254.169.254:80"],
        &[("fd.name", "~->169.254.169.254:80")],
    ),
    case(
        "Contact cloud metadata service from container",
        Plain,
        &["/opt/agent", "connect", "169.254.169.254:80"],
        &[("fd.name", "~->169.254.169.254:80")],
    ),
    case(
        "Disallowed SSH Connection Non Standard Port",
        Plain,
        &["/opt/ssh", "connect", "203.0.113.9:443"],
        &[
            ("proc.name", "ssh"),
            ("fd.name", "~->203.0.113.9:443"),
            ("fd.l4proto", "tcp"),
        ],
    ),
    case(
        "System procs network activity",
        Plain,
        &["/opt/cat", "connect", "203.0.113.9:80"],
        &[("proc.name", "cat"), ("fd.name", "~->203.0.113.9:80")],
    ),
    case(
        "Unexpected UDP Traffic",
        Plain,
        &["/opt/agent", "connect-udp", "203.0.113.9:9999"],
        &[("fd.name", "~->203.0.113.9:9999"), ("fd.l4proto", "udp")],
    ),
    case(
        "Redirect STDOUT/STDIN to Network Connection in Container",
        Plain,
        &["/opt/agent", "redirect", "203.0.113.9:80"],
        &[
            ("fd.name", "~->203.0.113.9:80"),
            ("fd.sip", "203.0.113.9"),
            ("fd.type", "ipv4"),
        ],
    ),
    case(
        "Packet socket created in container",
        Capable,
        &["/opt/agent", "packet"],
        &[("proc.cmdline", "agent packet"), ("evt.type", "socket")],
    ),
    // The kernel.
    case(
        "Linux Kernel Module Injection Detected",
        Capable,
        &["/opt/tool", "module"],
        &[
            ("proc.cmdline", "tool module"),
            ("evt.type", "finit_module"),
        ],
    ),
    case(
        "PTRACE attached to process",
        Plain,
        &["/opt/tool", "attach"],
        &[("proc.cmdline", "tool attach")],
    ),
    case(
        "PTRACE anti-debug attempt",
        Plain,
        &["/opt/tool", "trace-me"],
        &[("proc.cmdline", "tool trace-me")],
    ),
    case(
        "Change thread namespace",
        Plain,
        &["/opt/tool", "setns"],
        &[("proc.cmdline", "tool setns")],
    ),
    case(
        "Change namespace privileges via unshare",
        Plain,
        &["/opt/tool", "unshare"],
        &[("proc.cmdline", "tool unshare")],
    ),
    case(
        "Non sudo setuid",
        Host,
        &["@tool", "run-as", "1", "@tool", "setuid"],
        &[("proc.cmdline", "tool setuid"), ("user.name", "daemon")],
    ),
    case(
        "BPF Program Not Profiled",
        Plain,
        &["/opt/tool", "bpf"],
        &[
            ("proc.cmdline", "tool bpf"),
            ("evt.arg.cmd", "BPF_PROG_LOAD"),
        ],
    ),
];
