//! Names of ports, from the machine's services file.

use std::collections::HashMap;
use std::sync::LazyLock;

/// By port and protocol. Read once: the file changes with the distribution's packages only.
static SERVICES: LazyLock<HashMap<(u16, String), String>> = LazyLock::new(|| {
    let content = std::fs::read_to_string("/etc/services").unwrap_or_default();
    parse(&content)
});

/// The name of a port; `None` if the file gives it none, or there is no file.
pub fn service_name(port: u16, protocol: &str) -> Option<&'static str> {
    SERVICES
        .get(&(port, protocol.to_owned()))
        .map(String::as_str)
}

/// Lines of `name port/protocol aliases...`, comments after `#`; the first name of a port counts.
fn parse(content: &str) -> HashMap<(u16, String), String> {
    let mut services = HashMap::new();
    for line in content.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let (Some(name), Some(place)) = (words.next(), words.next()) else {
            continue;
        };
        let Some((port, protocol)) = place.split_once('/') else {
            continue;
        };
        if let Ok(port) = port.parse() {
            services
                .entry((port, protocol.to_owned()))
                .or_insert_with(|| name.to_owned());
        }
    }
    services
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_comments() {
        let services =
            parse("# x\nssh 22/tcp # y\nhttp\t80/tcp www\nalso 22/tcp\nbad\nworse x/tcp\n");
        assert_eq!(services.len(), 2);
        assert_eq!(services[&(22, "tcp".to_owned())], "ssh");
    }
}
