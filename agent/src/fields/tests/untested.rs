//! Fields whose values are tested elsewhere, and those that never have one.

/// Where a field is tested, or why it cannot be.
pub(super) enum Elsewhere {
    /// In this file, from the root of the repository.
    Test(&'static str),
    /// It never has a value, for this reason.
    NoValue(&'static str),
}

use Elsewhere::{NoValue, Test};

const NO_PLUGINS: &str = "there are no plugins, and no events that user space makes";
const NO_STATISTICS: &str =
    "only periodic events and switches of the CPU have it, which no source here delivers";
const DOCKER_EVENTS: &str =
    "only events of a Docker daemon have it, which Falco no longer delivers either";
const NEVER_IN_FALCO: &str = "Falco gives it no value any more; it is there for old rules";
/// Read from a live process.
const OF_PROC: Elsewhere = Test("tests/tests/live_process.rs");

/// Every field outside of the tables of this module. Those about containers have tests of their own.
#[rustfmt::skip] // One field a line.
pub(super) const UNTESTED: &[(&str, Elsewhere)] = &[
    ("evt.around", Test("agent/src/rules/tests/matching.rs")),
    ("evt.asynctype", NoValue(NO_PLUGINS)),
    ("evt.count.procinfo", NoValue(NO_STATISTICS)),
    ("evt.count.threadinfo", NoValue(NO_STATISTICS)),
    ("evt.infra.docker.container.id", NoValue(DOCKER_EVENTS)),
    ("evt.infra.docker.container.image", NoValue(DOCKER_EVENTS)),
    ("evt.infra.docker.container.name", NoValue(DOCKER_EVENTS)),
    ("evt.infra.docker.name", NoValue(DOCKER_EVENTS)),
    ("evt.plugininfo", NoValue(NO_PLUGINS)),
    ("evt.pluginname", NoValue(NO_PLUGINS)),
    ("fd.cip.name", Test("tests/tests/connect.rs")),
    ("fd.lip.name", Test("tests/tests/connect.rs")),
    ("fd.rip.name", Test("tests/tests/connect.rs")),
    ("fd.sip.name", Test("tests/tests/connect.rs")),
    ("fd.types", OF_PROC),
    ("fs.path.resolved_name", Test("agent/src/fields/tests/mod.rs")),
    ("fs.path.resolved_source", Test("agent/src/fields/tests/mod.rs")),
    ("fs.path.resolved_target", Test("agent/src/fields/tests/mod.rs")),
    ("proc.exe_sha256", Test("tests/tests/executables.rs")),
    ("proc.fdlimit", OF_PROC),
    ("proc.fdopencount", OF_PROC),
    ("proc.fdusage", OF_PROC),
    ("proc.is_container_healthcheck", NoValue(NEVER_IN_FALCO)),
    ("proc.is_container_liveness_probe", NoValue(NEVER_IN_FALCO)),
    ("proc.is_container_readiness_probe", NoValue(NEVER_IN_FALCO)),
    ("proc.nchilds", OF_PROC),
    ("proc.nthreads", OF_PROC),
    ("proc.stderr.name", OF_PROC),
    ("proc.stderr.type", OF_PROC),
    ("proc.stdin.name", OF_PROC),
    ("proc.stdin.type", OF_PROC),
    ("proc.stdout.name", OF_PROC),
    ("proc.stdout.type", OF_PROC),
    ("proc.vmrss", OF_PROC),
    ("proc.vmsize", OF_PROC),
    ("proc.vmswap", OF_PROC),
    ("thread.cgroup", OF_PROC),
    ("thread.cgroups", OF_PROC),
    ("thread.cpu", NoValue(NO_STATISTICS)),
    ("thread.cpu.system", NoValue(NO_STATISTICS)),
    ("thread.cpu.user", NoValue(NO_STATISTICS)),
    ("thread.exectime", NoValue(NO_STATISTICS)),
    ("thread.pfmajor", OF_PROC),
    ("thread.pfminor", OF_PROC),
    ("thread.totexectime", NoValue(NO_STATISTICS)),
    ("thread.vmrss", OF_PROC),
    ("thread.vmrss.b", OF_PROC),
    ("thread.vmsize", OF_PROC),
    ("thread.vmsize.b", OF_PROC),
    ("util.cnt", NoValue("a counter for Falco's own tests")),
];
