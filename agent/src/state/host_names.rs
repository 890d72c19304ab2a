//! Names of hosts that rules compare addresses with, and their addresses.
//!
//! Only a running agent looks names up, those of its compiled rules: in /etc/hosts at once, and all of
//! them in the machine's own resolver, by threads beside detection. To check or test rules asks nobody
//! anything. The hot path sees the last answers and never waits for one.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

/// How often names are asked for again.
const REFRESH: Duration = Duration::from_mins(1);
/// How long the start waits for the first answers. A resolver that works needs far less.
const FIRST_ANSWERS: Duration = Duration::from_secs(2);
/// Names that the resolver is asked for; others are known from /etc/hosts only.
const MOST: usize = 10_000;
/// Names that are asked for at the same time: one that gets no answer takes a resolver many seconds,
/// and holds up only its own thread.
const THREADS: usize = 16;

/// The names that have been resolved.
#[derive(Debug, Default)]
pub struct HostNames {
    addresses: HashMap<Arc<str>, Vec<IpAddr>>,
    names: HashMap<IpAddr, Vec<Arc<str>>>,
}

static KNOWN: LazyLock<RwLock<HostNames>> = LazyLock::new(RwLock::default);

/// What is known now.
pub fn known() -> RwLockReadGuard<'static, HostNames> {
    KNOWN.read().unwrap_or_else(PoisonError::into_inner)
}

/// A name as it is compared: case and a final dot make no difference.
pub fn canonical(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

impl HostNames {
    /// The names of this address, sorted.
    pub fn names_of(&self, address: IpAddr) -> &[Arc<str>] {
        let names = self.names.get(&address.to_canonical());
        names.map_or(&[], Vec::as_slice)
    }

    /// Whether there has been an answer for this [canonical] name.
    pub fn is_resolved(&self, name: &str) -> bool {
        self.addresses.contains_key(name)
    }

    /// Takes an answer, which replaces an earlier one.
    pub fn set(&mut self, name: &Arc<str>, addresses: &[IpAddr]) {
        let mut addresses: Vec<_> = addresses.iter().map(IpAddr::to_canonical).collect();
        addresses.sort_unstable();
        addresses.dedup();
        let before = self.addresses.insert(Arc::clone(name), addresses.clone());
        let before = before.unwrap_or_default();
        for gone in before.iter().filter(|old| !addresses.contains(old)) {
            if let Some(names) = self.names.get_mut(gone) {
                names.retain(|other| other != name);
                if names.is_empty() {
                    self.names.remove(gone);
                }
            }
        }
        for new in addresses.iter().filter(|new| !before.contains(new)) {
            let names = self.names.entry(*new).or_default();
            names.push(Arc::clone(name));
            names.sort_unstable();
        }
    }
}

/// Looks these [canonical] names up, now and again and again. Returns once each has been asked for, or
/// after two seconds: threads go on then, and none is started without a name.
///
/// # Errors
///
/// No thread can be started.
pub fn start_resolving(names: impl IntoIterator<Item = Arc<str>>) -> io::Result<()> {
    let mut names: Vec<Arc<str>> = names
        .into_iter()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    from_hosts_file(&hosts, &names, &KNOWN);
    if names.len() > MOST {
        tracing::warn!(
            "rules compare addresses with {} names of hosts: the resolver is asked for {MOST} of them, \
             the others are known only if they are in /etc/hosts",
            names.len()
        );
        names.truncate(MOST);
    }
    let (tell, first_round) = sync_channel(1);
    let resolve = move || {
        let mut failing = BTreeSet::new();
        loop {
            round(&names, &mut failing, &ask_resolver, &KNOWN);
            // Nobody waits for later rounds.
            let _outcome = tell.try_send(());
            std::thread::sleep(REFRESH);
        }
    };
    std::thread::Builder::new()
        .name("host-names".to_owned())
        .spawn(resolve)?;
    if let Err(RecvTimeoutError::Timeout) = first_round.recv_timeout(FIRST_ANSWERS) {
        tracing::warn!(
            "some names of hosts that rules compare addresses with are not resolved yet: such a \
             comparison does not hold until they are"
        );
    }
    Ok(())
}

fn ask_resolver(name: &str) -> io::Result<Vec<IpAddr>> {
    let addresses = (name, 0).to_socket_addrs()?;
    Ok(addresses.map(|address| address.ip()).collect())
}

/// Asks for each name once. What was known of one that gets no answer stays, and a warning says so
/// the first time.
fn round(
    names: &[Arc<str>],
    failing: &mut BTreeSet<Arc<str>>,
    ask: &(dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Sync),
    known: &RwLock<HostNames>,
) {
    let next = AtomicUsize::new(0);
    let failing = Mutex::new(failing);
    let work = || {
        while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
            let answer = ask(name);
            let mut failing = failing.lock().unwrap_or_else(PoisonError::into_inner);
            match answer {
                Ok(addresses) => {
                    failing.remove(name);
                    let mut known = known.write().unwrap_or_else(PoisonError::into_inner);
                    known.set(name, &addresses);
                }
                Err(error) if failing.insert(Arc::clone(name)) => tracing::warn!(
                    "rules compare addresses with the host '{}', which cannot be resolved: {error}",
                    name.escape_debug()
                ),
                Err(_) => {}
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..THREADS.min(names.len()) {
            let builder = std::thread::Builder::new().name("host-names".to_owned());
            // Without it the others do its work.
            let _outcome = builder.spawn_scoped(scope, work);
        }
        work();
    });
}

/// Takes the addresses that a hosts file has for these names.
fn from_hosts_file(text: &str, names: &[Arc<str>], known: &RwLock<HostNames>) {
    let mut found: HashMap<String, Vec<IpAddr>> = HashMap::new();
    for line in text.lines() {
        let mut words = line
            .split('#')
            .next()
            .unwrap_or_default()
            .split_whitespace();
        let Some(Ok(address)) = words.next().map(str::parse::<IpAddr>) else {
            continue;
        };
        for name in words {
            found.entry(canonical(name)).or_default().push(address);
        }
    }
    let mut known = known.write().unwrap_or_else(PoisonError::into_inner);
    for name in names {
        if let Some(addresses) = found.get(&**name) {
            known.set(name, addresses);
        }
    }
}

/// Makes an answer known to this process, as if the resolver had given it.
#[cfg(test)]
pub(crate) fn set_known(name: &str, addresses: &[&str]) {
    let addresses: Vec<IpAddr> = addresses.iter().map(|one| one.parse().unwrap()).collect();
    KNOWN.write().unwrap().set(&name.into(), &addresses);
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    fn names(names: &[&str]) -> Vec<Arc<str>> {
        names.iter().map(|name| Arc::from(*name)).collect()
    }

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn names_of_a_hosts_file() {
        let hosts = "# none\n127.0.0.1 localhost\n10.0.0.7\tDB.example. db # the database\n\
                     fd00::7 db.example\nnonsense db\n";
        let all = names(&["localhost", "db.example", "db", "database", "none"]);
        let known = RwLock::default();
        from_hosts_file(hosts, &all, &known);
        let known = known.into_inner().unwrap();
        for (name, expected) in [
            ("localhost", &["127.0.0.1"][..]),
            ("db.example", &["10.0.0.7", "fd00::7"]),
            ("db", &["10.0.0.7"]),
            ("database", &[]),
            ("none", &[]),
        ] {
            assert_eq!(known.is_resolved(name), !expected.is_empty(), "{name}");
            for address in addresses(expected) {
                let found = known.names_of(address);
                assert!(found.iter().any(|found| **found == *name), "{name}");
            }
        }
    }

    #[test]
    fn an_answer_replaces_the_one_before() {
        let mut known = HostNames::default();
        let [a, b] = [Arc::from("a"), Arc::from("b")];
        known.set(&b, &addresses(&["192.0.2.1"]));
        known.set(
            &a,
            &addresses(&["192.0.2.1", "::ffff:192.0.2.2", "192.0.2.2"]),
        );
        let of = |known: &HostNames, address: &str| {
            let found = known.names_of(address.parse().unwrap());
            found.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(of(&known, "::ffff:192.0.2.1"), ["a", "b"]);
        assert_eq!(of(&known, "192.0.2.2"), ["a"]);
        known.set(&a, &addresses(&["192.0.2.3"]));
        assert_eq!(of(&known, "192.0.2.1"), ["b"]);
        assert!(of(&known, "192.0.2.2").is_empty());
        assert_eq!(of(&known, "192.0.2.3"), ["a"]);
        // A host without an address is resolved too.
        known.set(&a, &[]);
        assert!(known.is_resolved("a") && of(&known, "192.0.2.3").is_empty());
    }

    #[test]
    fn a_name_without_an_answer_holds_up_no_other() {
        let known = RwLock::default();
        let (tell, told) = channel();
        let (tell, told) = (Mutex::new(tell), Mutex::new(told));
        let dead = |name: &str| -> io::Result<Vec<IpAddr>> {
            match name {
                // Its answer comes after that of the last.
                "a.invalid" => {
                    let limit = Duration::from_mins(1);
                    let waited = told.lock().unwrap().recv_timeout(limit);
                    waited.expect("the last name is never asked for");
                    Err(io::Error::other("no answer"))
                }
                "z.example" => {
                    tell.lock().unwrap().send(()).unwrap();
                    Ok(addresses(&["192.0.2.9"]))
                }
                _ => Ok(Vec::new()),
            }
        };
        let all = names(&["a.invalid", "b.example", "z.example"]);
        let mut failing = BTreeSet::new();
        round(&all, &mut failing, &dead, &known);
        let resolved = |name| known.read().unwrap().is_resolved(name);
        assert!(resolved("z.example") && !resolved("a.invalid"));
        assert_eq!(
            failing.into_iter().collect::<Vec<_>>(),
            names(&["a.invalid"])
        );
    }

    #[test]
    fn an_answer_stays_if_the_next_one_fails() {
        let known = RwLock::default();
        let all = names(&["a"]);
        let mut failing = BTreeSet::new();
        let fails = |_: &str| Err(io::Error::other("no answer"));
        round(
            &all,
            &mut failing,
            &|_| Ok(addresses(&["192.0.2.1"])),
            &known,
        );
        round(&all, &mut failing, &fails, &known);
        assert!(known.read().unwrap().is_resolved("a") && failing.contains("a"));
        round(&all, &mut failing, &|_| Ok(Vec::new()), &known);
        assert!(failing.is_empty());
    }
}
