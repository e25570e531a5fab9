//! What lets a source know who asks, read again from its files when these change.

mod header;
mod redact;

use reqwest::header::HeaderMap;

use super::config::SourceConfig;
use header::SecretHeader;
use redact::redacted;

/// Everything that is sent with each query of a source, beside the query.
pub(super) struct Credentials {
    source: String,
    headers: Vec<SecretHeader>,
}

impl Credentials {
    /// Collects the headers of a source; files must be there.
    pub(super) fn new(source: &str, config: &SourceConfig) -> Result<Self, String> {
        let headers = SecretHeader::all_of(config)?;
        for (index, header) in headers.iter().enumerate() {
            let mut others = headers.iter().skip(index + 1);
            if others.any(|other| other.name == header.name) {
                return Err(format!("header {} is set twice: keep one", header.name));
            }
        }
        Ok(Self {
            source: source.to_owned(),
            headers,
        })
    }

    /// The headers to send now.
    pub(super) fn headers(&self) -> HeaderMap {
        self.headers
            .iter()
            .map(|header| (header.name.clone(), header.value(&self.source)))
            .collect()
    }

    /// Blots the secrets out of a text of others: a proxy that echoes a request must not bring
    /// its credentials into a message.
    pub(super) fn redact(&self, text: String) -> String {
        redacted(text, self.headers.iter().flat_map(SecretHeader::secrets))
    }
}
