//! Literals of conditions: numbers, ports, addresses, networks.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::LazyLock;

use crate::fields::registry::FieldType;

/// A decimal number that fits the type. A hexadecimal one is valid by the grammar and no number in
/// Falco; here the message says what to write.
pub(crate) fn parse_number(field_type: FieldType, text: &str) -> Result<i128, String> {
    if text.starts_with("0x") || text.starts_with("0X") {
        return Err(format!(
            "'{text}' is not a valid number: write it in decimal"
        ));
    }
    let number: i128 = text
        .parse()
        .map_err(|_| format!("'{text}' is not a valid number: expected a whole decimal number"))?;
    let fits = match field_type {
        FieldType::Int | FieldType::Double => i64::try_from(number).is_ok(),
        _ => u64::try_from(number).is_ok() || i64::try_from(number).is_ok(),
    };
    if !fits {
        return Err(format!("'{text}' is too large for this field"));
    }
    // A negative literal for an unsigned field wraps, as in Falco.
    let is_signed = matches!(field_type, FieldType::Int | FieldType::Double);
    Ok(if number < 0 && !is_signed {
        number + (1 << 64)
    } else {
        number
    })
}

/// `true` or `false`, in lower case.
pub(crate) fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(format!("'{text}' is neither true nor false")),
    }
}

/// Pairs of hexadecimal digits.
pub(crate) fn parse_hexadecimal(text: &str) -> Result<Vec<u8>, String> {
    let error = || format!("'{text}' is no even number of hexadecimal digits");
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(error());
    }
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits
        .chunks(2)
        .map(byte)
        .collect::<Option<_>>()
        .ok_or_else(error)
}

/// A port: its number, or the name of a service as /etc/services has it.
pub(crate) fn parse_port(text: &str) -> Result<i128, String> {
    if text.is_empty() {
        return Ok(0);
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let port: Result<u16, _> = text.parse();
        return port
            .map(i128::from)
            .map_err(|_| format!("'{text}' is no port: expected 0 to 65535"));
    }
    SERVICES
        .get(text)
        .map(|port| i128::from(*port))
        .ok_or_else(|| format!("'{text}' is neither a port nor the name of a service"))
}

/// The ports of services by name. The file is read once.
static SERVICES: LazyLock<HashMap<String, u16>> = LazyLock::new(|| {
    let text = std::fs::read_to_string("/etc/services").unwrap_or_default();
    let mut services = HashMap::new();
    for line in text.lines() {
        let mut words = line
            .split('#')
            .next()
            .unwrap_or_default()
            .split_whitespace();
        let (Some(name), Some(port)) = (words.next(), words.next()) else {
            continue;
        };
        let Some(Ok(port)) = port.split('/').next().map(str::parse) else {
            continue;
        };
        for name in std::iter::once(name).chain(words) {
            // The first line of a name counts.
            services.entry(name.to_owned()).or_insert(port);
        }
    }
    services
});

/// An address: IPv4 if it has a dot, else IPv6.
pub(crate) fn parse_address(text: &str) -> Result<IpAddr, String> {
    let parsed = if text.contains('.') && !text.contains(':') {
        text.parse().map(IpAddr::V4).ok()
    } else {
        text.parse().map(IpAddr::V6).ok()
    };
    parsed.ok_or_else(|| format!("'{text}' is no IPv4 or IPv6 address"))
}

/// A network in CIDR notation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether the address is in it; one of the other family is not.
    pub(super) fn contains(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let mask = u32::MAX
                    .checked_shl(32 - u32::from(self.prefix))
                    .unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let mask = u128::MAX
                    .checked_shl(128 - u32::from(self.prefix))
                    .unwrap_or(0);
                network.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected =
            || format!("'{text}' is no network: expected one such as 10.0.0.0/8 or fd00::/8");
        let (address, prefix) = text.split_once('/').ok_or_else(expected)?;
        let address: IpAddr = address
            .parse::<Ipv4Addr>()
            .map(IpAddr::V4)
            .or_else(|_| address.parse::<Ipv6Addr>().map(IpAddr::V6))
            .map_err(|_| expected())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix
            .parse()
            .ok()
            .filter(|prefix| *prefix <= longest)
            .ok_or_else(expected)?;
        Ok(Self { address, prefix })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (field_type, text, expected) in [
            (FieldType::Int, "-1", Some(-1)),
            (FieldType::Int, "+5", Some(5)),
            (FieldType::Uint, "-1", Some(u64::MAX.into())),
            (FieldType::Int, "0x10", None),
            (FieldType::Int, "1.5", None),
            (FieldType::Int, "9223372036854775808", None),
            (FieldType::Uint, "18446744073709551616", None),
            (FieldType::RelTime, "300000000000", Some(300_000_000_000)),
            (FieldType::Double, "2", Some(2)),
            (FieldType::Double, "2.5", None),
        ] {
            assert_eq!(parse_number(field_type, text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn ports_and_services() {
        for (text, expected) in [
            ("443", Some(443)),
            ("", Some(0)),
            ("65536", None),
            ("-1", None),
        ] {
            assert_eq!(parse_port(text).ok(), expected, "{text}");
        }
        assert!(parse_port("no such service").is_err());
    }

    #[test]
    fn bytes() {
        assert_eq!(parse_hexadecimal("0aFF").unwrap(), [0x0a, 0xff]);
        assert_eq!(parse_hexadecimal("").unwrap(), [0_u8; 0]);
        for text in ["0", "0g", "+1"] {
            assert!(parse_hexadecimal(text).is_err(), "{text}");
        }
    }

    #[test]
    fn networks() {
        for (network, address, expected) in [
            ("10.0.0.0/8", "10.255.1.2", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("1.2.3.4/32", "1.2.3.4", true),
            ("10.0.0.0/8", "::ffff:10.0.0.1", false),
            ("fd00::/8", "fd12::1", true),
            ("::/0", "fe80::1", true),
            ("::1/128", "::2", false),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(
                network.contains(address.parse().unwrap()),
                expected,
                "{network:?} {address}"
            );
        }
        for text in ["10.0.0.0", "10.0.0.0/33", "x/8", "::/129", "10.0.0.0/"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn addresses() {
        assert!(parse_address("1.2.3.4").is_ok());
        assert!(parse_address("::ffff:1.2.3.4").is_ok());
        assert!(parse_address("1.2.3").is_err());
        assert!(parse_address("x").is_err());
    }
}
