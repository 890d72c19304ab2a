//! A small machine on which events happen: a login shell, a script started by it, and a program started
//! by that.

use std::collections::BTreeMap;

use crate::event::{
    BootTime, Call, CallPath, Capabilities, CgroupId, Comm, Event, EventType, Exec, ExecutableFile,
    Gid, KernelPath, Origin, OverlayLayer, Payload, Pid, ProcessKey, Strings, Text, Tid, Uid,
};
use crate::fields::registry::{self, Comparison, FieldDef, FieldType};
use crate::fields::{
    Context, EventTimes, FileNames, ResolvedName, Value, View, extractor, file_names,
    resolved_names,
};
use crate::state::{BootClock, ExecutableHashes, ProcessTable, Users};

pub(super) const SECOND: u64 = 1_000_000_000;
/// When the machine was booted: 2023-11-14 22:13:20 UTC.
pub(super) const BOOT: u64 = 1_700_000_000 * SECOND;
/// When the events are, since the boot.
pub(super) const NOW: u64 = 90 * SECOND + 123;

/// `%s` of a field without a value.
pub(super) const NONE: &str = "(no value)";

/// The processes of the scene.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Actor {
    Init,
    Shell,
    Script,
    Program,
    Memfd,
}

impl Actor {
    const ALL: [Self; 5] = [
        Self::Init,
        Self::Shell,
        Self::Script,
        Self::Program,
        Self::Memfd,
    ];

    pub(super) fn key(self) -> ProcessKey {
        let (pid, second) = match self {
            Self::Init => (1, 1),
            Self::Shell => (100, 60),
            Self::Script => (150, 80),
            Self::Program => (200, 88),
            Self::Memfd => (300, 89),
        };
        ProcessKey::new(Pid(pid), BootTime(second * SECOND))
    }

    fn parent(self) -> ProcessKey {
        match self {
            Self::Init => ProcessKey::default(),
            Self::Shell => Self::Init.key(),
            Self::Script => Self::Shell.key(),
            Self::Program | Self::Memfd => Self::Script.key(),
        }
    }

    fn comm(self) -> &'static str {
        match self {
            Self::Init => "systemd",
            Self::Shell => "bash",
            Self::Script => "make",
            Self::Program => "cat",
            Self::Memfd => "loader",
        }
    }

    /// What its events have in their headers.
    pub(super) fn origin(self) -> Origin {
        let pid = self.key().pid;
        // The program is in a pid namespace of its own, where it has other numbers.
        let (tid, vpid, vtid, vpgid, vsid) = match self {
            Self::Program => (Tid(201), Pid(8), Tid(9), Pid(5), Pid(4)),
            Self::Script => (Tid(pid.0), Pid(6), Tid(6), Pid(5), Pid(4)),
            _ => (Tid(pid.0), pid, Tid(pid.0), pid, pid),
        };
        let (pgid, sid) = match self {
            Self::Init => (Pid(1), Pid(1)),
            Self::Shell => (Pid(100), Pid(100)),
            _ => (Pid(150), Pid(100)),
        };
        Origin {
            time: BootTime(NOW),
            process: self.key(),
            tid,
            parent: self.parent(),
            vpid,
            vtid,
            pgid,
            sid,
            vpgid,
            vsid,
            uid: Uid(1000),
            gid: Gid(100),
            loginuid: Uid(1001),
            // pts/0
            tty: 34816,
            cgroup: CgroupId(1),
            exec_id: 1,
            comm: Comm::from_bytes(self.comm().as_bytes()),
            cpu: 3,
            via: crate::event::Via::Bits32,
            result: Some(0),
        }
    }

    fn exec(self) -> Exec<'static> {
        let (exe, args): (&str, &[u8]) = match self {
            Self::Init => ("/lib/systemd", b"/sbin/init\0"),
            Self::Shell => ("/usr/bin/bash", b"-bash\0"),
            Self::Script => ("/usr/bin/python3", b"/usr/bin/python3\0../bin/make\0all\0"),
            Self::Program => ("/usr/bin/cat", b"cat\0-n\0/etc/passwd\0"),
            Self::Memfd => ("/memfd:x", b"x\0"),
        };
        let mut exec = Exec {
            exe_path: Some(KernelPath {
                detached: self == Self::Memfd,
                ..kernel_path(exe)
            }),
            interpreted: self == Self::Script,
            cwd: Some(kernel_path("/home/u")),
            filename: text(b"../bin/make"),
            args: strings(args),
            env: strings(match self {
                Self::Program => b"HOME=/home/u\0PS1= > \0",
                Self::Shell => b"HOME=/home/u\0EDITOR=ed\0",
                _ => b"HOME=/\0",
            }),
            cgroup_path: None,
            old_tid: None,
            file: ExecutableFile {
                inode: 77,
                device: 8 << 20 | 1,
                ctime_ns: BOOT + 50 * SECOND,
                mtime_ns: BOOT + 40 * SECOND,
                writable: Some(true),
                layer: Some(OverlayLayer::Upper),
            },
            capabilities: Capabilities {
                permitted: 1 << 21 | 1,
                effective: 1,
                inheritable: 1 << 12,
            },
            namespace_start: Some(BootTime(SECOND)),
        };
        if self == Self::Script {
            exec.file.layer = Some(OverlayLayer::Lower);
        }
        exec
    }

    /// The start of its program.
    pub(super) fn started(self) -> Event<'static> {
        Event {
            event_type: EventType::EXECVE,
            origin: self.origin(),
            payload: Payload::Exec(self.exec()),
        }
    }
}

/// A path as the kernel side walked it.
pub(super) fn kernel_path(path: &str) -> KernelPath<'static> {
    let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
    let leaf_first: Vec<&str> = names.into_iter().rev().collect();
    KernelPath {
        // Events of tests live as long as the tests.
        components: KernelPath::components_of(&leaf_first).leak(),
        ..KernelPath::default()
    }
}

pub(super) fn text(bytes: &'static [u8]) -> Text<'static> {
    Text {
        bytes,
        truncated: false,
    }
}

pub(super) fn strings(bytes: &'static [u8]) -> Strings<'static> {
    Strings {
        bytes,
        truncated: false,
    }
}

/// A path of a call, relative to `/home/u`.
pub(super) fn relative(path: &'static [u8]) -> CallPath<'static> {
    CallPath {
        path: text(path),
        base: Some(kernel_path("/home/u")),
        used: None,
    }
}

/// One that the kernel found to be something else.
pub(super) fn resolved(path: &'static [u8], used: &str) -> CallPath<'static> {
    CallPath {
        used: Some(kernel_path(used)),
        ..relative(path)
    }
}

/// An event of the program: `payload`, under this name.
pub(super) fn event(name: &str, result: i64, payload: Payload<'static>) -> Event<'static> {
    Event {
        event_type: EventType::from_name(name).unwrap_or_else(|| panic!("no event {name}")),
        origin: Origin {
            result: Some(result),
            ..Actor::Program.origin()
        },
        payload,
    }
}

pub(super) fn call(name: &str, result: i64, call: &Call<'static>) -> Event<'static> {
    event(name, result, Payload::Call(*call))
}

/// The machine.
pub(super) struct Scene {
    processes: ProcessTable,
    users: Users,
    hashes: ExecutableHashes,
    static_fields: BTreeMap<String, String>,
}

impl Scene {
    pub(super) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let etc = root.path().join("etc");
        std::fs::create_dir(&etc).unwrap();
        let passwd = "alice:x:1000:100::/home/alice:/bin/zsh\nbob:x:1001:100::/:/bin/sh\n";
        std::fs::write(etc.join("passwd"), passwd).unwrap();
        std::fs::write(etc.join("group"), "staff:x:100:\n").unwrap();
        let mut users = Users::new(root.path());
        users.refresh(BootTime(NOW)).unwrap();
        // There is no procfs: what is known is what the events told.
        let mut processes = ProcessTable::new(1000, root.path().join("proc"));
        for actor in Actor::ALL {
            processes.apply(&actor.started());
        }
        Self {
            processes,
            users,
            hashes: ExecutableHashes::new(root.path().into()),
            static_fields: [("cluster".to_owned(), "prod".to_owned())].into(),
        }
    }

    /// What a field says of an event, as text; [`NONE`] if nothing. The value has to be of the type
    /// that the registry has.
    pub(super) fn field(&self, event: &Event<'_>, field: &str, view: View) -> String {
        self.text(event, field, view, true)
    }

    /// The same of a parameter, which is of another type in each event.
    pub(super) fn value(&self, event: &Event<'_>, field: &str, view: View) -> String {
        self.text(event, field, view, false)
    }

    /// What an alert shows besides.
    pub(super) fn resolved(&self, event: &Event<'_>) -> Vec<ResolvedName> {
        self.within(event, View::Passed, resolved_names)
    }

    fn text(&self, event: &Event<'_>, field: &str, view: View, is_typed: bool) -> String {
        let (field_use, definition) =
            registry::parse_field(field).unwrap_or_else(|problem| panic!("{field}: {problem}"));
        let Some(extract) = extractor(field_use.name) else {
            return NONE.to_owned();
        };
        self.within(event, view, |context| {
            let value = extract(context, &field_use.argument);
            if let Some(value) = value.as_ref().filter(|_| is_typed) {
                assert_type(field, definition, value);
            }
            value.map_or_else(|| NONE.to_owned(), |value| shown(&value))
        })
    }

    fn within<T>(&self, event: &Event<'_>, view: View, work: impl FnOnce(&Context<'_>) -> T) -> T {
        let mut names = FileNames::default();
        file_names(event, &mut names);
        work(&Context {
            container: None,
            event,
            number: 7,
            times: EventTimes {
                first: BootTime(60 * SECOND),
                previous: BootTime(87 * SECOND + SECOND / 2),
            },
            process: self.processes.get(event.origin.process).unwrap(),
            processes: &self.processes,
            hashes: &self.hashes,
            users: &self.users,
            clock: &BootClock::with_boot_at(BOOT),
            hostname: "node-7",
            static_fields: &self.static_fields,
            names: &names,
            view,
        })
    }
}

/// A value is of the type that the registry gives its field: by that, rules compare it.
fn assert_type(field: &str, definition: &FieldDef, value: &Value<'_>) {
    let fits = |value: &Value<'_>| match definition.field_type {
        FieldType::Text | FieldType::Buffer => matches!(value, Value::Bytes(_)),
        FieldType::Int => matches!(value, Value::Int(_)),
        FieldType::Uint | FieldType::Port | FieldType::RelTime | FieldType::AbsTime => {
            matches!(value, Value::Uint(_))
        }
        FieldType::Double => matches!(value, Value::Double(_)),
        FieldType::Bool => matches!(value, Value::Bool(_)),
        FieldType::Ip | FieldType::Net => matches!(value, Value::Ip(_)),
    };
    let fits = match value {
        Value::List(elements) => {
            let may_be_list = definition.list || definition.comparison != Comparison::Normal;
            (may_be_list || field == "proc.aargs") && elements.iter().all(fits)
        }
        value => !definition.list && fits(value),
    };
    assert!(
        fits,
        "{field}: {value:?} is no {}",
        definition.field_type.name()
    );
}

pub(super) fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Ip(address) => address.to_string(),
        Value::List(elements) => {
            let elements: Vec<String> = elements.iter().map(shown).collect();
            elements.join(", ")
        }
    }
}
