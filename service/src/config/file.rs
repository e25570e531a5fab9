//! Reading the configuration file.

use super::settings::ConfigFile;

impl ConfigFile {
    /// Reads the text of a file. An empty one is a file that says nothing.
    ///
    /// # Errors
    ///
    /// Where the mistake is and what it is.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let says_nothing = text
            .lines()
            .map(str::trim)
            .all(|line| line.is_empty() || line.starts_with('#'));
        if says_nothing {
            return Ok(Self::default());
        }
        let file: Self = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        if file.prometheus.is_some() && file.sources.contains_key(super::DEFAULT_SOURCE) {
            return Err(
                "the default source is given twice, as `prometheus` and under `sources`: keep one"
                    .to_owned(),
            );
        }
        Ok(file)
    }
}
