//! A token that is asked for, kept, and renewed before it ends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::{Response, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use super::super::client::{SendError, innermost};
use super::super::files::FromFiles;
use super::grant::{Grant, GrantConfig};
use super::header::bearer;
use super::redact::redacted;
use crate::clock::{Clock as _, SystemClock};

/// Share of a query's time that a token may take, so that a slow endpoint is told as such.
const SHARE: f64 = 0.5;

/// Share of that in which the endpoint must be reached.
const CONNECT_SHARE: f64 = 0.5;

/// Most bytes read of an answer: tokens have a few thousand.
const MOST_BYTES: usize = 64 * 1024;

/// How long before its end a token is renewed: longer than any query takes, and shorter than metadata
/// servers give the same one again. A token that lives for minutes: a fifth of that.
const RENEWED_BEFORE: Duration = Duration::from_mins(1);

/// How long a token is kept whose endpoint does not say. RFC 6749 asks it to.
const UNTOLD_LIFETIME: Duration = Duration::from_mins(5);

/// Longest time that a token is kept, whatever is said.
const LONGEST_LIFETIME: Duration = Duration::from_hours(24);

/// When a token that still counts is tried again after it could not be renewed.
const RENEWED_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// A token that is refused younger than this is not asked for again at once: it is not its age.
const REFUSED_WHEN_OLDER: Duration = Duration::from_secs(10);

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct TokenFault {
    /// Where it was asked for.
    pub(in super::super) endpoint: String,
    /// What happened there.
    pub(in super::super) trouble: TokenTrouble,
    /// What to do.
    pub(in super::super) cure: &'static str,
}

/// What happened where a token was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum TokenTrouble {
    /// It cannot be reached.
    Unreachable(String),
    /// It did not answer in time.
    Slow(Duration),
    /// It refused the credentials.
    Refused(StatusCode, String),
    /// It failed, or is asked too much.
    Failed(StatusCode),
    /// What it answers is no token.
    NoToken(String),
}

/// The tokens of a source.
pub(super) struct Tokens {
    source: String,
    grants: FromFiles<Arc<Grant>>,
    timeout: Duration,
    /// Who holds it is asking.
    asking: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    /// How often one was asked for.
    asked: u64,
    /// What came of it, the last time.
    fault: Option<TokenFault>,
}

struct Token {
    secret: SecretString,
    value: HeaderValue,
    /// By which it was given: files that change make another.
    grant: Arc<Grant>,
    given_at: Instant,
    renewed_at: Instant,
    ends_at: Instant,
}

/// What there is without asking.
enum Held {
    Fresh(HeaderValue),
    /// It counts, and is to be renewed.
    Ending(HeaderValue),
    Nothing,
}

/// The body of an answer (RFC 6749, 5.1 and 5.2), as far as it matters.
#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    access_token: Option<SecretString>,
    #[serde(default)]
    token_type: Option<String>,
    #[serde(default)]
    expires_in: Value,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    error_description: Option<String>,
}

/// A token that was given.
struct Given {
    secret: SecretString,
    value: HeaderValue,
    lifetime: Duration,
}

impl Tokens {
    /// Nothing is asked yet; files must be there. `timeout` is that of a query.
    ///
    /// # Errors
    ///
    /// What must be changed.
    pub(super) fn new(
        source: &str,
        config: GrantConfig,
        timeout: Duration,
    ) -> Result<Self, String> {
        let timeout = timeout.mul_f64(SHARE);
        let connect_timeout = timeout.mul_f64(CONNECT_SHARE);
        let grants = FromFiles::new(config.files(), move || {
            config.read(connect_timeout).map(Arc::new)
        })?;
        Ok(Self {
            source: source.to_owned(),
            grants,
            timeout,
            asking: tokio::sync::Mutex::default(),
            state: Mutex::default(),
        })
    }

    /// The value of `Authorization` to send now. Several callers ask for one token only.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub(super) async fn value(&self) -> Result<HeaderValue, TokenFault> {
        let grant = self.grants.get(&self.source, "credentials");
        let (held, asked) = self.held(&grant);
        let _place = match held {
            Held::Fresh(value) => return Ok(value),
            Held::Ending(value) => {
                // One renews it, and the others do not wait.
                if let Ok(_place) = self.asking.try_lock()
                    && let Err(fault) = self.renew(&grant).await
                {
                    self.postpone(&fault);
                    return Ok(value);
                }
                return match self.held(&grant).0 {
                    Held::Fresh(renewed) => Ok(renewed),
                    Held::Ending(_) | Held::Nothing => Ok(value),
                };
            }
            Held::Nothing => self.asking.lock().await,
        };
        // Who waited takes what came of it, also where that is a fault.
        match (self.held(&grant).0, self.fault_after(asked)) {
            (Held::Fresh(value) | Held::Ending(value), _) => Ok(value),
            (Held::Nothing, Some(fault)) => Err(fault),
            (Held::Nothing, None) => self.renew(&grant).await,
        }
    }

    /// The source does not take the token any more.
    pub(super) fn refused(&self) {
        let mut state = self.state();
        let is_old = |token: &Token| token.given_at.elapsed() >= REFUSED_WHEN_OLDER;
        if state.token.as_ref().is_some_and(is_old) {
            state.token = None;
        }
    }

    /// What must be in no message.
    pub(super) fn secrets(&self) -> Option<SecretString> {
        let state = self.state();
        state.token.as_ref().map(|token| token.secret.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self, grant: &Arc<Grant>) -> (Held, u64) {
        let state = self.state();
        let now = Instant::now();
        let held = match &state.token {
            Some(token) if Arc::ptr_eq(&token.grant, grant) && now < token.ends_at => {
                let value = token.value.clone();
                if now < token.renewed_at {
                    Held::Fresh(value)
                } else {
                    Held::Ending(value)
                }
            }
            _ => Held::Nothing,
        };
        (held, state.asked)
    }

    fn fault_after(&self, asked: u64) -> Option<TokenFault> {
        let state = self.state();
        state.fault.clone().filter(|_| state.asked != asked)
    }

    async fn renew(&self, grant: &Arc<Grant>) -> Result<HeaderValue, TokenFault> {
        // Of before it was asked for: that is when its time begins, at the latest.
        let now = Instant::now();
        let asked = self.ask(grant).await;
        let mut state = self.state();
        state.asked += 1;
        match asked {
            Ok(given) => {
                let before = RENEWED_BEFORE.min(given.lifetime / 5);
                state.fault = None;
                state.token = Some(Token {
                    secret: given.secret,
                    value: given.value.clone(),
                    grant: Arc::clone(grant),
                    given_at: now,
                    renewed_at: now + given.lifetime.saturating_sub(before),
                    ends_at: now + given.lifetime,
                });
                Ok(given.value)
            }
            Err((trouble, cure)) => {
                let mut endpoint = grant.url.clone();
                endpoint.set_query(None);
                let fault = TokenFault {
                    endpoint: endpoint.to_string(),
                    trouble,
                    cure,
                };
                state.fault = Some(fault.clone());
                Err(fault)
            }
        }
    }

    fn postpone(&self, fault: &TokenFault) {
        let mut state = self.state();
        let Some(token) = &mut state.token else {
            return;
        };
        let now = Instant::now();
        token.renewed_at = now + RENEWED_AGAIN_AFTER;
        let left = token.ends_at.saturating_duration_since(now).as_secs();
        let (source, endpoint) = (&self.source, &fault.endpoint);
        tracing::warn!(
            source.name = source,
            "source {source:?} keeps its token for {left} s more, for {endpoint} gives no new one"
        );
    }

    async fn ask(&self, grant: &Grant) -> Result<Given, (TokenTrouble, &'static str)> {
        let (silence, refusal) = (grant.cure_of_silence(), grant.cure_of_refusal());
        let asked = grant
            .ask(SystemClock.now_ms() / 1_000)
            .map_err(|detail| (TokenTrouble::NoToken(detail), refusal))?;
        let request = asked.request.timeout(self.timeout);
        let failed = |error: &reqwest::Error| (self.unsent(error), silence);
        let response = request.send().await.map_err(|error| failed(&error))?;
        let status = response.status();
        let body = read(response).await.map_err(|error| failed(&error))?;
        let trouble = match given(status, &body) {
            Ok(given) => return Ok(given),
            Err(TokenTrouble::Refused(status, told)) => {
                TokenTrouble::Refused(status, redacted(told, asked.secrets))
            }
            Err(trouble) => trouble,
        };
        let cure = match trouble {
            TokenTrouble::Refused(..) => refusal,
            _ => silence,
        };
        Err((trouble, cure))
    }

    fn unsent(&self, error: &reqwest::Error) -> TokenTrouble {
        if SendError::from(error).is_timeout {
            TokenTrouble::Slow(self.timeout)
        } else {
            TokenTrouble::Unreachable(innermost(error))
        }
    }
}

/// Reads a body as far as it can be one of a token.
async fn read(mut response: Response) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while body.len() <= MOST_BYTES
        && let Some(chunk) = response.chunk().await?
    {
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Reads what was answered. Nothing of a text that is no answer is told: it may hold anything.
fn given(status: StatusCode, body: &[u8]) -> Result<Given, TokenTrouble> {
    let no_token = |detail: &str| TokenTrouble::NoToken(detail.to_owned());
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(TokenTrouble::Failed(status));
    }
    let parsed: Option<Body> = serde_json::from_slice(body).ok();
    if let Some(error) = parsed.as_ref().and_then(|body| body.error.clone()) {
        let described = parsed.and_then(|body| body.error_description);
        let told = described.map_or(error.clone(), |text| format!("{error}: {text}"));
        return Err(TokenTrouble::Refused(status, told));
    }
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return Err(TokenTrouble::Refused(status, String::new()));
    }
    if !status.is_success() {
        return Err(no_token(&format!("HTTP {}", status.as_u16())));
    }
    let body = parsed.ok_or_else(|| no_token("its answer is no JSON"))?;
    let token = body.access_token;
    let secret = token
        .filter(|token| !token.expose_secret().is_empty())
        .ok_or_else(|| no_token("its answer has no access_token"))?;
    if let Some(kind) = body.token_type
        && !kind.eq_ignore_ascii_case("bearer")
    {
        return Err(no_token("its token is of another type than Bearer"));
    }
    let value = bearer(&secret).map_err(|_| no_token("no header can carry its token"))?;
    let lifetime = lifetime(&body.expires_in)
        .ok_or_else(|| no_token("expires_in of its answer is no number of seconds above 0"))?;
    Ok(Given {
        secret,
        value,
        lifetime,
    })
}

/// How long a token counts: some say it as a text.
fn lifetime(expires_in: &Value) -> Option<Duration> {
    let seconds = match expires_in {
        Value::Null => return Some(UNTOLD_LIFETIME),
        Value::String(text) => text.parse().ok()?,
        other => other.as_f64()?,
    };
    // The comparison refuses NaN as well.
    (seconds > 0.0).then_some(())?;
    let seconds = seconds.min(LONGEST_LIFETIME.as_secs_f64());
    Duration::try_from_secs_f64(seconds).ok()
}
