//! Names of hosts that rules compare addresses with, and their addresses.
//!
//! A name's addresses in /etc/hosts are known as soon as a rule names it. All others are asked of the
//! machine's own resolver by a thread of its own, which only a running agent starts: to check rules
//! asks nobody anything. The hot path sees the last answer and never waits for one.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// How often names are asked for again.
const REFRESH: Duration = Duration::from_mins(1);
/// Names that rules can have; others are known from /etc/hosts only.
const MOST: usize = 10_000;

/// One name.
#[derive(Debug)]
pub struct HostName {
    name: String,
    addresses: RwLock<Vec<IpAddr>>,
}

static KNOWN: LazyLock<Mutex<BTreeMap<String, Arc<HostName>>>> = LazyLock::new(Mutex::default);

impl HostName {
    /// The host of this name, in any case.
    pub fn of(name: &str) -> Arc<Self> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = known.get(&name) {
            return Arc::clone(host);
        }
        let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
        let host = Arc::new(Self {
            addresses: RwLock::new(in_hosts(&hosts, &name)),
            name: name.clone(),
        });
        if known.len() < MOST {
            known.insert(name, Arc::clone(&host));
        }
        host
    }

    /// Whether the address is one of the host's, as far as is known.
    pub fn has(&self, address: IpAddr) -> bool {
        let addresses = self.addresses.read();
        let addresses = addresses.unwrap_or_else(PoisonError::into_inner);
        addresses.contains(&address.to_canonical())
    }

    /// Asks the resolver; what was known stays if it has no answer.
    fn refresh(&self) -> io::Result<()> {
        let mut found: Vec<IpAddr> = (self.name.as_str(), 0)
            .to_socket_addrs()?
            .map(|address| address.ip().to_canonical())
            .collect();
        found.sort_unstable();
        found.dedup();
        let mut addresses = self
            .addresses
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *addresses = found;
        Ok(())
    }
}

/// A name of this address, among those that rules know.
pub fn name_of(address: IpAddr) -> Option<String> {
    known()
        .into_iter()
        .find(|host| host.has(address))
        .map(|host| host.name.clone())
}

fn known() -> Vec<Arc<HostName>> {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.values().cloned().collect()
}

/// Starts the thread that asks for the addresses of every name that a rule has, again and again. None
/// is started if no rule has a name.
pub fn start_resolving() -> io::Result<()> {
    if known().is_empty() {
        return Ok(());
    }
    let resolve = || {
        let mut warned = Vec::new();
        loop {
            for host in known() {
                match host.refresh() {
                    Err(error) if !warned.contains(&host.name) => {
                        tracing::warn!(
                            "rules compare addresses with the host '{}', which cannot be resolved: {error}",
                            host.name.escape_debug()
                        );
                        warned.push(host.name.clone());
                    }
                    Err(_) => {}
                    Ok(()) => warned.retain(|name| *name != host.name),
                }
            }
            std::thread::sleep(REFRESH);
        }
    };
    std::thread::Builder::new()
        .name("host-names".to_owned())
        .spawn(resolve)
        .map(drop)
}

/// The addresses that a hosts file has for a name.
fn in_hosts(text: &str, name: &str) -> Vec<IpAddr> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split('#').next()?.split_whitespace();
            let address: IpAddr = words.next()?.parse().ok()?;
            words
                .any(|word| word.eq_ignore_ascii_case(name))
                .then(|| address.to_canonical())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_hosts_file() {
        let hosts = "# none\n127.0.0.1 localhost\n10.0.0.7\tDB.example db # the database\n\
                     fd00::7 db.example\nnonsense db\n";
        for (name, expected) in [
            ("localhost", &["127.0.0.1"][..]),
            ("db.example", &["10.0.0.7", "fd00::7"]),
            ("db", &["10.0.0.7"]),
            ("database", &[]),
            ("none", &[]),
        ] {
            let found: Vec<_> = in_hosts(hosts, name)
                .iter()
                .map(IpAddr::to_string)
                .collect();
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn a_name_is_one_host_in_any_case() {
        let host = HostName::of("Host-Of-A-Test.invalid.");
        assert!(Arc::ptr_eq(&host, &HostName::of("host-of-a-test.invalid")));
        assert!(!host.has("192.0.2.1".parse().unwrap()));
        *host.addresses.write().unwrap() = vec!["192.0.2.1".parse().unwrap()];
        assert!(host.has("192.0.2.1".parse().unwrap()));
        assert!(host.has("::ffff:192.0.2.1".parse().unwrap()));
        let name = name_of("192.0.2.1".parse().unwrap());
        assert_eq!(name.as_deref(), Some("host-of-a-test.invalid"));
    }
}
