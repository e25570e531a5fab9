//! What a caller gives of the populations, beside what its pipeline says: it is laid over, label
//! by label.
//!
//! Source: docs/design/gate.md, "Populations"

use std::collections::BTreeMap;

use serinus_analysis::matchers::Matchers;
use serinus_analysis::pipeline::Pipeline;
use serinus_analysis::series::Populations;

/// The matchers that each label gets which a caller names; a label with none is taken away. Empty
/// when the caller says nothing of the population.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Overlay(BTreeMap<String, Matchers>);

impl From<BTreeMap<String, Matchers>> for Overlay {
    fn from(labels: BTreeMap<String, Matchers>) -> Self {
        Self(labels)
    }
}

impl Overlay {
    /// Lays it over matchers: a label that is named loses all that it had.
    pub(crate) fn over(&self, own: &Matchers) -> Matchers {
        let kept = own.iter().filter(|own| !self.0.contains_key(&own.label));
        let given = self.0.values().flatten();
        kept.chain(given).cloned().collect()
    }
}

/// The populations that are judged: what a caller gives, laid over what the pipeline's file writes.
/// A default that nobody wrote counts only where the caller says nothing either: the canaries of
/// most callers have no label `track`.
pub(crate) fn populations_of(
    pipeline: &Pipeline,
    given: &Populations<Overlay>,
) -> Populations<Matchers> {
    let laid_over = |given: &Overlay, own: &Matchers, is_written: bool| {
        if is_written || given.0.is_empty() {
            return given.over(own);
        }
        given.over(&Matchers::new())
    };
    let written = pipeline.written;
    Populations {
        control: laid_over(&given.control, &pipeline.control, written.control),
        canary: laid_over(&given.canary, &pipeline.canary, written.canary),
    }
}

#[cfg(test)]
mod tests {
    use serinus_analysis::pipeline::parse;
    use serinus_openapi::population::{LabelText, PopulationOverlay};

    use super::*;

    fn matchers(texts: &[&str]) -> Matchers {
        overlay(texts).over(&Matchers::new())
    }

    fn overlay(texts: &[&str]) -> Overlay {
        let texts = texts.iter().map(|text| text.parse::<LabelText>().unwrap());
        let sent = PopulationOverlay::of_texts(texts).unwrap();
        let labels = sent.map(|sent| sent.to_matchers().unwrap());
        labels.unwrap_or_default().into()
    }

    #[test]
    fn a_label_that_is_named_takes_the_place_of_the_pipelines_and_all_others_stay() {
        let own = matchers(&["job=checkout", "pod=~web-.*", "pod!=web-0"]);
        for (given, expected) in [
            (&[][..], &["job=checkout", "pod=~web-.*", "pod!=web-0"][..]),
            (
                &["version=v2"],
                &["job=checkout", "pod=~web-.*", "pod!=web-0", "version=v2"],
            ),
            // All that the pipeline says of it, whatever the operator.
            (&["pod=web-1"], &["job=checkout", "pod=web-1"]),
            (&["pod!="], &["job=checkout"]),
            (&["job!=", "pod!="], &[]),
            (&["zone!="], &["job=checkout", "pod=~web-.*", "pod!=web-0"]),
            (&["job="], &["job=", "pod=~web-.*", "pod!=web-0"]),
        ] {
            assert_eq!(overlay(given).over(&own), matchers(expected), "{given:?}");
        }
    }

    #[test]
    fn a_default_that_nobody_wrote_gives_way() {
        let stages = "canary_pipeline: {a: {traffic_percent: 5, duration_minutes: 5, metrics: \
                      [error_rate < 1%]}}";
        let judged = |written: &str, control: &[&str]| {
            let pipeline = parse(&format!("{written}{stages}"), "test").unwrap();
            let given = Populations {
                control: overlay(control),
                canary: Overlay::default(),
            };
            populations_of(&pipeline, &given)
        };
        for (written, given, expected) in [
            ("", &[][..], &["track=stable"][..]),
            ("", &["hash=a"], &["hash=a"]),
            (
                "control: {track: stable}\n",
                &["hash=a"],
                &["hash=a", "track=stable"],
            ),
        ] {
            let judged = judged(written, given);
            assert_eq!(judged.control, matchers(expected), "{written} {given:?}");
            assert_eq!(judged.canary, matchers(&["track=canary"]));
        }
    }
}
