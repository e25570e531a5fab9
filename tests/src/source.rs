//! The real sources of metrics that tests read, one like the other.

use crate::prometheus::RealPrometheus;
use crate::query_api::QueryApi;
use crate::source_kind::SourceKind;
use crate::victoria::RealVictoriaMetrics;

/// A running source.
#[derive(Debug)]
pub enum RealSource {
    /// Prometheus.
    Prometheus(RealPrometheus),
    /// VictoriaMetrics.
    VictoriaMetrics(RealVictoriaMetrics),
}

impl RealSource {
    /// Starts a source with a configuration of scrapes, such as that of a fleet.
    ///
    /// # Errors
    ///
    /// When the program is not installed, refuses the configuration, or is not ready in time.
    pub async fn start(kind: SourceKind, configuration: &str) -> anyhow::Result<Self> {
        Ok(match kind {
            SourceKind::Prometheus => Self::Prometheus(RealPrometheus::start(configuration).await?),
            SourceKind::VictoriaMetrics => {
                Self::VictoriaMetrics(RealVictoriaMetrics::start(configuration).await?)
            }
        })
    }

    /// Which program it is.
    pub fn kind(&self) -> SourceKind {
        match self {
            Self::Prometheus(_) => SourceKind::Prometheus,
            Self::VictoriaMetrics(_) => SourceKind::VictoriaMetrics,
        }
    }

    /// The base URL, without a slash at its end.
    pub fn url(&self) -> &str {
        match self {
            Self::Prometheus(prometheus) => prometheus.url(),
            Self::VictoriaMetrics(victoria) => victoria.url(),
        }
    }

    /// What it answers.
    pub fn api(&self) -> &QueryApi {
        match self {
            Self::Prometheus(prometheus) => prometheus.api(),
            Self::VictoriaMetrics(victoria) => victoria.api(),
        }
    }

    /// Makes all that was scraped visible to queries.
    ///
    /// # Errors
    ///
    /// When it does not answer.
    pub async fn flush(&self) -> anyhow::Result<()> {
        match self {
            // It is visible as soon as it is scraped.
            Self::Prometheus(_) => Ok(()),
            Self::VictoriaMetrics(victoria) => victoria.flush().await,
        }
    }
}
