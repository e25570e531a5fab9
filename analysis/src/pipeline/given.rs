//! What a file gives of a metric: for both populations, and of each alone.

use crate::series::Populations;

use super::cursor::{Cursor, Field, Fields, Problems};
use super::model::Own;
use super::own_matchers::OwnMatchers;
use super::population::{MatcherValues, names_a_source, read_labels, read_source};

/// The keys that say what is read. They may stand beside the metric's others, and under `control` and
/// `canary` for one of the populations.
const OF_A_POPULATION: &[&str] = &[
    "errors",
    "events",
    "total",
    "histogram",
    "scale",
    "gauge",
    "counter",
];

/// All keys of a metric.
pub(super) const KEYS: &[&str] = &[
    "errors",
    "events",
    "total",
    "per",
    "strata",
    "events_may_be_absent",
    "quantile",
    "histogram",
    "native",
    "scale",
    "gauge",
    "pod_label",
    "counter",
    "impact_of",
    "better",
    "unit",
    "control",
    "canary",
];

/// What a file states of a key for a population.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Stated<T> {
    /// Nothing.
    Nowhere,
    /// Something wrong, which has been told.
    Wrong,
    /// This.
    As(T),
}

/// What a file gives of a metric.
pub(super) struct Given<'a> {
    /// The metric.
    pub(super) metric: Cursor<'a>,
    /// What holds for both populations.
    pub(super) beside: Fields<'a>,
    /// What holds for one of them: the keys that say what is read, and labels.
    own: Populations<Option<(Cursor<'a>, Vec<Field<'a>>)>>,
}

impl<'a> Given<'a> {
    /// Takes a metric apart.
    pub(super) fn read(metric: &Cursor<'a>, problems: &mut Problems) -> Option<Self> {
        let beside = metric.fields(
            "a mapping such as {errors: .., total: ..}, {gauge: ..} or {quantile: .., histogram: ..}",
            KEYS,
            problems,
        )?;
        let mut own = |population| {
            let section: &Cursor<'a> = beside.get(population)?;
            let expected =
                "label matchers such as {service: checkout}, or what is read of it alone";
            let fields = section.entries(expected, problems)?;
            Some((section.clone(), fields))
        };
        let own = Populations {
            control: own("control"),
            canary: own("canary"),
        };
        Some(Self {
            metric: metric.clone(),
            beside,
            own,
        })
    }

    /// Whether a key is given for both populations or for one.
    pub(super) fn has(&self, key: &str) -> bool {
        let own = self.own_of(key);
        self.beside.get(key).is_some() || own.control.is_some() || own.canary.is_some()
    }

    /// Every place where a key is given.
    pub(super) fn places(&self, key: &str) -> Vec<&Cursor<'a>> {
        let own = self.own_places(key).into_iter();
        self.beside.get(key).into_iter().chain(own).collect()
    }

    /// Every place where a key is given of one population alone.
    pub(super) fn own_places(&self, key: &str) -> Vec<&Cursor<'a>> {
        let own = self.own_of(key);
        [own.control, own.canary].into_iter().flatten().collect()
    }

    /// Reads a key that says what is read, once for each place where it is given: what is given of a
    /// population goes before what is given of both. One that a population lacks is told.
    pub(super) fn of_each<T: Clone>(
        &self,
        key: &str,
        read: impl Fn(&Cursor<'a>, &mut Problems) -> Option<T>,
        problems: &mut Problems,
    ) -> Option<Populations<T>> {
        let found = self.of_any(key, read, problems);
        match (found.control, found.canary) {
            (Stated::As(control), Stated::As(canary)) => Some(Populations { control, canary }),
            (Stated::As(_) | Stated::Wrong, Stated::Nowhere) => self.lacks(key, "canary", problems),
            (Stated::Nowhere, Stated::As(_) | Stated::Wrong) => {
                self.lacks(key, "control", problems)
            }
            (Stated::Wrong, _) | (_, Stated::Wrong) | (Stated::Nowhere, Stated::Nowhere) => None,
        }
    }

    /// The same of a key that a population may lack.
    pub(super) fn of_any<T: Clone>(
        &self,
        key: &str,
        read: impl Fn(&Cursor<'a>, &mut Problems) -> Option<T>,
        problems: &mut Problems,
    ) -> Populations<Stated<T>> {
        let mut stated = |value: Option<&Cursor<'a>>| match value {
            None => Stated::Nowhere,
            Some(value) => read(value, problems).map_or(Stated::Wrong, Stated::As),
        };
        let both = stated(self.beside.get(key));
        let own = self.own_of(key);
        let mut of = |own: Option<&Cursor<'a>>| match stated(own) {
            Stated::Nowhere => both.clone(),
            own @ (Stated::As(_) | Stated::Wrong) => own,
        };
        Populations {
            control: of(own.control),
            canary: of(own.canary),
        }
    }

    fn lacks<T>(&self, key: &str, population: &str, problems: &mut Problems) -> Option<T> {
        let message = format!(
            "{key:?} is not said of the {population}: give it there as well, or beside for both"
        );
        self.metric.problem(problems, message);
        None
    }

    /// How each population is selected, where that is the metric's own way.
    pub(super) fn own(&self, problems: &mut Problems) -> Populations<Own> {
        self.own.as_ref().map(|own| match own {
            Some((section, fields)) => own_of_fields(section, fields, problems),
            None => Own::default(),
        })
    }

    fn own_of(&self, key: &str) -> Populations<Option<&Cursor<'a>>> {
        self.own.as_ref().map(|own| {
            let (_, fields) = own.as_ref()?;
            let field = fields.iter().find(|field| field.key == key)?;
            Some(&field.value)
        })
    }
}

/// Reads how a population is selected: by labels, and from a source of its own.
pub(super) fn read_own(section: &Cursor<'_>, problems: &mut Problems) -> Own {
    let fields = section.entries("label matchers such as {service: checkout}", problems);
    fields.map_or_else(Own::default, |fields| {
        own_of_fields(section, &fields, problems)
    })
}

fn own_of_fields(section: &Cursor<'_>, fields: &[Field<'_>], problems: &mut Problems) -> Own {
    let mut found = Own::default();
    let mut labels: Vec<&Field<'_>> = Vec::new();
    for field in fields {
        if names_a_source(field, problems) {
            found.source = read_source(&field.value, problems);
        } else if !OF_A_POPULATION.contains(&field.key) {
            labels.push(field);
        }
    }
    // A mapping of nothing is told as one without labels.
    if !labels.is_empty() || fields.is_empty() {
        found.matchers = own_matchers(section, &labels, problems);
    }
    found
}

fn own_matchers(
    section: &Cursor<'_>,
    labels: &[&Field<'_>],
    problems: &mut Problems,
) -> Option<OwnMatchers> {
    let matchers = read_labels(section, labels, MatcherValues::WithPlaceholders, problems)?;
    match OwnMatchers::new(matchers) {
        Ok(own) => Some(own),
        Err(message) => {
            section.problem(problems, message);
            None
        }
    }
}
