//! The HTTP client of Go, which Argo Rollouts, Flagger and Kargo are written in.

use std::time::Duration;

use anyhow::Context;
use reqwest::{Method, Url};

use crate::network::install_tls;

/// Redirects that Go follows before it gives up.
const MOST_REDIRECTS: usize = 10;

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The address.
    pub url: String,
    /// The headers, and no others but what every client adds.
    pub headers: Vec<(String, String)>,
    /// The body; none when absent.
    pub body: Option<Vec<u8>>,
    /// The time for everything: connecting, redirects, reading the body.
    pub timeout: Duration,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The media type; empty when there is none.
    pub content_type: String,
    /// `Location`, where it is given.
    pub location: Option<String>,
    /// `Retry-After`, where it is given.
    pub retry_after: Option<String>,
    /// The body, unpacked.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// Nobody listens.
    Refused,
    /// It took too long.
    Timeout,
    /// The connection or the body broke off.
    Cut,
    /// More redirects than Go follows, or one that leads nowhere.
    Redirects,
}

/// Which answers to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redirects {
    /// As Go's client does.
    Follow,
    /// Give them to the caller.
    Return,
}

/// Sends a request as Go's client does.
///
/// # Errors
///
/// [`Broken`] when there is no whole answer in time.
pub async fn send(request: &Request, redirects: Redirects) -> Result<Answer, Broken> {
    let work = follow(request, redirects);
    match tokio::time::timeout(request.timeout, work).await {
        Ok(answer) => answer,
        Err(_elapsed) => Err(Broken::Timeout),
    }
}

async fn follow(request: &Request, redirects: Redirects) -> Result<Answer, Broken> {
    let client = client().map_err(|_error| Broken::Cut)?;
    let mut method = request.method.clone();
    let mut url: Url = request.url.parse().map_err(|_error| Broken::Cut)?;
    let mut headers = request.headers.clone();
    let mut body = request.body.clone();
    for _ in 0..=MOST_REDIRECTS {
        let answer = once(&client, &method, &url, &headers, body.as_deref()).await?;
        let is_redirect = matches!(answer.status, 301 | 302 | 303 | 307 | 308);
        let Some(location) = answer.location.as_ref().filter(|_| is_redirect) else {
            return Ok(answer);
        };
        if redirects == Redirects::Return {
            return Ok(answer);
        }
        let next = url.join(location).map_err(|_error| Broken::Redirects)?;
        if matches!(answer.status, 301..=303) {
            if method != Method::HEAD {
                method = Method::GET;
            }
            body = None;
            headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        }
        if next.host_str() != url.host_str() {
            headers.retain(|(name, _)| !name.eq_ignore_ascii_case("authorization"));
        }
        url = next;
    }
    Err(Broken::Redirects)
}

async fn once(
    client: &reqwest::Client,
    method: &Method,
    url: &Url,
    headers: &[(String, String)],
    body: Option<&[u8]>,
) -> Result<Answer, Broken> {
    let mut request = client.request(method.clone(), url.clone());
    for (name, value) in headers {
        request = request.header(name, value);
    }
    if let Some(body) = body {
        request = request.body(body.to_vec());
    }
    let response = request.send().await.map_err(|error| broken(&error))?;
    let header = |name: &str| {
        let value = response.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    Ok(Answer {
        status: response.status().as_u16(),
        content_type: header("content-type").unwrap_or_default(),
        location: header("location"),
        retry_after: header("retry-after"),
        body: response
            .bytes()
            .await
            .map_err(|error| broken(&error))?
            .to_vec(),
    })
}

fn broken(error: &reqwest::Error) -> Broken {
    if error.is_connect() {
        Broken::Refused
    } else if error.is_timeout() {
        Broken::Timeout
    } else {
        Broken::Cut
    }
}

fn client() -> anyhow::Result<reqwest::Client> {
    install_tls();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .context("cannot build an HTTP client")
}

/// Puts a server on this machine in the place of the one that a manifest names.
///
/// # Errors
///
/// When the address is none.
pub fn moved_to(url: &str, server: &str) -> anyhow::Result<String> {
    let parsed: Url = url.parse().with_context(|| format!("no address: {url}"))?;
    let origin_end = url.find("://").and_then(|scheme| {
        url.get(scheme + 3..)?
            .find('/')
            .map(|path| scheme + 3 + path)
    });
    let rest = origin_end.and_then(|end| url.get(end..)).unwrap_or("");
    debug_assert!(parsed.has_host());
    Ok(format!("{server}{rest}"))
}
