//! Where the series of a population are that has none.

use crate::data::{Lack, NotSeen, SelectorFinding};
use crate::matchers::Matchers;
use crate::query::{SelectorParts, counter_parts};
use crate::series::Population;

use super::asking::{Pause, Told};
use super::matching::{Anywhere, anywhere, no_label};
use super::{BUCKET_LABEL, MOST_LABELS, has_no_label, nearest};

/// Whether the canary could have series of the events, of which it has none.
pub(super) fn of_the_canary(
    selector: &SelectorParts,
    canary: &Matchers,
    told: &mut Told<'_>,
) -> Result<SelectorFinding, Pause> {
    let lacks = |asked: Vec<String>, near: Vec<String>| {
        SelectorFinding::LacksTheLabels(Lack {
            population: Population::Canary,
            metric: selector.metric().to_owned(),
            asked,
            near,
            is_renamed: false,
        })
    };
    if told.has_series(&selector.like_it(canary)?)? {
        return Ok(SelectorFinding::CanaryHasTheLabels);
    }
    let of_canary = selector.of_population(canary)?;
    let labels = told.label_names(&of_canary)?;
    let needed = selector.needed_labels();
    let is_missing = |label: &&&str| !labels.iter().any(|known| known == **label);
    let missing: Vec<String> = needed
        .iter()
        .filter(is_missing)
        .map(|label| (*label).to_owned())
        .collect();
    if let (Some(first), false) = (missing.first(), has_no_label(labels)) {
        let near = nearest::labels(first, labels);
        return Ok(lacks(missing, near));
    }
    if has_no_label(labels) || !selector.needs_bound() {
        let asked = needed.iter().map(|label| (*label).to_owned()).collect();
        // Where all labels exist they do not together, or did in another window.
        let others: Vec<String> = labels
            .iter()
            .filter(|label| !needed.contains(&label.as_str()))
            .cloned()
            .collect();
        return Ok(lacks(asked, nearest::labels("", &others)));
    }
    let bounds = told.label_values(BUCKET_LABEL, &[&of_canary])?;
    let (_, near) = nearest::bounds(selector.exact_bound(), bounds);
    Ok(lacks(vec![selector.asked_of(BUCKET_LABEL)], near))
}

/// Where the series of a population are that has none.
pub(super) fn not_seen(
    selector: &SelectorParts,
    population: &Matchers,
    told: &mut Told<'_>,
) -> Result<SelectorFinding, Pause> {
    place(selector, population, told).map(SelectorFinding::NotSeen)
}

fn place(
    selector: &SelectorParts,
    population: &Matchers,
    told: &mut Told<'_>,
) -> Result<NotSeen, Pause> {
    let labels = match anywhere(selector, told)? {
        Anywhere::Never(why) => return Ok(NotSeen::Mismatch(why)),
        Anywhere::Could(labels) => labels,
    };
    let metric = || selector.metric().to_owned();
    let theirs = selector.of_population(population)?;
    let of_population = counter_parts(&theirs)?;
    let needed = of_population.needed_labels();
    for label in &needed {
        if !labels.iter().any(|known| known == label) {
            return Ok(NotSeen::Label {
                metric: metric(),
                label: (*label).to_owned(),
                near: nearest::labels(label, labels),
            });
        }
    }
    let whole = selector.whole_metric()?;
    for label in needed.iter().take(MOST_LABELS) {
        let values = told.label_values(label, &[&whole])?;
        if !values.iter().any(|value| of_population.takes(label, value)) {
            return Ok(NotSeen::Value {
                metric: metric(),
                asked: of_population.asked_of(label),
                near: nearest::values(of_population.wanted_of(label), values),
            });
        }
    }
    let labels = told.label_names(&theirs)?;
    let mut missing = selector.needed_labels().into_iter();
    let missing = missing.find(|label| !labels.iter().any(|known| known == label));
    Ok(match missing {
        Some(label) if !has_no_label(labels) => {
            NotSeen::Mismatch(no_label(selector, label, labels, true))
        }
        _ => NotSeen::Elsewhere { metric: metric() },
    })
}
