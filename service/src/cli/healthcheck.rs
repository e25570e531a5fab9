//! `serinus healthcheck`: for images without a shell or curl.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use clap::Args;

use super::{FAILED, Failure, output};
use crate::config::DEFAULT_LISTEN;

const AFTER_HELP: &str = "\
In a Dockerfile:
  HEALTHCHECK CMD [\"/usr/local/bin/serinus\", \"healthcheck\"]

Asks the /healthz of a server on this machine. Give it the same --listen or SERINUS_LISTEN as the
server; 0.0.0.0 and [::] are asked on the loopback address.

Exit codes: 0 alive, 1 not, 2 usage.";

/// Longest wait for the answer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Ask whether the server on this machine is alive
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// Where the server listens
    #[arg(long, value_name = "ADDRESS:PORT", env = "SERINUS_LISTEN", default_value = DEFAULT_LISTEN)]
    listen: SocketAddr,
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let address = reachable(arguments.listen);
    match status_line(address) {
        Ok(line) if line.starts_with("HTTP/1.1 200") => Ok(0),
        Ok(line) => {
            output::error(&format!("{address} answered {line:?}"));
            Ok(FAILED)
        }
        Err(error) => Err(Failure(format!("cannot ask {address}: {error}"))),
    }
}

/// An address that means all of them is not one that can be asked.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

fn status_line(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    // A status line is far shorter than this.
    stream.take(64).read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_are_asked_on_the_loopback() {
        let asked = |listen: &str| reachable(listen.parse().unwrap()).to_string();
        assert_eq!(asked("0.0.0.0:8080"), "127.0.0.1:8080");
        assert_eq!(asked("[::]:8080"), "[::1]:8080");
        assert_eq!(asked("10.0.0.1:80"), "10.0.0.1:80");
    }
}
