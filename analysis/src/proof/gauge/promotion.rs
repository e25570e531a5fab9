//! What a stage shows of a canary that keeps its limit, what forbids its promotion, and what is shown of it.
//!
//! Source: docs/design/gauges.md, "5. Promotion".

use super::excess::Form;
use super::lines::SidePlaces;
use super::reading::is_enough;
use super::segment::{LineSums, Segment};
use super::settings::GaugeLine;
use super::spread::{GaugeSpread, log_evidence, pods_beyond, spread};
use super::stream::GaugeStream;
use crate::sequential::ErrorRate;

/// What a stage shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GaugePromotion {
    /// Whether the limit of a promotion is shown to be kept and the plain mean is within the check's own limit.
    pub is_compliant: bool,
    /// `ln E` that it is kept: of a tolerance the smaller one of both sides.
    pub log_evidence: f64,
    /// The plain mean is beyond the check's own limit, at least 1.25 times the control: nothing ends the stage by
    /// its time.
    pub is_suspected: bool,
    /// Samples of the stage that were used.
    pub samples: usize,
    /// Whether they are enough to be judged, so that a stage may end by its time.
    pub is_judged: bool,
}

/// How much pods differ, over the samples of a stage or a rollout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GaugePods {
    /// The variance between the means of pods, relative to their mean: of the control's where it has 5 or more.
    pub relative_variance: f64,
    /// How well it is known.
    pub degrees_of_freedom: usize,
    /// Canary pods with at least half of the samples.
    pub canary_pods: usize,
    /// Control pods with at least half of the samples.
    pub control_pods: usize,
}

impl GaugeStream {
    /// What the stage shows, where a canary beyond the promotion's limit may be shown compliant so often.
    pub fn promotion(&self, false_promotion: ErrorRate) -> GaugePromotion {
        let segment = &self.stage.segment;
        let is_judged = is_enough(segment.samples, segment.seconds());
        let mut found = GaugePromotion {
            is_compliant: is_judged,
            log_evidence: f64::INFINITY,
            is_suspected: false,
            samples: segment.samples,
            is_judged,
        };
        for side in &self.lines().sides {
            let shown = self.shown_of(side);
            found.log_evidence = found.log_evidence.min(shown.log_evidence);
            found.is_suspected |= shown.is_beyond_its_limit;
            found.is_compliant &= !shown.is_beyond_its_limit
                && (shown
                    .is_on_the_limit_and_keeps_it
                    .unwrap_or(shown.log_evidence >= false_promotion.log_threshold()));
        }
        if !found.log_evidence.is_finite() {
            found.log_evidence = 0.0;
        }
        found
    }

    /// Whether more than a fifth of the stage's samples lack a side: no data.
    pub fn is_stage_lacking(&self) -> bool {
        self.stage.is_lacking()
    }

    fn shown_of(&self, side: &SidePlaces) -> Shown {
        let segment = &self.stage.segment;
        let mut shown = Shown {
            log_evidence: 0.0,
            is_beyond_its_limit: false,
            is_on_the_limit_and_keeps_it: Some(false),
        };
        let Some((places, form)) = self.places_of(side) else {
            return shown;
        };
        let line = self
            .lines()
            .all
            .get(places.promotion + self.stage.promotion);
        let (Some(line), Some(sums)) = (
            line,
            segment.lines.get(places.promotion + self.stage.promotion),
        ) else {
            return shown;
        };
        shown.log_evidence = log_evidence(line, sums, segment, &self.around(form));
        shown.is_beyond_its_limit = sums.beyond_guard > 0.0;
        let says_nothing = sums.larger <= 0.0 || (line.is_absolute() && !sums.is_any_off);
        shown.is_on_the_limit_and_keeps_it = says_nothing.then(|| self.is_inclusive());
        shown
    }

    fn is_inclusive(&self) -> bool {
        match self.settings().line {
            GaugeLine::Absolute { is_inclusive, .. } => is_inclusive,
            GaugeLine::Relative { .. } | GaugeLine::Within { .. } => true,
        }
    }

    /// The spread of the violation over all samples of the rollout: of a tolerance that of the side with the larger
    /// mean.
    pub fn spread(&self) -> Option<GaugeSpread> {
        self.largest_violation(self.whole())
    }

    /// The same over the samples of the stage.
    pub fn spread_of_the_stage(&self) -> Option<GaugeSpread> {
        self.largest_violation(&self.stage.segment)
    }

    fn largest_violation(&self, segment: &Segment) -> Option<GaugeSpread> {
        let of_a_side = |side: &SidePlaces| {
            let (place, form) = self.voting_line(side)?;
            let line = self.lines().all.get(place)?;
            spread(line, segment.lines.get(place)?, segment, &self.around(form))
        };
        let sides = self.lines().sides.iter().filter_map(of_a_side);
        sides.reduce(|one, other| if other.mean > one.mean { other } else { one })
    }

    /// The spread of the stage's promotion, on its plain scale: of a tolerance that of the side that is kept least.
    pub fn spread_of_the_promotion(&self) -> Option<GaugeSpread> {
        let segment = &self.stage.segment;
        let of_a_side = |side: &SidePlaces| {
            let (places, form) = self.places_of(side)?;
            let line = self
                .lines()
                .all
                .get(places.promotion + self.stage.promotion)?;
            let sums: &LineSums = segment.lines.get(places.promotion + self.stage.promotion)?;
            spread(line, sums, segment, &self.around(form))
        };
        let sides = self.lines().sides.iter().filter_map(of_a_side);
        sides.reduce(|one, other| if other.mean < one.mean { other } else { one })
    }

    /// What the pods of all samples differ by.
    pub fn pods(&self) -> GaugePods {
        self.pods_of(self.whole())
    }

    /// What the pods of the stage's samples differ by.
    pub fn pods_of_the_stage(&self) -> GaugePods {
        self.pods_of(&self.stage.segment)
    }

    /// How many control pods break an absolute limit themselves, in the mean of the stage's samples: an identical
    /// canary pod may too.
    pub fn control_pods_beyond(&self) -> usize {
        let line = self.lines().all.first();
        line.map_or(0, |line| pods_beyond(line, &self.stage.segment))
    }

    fn pods_of(&self, segment: &Segment) -> GaugePods {
        let is_by_failures = self.is_judged_by_failures();
        let form = if is_by_failures {
            Form::Failures
        } else {
            Form::Direct
        };
        let between = segment.pods.between(segment.samples, form);
        GaugePods {
            relative_variance: between.squares / between.degrees_of_freedom.max(1) as f64,
            degrees_of_freedom: between.degrees_of_freedom,
            canary_pods: between.canary_pods,
            control_pods: between.control_pods,
        }
    }

    /// `ln(canary / control)` of the stage's samples and its spread, for display; nothing of an absolute limit.
    pub fn ratio_to_the_control(&self) -> Option<GaugeSpread> {
        let place = self.lines().display?;
        let segment = &self.stage.segment;
        let line = self.lines().all.get(place)?;
        spread(
            line,
            segment.lines.get(place)?,
            segment,
            &self.around(Form::Direct),
        )
    }
}

/// What a stage shows of one side.
struct Shown {
    log_evidence: f64,
    is_beyond_its_limit: bool,
    /// Where there is nothing to scale by, or every sample is on the limit: whether that keeps it.
    is_on_the_limit_and_keeps_it: Option<bool>,
}
