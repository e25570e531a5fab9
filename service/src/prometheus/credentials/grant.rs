//! How a token is asked for.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::{Client, RequestBuilder, Url};
use secrecy::{ExposeSecret as _, SecretString};

use super::super::client::{TlsFiles, build_client};
use super::super::config::{ClientProof, GoogleConfig, OAuth2Config, SecretPlace};
use super::google::ServiceAccount;
use super::header::{basic, secret_value};

/// Where the metadata server gives tokens of the machine's or the pod's own account.
const METADATA_PATH: &str = "/computeMetadata/v1/instance/service-accounts/default/token";

/// A way to a token, with all that it takes, as it was read from its files.
pub(super) struct Grant {
    /// Where it is asked for.
    pub(super) url: Url,
    http: Client,
    asks: Asks,
}

/// Who asks.
enum Asks {
    Client {
        id: String,
        proof: Proof,
        scope: String,
        parameters: BTreeMap<String, SecretString>,
    },
    ServiceAccount(Box<ServiceAccount>),
    Machine,
}

/// How a client shows who it is.
enum Proof {
    Secret(SecretString, SecretPlace),
    Assertion(SecretString),
}

/// A request for a token, and what of it must be in no message.
pub(super) struct Asked {
    pub(super) request: RequestBuilder,
    pub(super) secrets: Vec<SecretString>,
}

/// A grant as it is configured.
pub(super) enum GrantConfig {
    OAuth2(OAuth2Config),
    Google(GoogleConfig),
}

impl GrantConfig {
    /// The files of which it is made.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::OAuth2(config) => {
                let proof = config.proof().ok();
                let proof = proof.and_then(|proof| match proof {
                    ClientProof::Secret(from) | ClientProof::Assertion(from) => from.file(),
                });
                proof.into_iter().chain(config.ca_file.clone()).collect()
            }
            Self::Google(config) => config.credentials_file.iter().cloned().collect(),
        }
    }

    /// Reads the files and makes the grant.
    ///
    /// # Errors
    ///
    /// What must be changed.
    pub(super) fn read(&self, connect_timeout: Duration) -> Result<Grant, String> {
        let (url, authorities, asks) = match self {
            Self::OAuth2(config) => (config.url()?, config.ca_file.clone(), client(config)?),
            Self::Google(config) => {
                let (url, asks) = google(config)?;
                (url, None, asks)
            }
        };
        let tls = TlsFiles {
            authorities,
            ..TlsFiles::default()
        };
        let http = build_client(&url, connect_timeout, &tls)?;
        Ok(Grant { url, http, asks })
    }
}

fn google(config: &GoogleConfig) -> Result<(Url, Asks), String> {
    if let Some(file) = &config.credentials_file {
        let account = ServiceAccount::read(file)?;
        let url = account.url.clone();
        return Ok((url, Asks::ServiceAccount(Box::new(account))));
    }
    let mut url = config.metadata()?;
    url.set_path(METADATA_PATH);
    Ok((url, Asks::Machine))
}

fn client(config: &OAuth2Config) -> Result<Asks, String> {
    Ok(Asks::Client {
        id: config.client_id.clone(),
        proof: match config.proof()? {
            ClientProof::Secret(from) => Proof::Secret(from.read()?, config.send_secret_in),
            ClientProof::Assertion(from) => Proof::Assertion(from.read()?),
        },
        scope: config.scopes.join(" "),
        parameters: config.endpoint_params.clone(),
    })
}

impl Grant {
    /// Makes the request for a token, at a time in seconds since 1970.
    ///
    /// # Errors
    ///
    /// Why it cannot be made.
    pub(super) fn ask(&self, now: i64) -> Result<Asked, String> {
        match &self.asks {
            Asks::Client {
                id,
                proof,
                scope,
                parameters,
            } => self.ask_as_client(id, proof, scope, parameters),
            Asks::ServiceAccount(account) => {
                let assertion = account.assertion(now)?;
                let form = [
                    ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
                    ("assertion", assertion.expose_secret()),
                ];
                Ok(Asked {
                    request: self.http.post(self.url.clone()).form(&form),
                    secrets: vec![assertion],
                })
            }
            Asks::Machine => {
                let flavor = HeaderName::from_static("metadata-flavor");
                let google = HeaderValue::from_static("Google");
                Ok(Asked {
                    request: self.http.get(self.url.clone()).header(flavor, google),
                    secrets: Vec::new(),
                })
            }
        }
    }

    fn ask_as_client(
        &self,
        id: &str,
        proof: &Proof,
        scope: &str,
        parameters: &BTreeMap<String, SecretString>,
    ) -> Result<Asked, String> {
        let mut form = vec![("grant_type", "client_credentials")];
        if !scope.is_empty() {
            form.push(("scope", scope));
        }
        for (name, value) in parameters {
            form.push((name, value.expose_secret()));
        }
        let mut secrets: Vec<SecretString> = parameters.values().cloned().collect();
        let mut request = self.http.post(self.url.clone());
        match proof {
            Proof::Secret(secret, SecretPlace::Header) => {
                // Both are escaped before they are joined (RFC 6749, 2.3.1).
                let escaped = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
                let sent = basic(&escaped(id), &escaped(secret.expose_secret()).into());
                request = request.header(AUTHORIZATION, secret_value(&sent)?);
                secrets.extend([sent.trim_start_matches("Basic ").into(), secret.clone()]);
            }
            Proof::Secret(secret, SecretPlace::Body) => {
                form.extend([("client_id", id), ("client_secret", secret.expose_secret())]);
                secrets.push(secret.clone());
            }
            Proof::Assertion(assertion) => {
                form.extend([
                    ("client_id", id),
                    (
                        "client_assertion_type",
                        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                    ),
                    ("client_assertion", assertion.expose_secret()),
                ]);
                secrets.push(assertion.clone());
            }
        }
        Ok(Asked {
            request: request.form(&form),
            secrets,
        })
    }

    /// What to do where it is refused.
    pub(super) fn cure_of_refusal(&self) -> &'static str {
        match &self.asks {
            Asks::Client { proof, .. } => match proof {
                Proof::Secret(..) => {
                    "check client_id, the client secret, scopes and send_secret_in of oauth2"
                }
                Proof::Assertion(_) => {
                    "check client_id and scopes of oauth2, and that the endpoint trusts who wrote \
                     client_assertion_file"
                }
            },
            Asks::ServiceAccount(_) => {
                "check that the key of credentials_file is enabled, and this host's clock"
            }
            Asks::Machine => "check that a service account is bound to this machine or pod",
        }
    }

    /// What to do where nothing useful answers.
    pub(super) fn cure_of_silence(&self) -> &'static str {
        match &self.asks {
            Asks::Client { .. } => "check token_url of oauth2 and what answers there",
            Asks::ServiceAccount(_) => "check token_uri of credentials_file and the way there",
            Asks::Machine => {
                "check that this is a machine of Google, else name credentials_file of google"
            }
        }
    }
}
