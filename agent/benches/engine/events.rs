//! A made-up machine, and streams of what happens on it: the same in every run.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use peregrine::event::EventType;
use peregrine::fields::{FieldArgument, FieldSource, FieldUse, Value};
use peregrine::rules::EventClass;

/// Which events.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    /// What busy services do all day: nothing that a rule should match.
    Quiet,
    /// The same, with some of what rules are about.
    Mixed,
}

impl Stream {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Mixed => "mixed",
        }
    }
}

/// One event, by places in the tables of the [`World`].
#[derive(Clone, Copy)]
pub(crate) struct Event {
    pub(crate) kind: EventType,
    process: u16,
    path: u16,
    remote: u16,
    writes: bool,
}

impl Event {
    /// What the agent would know before it asks the rules.
    pub(crate) fn class(&self) -> EventClass {
        match (is_open(self.kind), self.writes) {
            (true, true) => EventClass::OpenedForWriting,
            (true, false) => EventClass::OpenedForReading,
            _ => EventClass::Succeeded,
        }
    }
}

fn is_open(event: EventType) -> bool {
    [EventType::OPEN, EventType::OPENAT, EventType::OPENAT2].contains(&event)
}

impl Stream {
    /// 80% opens, 15% connects and sends, 5% execs.
    pub(crate) fn events(self, count: usize) -> impl Iterator<Item = Event> {
        let named = |name| EventType::from_name(name).unwrap_or(EventType::OPENAT);
        let (sendto, sendmsg) = (named("sendto"), named("sendmsg"));
        let mut random = Random(0x2545_f491_4f6c_dd1d);
        (0..count).map(move |_| {
            let event_type = match random.below(100) {
                0..60 => EventType::OPENAT,
                60..78 => EventType::OPEN,
                78..80 => EventType::OPENAT2,
                80..87 => EventType::CONNECT,
                87..92 => sendto,
                92..95 => sendmsg,
                _ => EventType::EXECVE,
            };
            let rare = matches!(self, Self::Mixed) && random.below(200) == 0;
            let paths = if rare { SENSITIVE_PATHS } else { PLAIN_PATHS };
            Event {
                kind: event_type,
                process: small(random.below(PROCESSES)),
                path: small(random.below(paths) + if rare { PLAIN_PATHS } else { 0 }),
                remote: small(random.below(REMOTES)),
                writes: random.below(5) == 0,
            }
        })
    }
}

fn small(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

const PROCESSES: usize = 300;
const PLAIN_PATHS: usize = 4000;
const SENSITIVE_PATHS: usize = 10;
const REMOTES: usize = 200;

/// xorshift64: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % limit
    }
}

struct Process {
    name: &'static str,
    exe: String,
    command_line: String,
    parent: &'static str,
    parent_command_line: String,
    ancestors: Vec<&'static str>,
    container: String,
    image: &'static str,
    user: &'static str,
    vpid: i64,
    tty: u64,
}

struct File {
    name: String,
    directory: usize,
}

/// Everything that events are about, and where a compiled rule set finds it.
pub(crate) struct World {
    processes: Vec<Process>,
    files: Vec<File>,
    remotes: Vec<(IpAddr, u64)>,
    slots: Vec<Known>,
}

/// The fields that the made-up events have.
#[derive(Clone, Copy)]
enum Known {
    EventType,
    Number,
    Success,
    Result,
    Failed,
    FileName,
    FileDirectory,
    FileBase,
    TypeCharacter,
    DescriptorNumber,
    OpensForRead,
    OpensForWrite,
    OpenFlags,
    RemoteAddress,
    LocalAddress,
    BothAddresses,
    RemotePort,
    LocalPort,
    Protocol,
    Connected,
    NameChanged,
    ProcessName,
    Exe,
    CommandLine,
    ParentName,
    ParentCommandLine,
    Ancestors,
    Ancestor(u8),
    ContainerId,
    Image,
    UserName,
    UserId,
    LoginId,
    Vpid,
    Tty,
    Never,
}

impl Known {
    fn of(field: &FieldUse) -> Self {
        let level = match &field.argument {
            FieldArgument::Index(level) => u8::try_from(*level).unwrap_or(u8::MAX),
            _ => 0,
        };
        match (field.name, &field.argument) {
            ("evt.type" | "syscall.type", _) => Self::EventType,
            ("evt.num", _) => Self::Number,
            ("evt.res", _) => Self::Success,
            ("evt.rawres", _) => Self::Result,
            ("evt.failed", _) => Self::Failed,
            ("evt.arg", FieldArgument::Key(key)) if key == "flags" => Self::OpenFlags,
            ("evt.is_open_read", _) => Self::OpensForRead,
            ("evt.is_open_write", _) => Self::OpensForWrite,
            ("fd.name", _) => Self::FileName,
            ("fd.directory", _) => Self::FileDirectory,
            ("fd.filename", _) => Self::FileBase,
            ("fd.typechar", _) => Self::TypeCharacter,
            ("fd.num", _) => Self::DescriptorNumber,
            ("fd.sip" | "fd.rip" | "fd.snet" | "fd.rnet", _) => Self::RemoteAddress,
            ("fd.cip" | "fd.lip" | "fd.cnet" | "fd.lnet", _) => Self::LocalAddress,
            ("fd.ip" | "fd.net", _) => Self::BothAddresses,
            ("fd.sport" | "fd.rport", _) => Self::RemotePort,
            ("fd.cport" | "fd.lport", _) => Self::LocalPort,
            ("fd.l4proto", _) => Self::Protocol,
            ("fd.connected", _) => Self::Connected,
            ("fd.name_changed", _) => Self::NameChanged,
            ("proc.name", _) => Self::ProcessName,
            ("proc.exe" | "proc.exepath", _) => Self::Exe,
            ("proc.cmdline" | "proc.args", _) => Self::CommandLine,
            ("proc.pname" | "proc.sname", _) => Self::ParentName,
            ("proc.pcmdline", _) => Self::ParentCommandLine,
            ("proc.aname", FieldArgument::None) => Self::Ancestors,
            ("proc.aname", _) => Self::Ancestor(level),
            ("container.id", _) => Self::ContainerId,
            ("container.image.repository", _) => Self::Image,
            ("user.name", _) => Self::UserName,
            ("user.uid", _) => Self::UserId,
            ("user.loginuid", _) => Self::LoginId,
            ("proc.vpid", _) => Self::Vpid,
            ("proc.tty", _) => Self::Tty,
            _ => Self::Never,
        }
    }
}

/// What runs all day.
const NAMES: [&str; 16] = [
    "nginx",
    "java",
    "node",
    "redis-server",
    "python3",
    "kubelet",
    "prometheus",
    "coredns",
    "envoy",
    "etcd",
    "fluent-bit",
    "php-fpm",
    "gunicorn",
    "ruby",
    "haproxy",
    "consul",
];

/// What starts it.
const PARENTS: [&str; 4] = ["systemd", "containerd-shim", "supervisord", "tini"];

impl World {
    /// For a rule set with these fields.
    pub(crate) fn new(fields: &[FieldUse]) -> Self {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let processes = (0..PROCESSES)
            .map(|index| {
                let name = NAMES[random.below(NAMES.len())];
                let parent = PARENTS[random.below(PARENTS.len())];
                let depth = 2 + random.below(5);
                let mut ancestors = vec![parent];
                ancestors.extend((1..depth).map(|_| PARENTS[random.below(PARENTS.len())]));
                let in_container = random.below(2) == 0;
                Process {
                    name,
                    exe: format!("/usr/sbin/{name}"),
                    command_line: format!("{name} --config /etc/{name}/main.conf --worker {index}"),
                    parent,
                    parent_command_line: format!("{parent} --daemon"),
                    ancestors,
                    container: if in_container {
                        format!("{:012x}", 0x00ab_cdef_0123_usize + index)
                    } else {
                        "host".to_owned()
                    },
                    image: if in_container {
                        "registry.example/app/service"
                    } else {
                        ""
                    },
                    user: if random.below(3) == 0 {
                        "root"
                    } else {
                        "www-data"
                    },
                    vpid: if in_container { 7 } else { 1000 },
                    tty: 0,
                }
            })
            .collect();
        let mut files: Vec<File> = (0..PLAIN_PATHS)
            .map(|index| {
                let directory = match index % 8 {
                    0 => format!("/var/lib/app/data/{}", index % 50),
                    1 => "/usr/lib/x86_64-linux-gnu".to_owned(),
                    2 => format!("/proc/{}", 100 + index % 300),
                    3 => "/sys/fs/cgroup/kubepods.slice".to_owned(),
                    4 => "/var/log/app".to_owned(),
                    5 => format!("/srv/www/static/{}", index % 20),
                    6 => "/run/app".to_owned(),
                    _ => format!("/opt/service/{}/conf", index % 30),
                };
                let name = format!("{directory}/file-{index}.so");
                File {
                    name,
                    directory: directory.len(),
                }
            })
            .collect();
        files.extend(
            [
                "/etc/shadow",
                "/etc/passwd",
                "/root/.ssh/id_rsa",
                "/etc/cron.d/job",
                "/usr/bin/ls",
                "/etc/ld.so.preload",
                "/root/.bashrc",
                "/dev/sda",
                "/var/log/auth.log",
                "/etc/kubernetes/admin.conf",
            ]
            .map(|name| File {
                name: name.to_owned(),
                directory: name.rfind('/').unwrap_or(0),
            }),
        );
        let remotes = (0..REMOTES)
            .map(|_| {
                let last = u8::try_from(1 + random.below(250)).unwrap_or(1);
                let port = [443_u64, 5432, 6379, 8080][random.below(4)];
                (IpAddr::V4(Ipv4Addr::new(10, 0, 3, last)), port)
            })
            .collect();
        Self {
            processes,
            files,
            remotes,
            slots: fields.iter().map(Known::of).collect(),
        }
    }

    /// The fields of an event by slot.
    pub(crate) fn source<'w>(&'w self, event: &'w Event) -> Source<'w> {
        Source { world: self, event }
    }

    /// A field of an event by its name.
    pub(crate) fn value<'w>(&'w self, event: &Event, field: &FieldUse) -> Option<Value<'w>> {
        self.known(event, Known::of(field))
    }

    fn known<'w>(&'w self, event: &Event, known: Known) -> Option<Value<'w>> {
        let process = &self.processes[usize::from(event.process)];
        let is_exec = event.kind == EventType::EXECVE;
        let is_open =
            [EventType::OPEN, EventType::OPENAT, EventType::OPENAT2].contains(&event.kind);
        let is_connect = event.kind == EventType::CONNECT;
        let is_net = !is_open && !is_exec;
        let text = |text: &'w str| Some(Value::Bytes(Cow::Borrowed(text.as_bytes())));
        let file = || is_open.then(|| &self.files[usize::from(event.path)]);
        let remote = || is_net.then(|| self.remotes[usize::from(event.remote)]);
        let local = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 5));
        match known {
            Known::EventType => text(event.kind.name()),
            Known::Number => Some(Value::Uint(7)),
            Known::Success => text("SUCCESS"),
            Known::Result => Some(Value::Int(if is_open { 5 } else { 0 })),
            Known::Failed => Some(Value::Bool(false)),
            Known::FileName => match file() {
                Some(file) => text(&file.name),
                None if is_net => text("10.0.0.5:40000->10.0.3.7:443"),
                None => None,
            },
            Known::FileDirectory => file().and_then(|file| text(&file.name[..file.directory])),
            Known::FileBase => file().and_then(|file| text(&file.name[file.directory + 1..])),
            Known::TypeCharacter if is_open => text("f"),
            Known::TypeCharacter => is_net.then(|| text("4"))?,
            Known::DescriptorNumber => (!is_exec).then_some(Value::Int(5)),
            Known::OpensForRead => is_open.then_some(Value::Bool(!event.writes)),
            Known::OpensForWrite => is_open.then_some(Value::Bool(event.writes)),
            Known::OpenFlags => match (is_open, event.writes) {
                (true, true) => text("O_WRONLY|O_CREAT|O_TRUNC"),
                (true, false) => text("O_RDONLY|O_CLOEXEC"),
                _ => None,
            },
            Known::RemoteAddress => remote().map(|(address, _)| Value::Ip(address)),
            Known::LocalAddress => remote().map(|_| Value::Ip(local)),
            Known::BothAddresses => {
                remote().map(|(address, _)| Value::List(vec![Value::Ip(local), Value::Ip(address)]))
            }
            Known::RemotePort => remote().map(|(_, port)| Value::Uint(port)),
            Known::LocalPort => remote().map(|_| Value::Uint(40000)),
            Known::Protocol => remote().and_then(|_| text("tcp")),
            Known::Connected => is_net.then_some(Value::Bool(true)),
            Known::NameChanged => is_net.then_some(Value::Bool(is_connect)),
            Known::ProcessName => text(process.name),
            Known::Exe => text(&process.exe),
            Known::CommandLine => text(&process.command_line),
            Known::ParentName => text(process.parent),
            Known::ParentCommandLine => text(&process.parent_command_line),
            Known::Ancestors => Some(Value::List(
                process
                    .ancestors
                    .iter()
                    .map(|name| Value::Bytes(Cow::Borrowed(name.as_bytes())))
                    .collect(),
            )),
            Known::Ancestor(0) => text(process.name),
            Known::Ancestor(level) => process
                .ancestors
                .get(usize::from(level) - 1)
                .and_then(|name| text(name)),
            Known::ContainerId => text(&process.container),
            Known::Image => (!process.image.is_empty()).then(|| text(process.image))?,
            Known::UserName => text(process.user),
            Known::UserId => Some(Value::Uint(if process.user == "root" { 0 } else { 33 })),
            Known::LoginId => Some(Value::Int(-1)),
            Known::Vpid => Some(Value::Int(process.vpid)),
            Known::Tty => Some(Value::Uint(process.tty)),
            Known::Never => None,
        }
    }
}

/// The fields of one event.
pub(crate) struct Source<'w> {
    world: &'w World,
    event: &'w Event,
}

impl FieldSource for Source<'_> {
    fn value(&self, slot: usize) -> Option<Value<'_>> {
        self.world.known(self.event, *self.world.slots.get(slot)?)
    }
}
