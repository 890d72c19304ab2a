//! Fields whose values are tested elsewhere, or not at all.

/// Where a field is tested, or why it is not.
pub(super) enum Elsewhere {
    /// In this file, from the root of the repository.
    Test(&'static str),
    /// Nowhere, for this reason.
    Nowhere(&'static str),
    /// It never has a value, for this reason.
    NoValue(&'static str),
}

use Elsewhere::{NoValue, Nowhere, Test};

const NO_PLUGINS: &str = "there are no plugins, and no events that user space makes";
const NO_STATISTICS: &str =
    "only periodic events and switches of the CPU have it, which no source here delivers";
const DOCKER_EVENTS: &str =
    "only events of a Docker daemon have it, which Falco no longer delivers either";
const NEVER_IN_FALCO: &str = "Falco gives it no value any more; it is there for old rules";
const OF_PROC: &str = "it is read from a live process, and the reader has tests of its own";

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
    ("fd.cip.name", Nowhere("the names that a resolver finds; the table that it fills is tested in state/host_names.rs")),
    ("fd.lip.name", Nowhere("the names that a resolver finds; the table that it fills is tested in state/host_names.rs")),
    ("fd.rip.name", Nowhere("the names that a resolver finds; the table that it fills is tested in state/host_names.rs")),
    ("fd.sip.name", Nowhere("the names that a resolver finds; the table that it fills is tested in state/host_names.rs")),
    ("fd.types", NoValue("there is no table of descriptors, and procfs does not tell a socket's family")),
    ("proc.exe_sha256", Test("tests/tests/executables.rs")),
    ("proc.fdlimit", Nowhere(OF_PROC)),
    ("proc.fdopencount", Nowhere(OF_PROC)),
    ("proc.fdusage", Nowhere(OF_PROC)),
    ("proc.is_container_healthcheck", NoValue(NEVER_IN_FALCO)),
    ("proc.is_container_liveness_probe", NoValue(NEVER_IN_FALCO)),
    ("proc.is_container_readiness_probe", NoValue(NEVER_IN_FALCO)),
    ("proc.nchilds", Nowhere(OF_PROC)),
    ("proc.nthreads", Nowhere(OF_PROC)),
    ("proc.stderr.name", Nowhere(OF_PROC)),
    ("proc.stderr.type", Nowhere(OF_PROC)),
    ("proc.stdin.name", Nowhere(OF_PROC)),
    ("proc.stdin.type", Nowhere(OF_PROC)),
    ("proc.stdout.name", Nowhere(OF_PROC)),
    ("proc.stdout.type", Nowhere(OF_PROC)),
    ("proc.vmrss", Nowhere(OF_PROC)),
    ("proc.vmsize", Nowhere(OF_PROC)),
    ("proc.vmswap", Nowhere(OF_PROC)),
    ("thread.cgroup", Nowhere(OF_PROC)),
    ("thread.cgroups", Nowhere(OF_PROC)),
    ("thread.cpu", NoValue(NO_STATISTICS)),
    ("thread.cpu.system", NoValue(NO_STATISTICS)),
    ("thread.cpu.user", NoValue(NO_STATISTICS)),
    ("thread.exectime", NoValue(NO_STATISTICS)),
    ("thread.pfmajor", Nowhere(OF_PROC)),
    ("thread.pfminor", Nowhere(OF_PROC)),
    ("thread.totexectime", NoValue(NO_STATISTICS)),
    ("thread.vmrss", Nowhere(OF_PROC)),
    ("thread.vmrss.b", Nowhere(OF_PROC)),
    ("thread.vmsize", Nowhere(OF_PROC)),
    ("thread.vmsize.b", Nowhere(OF_PROC)),
    ("util.cnt", NoValue("a counter for Falco's own tests")),
];
