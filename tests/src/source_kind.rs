//! Which programs the tests know as sources of metrics.

/// Names the sources to test with, separated by commas, where it is not all of them.
const SOURCES_VARIABLE: &str = "SERINUS_TEST_SOURCES";

/// Which program a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceKind {
    /// Prometheus.
    Prometheus,
    /// VictoriaMetrics, which has the same API.
    VictoriaMetrics,
}

impl SourceKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Prometheus, Self::VictoriaMetrics];

    /// The name by which a fleet and a test's output know it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prometheus => "prometheus",
            Self::VictoriaMetrics => "victoria-metrics",
        }
    }

    /// Those that `SERINUS_TEST_SOURCES` names, or else all.
    ///
    /// # Errors
    ///
    /// When it names one that is not known.
    pub fn chosen() -> anyhow::Result<Vec<Self>> {
        let Ok(named) = std::env::var(SOURCES_VARIABLE) else {
            return Ok(Self::ALL.to_vec());
        };
        named
            .split(',')
            .map(|name| {
                let kind = Self::ALL.into_iter().find(|kind| kind.name() == name);
                kind.ok_or_else(|| anyhow::anyhow!("{SOURCES_VARIABLE} names {name:?}"))
            })
            .collect()
    }
}
