//! The host that a request asks: one, well-formed, and without tokens one that the server is known by.
//!
//! Probes of health are asked by whatever address a kubelet has, and are not looked at here.

use std::net::{IpAddr, SocketAddr};

use axum::extract::Request;
use axum::http::header;
use serinus_openapi::ProblemType;

use super::{ApiError, App};
use crate::host::Host;

/// The address of this machine that a connection came in at.
#[derive(Debug, Clone, Copy)]
pub(super) struct CameInAt(pub(super) SocketAddr);

/// Refuses a request for a host that is none, or not this server.
///
/// # Errors
///
/// 400 for a `Host` that is missing, repeated or malformed; 403 for one that is not known, where
/// everybody may ask.
pub(super) fn check(request: &Request, app: &App) -> Result<(), ApiError> {
    let malformed = || {
        ApiError::new(
            ProblemType::InvalidRequest,
            "the request needs exactly one Host header, a name or an address of at most 255 bytes \
             with or without a port: send the one of the URL",
        )
    };
    let mut values = request.headers().get_all(header::HOST).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(malformed());
    };
    let mut hosts = vec![value.to_str().ok().and_then(Host::read)];
    // `GET http://host/path`, as proxies are asked. The one behind a proxy that passes it on counts.
    let authority = request.uri().authority();
    hosts.extend(authority.map(|authority| Host::read(authority.as_str())));
    let came_in_at = came_in_at(request);
    for host in hosts {
        let host = host.ok_or_else(malformed)?;
        if app.access().is_for_everybody() && !app.hosts().contains(&host, came_in_at) {
            return Err(unknown(&host));
        }
    }
    Ok(())
}

fn came_in_at(request: &Request) -> Option<IpAddr> {
    let came_in_at = request.extensions().get::<CameInAt>();
    came_in_at.map(|CameInAt(address)| address.ip())
}

fn unknown(host: &Host) -> ApiError {
    ApiError::new(
        ProblemType::Forbidden,
        format!(
            "this server is not known as {host}: without tokens it is asked by its address, by \
             localhost, or by a name of --public-url or --allowed-hosts; where the name is right, start \
             it with --allowed-hosts {host}, or with tokens"
        ),
    )
}
