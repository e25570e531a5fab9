//! Where a server without tokens may listen.

use std::net::SocketAddr;

use super::ConfigError;

/// What a server is told of who may ask.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Openness {
    /// Only those who have a token.
    pub(crate) has_tokens: bool,
    /// Somebody said that everybody may.
    pub(crate) is_insecure: bool,
    /// Somebody said by which names.
    pub(crate) names_hosts: bool,
}

/// Refuses an address beyond this machine for a server that everybody may ask, unless somebody said
/// that this is meant, and by which names it is asked: without them any page on the internet could
/// ask it through the browser of somebody inside (DNS rebinding).
///
/// # Errors
///
/// [`ConfigError::Exposed`] and [`ConfigError::NoHosts`] say what to do instead.
pub(crate) fn check_exposure(listen: SocketAddr, openness: Openness) -> Result<(), ConfigError> {
    // ::ffff:127.0.0.1 is a loopback address as well.
    if openness.has_tokens || listen.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    if !openness.is_insecure {
        return Err(ConfigError::Exposed { listen });
    }
    if !openness.names_hosts {
        return Err(ConfigError::NoHosts { listen });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_fine(listen: &str, has_tokens: bool, is_insecure: bool, names_hosts: bool) -> bool {
        let openness = Openness {
            has_tokens,
            is_insecure,
            names_hosts,
        };
        check_exposure(listen.parse().unwrap(), openness).is_ok()
    }

    #[test]
    fn only_this_machine_may_ask_an_open_server() {
        for (listen, is_loopback) in [
            ("127.0.0.1:8080", true),
            ("127.1.2.3:0", true),
            ("[::1]:8080", true),
            ("[::ffff:127.0.0.1]:8080", true),
            ("0.0.0.0:8080", false),
            ("[::]:8080", false),
            ("10.0.0.1:8080", false),
        ] {
            assert_eq!(
                is_fine(listen, false, false, false),
                is_loopback,
                "{listen}"
            );
            assert_eq!(is_fine(listen, false, false, true), is_loopback, "{listen}");
            assert_eq!(is_fine(listen, false, true, false), is_loopback, "{listen}");
            assert!(is_fine(listen, false, true, true), "{listen}");
            assert!(is_fine(listen, true, false, false), "{listen}");
        }
    }
}
