//! A client of HTTP for one address: its certificates, its manners, and why it got no response.

use std::error::Error as StdError;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::{Certificate, Client, Identity, Url, redirect};

use super::files::read_small;

/// Why a question got no response.
pub(super) struct SendError {
    /// Whether it timed out once the source was reached.
    pub(super) is_timeout: bool,
    /// Whether the source was reached, and the connection broke before the head of the answer
    /// was there.
    pub(super) is_cut: bool,
    /// The innermost cause. Never names the address.
    pub(super) cause: String,
}

impl From<&reqwest::Error> for SendError {
    fn from(error: &reqwest::Error) -> Self {
        Self {
            is_timeout: error.is_timeout() && !error.is_connect(),
            is_cut: !error.is_connect() && is_broken_connection(error),
            cause: innermost(error),
        }
    }
}

/// The files of certificates by which a client and who it asks know each other.
#[derive(Debug, Clone, Default)]
pub(super) struct TlsFiles {
    /// Authorities to trust in place of the system's.
    pub(super) authorities: Option<PathBuf>,
    /// The client's own, with its chain.
    pub(super) certificate: Option<PathBuf>,
    /// The key of that.
    pub(super) key: Option<PathBuf>,
}

impl TlsFiles {
    /// All that are named.
    pub(super) fn files(&self) -> impl Iterator<Item = PathBuf> {
        [&self.authorities, &self.certificate, &self.key]
            .into_iter()
            .flatten()
            .cloned()
    }
}

/// A client for one address.
///
/// # Errors
///
/// Which file cannot be used, and why.
pub(super) fn build_client(
    url: &Url,
    connect_timeout: Duration,
    tls: &TlsFiles,
) -> Result<Client, String> {
    super::install_crypto_provider();
    let mut builder = Client::builder()
        .user_agent(concat!("serinus/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(connect_timeout)
        // A query that is redirected is answered by something else: a login page, mostly.
        .redirect(redirect::Policy::none())
        // No configuration by the environment.
        .no_proxy()
        // On the way to another host compression saves more than it costs; within one it only
        // costs, and the source pays most of it.
        .gzip(!is_this_host(url));
    if url.scheme() == "http" {
        // No certificate is needed: saves reading the system's.
        builder = builder.tls_certs_only([]);
    } else if let Some(path) = &tls.authorities {
        let certificates = Certificate::from_pem_bundle(&read_small(path)?)
            .map_err(|error| unusable("ca_file", path, &error))?;
        if certificates.is_empty() {
            return Err(format!(
                "ca_file {} holds no PEM certificate",
                path.display()
            ));
        }
        builder = builder.tls_certs_only(certificates);
    }
    if let (Some(certificate), Some(key)) = (&tls.certificate, &tls.key) {
        let mut pem = read_small(certificate)?;
        pem.push(b'\n');
        pem.extend(read_small(key)?);
        let identity = Identity::from_pem(&pem).map_err(|error| {
            unusable("client_certificate_file and client_key_file", key, &error)
        })?;
        builder = builder.identity(identity);
    }
    builder
        .build()
        .map_err(|error| format!("no client can be made: {}", innermost(&error)))
}

fn unusable(field: &str, path: &Path, error: &reqwest::Error) -> String {
    format!(
        "{field} cannot be used ({}, {}): write PEM",
        path.display(),
        innermost(error)
    )
}

/// Whether the other side closed or reset the connection.
fn is_broken_connection(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(http) = cause.downcast_ref::<hyper::Error>()
            && http.is_incomplete_message()
        {
            return true;
        }
        if let Some(socket) = cause.downcast_ref::<std::io::Error>()
            && matches!(
                socket.kind(),
                ErrorKind::ConnectionReset
                    | ErrorKind::ConnectionAborted
                    | ErrorKind::BrokenPipe
                    | ErrorKind::UnexpectedEof
            )
        {
            return true;
        }
        next = cause.source();
    }
    false
}

/// The innermost cause: `Connection refused` in place of `error sending request for url (...)`,
/// which names the address.
pub(super) fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    // An error without a cause names the address in its own text.
    match cause.downcast_ref::<reqwest::Error>() {
        Some(_) => "the request cannot be sent".to_owned(),
        None => cause.to_string(),
    }
}

/// Whether an address is one of this host's own.
pub(super) fn is_this_host(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
