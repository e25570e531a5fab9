//! `--allowed-hosts`: the names by which a server without tokens may be asked.

use std::str::FromStr;

use serde::Deserialize;

use crate::host::{Host, KnownHosts};

/// The names that are given, in one text with commas, or in the file as a list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub(crate) struct AllowedHosts(Vec<AllowedHost>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum AllowedHost {
    /// `*`: whatever is asked for. It has to be written.
    Any,
    Known(Host),
}

impl AllowedHosts {
    /// Adds them to what is known.
    pub(crate) fn add_to(&self, known: KnownHosts) -> KnownHosts {
        if self.0.contains(&AllowedHost::Any) {
            return KnownHosts::any();
        }
        known.and(self.0.iter().filter_map(|allowed| match allowed {
            AllowedHost::Known(host) => Some(host.clone()),
            AllowedHost::Any => None,
        }))
    }
}

impl FromStr for AllowedHosts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let texts: Vec<String> = text.split(',').map(|one| one.trim().to_owned()).collect();
        texts.try_into()
    }
}

impl TryFrom<Vec<String>> for AllowedHosts {
    type Error = String;

    fn try_from(texts: Vec<String>) -> Result<Self, String> {
        const EXAMPLE: &str = "write names without a scheme or a port, such as \
                               serinus.example,serinus.serinus.svc, or '*' for any";
        if texts.is_empty() {
            return Err(format!("no host is named: {EXAMPLE}"));
        }
        let hosts = texts.iter().map(|text| match text.as_str() {
            "*" => Ok(AllowedHost::Any),
            _ => Host::without_port(text)
                .map(AllowedHost::Known)
                .ok_or_else(|| format!("{text:?} is no host: {EXAMPLE}")),
        });
        hosts.collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knows(allowed: &str, host: &str) -> bool {
        let allowed: AllowedHosts = allowed.parse().unwrap();
        let known = allowed.add_to(KnownHosts::default());
        known.contains(&Host::read(host).unwrap(), None)
    }

    #[test]
    fn names_and_addresses_are_allowed_one_by_one_or_all() {
        let allowed = "serinus, Serinus.Example,10.0.0.5,fd00::5";
        for host in [
            "serinus:8080",
            "serinus.example",
            "10.0.0.5",
            "[fd00::5]:80",
        ] {
            assert!(knows(allowed, host), "{host}");
        }
        assert!(!knows(allowed, "evil.example"));
        assert!(knows("*", "evil.example"));
    }

    #[test]
    fn what_is_no_host_is_told() {
        for text in ["", "a,", "http://a", "a:80", "*.example", "a b", "[::1]"] {
            let error = text.parse::<AllowedHosts>().unwrap_err();
            assert!(
                error.contains("without a scheme or a port"),
                "{text}: {error}"
            );
        }
        assert!(AllowedHosts::try_from(Vec::new()).is_err());
    }
}
