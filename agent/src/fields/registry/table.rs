//! The fields themselves, a table a class. Names, types and arguments are those of Falco 0.44.

use super::Argument::{None, Optional, Required};
use super::FieldDefinition;
use super::FieldType::{
    AbsoluteTime, Bool, Buffer, Double, Dynamic, Int, Ip, Net, Port, RelativeTime, Text, Uint,
};

const fn field(
    name: &'static str,
    field_type: super::FieldType,
    argument: super::Argument,
) -> FieldDefinition {
    FieldDefinition::new(name, field_type, argument)
}

/// All of them.
pub(super) const CLASSES: &[&[FieldDefinition]] = &[
    EVT, PROC, USER, GROUP, FD, FS_PATH, FDLIST, UTIL, CONTAINER, K8S,
];

const EVT: &[FieldDefinition] = &[
    field("evt.num", Uint, None),
    field("evt.time", Text, None),
    field("evt.time.s", Text, None),
    field("evt.time.iso8601", Text, None),
    field("evt.datetime", Text, None),
    field("evt.datetime.s", Text, None),
    field("evt.rawtime", AbsoluteTime, None),
    field("evt.rawtime.s", AbsoluteTime, None),
    field("evt.rawtime.ns", AbsoluteTime, None).padded(),
    field("evt.reltime", RelativeTime, None).padded(),
    field("evt.reltime.s", RelativeTime, None),
    field("evt.reltime.ns", RelativeTime, None).padded(),
    field("evt.pluginname", Text, None),
    field("evt.plugininfo", Text, None),
    field("evt.source", Text, None),
    field("evt.is_async", Bool, None),
    field("evt.asynctype", Text, None),
    field("evt.hostname", Text, None),
    field("evt.latency", RelativeTime, None).deprecated(),
    field("evt.latency.s", RelativeTime, None).deprecated(),
    field("evt.latency.ns", RelativeTime, None)
        .padded()
        .deprecated(),
    field("evt.latency.quantized", Uint, None).deprecated(),
    field("evt.latency.human", Text, None).deprecated(),
    field("evt.deltatime", RelativeTime, None),
    field("evt.deltatime.s", RelativeTime, None),
    field("evt.deltatime.ns", RelativeTime, None).padded(),
    field("evt.outputtime", Text, None),
    field("evt.dir", Text, None).deprecated(),
    field("evt.type", Text, None),
    field("evt.type.is", Uint, Required),
    field("syscall.type", Text, None),
    field("evt.category", Text, None),
    field("evt.cpu", Int, None),
    field("evt.args", Text, None),
    field("evt.arg", Text, Required),
    field("evt.rawarg", Dynamic, Required)
        .no_right_side()
        .no_transformers(),
    field("evt.info", Text, None),
    field("evt.buffer", Buffer, None),
    field("evt.buflen", Uint, None),
    field("evt.res", Text, None),
    field("evt.rawres", Int, None),
    field("evt.failed", Bool, None),
    field("evt.is_io", Bool, None),
    field("evt.is_io_read", Bool, None),
    field("evt.is_io_write", Bool, None),
    field("evt.io_dir", Text, None),
    field("evt.is_wait", Bool, None),
    field("evt.wait_latency", RelativeTime, None).deprecated(),
    field("evt.is_syslog", Bool, None),
    field("evt.count", Uint, None),
    field("evt.count.error", Uint, None),
    field("evt.count.error.file", Uint, None),
    field("evt.count.error.net", Uint, None),
    field("evt.count.error.memory", Uint, None),
    field("evt.count.error.other", Uint, None),
    field("evt.count.exit", Uint, None),
    field("evt.count.procinfo", Uint, None),
    field("evt.count.threadinfo", Uint, None),
    field("evt.around", Uint, Required)
        .no_right_side()
        .no_transformers()
        .filter_only(),
    field("evt.abspath", Text, Optional),
    field("evt.buflen.in", Uint, None),
    field("evt.buflen.out", Uint, None),
    field("evt.buflen.file", Uint, None),
    field("evt.buflen.file.in", Uint, None),
    field("evt.buflen.file.out", Uint, None),
    field("evt.buflen.net", Uint, None),
    field("evt.buflen.net.in", Uint, None),
    field("evt.buflen.net.out", Uint, None),
    field("evt.is_open_read", Bool, None),
    field("evt.is_open_write", Bool, None),
    field("evt.infra.docker.name", Text, None),
    field("evt.infra.docker.container.id", Text, None),
    field("evt.infra.docker.container.name", Text, None),
    field("evt.infra.docker.container.image", Text, None),
    field("evt.is_open_exec", Bool, None),
    field("evt.is_open_create", Bool, None),
];

const PROC: &[FieldDefinition] = &[
    field("proc.exe", Text, None),
    field("proc.pexe", Text, None),
    field("proc.aexe", Text, Optional)
        .any_ancestor()
        .no_right_side()
        .no_transformers(),
    field("proc.exepath", Text, None),
    field("proc.pexepath", Text, None),
    field("proc.aexepath", Text, Optional)
        .any_ancestor()
        .no_right_side()
        .no_transformers(),
    field("proc.name", Text, None),
    field("proc.pname", Text, None),
    field("proc.aname", Text, Optional)
        .any_ancestor()
        .no_right_side()
        .no_transformers(),
    field("proc.args", Text, Optional),
    field("proc.aargs", Text, Optional),
    field("proc.cmdline", Text, None),
    field("proc.pcmdline", Text, None),
    field("proc.acmdline", Text, Optional)
        .any_ancestor()
        .no_right_side()
        .no_transformers(),
    field("proc.cmdnargs", Uint, None),
    field("proc.cmdlenargs", Uint, None),
    field("proc.exeline", Text, None),
    field("proc.env", Text, Optional),
    field("proc.aenv", Text, Optional)
        .any_ancestor()
        .no_right_side()
        .no_transformers(),
    field("proc.cwd", Text, None),
    field("proc.loginshellid", Int, None),
    field("proc.tty", Uint, None),
    field("proc.pid", Int, None),
    field("proc.ppid", Int, None),
    field("proc.apid", Int, Optional)
        .any_ancestor()
        .no_right_side()
        .no_transformers(),
    field("proc.vpid", Int, None),
    field("proc.pvpid", Int, None),
    field("proc.sid", Int, None),
    field("proc.sname", Text, None),
    field("proc.sid.exe", Text, None),
    field("proc.sid.exepath", Text, None),
    field("proc.vpgid", Int, None),
    field("proc.vpgid.name", Text, None),
    field("proc.vpgid.exe", Text, None),
    field("proc.vpgid.exepath", Text, None),
    field("proc.pgid", Int, None),
    field("proc.pgid.name", Text, None),
    field("proc.pgid.exe", Text, None),
    field("proc.pgid.exepath", Text, None),
    field("proc.duration", RelativeTime, None),
    field("proc.ppid.duration", RelativeTime, None),
    field("proc.pid.ts", RelativeTime, None),
    field("proc.ppid.ts", RelativeTime, None),
    field("proc.is_exe_writable", Bool, None),
    field("proc.is_exe_upper_layer", Bool, None),
    field("proc.is_exe_lower_layer", Bool, None),
    field("proc.is_exe_from_memfd", Bool, None),
    field("proc.is_sid_leader", Bool, None),
    field("proc.is_vpgid_leader", Bool, None),
    field("proc.is_pgid_leader", Bool, None),
    field("proc.exe_ino", Int, None),
    field("proc.exe_ino.ctime", AbsoluteTime, None),
    field("proc.exe_ino.mtime", AbsoluteTime, None),
    field("proc.exe_ino.ctime_duration_proc_start", AbsoluteTime, None),
    field(
        "proc.exe_ino.ctime_duration_pidns_start",
        AbsoluteTime,
        None,
    ),
    field("proc.pidns_init_start_ts", Uint, None),
    field("thread.cap_permitted", Text, None),
    field("thread.cap_inheritable", Text, None),
    field("thread.cap_effective", Text, None),
    field("proc.fdopencount", Uint, None),
    field("proc.fdlimit", Int, None),
    field("proc.fdusage", Double, None),
    field("proc.vmsize", Uint, None),
    field("proc.vmrss", Uint, None),
    field("proc.vmswap", Uint, None),
    field("thread.pfmajor", Uint, None),
    field("thread.pfminor", Uint, None),
    field("thread.tid", Int, None),
    field("thread.ismain", Bool, None),
    field("thread.vtid", Int, None),
    field("thread.nametid", Text, None),
    field("thread.exectime", RelativeTime, None),
    field("thread.totexectime", RelativeTime, None),
    field("thread.cgroups", Text, None),
    field("thread.cgroup", Text, Required),
    field("proc.nthreads", Uint, None),
    field("proc.nchilds", Uint, None),
    field("thread.cpu", Double, None),
    field("thread.cpu.user", Double, None),
    field("thread.cpu.system", Double, None),
    field("thread.vmsize", Uint, None),
    field("thread.vmrss", Uint, None),
    field("thread.vmsize.b", Uint, None),
    field("thread.vmrss.b", Uint, None),
    field("proc.stdin.type", Text, None),
    field("proc.stdout.type", Text, None),
    field("proc.stderr.type", Text, None),
    field("proc.stdin.name", Text, None),
    field("proc.stdout.name", Text, None),
    field("proc.stderr.name", Text, None),
    field("proc.is_container_healthcheck", Bool, None).deprecated(),
    field("proc.is_container_liveness_probe", Bool, None).deprecated(),
    field("proc.is_container_readiness_probe", Bool, None).deprecated(),
];

const USER: &[FieldDefinition] = &[
    field("user.uid", Uint, None),
    field("user.name", Text, None),
    field("user.homedir", Text, None),
    field("user.shell", Text, None),
    field("user.loginuid", Int, None),
    field("user.loginname", Text, None),
];

const GROUP: &[FieldDefinition] = &[
    field("group.gid", Uint, None),
    field("group.name", Text, None),
];

const FD: &[FieldDefinition] = &[
    field("fd.num", Int, None),
    field("fd.type", Text, None),
    field("fd.typechar", Text, None),
    field("fd.name", Text, None),
    field("fd.directory", Text, None),
    field("fd.filename", Text, None),
    field("fd.ip", Ip, None)
        .either_end()
        .no_right_side()
        .no_transformers()
        .filter_only(),
    field("fd.cip", Ip, None),
    field("fd.sip", Ip, None),
    field("fd.lip", Ip, None),
    field("fd.rip", Ip, None),
    field("fd.port", Port, None)
        .either_end()
        .no_right_side()
        .no_transformers()
        .filter_only(),
    field("fd.cport", Port, None),
    field("fd.sport", Port, None),
    field("fd.lport", Port, None),
    field("fd.rport", Port, None),
    field("fd.l4proto", Text, None),
    field("fd.sockfamily", Text, None),
    field("fd.is_server", Bool, None),
    field("fd.uid", Text, None),
    field("fd.containername", Text, None),
    field("fd.containerdirectory", Text, None),
    field("fd.proto", Port, None)
        .either_end()
        .no_right_side()
        .no_transformers()
        .filter_only(),
    field("fd.cproto", Text, None),
    field("fd.sproto", Text, None),
    field("fd.lproto", Text, None),
    field("fd.rproto", Text, None),
    field("fd.net", Net, None)
        .either_end()
        .no_right_side()
        .no_transformers()
        .filter_only(),
    field("fd.cnet", Net, None)
        .no_right_side()
        .no_transformers()
        .filter_only(),
    field("fd.snet", Net, None)
        .no_right_side()
        .no_transformers()
        .filter_only(),
    field("fd.lnet", Net, None)
        .no_right_side()
        .no_transformers()
        .filter_only(),
    field("fd.rnet", Net, None)
        .no_right_side()
        .no_transformers()
        .filter_only(),
    field("fd.connected", Bool, None),
    field("fd.name_changed", Bool, None),
    field("fd.cip.name", Text, None)
        .no_right_side()
        .no_transformers(),
    field("fd.sip.name", Text, None)
        .no_right_side()
        .no_transformers(),
    field("fd.lip.name", Text, None)
        .no_right_side()
        .no_transformers(),
    field("fd.rip.name", Text, None)
        .no_right_side()
        .no_transformers(),
    field("fd.dev", Int, None).hex(),
    field("fd.dev.major", Int, None),
    field("fd.dev.minor", Int, None),
    field("fd.ino", Int, None),
    field("fd.nameraw", Text, None),
    field("fd.types", Text, Optional).list().no_right_side(),
    field("fd.is_upper_layer", Bool, None),
    field("fd.is_lower_layer", Bool, None),
];

const FS_PATH: &[FieldDefinition] = &[
    field("fs.path.name", Text, None),
    field("fs.path.nameraw", Text, None),
    field("fs.path.source", Text, None),
    field("fs.path.sourceraw", Text, None),
    field("fs.path.target", Text, None),
    field("fs.path.targetraw", Text, None),
];

const FDLIST: &[FieldDefinition] = &[
    field("fdlist.nums", Text, None),
    field("fdlist.names", Text, None),
    field("fdlist.cips", Text, None),
    field("fdlist.sips", Text, None),
    field("fdlist.cports", Text, None),
    field("fdlist.sports", Text, None),
];

const UTIL: &[FieldDefinition] = &[field("util.cnt", Uint, None)];

const CONTAINER: &[FieldDefinition] = &[
    field("container.id", Text, None).suggested(),
    field("container.full_id", Text, None),
    field("container.name", Text, None).suggested(),
    field("container.image", Text, None),
    field("container.image.id", Text, None),
    field("container.type", Text, None),
    field("container.privileged", Bool, None),
    field("container.mounts", Text, None),
    field("container.mount", Text, Required),
    field("container.mount.source", Text, Required),
    field("container.mount.dest", Text, Required),
    field("container.mount.mode", Text, Required),
    field("container.mount.rdwr", Text, Required),
    field("container.mount.propagation", Text, Required),
    field("container.image.repository", Text, None).suggested(),
    field("container.image.tag", Text, None).suggested(),
    field("container.image.digest", Text, None),
    field("container.healthcheck", Text, None).deprecated(),
    field("container.liveness_probe", Text, None).deprecated(),
    field("container.readiness_probe", Text, None).deprecated(),
    field("container.start_ts", AbsoluteTime, None),
    field("container.duration", RelativeTime, None),
    field("container.ip", Text, None),
    field("container.cni.json", Text, None),
    field("container.host_pid", Bool, None),
    field("container.host_network", Bool, None),
    field("container.host_ipc", Bool, None),
    field("container.label", Text, Required),
    field("container.labels", Text, None),
];

const K8S: &[FieldDefinition] = &[
    field("k8s.pod.name", Text, None).suggested(),
    field("k8s.ns.name", Text, None).suggested(),
    field("k8s.pod.id", Text, None),
    field("k8s.pod.uid", Text, None),
    field("k8s.pod.sandbox_id", Text, None),
    field("k8s.pod.full_sandbox_id", Text, None),
    field("k8s.pod.label", Text, Required),
    field("k8s.pod.labels", Text, None),
    field("k8s.pod.ip", Text, None),
    field("k8s.pod.cni.json", Text, None),
    field("k8s.rc.name", Text, None).deprecated(),
    field("k8s.rc.id", Text, None).deprecated(),
    field("k8s.rc.label", Text, Required).deprecated(),
    field("k8s.rc.labels", Text, None).deprecated(),
    field("k8s.svc.name", Text, None).deprecated(),
    field("k8s.svc.id", Text, None).deprecated(),
    field("k8s.svc.label", Text, Required).deprecated(),
    field("k8s.svc.labels", Text, None).deprecated(),
    field("k8s.ns.id", Text, None).deprecated(),
    field("k8s.ns.label", Text, Required).deprecated(),
    field("k8s.ns.labels", Text, None).deprecated(),
    field("k8s.rs.name", Text, None).deprecated(),
    field("k8s.rs.id", Text, None).deprecated(),
    field("k8s.rs.label", Text, Required).deprecated(),
    field("k8s.rs.labels", Text, None).deprecated(),
    field("k8s.deployment.name", Text, None).deprecated(),
    field("k8s.deployment.id", Text, None).deprecated(),
    field("k8s.deployment.label", Text, Required).deprecated(),
    field("k8s.deployment.labels", Text, None).deprecated(),
];
