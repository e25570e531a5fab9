//! Whether a selector could find something, or leave something out, by what an index says.

use crate::data::{Lack, Mismatch, SelectorFinding};
use crate::query::SelectorParts;
use crate::series::Population;

use super::asking::{Pause, Told};
use super::within::Within;
use super::{BUCKET_LABEL, METRIC_NAME, MOST_LABELS, has_no_label, nearest, statuses};

/// What an index says of a selector by itself, whatever the populations.
pub(super) enum Anywhere<'a> {
    /// It can never match.
    Never(Mismatch),
    /// Its metric has these labels, among them all that it needs.
    Could(&'a [String]),
}

/// Whether anything in the source has the metric, and the labels that are needed.
pub(super) fn anywhere<'a>(
    selector: &SelectorParts,
    told: &mut Told<'a>,
) -> Result<Anywhere<'a>, Pause> {
    let whole = selector.whole_metric()?;
    let labels = told.label_names(&whole)?;
    if has_no_label(labels) && told.label_values(METRIC_NAME, &[&whole])?.is_empty() {
        let all = told.label_values(METRIC_NAME, &[])?;
        return Ok(Anywhere::Never(Mismatch::Metric {
            metric: selector.metric().to_owned(),
            near: nearest::metrics(selector.metric(), all),
        }));
    }
    let mut needed = selector.needed_labels().into_iter();
    Ok(match needed.find(|label| !has(labels, label)) {
        Some(label) => Anywhere::Never(no_label(selector, label, labels, false)),
        None => Anywhere::Could(labels),
    })
}

/// Whether a selector could select anything of the populations.
pub(super) fn could_match(
    selector: &SelectorParts,
    within: Option<&Within>,
    told: &mut Told<'_>,
) -> Result<SelectorFinding, Pause> {
    if let Anywhere::Never(why) = anywhere(selector, told)? {
        return Ok(SelectorFinding::MatchesNothing(why));
    }
    let Some(within) = within else {
        let whole = selector.whole_metric()?;
        let never = no_bound(selector, &[&whole], told)?;
        return Ok(never.map_or(SelectorFinding::CouldMatch, SelectorFinding::MatchesNothing));
    };
    let theirs = Theirs::ask(within, told)?;
    if theirs.is_nobody() {
        return Ok(if theirs.have_the_total_only {
            SelectorFinding::MatchesNothing(Mismatch::OfOthers {
                metric: selector.metric().to_owned(),
            })
        } else {
            // That a population is not there is told of it.
            SelectorFinding::CouldMatch
        });
    }
    for label in selector.needed_labels() {
        if let Some(finding) = theirs.lack(selector, label) {
            return Ok(match finding {
                Lacks::All(why) => SelectorFinding::MatchesNothing(why),
                Lacks::One(lack) => SelectorFinding::LacksTheLabels(lack),
            });
        }
    }
    let among = theirs.selectors();
    if let Some(why) = no_bound(selector, &among, told)? {
        return Ok(SelectorFinding::MatchesNothing(why));
    }
    let labels = selector.needed_labels().into_iter();
    let others = labels.filter(|label| *label != BUCKET_LABEL);
    let mut unlikely = None;
    for label in others.take(MOST_LABELS) {
        let values = told.label_values(label, &among)?;
        let are_statuses = statuses::are_all(values);
        match statuses::selects_none(selector, label, values, are_statuses) {
            Some(why) if is_sure(&why) => return Ok(SelectorFinding::MatchesNothing(why)),
            found => unlikely = unlikely.or(found),
        }
    }
    Ok(unlikely.map_or(SelectorFinding::CouldMatch, SelectorFinding::NoSuchValue))
}

/// Whether what the matchers of a selector exclude beyond a total is there to be left out.
pub(super) fn left_out(
    selector: &SelectorParts,
    own: &SelectorParts,
    within: Option<&Within>,
    told: &mut Told<'_>,
) -> Result<SelectorFinding, Pause> {
    let labels = told.label_names(&selector.whole_metric()?)?;
    let excluding = own.excluding_labels();
    let means_absence = excluding.iter().any(|label| own.asks_for_none(label));
    let (Some(first), false) = (excluding.first(), has_no_label(labels) || means_absence) else {
        return Ok(SelectorFinding::CouldMatch);
    };
    if !excluding.iter().any(|label| has(labels, label)) {
        let why = no_label(own, first, labels, false);
        return Ok(SelectorFinding::LeavesOutNothing(why));
    }
    let Some(within) = within else {
        return Ok(SelectorFinding::CouldMatch);
    };
    let theirs = Theirs::ask(within, told)?;
    if theirs.is_nobody() {
        return Ok(SelectorFinding::CouldMatch);
    }
    let there: Vec<&&str> = excluding.iter().filter(|label| theirs.has(label)).collect();
    if there.is_empty() {
        let why = no_label(own, first, &theirs.all(), true);
        return Ok(SelectorFinding::LeavesOutNothing(why));
    }
    if let (1, Some(Lacks::One(lack))) = (excluding.len(), theirs.lack(own, first)) {
        return Ok(SelectorFinding::LacksTheLabels(lack));
    }
    let among = theirs.selectors();
    let mut leaves_nothing_out = None;
    for label in there.into_iter().take(MOST_LABELS) {
        let values = told.label_values(label, &among)?;
        let found = statuses::leaves_none_out(own, label, values, statuses::are_all(values));
        if found.is_none() {
            return Ok(SelectorFinding::CouldMatch);
        }
        leaves_nothing_out = leaves_nothing_out.or(found);
    }
    Ok(leaves_nothing_out.map_or(
        SelectorFinding::CouldMatch,
        SelectorFinding::LeavesOutNothing,
    ))
}

/// What the series of both populations have.
struct Theirs<'w, 'a> {
    within: &'w Within,
    /// Of each population that is there, the labels.
    labels: Vec<(Population, &'a [String])>,
    /// Whether there are series of the total, and none that could be events.
    have_the_total_only: bool,
}

/// Who lacks a label.
enum Lacks {
    /// All populations that are there.
    All(Mismatch),
    /// One of two.
    One(Lack),
}

impl<'w, 'a> Theirs<'w, 'a> {
    fn ask(within: &'w Within, told: &mut Told<'a>) -> Result<Self, Pause> {
        let control = told.label_names(&within.series.control)?;
        let canary = told.label_names(&within.series.canary)?;
        let mut labels = vec![(Population::Control, control), (Population::Canary, canary)];
        labels.retain(|(_, labels)| !has_no_label(labels));
        let mut have_the_total_only = false;
        if let (true, Some(total)) = (labels.is_empty(), &within.total) {
            have_the_total_only = !has_no_label(told.label_names(&total.control)?)
                || !has_no_label(told.label_names(&total.canary)?);
        }
        Ok(Self {
            within,
            labels,
            have_the_total_only,
        })
    }

    fn is_nobody(&self) -> bool {
        self.labels.is_empty()
    }

    fn has(&self, label: &str) -> bool {
        self.labels.iter().any(|(_, labels)| has(labels, label))
    }

    fn all(&self) -> Vec<String> {
        let all = self.labels.iter().flat_map(|(_, labels)| labels.iter());
        let mut all: Vec<String> = all.cloned().collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    fn selectors(&self) -> Vec<&'w str> {
        let of = self.labels.iter().map(|(population, _)| match population {
            Population::Control => self.within.series.control.as_str(),
            Population::Canary => self.within.series.canary.as_str(),
        });
        of.collect()
    }

    fn lack(&self, selector: &SelectorParts, label: &str) -> Option<Lacks> {
        let mut lacking = self.labels.iter().filter(|(_, labels)| !has(labels, label));
        let (population, labels) = lacking.next()?;
        if !self.has(label) {
            return Some(Lacks::All(no_label(selector, label, &self.all(), true)));
        }
        Some(Lacks::One(Lack {
            population: *population,
            metric: selector.metric().to_owned(),
            asked: vec![label.to_owned()],
            near: nearest::labels(label, labels),
            is_renamed: false,
        }))
    }
}

/// Why buckets that are selected by their bound are not there.
fn no_bound(
    selector: &SelectorParts,
    among: &[&str],
    told: &mut Told<'_>,
) -> Result<Option<Mismatch>, Pause> {
    if !selector.needs_bound() {
        return Ok(None);
    }
    let bounds = told.label_values(BUCKET_LABEL, among)?;
    let is_taken = |bound: &String| selector.takes(BUCKET_LABEL, bound);
    if bounds.iter().any(is_taken) {
        return Ok(None);
    }
    let (is_same_number, near) = nearest::bounds(selector.exact_bound(), bounds);
    Ok(Some(Mismatch::Bound {
        metric: selector.metric().to_owned(),
        asked: selector.asked_of(BUCKET_LABEL),
        is_same_number,
        near,
    }))
}

/// A label that none of the series has whose labels are given.
pub(super) fn no_label(
    selector: &SelectorParts,
    label: &str,
    known: &[String],
    others_have_it: bool,
) -> Mismatch {
    Mismatch::Label {
        metric: selector.metric().to_owned(),
        label: label.to_owned(),
        asked: selector.asked_of(label),
        near: nearest::labels(label, known),
        others_have_it,
    }
}

/// Whether what was found holds for values to come.
pub(super) fn is_sure(why: &Mismatch) -> bool {
    match why {
        Mismatch::Value {
            is_of_every_status, ..
        } => *is_of_every_status,
        Mismatch::Metric { .. }
        | Mismatch::OfOthers { .. }
        | Mismatch::Label { .. }
        | Mismatch::Bound { .. } => true,
    }
}

fn has(labels: &[String], label: &str) -> bool {
    labels.iter().any(|known| known == label)
}
