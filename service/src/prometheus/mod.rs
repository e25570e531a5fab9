//! Asking a Prometheus: transport, decoding, faults.
//!
//! The transport is that of `prometheus-http-query` over a `reqwest` client of ours; the decoding
//! is ours, because the crate drops `warnings`, reads samples into trees and not columns, and reads
//! a body of any size, as a whole. Every way in which a source can fail has a [`FaultCode`] of its own: the
//! answer to a failing source is a `hold` that names it.

mod arriving;
mod asking;
mod client;
mod config;
mod credentials;
pub(crate) mod decode;
mod fault;
mod files;
mod health;
mod in_flight;
mod room;
mod source;
mod sources;
mod transport;

#[cfg(test)]
pub(crate) use config::{GoogleConfig, OAuth2Config, SigV4Config};
pub(crate) use config::{SourceConfig, SourceConfigError, SourceUrl};
pub(crate) use files::read_small;
pub(crate) use room::{ReadingOf, Room, Share};
pub(crate) use source::Source;
pub(crate) use sources::{Sources, SourcesError};

pub(crate) use serinus_analysis::questions::QuestionTime;

use serinus_analysis::data::{DataFault, FaultCode};
use serinus_analysis::questions::Annotation;
use serinus_analysis::series::Series;

/// A query and when it is evaluated.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Question {
    /// The PromQL text.
    pub promql: String,
    /// When.
    pub at: QuestionTime,
}

/// A question to the index of a source: what its series are named, and not what they count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IndexQuestion {
    /// What is asked for.
    pub of: IndexOf,
    /// The series that are asked about, of any of these selectors; all of the source where there is none.
    pub selectors: Vec<String>,
    /// Series that had samples from this time on, in milliseconds since 1970. Sources keep blocks of
    /// hours, and may tell of older ones too.
    pub start_ms: i64,
    /// Up to this time.
    pub end_ms: i64,
}

/// What an index is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum IndexOf {
    /// The names of the labels.
    LabelNames,
    /// The values of one label.
    ValuesOf(String),
}

/// What a source answered.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Answer {
    /// The series, sorted by their labels.
    pub series: Vec<Series>,
    /// What the source said beside its answer.
    pub annotations: Vec<Annotation>,
    /// Bytes of the body, after decompression.
    pub bytes: u64,
    /// About how much memory it takes.
    pub memory_bytes: u64,
}

/// Why a source did not give a usable answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct SourceFault {
    /// The stable token.
    pub code: FaultCode,
    /// One sentence for people, without secrets.
    pub message: String,
}

impl From<SourceFault> for DataFault {
    fn from(fault: SourceFault) -> Self {
        Self {
            code: fault.code,
            message: fault.message,
        }
    }
}

/// Installs the cryptography of TLS for the whole process: ring. Without it the first client
/// panics. May be called more than once; the first call counts.
pub(crate) fn install_crypto_provider() {
    // An error says that a provider is installed already, which is what was asked for.
    let _already_installed = rustls::crypto::ring::default_provider().install_default();
}
