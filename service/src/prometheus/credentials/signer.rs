//! Signs the queries of a source for AWS.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Body, Request, Url};
use secrecy::{ExposeSecret as _, SecretString};

use super::super::config::SigV4Config;
use super::super::files::{FromFiles, SecretFrom};
use super::header::secret_value;
use super::signature::{Scope, Signable, authorization, canonical_query};

static DATE: HeaderName = HeaderName::from_static("x-amz-date");
static SESSION_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// The keys of a source, and what they are for.
pub(super) struct Signer {
    keys: FromFiles<Arc<Keys>>,
    region: String,
    service: String,
}

/// Keys that belong together.
struct Keys {
    access_key: SecretString,
    secret_key: SecretString,
    session_token: Option<SecretString>,
}

impl Keys {
    /// Reads all of them at once: a new key with an old secret signs nothing.
    fn read(
        access_key: &SecretFrom,
        secret_key: &SecretFrom,
        session_token: Option<&SecretFrom>,
    ) -> Result<Self, String> {
        let keys = Self {
            access_key: access_key.read()?,
            secret_key: secret_key.read()?,
            session_token: session_token.map(SecretFrom::read).transpose()?,
        };
        let sent = [("access_key", Some(&keys.access_key))]
            .into_iter()
            .chain([("session_token", keys.session_token.as_ref())]);
        for (name, secret) in sent {
            let text = secret.map_or("", |secret| secret.expose_secret());
            secret_value(text)
                .map_err(|detail| format!("{name} of sigv4 cannot be sent: {detail}"))?;
        }
        Ok(keys)
    }
}

impl Signer {
    /// The signer of a source; its files must be there.
    ///
    /// # Errors
    ///
    /// What must be changed.
    pub(super) fn new(config: &SigV4Config) -> Result<Self, String> {
        let (access_key, secret_key, session_token) = config.keys()?;
        let files: Vec<_> = [Some(&access_key), Some(&secret_key), session_token.as_ref()]
            .into_iter()
            .flatten()
            .filter_map(SecretFrom::file)
            .collect();
        let keys = FromFiles::new(files, move || {
            Keys::read(&access_key, &secret_key, session_token.as_ref()).map(Arc::new)
        })?;
        Ok(Self {
            keys,
            region: config.region.clone(),
            service: config.service.clone(),
        })
    }

    /// The headers of a signature.
    pub(super) fn headers() -> [HeaderName; 3] {
        [AUTHORIZATION, DATE.clone(), SESSION_TOKEN.clone()]
    }

    /// Signs a request as it goes out.
    ///
    /// # Errors
    ///
    /// A header cannot carry what belongs there, which the keys were read for.
    pub(super) fn sign(
        &self,
        source: &str,
        request: &mut Request,
        at: DateTime<Utc>,
    ) -> Result<(), String> {
        let keys = self.keys.get(source, "credentials");
        write_query_strictly(request.url_mut());
        let scope = Scope {
            region: &self.region,
            service: &self.service,
            at,
        };
        let (date, host) = (scope.amz_date(), host_of(request.url()));
        let token = keys.session_token.as_ref().map(SecretString::expose_secret);
        let content_type = request.headers().get(CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok());
        // Sorted by name.
        let headers: Vec<(&str, &str)> = [
            (CONTENT_TYPE.as_str(), content_type),
            ("host", Some(host.as_str())),
            (DATE.as_str(), Some(date.as_str())),
            (SESSION_TOKEN.as_str(), token),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
        let body = request.body().and_then(Body::as_bytes).unwrap_or_default();
        let authorization = authorization(
            keys.access_key.expose_secret(),
            &keys.secret_key,
            &scope,
            &Signable {
                method: request.method().as_str(),
                path: request.url().path(),
                query: request.url().query().unwrap_or_default(),
                headers: &headers,
                body,
            },
        );
        let date = HeaderValue::from_str(&date).map_err(|error| error.to_string())?;
        let (authorization, token) = (
            secret_value(&authorization)?,
            token.map(secret_value).transpose()?,
        );
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, authorization);
        headers.insert(&DATE, date);
        if let Some(token) = token {
            headers.insert(&SESSION_TOKEN, token);
        }
        Ok(())
    }

    /// What must be in no message.
    pub(super) fn secrets(&self) -> Vec<SecretString> {
        let keys = self.keys.last();
        let token = keys.session_token.iter().cloned();
        [keys.secret_key.clone()].into_iter().chain(token).collect()
    }
}

/// Writes the parameters as they are signed. A form's `+` for a space is read as a plus by some.
fn write_query_strictly(url: &mut Url) {
    if let Some(query) = url.query() {
        let strict = canonical_query(&query.replace('+', "%20"));
        url.set_query(Some(&strict));
    }
}

/// The host as the header of that name says it.
fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}
