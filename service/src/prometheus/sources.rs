//! All sources, by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::clock::SharedClock;
use crate::metrics::Metrics;

use super::{Source, SourceConfig, SourceConfigError};

/// The name of the source that is asked when nobody names one.
const DEFAULT_NAME: &str = "default";

/// The configured sources. There is at least one, and one is the default.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    by_name: BTreeMap<String, Arc<Source>>,
    default: Arc<Source>,
}

/// Why the sources cannot be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SourcesError {
    /// Some of them are wrong.
    #[error("{}", join(.0))]
    Sources(Vec<SourceConfigError>),
    /// There is none.
    #[error("no source is configured: name at least one Prometheus")]
    None,
    /// Several, and it is not said which one is the default.
    #[error("it is not said which source is the default: name one of {known}")]
    NoDefault {
        /// The names configured.
        known: String,
    },
    /// The default is not among them.
    #[error("the default source {name:?} is not configured: name one of {known}")]
    UnknownDefault {
        /// The name of the default.
        name: String,
        /// The names configured.
        known: String,
    },
}

fn join(errors: &[SourceConfigError]) -> String {
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    texts.join("; ")
}

impl Sources {
    /// Sets all sources up. The default is the one that is named; else the one called `default`;
    /// else the only one.
    ///
    /// # Errors
    ///
    /// [`SourcesError`] with every source that is wrong.
    pub(crate) fn new(
        configs: BTreeMap<String, SourceConfig>,
        default: Option<&str>,
    ) -> Result<Self, SourcesError> {
        let mut by_name = BTreeMap::new();
        let mut errors = Vec::new();
        for (name, config) in configs {
            match Source::new(name.as_str(), config) {
                Ok(source) => {
                    by_name.insert(name, Arc::new(source));
                }
                Err(error) => errors.push(error),
            }
        }
        if !errors.is_empty() {
            return Err(SourcesError::Sources(errors));
        }
        let known = || by_name.keys().cloned().collect::<Vec<_>>().join(", ");
        let chosen = match default {
            Some(name) => by_name
                .get(name)
                .ok_or_else(|| SourcesError::UnknownDefault {
                    name: name.to_owned(),
                    known: known(),
                })?,
            None => match (by_name.get(DEFAULT_NAME), by_name.first_key_value()) {
                (Some(source), _) => source,
                (None, Some((_name, source))) if by_name.len() == 1 => source,
                (None, Some(_)) => return Err(SourcesError::NoDefault { known: known() }),
                (None, None) => return Err(SourcesError::None),
            },
        };
        let default = Arc::clone(chosen);
        Ok(Self { by_name, default })
    }

    /// The source of that name, or the default when no name is given.
    pub(crate) fn get(&self, name: Option<&str>) -> Option<&Arc<Source>> {
        match name {
            Some(name) => self.by_name.get(name),
            None => Some(&self.default),
        }
    }

    /// Counts the queries of every source. The first call counts.
    pub(crate) fn measured_by(&self, metrics: &Arc<Metrics>) {
        for source in self.by_name.values() {
            source.measured_by(metrics);
        }
    }

    /// Tells a clock what time the default source says it is. The first call counts.
    pub(crate) fn tell_the_time_to(&self, clock: &SharedClock) {
        self.default.tells_the_time_to(clock);
    }

    /// All names, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configs(names: &[&str]) -> BTreeMap<String, SourceConfig> {
        let config = SourceConfig::new("http://localhost:9090".parse().unwrap());
        names
            .iter()
            .map(|&name| (name.to_owned(), config.clone()))
            .collect()
    }

    #[test]
    fn the_default_is_named_or_called_default_or_the_only_one() {
        let default = |names: &[&str], name| {
            Sources::new(configs(names), name).map(|all| all.default.name().to_owned())
        };
        assert_eq!(default(&["eu", "us"], Some("us")), Ok("us".to_owned()));
        assert_eq!(default(&["default", "us"], None), Ok("default".to_owned()));
        assert_eq!(default(&["us"], None), Ok("us".to_owned()));
        assert_eq!(default(&[], None), Err(SourcesError::None));
        let known = "eu, us".to_owned();
        assert_eq!(
            default(&["eu", "us"], None),
            Err(SourcesError::NoDefault {
                known: known.clone()
            })
        );
        let name = "asia".to_owned();
        assert_eq!(
            default(&["eu", "us"], Some("asia")),
            Err(SourcesError::UnknownDefault { name, known })
        );
    }

    #[test]
    fn all_wrong_sources_are_told_at_once() {
        let mut all = configs(&["a", "b", "c"]);
        for name in ["a", "c"] {
            all.get_mut(name).unwrap().max_series = 0;
        }
        let message = Sources::new(all, None).unwrap_err().to_string();
        assert!(
            message.contains("\"a\"") && message.contains("\"c\""),
            "{message}"
        );
    }

    #[test]
    fn sources_are_found_by_name() {
        let sources = Sources::new(configs(&["default", "us"]), None).unwrap();
        assert_eq!(sources.get(None).unwrap().name(), "default");
        assert_eq!(sources.get(Some("us")).unwrap().name(), "us");
        assert!(sources.get(Some("nowhere")).is_none());
        assert_eq!(sources.names().collect::<Vec<_>>(), ["default", "us"]);
    }
}
