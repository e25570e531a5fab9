//! What the labels of a total's series say of events that are some of them, without a question.
//!
//! A population none of whose series has a label that the events ask for has not had no events: it cannot
//! be counted. A label that comes with an event is none of these: where no series but those of events
//! have it, who lacks it has had no event.

use crate::data::{Lack, Mismatch, SelectorFinding};
use crate::populations::SeriesLabels;
use crate::query::SelectorParts;
use crate::series::{Population, Populations};

use super::asking::{Pause, Told};
use super::matching::{is_sure, no_label};
use super::{nearest, statuses};

/// What is seen of the events.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted {
    /// No population has a series of them.
    pub(super) has_none: bool,
    /// The canary has none, where some were to be expected.
    pub(super) lacks_expected: bool,
    /// Every request of both populations is one.
    pub(super) are_all: bool,
}

/// What the labels tell of the events that `own` matchers tell from the others of the total; nothing
/// where all is as it should be.
pub(super) fn found(
    own: &SelectorParts,
    seen: &Populations<SeriesLabels>,
    counted: Counted,
) -> Option<SelectorFinding> {
    let here = Here::of(seen);
    let needed = own.needed_labels();
    if needed.is_empty() {
        here.left_out(own, counted)
    } else {
        here.selected(own, &needed, counted)
    }
}

/// Adds whether others have the label that is lacked.
pub(super) fn with_others(
    selector: &SelectorParts,
    finding: &SelectorFinding,
    told: &mut Told<'_>,
) -> Result<SelectorFinding, Pause> {
    let mut finding = finding.clone();
    if let SelectorFinding::MatchesNothing(Mismatch::Label {
        label,
        others_have_it,
        ..
    })
    | SelectorFinding::LeavesOutNothing(Mismatch::Label {
        label,
        others_have_it,
        ..
    }) = &mut finding
    {
        let labels = told.label_names(&selector.whole_metric()?)?;
        *others_have_it = labels.contains(label);
    }
    Ok(finding)
}

/// The populations that have series.
struct Here<'a>(Vec<(Population, &'a SeriesLabels)>);

impl<'a> Here<'a> {
    fn of(seen: &'a Populations<SeriesLabels>) -> Self {
        let mut here = vec![
            (Population::Control, &seen.control),
            (Population::Canary, &seen.canary),
        ];
        here.retain(|(_, labels)| !labels.is_empty());
        Self(here)
    }

    fn selected(
        &self,
        own: &SelectorParts,
        needed: &[&str],
        counted: Counted,
    ) -> Option<SelectorFinding> {
        for label in needed {
            if !self.has(label) {
                let why = no_label(own, label, &self.names(), false);
                return Some(SelectorFinding::MatchesNothing(why));
            }
        }
        let mut lacks = needed.iter().filter_map(|label| {
            let is_renamed = |other: &SeriesLabels| other.all_have(label) && other.has_others;
            self.lack(own, label, is_renamed)
        });
        if let Some(lack) = lacks.find(|lack| {
            // A label that comes with an event is lacked by who has had none.
            let is_expected = lack.population == Population::Canary && counted.lacks_expected;
            lack.is_renamed || is_expected
        }) {
            return Some(SelectorFinding::LacksTheLabels(lack));
        }
        if counted.has_none {
            return Some(self.no_value(own, needed));
        }
        counted
            .lacks_expected
            .then_some(SelectorFinding::CanaryHasTheLabels)
    }

    /// Which of the labels has no value that is asked for, the surest first.
    fn no_value(&self, own: &SelectorParts, needed: &[&str]) -> SelectorFinding {
        let mut unlikely = None;
        for label in needed {
            if self.telling(label).any(|one| one.is_taken) {
                continue;
            }
            let (values, are_statuses) = self.values(label);
            match statuses::selects_none(own, label, &values, are_statuses) {
                Some(why) if is_sure(&why) => return SelectorFinding::MatchesNothing(why),
                found => unlikely = unlikely.or(found),
            }
        }
        unlikely.map_or(SelectorFinding::CouldMatch, SelectorFinding::NoSuchValue)
    }

    fn left_out(&self, own: &SelectorParts, counted: Counted) -> Option<SelectorFinding> {
        if own.takes_everything() {
            return counted.are_all.then_some(SelectorFinding::AllAreEvents);
        }
        let excluding = own.excluding_labels();
        // Who has no error has no label of one: `error=""`.
        if excluding.iter().any(|label| own.asks_for_none(label)) {
            return None;
        }
        let first = excluding.first()?;
        if !excluding.iter().any(|label| self.has(label)) {
            let why = no_label(own, first, &self.names(), false);
            return Some(SelectorFinding::LeavesOutNothing(why));
        }
        let there = excluding.iter().find(|label| self.has(label))?;
        let lacks_all = |labels: &SeriesLabels| !excluding.iter().any(|label| labels.has(label));
        if self.0.iter().any(|(_, labels)| lacks_all(labels))
            && let Some(lack) = self.lack(own, there, |other| other.all_have(there))
            && lack.is_renamed
        {
            return Some(SelectorFinding::LacksTheLabels(lack));
        }
        if !counted.are_all {
            return None;
        }
        let (values, are_statuses) = self.values(there);
        statuses::leaves_none_out(own, there, &values, are_statuses)
            .map(SelectorFinding::LeavesOutNothing)
    }

    /// The population that lacks a label, where another has it.
    fn lack(
        &self,
        own: &SelectorParts,
        label: &str,
        is_renamed: impl Fn(&SeriesLabels) -> bool,
    ) -> Option<Lack> {
        let mut lacking = self.0.iter().filter(|(_, labels)| !labels.has(label));
        let (population, labels) = lacking.next()?;
        let mut others = self.0.iter().filter(|(_, labels)| labels.has(label));
        let (_, other) = others.next()?;
        let names: Vec<String> = labels.names.iter().cloned().collect();
        Some(Lack {
            population: *population,
            metric: own.metric().to_owned(),
            asked: vec![label.to_owned()],
            near: nearest::labels(label, &names),
            is_renamed: is_renamed(other),
        })
    }

    fn has(&self, label: &str) -> bool {
        self.0.iter().any(|(_, labels)| labels.has(label))
    }

    fn names(&self) -> Vec<String> {
        let all = self.0.iter().flat_map(|(_, labels)| &labels.names);
        let mut names: Vec<String> = all.cloned().collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn telling(&self, label: &str) -> impl Iterator<Item = &'a crate::populations::TellingLabel> {
        let of = self.0.iter().map(|(_, labels)| labels.telling.get(label));
        of.flatten()
    }

    fn values(&self, label: &str) -> (Vec<String>, bool) {
        let all = self.telling(label).flat_map(|one| &one.values);
        let mut values: Vec<String> = all.cloned().collect();
        values.sort_unstable();
        values.dedup();
        let are_statuses = !self.telling(label).any(|one| one.has_other_than_statuses);
        (values, are_statuses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::{Narrowing, counter_parts};
    use crate::series::Series;

    /// The series of one population, by the values of a label; none lacks it.
    fn with(label: &str, values: &[&str]) -> Vec<Series> {
        let one = |value: &&str| Series {
            labels: [(label, *value), ("pod", "a")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            timestamps_ms: vec![0],
            values: vec![1.0],
        };
        values.iter().map(one).collect()
    }

    /// What is told of events by a selector `x{..}` in the total `x`, from the series of control and canary.
    fn told(events: &str, control: &[Series], canary: &[Series]) -> Option<SelectorFinding> {
        let narrowing = Narrowing::of("x", events).unwrap();
        let count = |series: &[Series]| {
            let events = series.iter().filter(|one| narrowing.keeps(&one.labels));
            (events.count(), series.len())
        };
        let (of_control, of_canary) = (count(control), count(canary));
        let counted = Counted {
            has_none: of_control.0 + of_canary.0 == 0,
            lacks_expected: of_control.0 > 0 && of_canary.0 == 0,
            are_all: of_control.0 == of_control.1 && of_canary.0 == of_canary.1,
        };
        let seen = Populations {
            control: SeriesLabels::of(control, &narrowing),
            canary: SeriesLabels::of(canary, &narrowing),
        };
        let own = counter_parts(events).unwrap();
        found(&own, &seen, counted)
    }

    fn lacked_by(finding: Option<SelectorFinding>) -> Option<(Population, bool)> {
        match finding {
            Some(SelectorFinding::LacksTheLabels(lack)) => Some((lack.population, lack.is_renamed)),
            _ => None,
        }
    }

    const SELECTING: &str = r#"x{code=~"5.."}"#;
    const EXCLUDING: &str = r#"x{code!~"2.."}"#;

    #[test]
    fn a_label_that_neither_population_has_tells_nothing_apart() {
        let both = with("status", &["200", "500"]);
        let selecting = told(SELECTING, &both, &both);
        assert!(
            matches!(
                selecting,
                Some(SelectorFinding::MatchesNothing(Mismatch::Label { ref label, .. })) if label == "code"
            ),
            "{selecting:?}"
        );
        let excluding = told(EXCLUDING, &both, &both);
        assert!(
            matches!(
                excluding,
                Some(SelectorFinding::LeavesOutNothing(Mismatch::Label { .. }))
            ),
            "{excluding:?}"
        );
    }

    #[test]
    fn a_population_without_the_label_of_all_others_cannot_be_counted() {
        let (old, new) = (
            with("status", &["200", "500"]),
            with("code", &["200", "500"]),
        );
        for events in [SELECTING, EXCLUDING] {
            for values in [&["200", "500"][..], &["200"]] {
                let new = with("code", values);
                let control = lacked_by(told(events, &old, &new));
                assert_eq!(control, Some((Population::Control, true)), "{events}");
                let canary = lacked_by(told(events, &new, &old));
                assert_eq!(canary, Some((Population::Canary, true)), "{events}");
            }
            assert_eq!(told(events, &new, &new), None);
        }
    }

    #[test]
    fn who_lacks_a_label_that_comes_with_an_event_has_had_none() {
        let good = with("pod", &["b"]);
        let bad = [with("error", &["timeout"]), good.clone()].concat();
        // A bad canary beside a control that has not failed is compared with it.
        for all_fail in [bad.clone(), with("error", &["timeout"])] {
            assert_eq!(told(r#"x{error!=""}"#, &good, &all_fail), None);
            assert_eq!(told(r#"x{error=""}"#, &good, &all_fail), None);
        }
        // Where some were to be expected of the canary they may have been renamed.
        let canary = lacked_by(told(r#"x{error!=""}"#, &bad, &good));
        assert_eq!(canary, Some((Population::Canary, false)));
    }

    #[test]
    fn a_label_that_only_narrows_what_is_counted_is_not_needed() {
        let (old, new) = (with("code", &["200", "500"]), {
            let mut new = with("code", &["200", "500"]);
            for one in &mut new {
                one.labels.insert("route".to_owned(), "/pay".to_owned());
            }
            new
        });
        let events = r#"x{code=~"5..",route!="/healthz"}"#;
        assert_eq!(told(events, &old, &new), None);
        assert_eq!(told(events, &old, &old), None);
    }

    #[test]
    fn a_value_that_no_status_has_never_comes() {
        let both = with("code", &["200", "500"]);
        for wrong in [r#"x{code=~"5..."}"#, r#"x{code=~"5"}"#, r#"x{code="5xx"}"#] {
            let finding = told(wrong, &both, &both);
            let Some(SelectorFinding::MatchesNothing(why)) = finding else {
                panic!("{wrong}: {finding:?}");
            };
            assert!(
                why.to_string().contains("no HTTP status is like that"),
                "{why}"
            );
        }
        // One that has not come yet is what a service without failures lacks.
        let good = with("code", &["200", "404"]);
        for right in [SELECTING, r#"x{code="503"}"#, r#"x{code="0"}"#] {
            assert_eq!(
                told(right, &good, &good),
                Some(SelectorFinding::CouldMatch),
                "{right}"
            );
        }
    }

    #[test]
    fn a_value_that_is_none_of_those_there_are_is_told_with_them() {
        let both = with("handler", &["/cart", "/checkout"]);
        let finding = told(r#"x{handler="/chekout"}"#, &both, &both);
        let Some(SelectorFinding::NoSuchValue(why)) = finding else {
            panic!("{finding:?}");
        };
        assert_eq!(
            why.to_string(),
            "handler=\"/chekout\" finds nothing: of handler there is /checkout, /cart"
        );
    }

    #[test]
    fn what_no_status_is_leaves_nothing_out() {
        let both = with("code", &["200", "500"]);
        let finding = told(r#"x{code!~"2..."}"#, &both, &both);
        let Some(SelectorFinding::LeavesOutNothing(why)) = finding else {
            panic!("{finding:?}");
        };
        assert_eq!(
            why.left_out(),
            "every request counts as one: code!~\"2...\" leaves nothing out: there is 200, 500, and no \
             HTTP status is like that"
        );
        // A service of which everything fails, or nothing, is told apart all the same.
        let one = with("code", &["500"]);
        assert_eq!(told(EXCLUDING, &one, &one), None);
        assert_eq!(
            told(r#"x{code=~".*"}"#, &both, &both),
            Some(SelectorFinding::AllAreEvents)
        );
    }
}
