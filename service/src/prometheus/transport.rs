//! The wire: one configured client for each source, and the parameters of a query.
//!
//! `prometheus-http-query` sends what it can carry. Its range query knows whole seconds only, and it
//! shows no request before it is sent: a grid of parts of a second, and what is signed, go out by the
//! same client with parameters of ours.

use std::sync::Arc;
use std::time::Duration;

use prometheus_http_query::Client as PrometheusClient;
use reqwest::{Client, RequestBuilder, Response, Url};

use super::client::{SendError, TlsFiles, build_client, innermost};
use super::config::SourceConfig;
use super::credentials::Seal;
use super::files::FromFiles;
use super::{IndexOf, IndexQuestion, Question, QuestionTime};

/// Share of the query's time that finding and greeting the source may take: a host that swallows
/// packets is told apart from a slow query, and there is time left for another try.
const CONNECT_SHARE: f64 = 0.4;

/// The connections to one source.
pub(super) struct Transport {
    source: String,
    /// Without user and password.
    url: Url,
    clients: FromFiles<Arc<Clients>>,
}

struct Clients {
    http: Client,
    prometheus: PrometheusClient,
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
        let base = url.clone();
        let clients = FromFiles::new(tls.files().collect::<Vec<_>>(), move || {
            let http = build_client(&base, connect_timeout, &tls)?;
            let prometheus = PrometheusClient::from(http.clone(), base.as_str())
                .map_err(|error| format!("no client can be made: {error}"))?;
            Ok(Arc::new(Clients { http, prometheus }))
        })?;
        Ok(Self {
            source: source.to_owned(),
            url,
            clients,
        })
    }

    /// Sends a question and waits for the head of the response.
    pub(super) async fn post(
        &self,
        question: &Question,
        server_timeout: Duration,
        seal: &Seal<'_>,
    ) -> Result<Response, SendError> {
        let clients = self.clients();
        let timeout_ms = i64::try_from(server_timeout.as_millis())
            .unwrap_or(i64::MAX)
            .max(1);
        let prometheus = &clients.prometheus;
        let sent = match question.at {
            _ if seal.is_signature() => {
                return self
                    .post_form(&clients.http, question, timeout_ms, seal)
                    .await;
            }
            QuestionTime::Instant { at_ms } => {
                let mut query = prometheus
                    .query(&question.promql)
                    .timeout(timeout_ms)
                    .query("time", decimal_seconds(at_ms));
                for (name, value) in seal.headers() {
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
                for (name, value) in seal.headers() {
                    query = query.header(name, value.clone());
                }
                query.post_raw().await
            }
            QuestionTime::Range { .. } => {
                return self
                    .post_form(&clients.http, question, timeout_ms, seal)
                    .await;
            }
        };
        sent.map_err(|error| match &error {
            prometheus_http_query::Error::Client(client_error) => match client_error.inner() {
                Some(inner) => SendError::from(inner),
                None => other_error(&error),
            },
            _ => other_error(&error),
        })
    }

    /// Sends a question with parameters of ours.
    async fn post_form(
        &self,
        http: &Client,
        question: &Question,
        timeout_ms: i64,
        seal: &Seal<'_>,
    ) -> Result<Response, SendError> {
        let mut form = vec![("query", question.promql.clone())];
        let endpoint = match question.at {
            QuestionTime::Instant { at_ms } => {
                form.push(("time", decimal_seconds(at_ms)));
                "query"
            }
            QuestionTime::Range {
                start_ms,
                end_ms,
                step_ms,
            } => {
                form.extend([
                    ("start", decimal_seconds(start_ms)),
                    ("end", decimal_seconds(end_ms)),
                    ("step", decimal_seconds(step_ms)),
                ]);
                "query_range"
            }
        };
        form.push(("timeout", format!("{timeout_ms}ms")));
        send(http, http.post(self.endpoint(endpoint)).form(&form), seal).await
    }

    /// Sends a question to the index and waits for the head of the response. Of names as a form, for
    /// a selector may be long; of values Prometheus knows no other way than this.
    pub(super) async fn ask_index(
        &self,
        question: &IndexQuestion,
        seal: &Seal<'_>,
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
        send(http, request, seal).await
    }

    /// Asks which build the source is: a question that costs it nothing.
    pub(super) async fn get_build(&self, seal: &Seal<'_>) -> Result<Response, SendError> {
        let http = &self.clients().http;
        send(http, http.get(self.endpoint("status/buildinfo")), seal).await
    }

    fn endpoint(&self, name: &str) -> Url {
        let mut url = self.url.clone();
        let path = format!("{}/api/v1/{name}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url
    }

    /// The clients, built anew when a certificate has been exchanged.
    fn clients(&self) -> Arc<Clients> {
        self.clients.get(&self.source, "certificates")
    }
}

/// Sends a request that is whole, with all that lets the source know who asks.
async fn send(
    http: &Client,
    request: RequestBuilder,
    seal: &Seal<'_>,
) -> Result<Response, SendError> {
    let mut request = request.build().map_err(|error| SendError::from(&error))?;
    seal.put_on(&mut request).map_err(|cause| SendError {
        is_timeout: false,
        is_cut: false,
        cause,
    })?;
    let sent = http.execute(request).await;
    sent.map_err(|error| SendError::from(&error))
}

fn other_error(error: &prometheus_http_query::Error) -> SendError {
    SendError {
        is_timeout: false,
        is_cut: false,
        cause: innermost(error),
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
