//! The wire: one configured client for each source, and the parameters of a query.
//!
//! `prometheus-http-query` sends what it can carry. Its range query knows whole seconds only, so
//! a grid of parts of a second goes out by the same client with parameters of ours.

use std::error::Error as StdError;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_http_query::Client as PrometheusClient;
use reqwest::header::HeaderMap;
use reqwest::{Certificate, Identity, Response, Url, redirect};

use super::config::SourceConfig;
use super::files::{FileStamp, read_small};
use super::{IndexOf, IndexQuestion, Question, QuestionTime};

/// Share of the query's time that finding and greeting the source may take: a host that swallows
/// packets is told apart from a slow query, and there is time left for another try.
const CONNECT_SHARE: f64 = 0.4;

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

/// The connections to one source.
pub(super) struct Transport {
    source: String,
    /// Without user and password.
    url: Url,
    connect_timeout: Duration,
    tls: TlsFiles,
    current: Mutex<(Vec<Option<FileStamp>>, Arc<Clients>)>,
}

#[derive(Default)]
struct TlsFiles {
    authorities: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

struct Clients {
    http: reqwest::Client,
    prometheus: PrometheusClient,
}

impl TlsFiles {
    fn stamps(&self) -> Vec<Option<FileStamp>> {
        [&self.authorities, &self.certificate, &self.key]
            .into_iter()
            .flatten()
            .map(|path| FileStamp::of(path))
            .collect()
    }
}

impl Transport {
    /// Builds the client of a source; the files of certificates must be there.
    pub(super) fn new(
        source: &str,
        config: &SourceConfig,
        timeout: Duration,
    ) -> Result<Self, String> {
        let url = config.url.address().clone();
        let connect_timeout = timeout.mul_f64(CONNECT_SHARE);
        let tls = TlsFiles {
            authorities: config.ca_file.clone(),
            certificate: config.client_certificate_file.clone(),
            key: config.client_key_file.clone(),
        };
        let stamps = tls.stamps();
        let clients = build_clients(&url, connect_timeout, &tls)?;
        Ok(Self {
            source: source.to_owned(),
            url,
            connect_timeout,
            tls,
            current: Mutex::new((stamps, Arc::new(clients))),
        })
    }

    /// Sends a question and waits for the head of the response.
    pub(super) async fn post(
        &self,
        question: &Question,
        server_timeout: Duration,
        headers: HeaderMap,
    ) -> Result<Response, SendError> {
        let clients = self.clients();
        let timeout_ms = i64::try_from(server_timeout.as_millis())
            .unwrap_or(i64::MAX)
            .max(1);
        let prometheus = &clients.prometheus;
        let sent = match question.at {
            QuestionTime::Instant { at_ms } => {
                let mut query = prometheus
                    .query(&question.promql)
                    .timeout(timeout_ms)
                    .query("time", decimal_seconds(at_ms));
                for (name, value) in &headers {
                    query = query.header(name, value.clone());
                }
                query.post_raw().await
            }
            QuestionTime::Range {
                start_ms,
                end_ms,
                step_ms,
            } if start_ms % 1_000 == 0 && end_ms % 1_000 == 0 => {
                let (start, end) = (start_ms / 1_000, end_ms / 1_000);
                let step = step_ms as f64 / 1_000.0;
                let mut query = prometheus
                    .query_range(&question.promql, start, end, step)
                    .timeout(timeout_ms);
                for (name, value) in &headers {
                    query = query.header(name, value.clone());
                }
                query.post_raw().await
            }
            QuestionTime::Range {
                start_ms,
                end_ms,
                step_ms,
            } => {
                let form = [
                    ("query", question.promql.clone()),
                    ("start", decimal_seconds(start_ms)),
                    ("end", decimal_seconds(end_ms)),
                    ("step", decimal_seconds(step_ms)),
                    ("timeout", format!("{timeout_ms}ms")),
                ];
                let request = clients.http.post(self.endpoint("query_range"));
                let sent = request.headers(headers).form(&form).send().await;
                return sent.map_err(|error| send_error(&error));
            }
        };
        sent.map_err(|error| match &error {
            prometheus_http_query::Error::Client(client_error) => match client_error.inner() {
                Some(inner) => send_error(inner),
                None => other_error(&error),
            },
            _ => other_error(&error),
        })
    }

    /// Sends a question to the index and waits for the head of the response. Of names as a form, for
    /// a selector may be long; of values Prometheus knows no other way than this.
    pub(super) async fn ask_index(
        &self,
        question: &IndexQuestion,
        headers: HeaderMap,
    ) -> Result<Response, SendError> {
        let http = &self.clients().http;
        let selectors = question.selectors.iter();
        let pairs = selectors
            .map(|selector| ("match[]", selector.clone()))
            .chain([
                ("start", decimal_seconds(question.start_ms)),
                ("end", decimal_seconds(question.end_ms)),
            ]);
        let request = match &question.of {
            IndexOf::LabelNames => {
                let form: Vec<_> = pairs.collect();
                http.post(self.endpoint("labels")).form(&form)
            }
            IndexOf::ValuesOf(label) => {
                let mut url = self.endpoint(&format!("label/{label}/values"));
                url.query_pairs_mut().extend_pairs(pairs);
                http.get(url)
            }
        };
        let sent = request.headers(headers).send().await;
        sent.map_err(|error| send_error(&error))
    }

    /// Asks which build the source is: a question that costs it nothing.
    pub(super) async fn get_build(&self, headers: HeaderMap) -> Result<Response, SendError> {
        let request = self.clients().http.get(self.endpoint("status/buildinfo"));
        let sent = request.headers(headers).send().await;
        sent.map_err(|error| send_error(&error))
    }

    fn endpoint(&self, name: &str) -> Url {
        let mut url = self.url.clone();
        let path = format!("{}/api/v1/{name}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url
    }

    /// The clients, built anew when a certificate has been exchanged.
    fn clients(&self) -> Arc<Clients> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let stamps = self.tls.stamps();
        if stamps != current.0 {
            // Whatever comes of it, it is tried once for each change.
            current.0 = stamps;
            match build_clients(&self.url, self.connect_timeout, &self.tls) {
                Ok(clients) => current.1 = Arc::new(clients),
                Err(detail) => tracing::warn!(
                    source.name = self.source,
                    "source {:?} keeps its last certificates: {detail}",
                    self.source
                ),
            }
        }
        Arc::clone(&current.1)
    }
}

fn build_clients(url: &Url, connect_timeout: Duration, tls: &TlsFiles) -> Result<Clients, String> {
    super::install_crypto_provider();
    let mut builder = reqwest::Client::builder()
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
    let http = builder
        .build()
        .map_err(|error| format!("no client can be made: {}", innermost(&error)))?;
    let prometheus = PrometheusClient::from(http.clone(), url.as_str())
        .map_err(|error| format!("no client can be made: {error}"))?;
    Ok(Clients { http, prometheus })
}

fn unusable(field: &str, path: &Path, error: &reqwest::Error) -> String {
    format!(
        "{field} cannot be used ({}, {}): write PEM",
        path.display(),
        innermost(error)
    )
}

fn send_error(error: &reqwest::Error) -> SendError {
    SendError {
        is_timeout: error.is_timeout() && !error.is_connect(),
        is_cut: !error.is_connect() && is_broken_connection(error),
        cause: innermost(error),
    }
}

fn other_error(error: &prometheus_http_query::Error) -> SendError {
    SendError {
        is_timeout: false,
        is_cut: false,
        cause: innermost(error),
    }
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
fn innermost(error: &(dyn StdError + 'static)) -> String {
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

/// Milliseconds as the decimal seconds of the API, exactly.
fn decimal_seconds(milliseconds: i64) -> String {
    let sign = if milliseconds < 0 { "-" } else { "" };
    let magnitude = milliseconds.unsigned_abs();
    let (seconds, rest) = (magnitude / 1_000, magnitude % 1_000);
    if rest == 0 {
        format!("{sign}{seconds}")
    } else {
        format!("{sign}{seconds}.{rest:03}")
    }
}

/// Whether an address is one of this host's own.
fn is_this_host(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_exact_decimal_seconds() {
        assert_eq!(decimal_seconds(0), "0");
        assert_eq!(decimal_seconds(1_700_000_000_001), "1700000000.001");
        assert_eq!(decimal_seconds(-1_500), "-1.500");
        assert_eq!(decimal_seconds(i64::MIN), "-9223372036854775.808");
    }
}
