//! A bare axum handler that answers everything with the same bytes: what a gate is measured
//! against. `scripts/prove-gate-speed.py` runs it.
//!
//! ```text
//! bare_gate ADDRESS:PORT FILE
//! ```
//!
//! The file has the headers of the answer, one a line, an empty line, and the body.

use std::net::SocketAddr;

use anyhow::{Context, bail};
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, file] = arguments.as_slice() else {
        bail!("usage: bare_gate ADDRESS:PORT FILE");
    };
    let address: SocketAddr = address.parse()?;
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
    let (headers, body) = answer(&text)?;
    let router = axum::Router::new().fallback(async move || (headers.clone(), body.clone()));
    let listener = TcpListener::bind(address).await?;
    axum::serve(listener, router).await?;
    Ok(())
}

/// Reads what to answer.
fn answer(text: &str) -> anyhow::Result<(HeaderMap, Bytes)> {
    let (head, body) = text
        .split_once("\n\n")
        .context("there is no empty line between headers and body")?;
    let mut headers = HeaderMap::new();
    for line in head.lines() {
        let (name, value) = line
            .split_once(':')
            .with_context(|| format!("{line:?} is no header"))?;
        headers.insert(
            HeaderName::try_from(name)?,
            HeaderValue::try_from(value.trim())?,
        );
    }
    Ok((headers, Bytes::from(body.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_headers_and_a_body() {
        let (headers, body) = answer("content-type: text/plain\nx-a: b: c\n\n{}\n\n").unwrap();
        assert_eq!(headers.len(), 2);
        assert_eq!(headers.get("x-a").unwrap(), "b: c");
        assert_eq!(body, "{}\n\n");
        assert!(answer("content-type: text/plain\n{}").is_err());
        assert!(answer("nothing\n\n{}").is_err());
    }
}
