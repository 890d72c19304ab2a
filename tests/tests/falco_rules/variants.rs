//! Other ways to the same rules: another system call, another clause of the condition.

use crate::case::Case;
use crate::case::Place::{Capable, Plain};
use crate::case::case;

/// More actions for rules of the table.
pub(crate) const VARIANTS: &[Case] = &[
    case(
        "Directory traversal monitored file read",
        Plain,
        &["cat", "/tmp/secrets/../../etc/nothing"],
        &[("fd.name", "/etc/nothing"), ("evt.res", "ENOENT")],
    ),
    case(
        "Read ssh information",
        Plain,
        &["ls", "/root/.ssh"],
        &[("proc.name", "ls"), ("fd.name", "/root/.ssh")],
    ),
    case(
        "Clear Log Activities",
        Plain,
        &["/opt/editor", "truncate", "/tmp/syslog"],
        &[("fd.name", "/tmp/syslog")],
    ),
    case(
        "Adding ssh keys to authorized_keys",
        Plain,
        &["/opt/editor", "write", "/home/user/.ssh/authorized_keys"],
        &[("fd.name", "/home/user/.ssh/authorized_keys")],
    ),
    case(
        "Modify Shell Configuration File",
        Plain,
        &["/opt/editor", "write", "/etc/profile"],
        &[("fd.name", "/etc/profile")],
    ),
    case(
        "Schedule Cron Jobs",
        Plain,
        &["/opt/crontab", "x"],
        &[("proc.cmdline", "crontab x")],
    ),
    case(
        "Detect release_agent File Container Escapes",
        Capable,
        &["/opt/editor", "truncate", "/tmp/secrets/release_agent"],
        &[("fd.name", "/tmp/secrets/release_agent")],
    ),
    case(
        "Set Setuid or Setgid bit",
        Plain,
        &["/opt/tool", "change-open", "/tmp/notes"],
        &[
            ("proc.cmdline", "tool change-open /tmp/notes"),
            ("evt.type", "fchmod"),
            ("evt.arg.mode", "~S_ISGID"),
        ],
    ),
    case(
        "Delete or rename shell history",
        Plain,
        &["/opt/editor", "truncate", "/root/.zsh_history"],
        &[("fd.name", "/root/.zsh_history")],
    ),
    case(
        "Delete or rename shell history",
        Plain,
        &["/opt/tool", "rename", "/root/.zsh_history", "/tmp/history"],
        &[("proc.name", "tool"), ("evt.type", "rename")],
    ),
    case(
        "Search Private Keys or Passwords",
        Plain,
        &["grep", "BEGIN RSA PRIVATE", "/tmp/notes"],
        &[("proc.name", "grep")],
    ),
    case(
        "Find AWS Credentials",
        Plain,
        &["grep", "AWS_SECRET_ACCESS_KEY", "/tmp/notes"],
        &[("proc.name", "grep")],
    ),
    case(
        "Netcat Remote Code Execution in Container",
        Plain,
        &["/opt/ncat", "--sh-exec", "x"],
        &[("proc.name", "ncat")],
    ),
    case(
        "Launch Ingress Remote File Copy Tools in Container",
        Plain,
        &["/opt/curl", "-O", "x"],
        &[("proc.name", "curl")],
    ),
    case(
        "Program run with disallowed http proxy env",
        Plain,
        &["env", "http_proxy=http://y", "/opt/curl", "y"],
        &[("proc.env", "~http_proxy=http://y")],
    ),
    case(
        "Execution from /dev/shm",
        Plain,
        &[
            "sh",
            "-c",
            "cd /dev/shm && mkdir d && cd d && cp /bin/busybox true && ./true cwd",
        ],
        &[
            ("proc.exepath", "/dev/shm/d/true"),
            ("proc.cmdline", "true cwd"),
        ],
    ),
    case(
        "Execution from /dev/shm",
        Plain,
        &["sh", "/dev/shm/script"],
        &[("proc.cmdline", "sh /dev/shm/script")],
    ),
    case(
        "Fileless execution via memfd_create",
        Plain,
        &[
            "/opt/loader",
            "run",
            "/opt/loader",
            "from-memory-by-descriptor",
            "/opt/tool",
        ],
        &[
            ("proc.cmdline", "~from-memory-done"),
            ("proc.exepath", "~memfd:payload"),
            ("evt.type", "~exec"),
        ],
    ),
    case(
        "Redirect STDOUT/STDIN to Network Connection in Container",
        Plain,
        &["/opt/agent", "redirect-by-dup", "203.0.113.9:80"],
        &[("evt.type", "dup"), ("fd.sip", "203.0.113.9")],
    ),
    // From an address of its own: the rule leaves out what has 0.0.0.0 at either end, as a socket does
    // that is bound to nothing.
    case(
        "Contact cloud metadata service from container",
        Plain,
        &[
            "/opt/agent",
            "send-udp",
            "203.0.113.9:0",
            "169.254.169.254:80",
        ],
        &[("fd.name", "~->169.254.169.254:80"), ("evt.type", "sendto")],
    ),
];
