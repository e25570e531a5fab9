//! What time a source says it is.

use std::sync::Arc;

use chrono::DateTime;
use reqwest::Response;
use reqwest::header::{AGE, DATE, HeaderMap};

use super::Source;
use crate::clock::SharedClock;
use crate::time::UnixMillis;

impl Source {
    /// Tells a clock from now on what time the source says it is. The first call counts.
    pub(in super::super) fn tells_the_time_to(&self, clock: &SharedClock) {
        let _ = self.clock.set(Arc::clone(clock));
    }

    /// Asks for nothing but what time it is, which comes with whatever it answers.
    pub(crate) async fn hear_the_time(&self) {
        if let Ok(seal) = self.credentials.seal().await
            && let Ok(response) = self.transport.get_build(&seal).await
        {
            self.note_time(&response);
        }
    }

    pub(super) fn note_time(&self, response: &Response) {
        if let Some(clock) = self.clock.get()
            && let Some(told) = told_time(response.headers())
        {
            clock.hear(told);
        }
    }
}

/// What time an answer says it is, unless somebody on the way has kept it for a while.
fn told_time(headers: &HeaderMap) -> Option<UnixMillis> {
    let date = headers.get(DATE).filter(|_| !headers.contains_key(AGE))?;
    // An HTTP date is one of RFC 2822.
    let date = DateTime::parse_from_rfc2822(date.to_str().ok()?).ok()?;
    Some(UnixMillis::from(date.to_utc()))
}
