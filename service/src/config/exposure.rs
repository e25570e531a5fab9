//! Where a server without tokens may listen.

use std::net::SocketAddr;

use super::ConfigError;

/// Refuses an address beyond this machine for a server that everybody may ask. `is_open` when no
/// tokens are configured and nobody said that this is meant.
///
/// # Errors
///
/// [`ConfigError::Exposed`] says what to do instead.
pub(crate) fn check_exposure(listen: SocketAddr, is_open: bool) -> Result<(), ConfigError> {
    // ::ffff:127.0.0.1 is a loopback address as well.
    if is_open && !listen.ip().to_canonical().is_loopback() {
        return Err(ConfigError::Exposed { listen });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let listen = listen.parse().unwrap();
            assert_eq!(
                check_exposure(listen, true).is_ok(),
                is_loopback,
                "{listen}"
            );
            assert!(check_exposure(listen, false).is_ok());
        }
    }
}
