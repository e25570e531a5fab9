//! The host that a request names, and which hosts this server is known by.
//!
//! A page of another site can have its own name resolved to this machine (DNS rebinding): to the
//! browser its requests are then of the same origin as the page, and only `Host` still tells.

use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;

/// Longest host that is read, in bytes, its port included: no name of the DNS is longer.
const MOST_BYTES: usize = 255;

/// A host, without its port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Host {
    /// A name, in lower case and without a dot at its end.
    Name(String),
    /// An address; `::ffff:127.0.0.1` is the one of version 4.
    Address(IpAddr),
}

impl Host {
    /// Reads what a `Host` holds: `serinus.example:8080`, `127.0.0.1`, `[::1]:8080`. The port is
    /// looked at and left out.
    pub(crate) fn read(text: &str) -> Option<Self> {
        if text.len() > MOST_BYTES {
            return None;
        }
        let (host, port) = split_port(text)?;
        let is_port = port.is_empty()
            || port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
        if !is_port {
            return None;
        }
        if let Some(address) = host.strip_prefix('[') {
            let address = address.strip_suffix(']')?.parse().ok()?;
            return Some(Self::of_address(IpAddr::V6(address)));
        }
        Self::without_port(host).filter(|_host| !host.contains(':'))
    }

    /// Reads a host that has no port: `serinus.example`, `127.0.0.1`, `::1`.
    pub(crate) fn without_port(text: &str) -> Option<Self> {
        if text.len() > MOST_BYTES {
            return None;
        }
        if let Ok(address) = text.parse() {
            return Some(Self::of_address(address));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        let is_label = |label: &str| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        // `127.1` is an address to some programs and a name to others: it is neither here.
        let last = name.rsplit('.').next().unwrap_or_default();
        let looks_like_an_address = last.bytes().all(|byte| byte.is_ascii_digit());
        (name.split('.').all(is_label) && !looks_like_an_address)
            .then(|| Self::Name(name.to_ascii_lowercase()))
    }

    fn of_address(address: IpAddr) -> Self {
        Self::Address(address.to_canonical())
    }

    /// Whether it is this machine to everybody: no answer of a name server leads it elsewhere.
    fn is_loopback(&self) -> bool {
        match self {
            Self::Name(name) => name == "localhost",
            Self::Address(address) => address.is_loopback(),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => formatter.write_str(name),
            Self::Address(address) => address.fmt(formatter),
        }
    }
}

/// The host and the port behind it; no port is empty.
fn split_port(text: &str) -> Option<(&str, &str)> {
    let end_of_host = if text.starts_with('[') {
        text.find(']')? + 1
    } else {
        text.find(':').unwrap_or(text.len())
    };
    let (host, rest) = text.split_at_checked(end_of_host)?;
    match rest.strip_prefix(':') {
        Some(port) => Some((host, port)),
        None if rest.is_empty() => Some((host, "")),
        None => None,
    }
}

/// The hosts that a server without tokens is known by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct KnownHosts {
    hosts: HashSet<Host>,
    is_any: bool,
}

impl KnownHosts {
    /// Whatever is asked for.
    pub(crate) fn any() -> Self {
        Self {
            is_any: true,
            ..Self::default()
        }
    }

    /// Adds hosts.
    #[must_use]
    pub(crate) fn and(mut self, hosts: impl IntoIterator<Item = Host>) -> Self {
        self.hosts.extend(hosts);
        self
    }

    /// Adds an address.
    #[must_use]
    pub(crate) fn and_address(self, address: IpAddr) -> Self {
        self.and([Host::of_address(address)])
    }

    /// Whether a host is one of them. This machine by its own names always is, and so is the address
    /// that the connection came in at, where it is known: a server that listens on `0.0.0.0` listens
    /// on that one.
    pub(crate) fn contains(&self, host: &Host, came_in_at: Option<IpAddr>) -> bool {
        self.is_any
            || host.is_loopback()
            || self.hosts.contains(host)
            || came_in_at.is_some_and(|address| Host::of_address(address) == *host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        Host::read(text).map_or("none".to_owned(), |host| host.to_string())
    }

    #[test]
    fn a_host_is_read_without_its_port() {
        for (text, expected) in [
            ("serinus.example", "serinus.example"),
            ("Serinus.Example.:8080", "serinus.example"),
            ("my_service-1", "my_service-1"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("[::1]:8080", "::1"),
            ("[::ffff:127.0.0.1]", "127.0.0.1"),
            ("a:", "a"),
        ] {
            assert_eq!(told(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_host_is_none() {
        let long = "a".repeat(256);
        for text in [
            "",
            ".",
            ":8080",
            "a..b",
            "a b",
            "a,b",
            "a/b",
            "u@a",
            "a:b",
            "a:70000",
            "a:+1",
            "::1",
            "[::1",
            "[::1]x",
            "[127.0.0.1]",
            "[a]",
            "127.1",
            "1.2.3.4.5",
            "é",
            "%61",
            "*",
            &long,
        ] {
            assert_eq!(told(text), "none", "{text:?}");
        }
        assert_ne!(told(&long[1..]), "none");
    }

    #[test]
    fn this_machine_is_always_known_and_others_by_their_name_or_address() {
        let known = KnownHosts::default()
            .and_address("10.0.0.5".parse().unwrap())
            .and(Host::without_port("serinus.example"));
        let knows = |text: &str| known.contains(&Host::read(text).unwrap(), None);
        for text in [
            "LOCALHOST:1",
            "127.8.9.1",
            "[::1]:2",
            "10.0.0.5",
            "serinus.example.:3",
        ] {
            assert!(knows(text), "{text}");
        }
        for text in [
            "evil.example",
            "localhost.evil.example",
            "10.0.0.6",
            "x.serinus.example",
        ] {
            assert!(!knows(text), "{text}");
        }
        let host = Host::read("10.0.0.6:8080").unwrap();
        assert!(known.contains(&host, Some("10.0.0.6".parse().unwrap())));
        assert!(KnownHosts::any().contains(&host, None));
    }
}
