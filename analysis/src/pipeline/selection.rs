//! What a metric reads of each population.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::series::Populations;

/// The texts of PromQL by which a metric is read: selectors of counters whose series are added up, the
/// selector of a histogram, or an expression. They are the same for both populations, unless the old
/// and the new version have other names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Selection(Populations<Vec<String>>);

impl Selection {
    /// The same text for both populations.
    pub fn same(text: impl Into<String>) -> Self {
        Self::all_of(vec![text.into()])
    }

    /// The same texts for both populations, added up.
    pub fn all_of(texts: Vec<String>) -> Self {
        Self(Populations {
            control: texts.clone(),
            canary: texts,
        })
    }

    /// The texts of each population.
    pub fn new(texts: Populations<Vec<String>>) -> Self {
        Self(texts)
    }

    /// The texts of each population.
    pub fn texts(&self) -> Populations<&[String]> {
        self.0.as_ref().map(Vec::as_slice)
    }

    /// Every text, each once.
    pub fn every(&self) -> impl Iterator<Item = &str> {
        let all = self.0.control.iter().chain(&self.0.canary);
        all.map(String::as_str).collect::<BTreeSet<_>>().into_iter()
    }

    /// One of the texts, for messages and for questions that take one: the canary's first.
    pub fn one(&self) -> &str {
        let Populations { control, canary } = &self.0;
        let mut all = canary.iter().chain(control);
        all.next().map(String::as_str).unwrap_or_default()
    }

    /// The text of both populations, where there is one.
    pub fn only(&self) -> Option<&str> {
        let mut every = self.every();
        let one = every.next()?;
        every.next().is_none().then_some(one)
    }

    /// The same, each text changed.
    #[must_use]
    pub fn map(&self, change: impl Fn(&str) -> String) -> Self {
        let changed = |texts: &Vec<String>| texts.iter().map(|text| change(text)).collect();
        Self(self.0.as_ref().map(changed))
    }
}

impl From<&str> for Selection {
    fn from(text: &str) -> Self {
        Self::same(text)
    }
}
