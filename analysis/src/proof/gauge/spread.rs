//! How well the mean of a segment is known.
//!
//! One answer from four sources: an assumption that is forgotten within minutes, the pods, the samples themselves in
//! blocks, and the control's past. The largest that is measured counts; only pods may lower what is assumed.
//!
//! Source: docs/design/gauges.md, "3. Spread".

use super::evidence::mixture_log_evidence;
use super::lines::{Line, Scale};
use super::past::GaugePast;
use super::pods::{Between, ENOUGH_PODS, PodTable};
use super::reading::is_enough;
use super::segment::{LineSums, Segment};

/// What one pod against one pod is taken to differ by when nothing is known, as a part of the value, and the
/// seconds after which the assumption's variance is half.
pub(super) const ASSUMED: f64 = 0.25;
pub(super) const MEMORY_SECONDS: f64 = 300.0;
/// How well it is known, and what it weighs beside what is measured, in degrees of freedom.
pub(super) const KNOWN: f64 = 20.0;
pub(super) const WEIGHT: f64 = 1.0;
/// Of an absolute limit: what the assumption counts of the samples' variance and of the squared distance.
pub(super) const OF_SAMPLES: f64 = 2.0;
pub(super) const OF_DISTANCE: f64 = 0.2;
/// Fewest degrees of freedom of blocks longer than a sample.
const FEWEST_OF_BLOCKS: usize = 3;
/// Beyond them a weight and a variance say no more.
const MOST_WEIGHT: f64 = 1e6;
const MOST_VARIANCE: f64 = 1e60;

/// Where a spread comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpreadSource {
    /// Nothing is known: a quarter, forgotten with time.
    Assumed,
    /// The pods of both sides, or of the control.
    Pods,
    /// The samples themselves.
    Samples,
    /// The control before the rollout.
    Past,
}

/// The mean of a segment and how well it is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GaugeSpread {
    /// Of a violation the mean excess, as a logarithm; of a promotion the distance within the limit, as a part of
    /// the larger of both sides.
    pub mean: f64,
    /// The variance of that mean.
    pub variance: f64,
    /// How well the variance is known.
    pub degrees_of_freedom: f64,
    /// What says so.
    pub source: SpreadSource,
    /// Canary pods that count.
    pub canary_pods: usize,
    /// Control pods that count.
    pub control_pods: usize,
}

impl GaugeSpread {
    /// The standard deviation of the mean.
    pub fn standard_deviation(&self) -> f64 {
        libm::sqrt(self.variance)
    }

    /// `ln E` that the mean is above 0.
    pub(super) fn log_evidence(&self) -> f64 {
        mixture_log_evidence(self.mean, self.variance, self.degrees_of_freedom)
    }
}

/// What is asked beside a segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around<'a> {
    /// Samples of the rollout.
    pub(super) samples: usize,
    pub(super) pods: &'a PodTable,
    /// The past, if it is read now.
    pub(super) past: Option<&'a GaugePast>,
    /// Whether the oldest canary pod is still cold.
    pub(super) is_cold: bool,
    /// Whether whole values are counts.
    pub(super) is_number: bool,
}

/// The largest variance so far.
struct Largest {
    assumed: f64,
    variance: f64,
    degrees_of_freedom: f64,
    source: SpreadSource,
    is_assumed: bool,
}

impl Largest {
    /// The assumption with `squares / weight` as another observation.
    fn beside(&self, squares: f64, degrees_of_freedom: usize) -> f64 {
        (WEIGHT * self.assumed + squares) / (WEIGHT + degrees_of_freedom as f64)
    }

    fn offer(&mut self, variance: f64, degrees_of_freedom: f64, source: SpreadSource) {
        if variance > self.variance {
            self.variance = variance;
            self.degrees_of_freedom = KNOWN + degrees_of_freedom;
            self.source = source;
            self.is_assumed = false;
        }
    }
}

/// What a relative change of either side does to the mean.
#[derive(Clone, Copy)]
struct Weights {
    canary: f64,
    control: f64,
}

/// The spread of a line over a segment; nothing where there is nothing to scale by.
pub(super) fn spread(
    line: &Line,
    sums: &LineSums,
    segment: &Segment,
    around: &Around<'_>,
) -> Option<GaugeSpread> {
    let samples = segment.samples as f64;
    let unit = match line.scale {
        Scale::Logarithmic => 1.0,
        Scale::Plain => sums.larger / samples,
    };
    if segment.samples == 0 || unit <= 0.0 {
        return None;
    }
    let mean = sums.scaled / samples / unit;
    let weights = weights(line, sums, samples, unit);
    let assumed =
        assumed(line, sums, mean, unit) / (1.0 + segment.seconds().max(0.0) / MEMORY_SECONDS);
    let mut largest = Largest {
        assumed,
        variance: assumed,
        degrees_of_freedom: KNOWN,
        source: SpreadSource::Assumed,
        is_assumed: true,
    };
    let between = segment.pods.between(segment.samples, line.form);
    if line.is_absolute() {
        by_pods_of_a_number(&mut largest, (line, weights), segment, between);
    } else {
        by_pods(&mut largest, (line, weights), between, around);
        by_earlier_windows(&mut largest, (line, weights), segment, (between, around));
    }
    by_blocks(
        &mut largest,
        (line, sums, weights),
        (segment.samples, unit),
        around,
    );
    let mut variance = largest.variance;
    let is_counted = around.is_number && line.is_absolute() && line.scale == Scale::Plain;
    if is_counted && !segment.is_any_broken {
        // Counts on the limit would vary like this, though none was seen.
        let limit = (sums.limit / samples).abs();
        variance = variance.max(limit / unit / unit / segment.pod_values as f64);
    }
    Some(GaugeSpread {
        mean,
        variance: variance.min(MOST_VARIANCE),
        degrees_of_freedom: largest.degrees_of_freedom,
        source: largest.source,
        canary_pods: between.canary_pods,
        control_pods: between.control_pods,
    })
}

/// `ln E` of a line over a segment: 0 before there are enough samples, never against what the plain mean says.
pub(super) fn log_evidence(
    line: &Line,
    sums: &LineSums,
    segment: &Segment,
    around: &Around<'_>,
) -> f64 {
    if !is_enough(segment.samples, segment.seconds()) {
        return 0.0;
    }
    let Some(spread) = spread(line, sums, segment, around) else {
        return 0.0;
    };
    let found = spread.log_evidence();
    if sums.distance > 0.0 {
        found
    } else {
        found.min(0.0)
    }
}

fn weights(line: &Line, sums: &LineSums, samples: f64, unit: f64) -> Weights {
    let limit = sums.limit / samples;
    let base = (limit - line.offset()).abs();
    let (canary, control) = match line.scale {
        Scale::Logarithmic if limit == 0.0 => (1.0, 1.0),
        Scale::Logarithmic => (1.0, base / limit.abs()),
        Scale::Plain => ((sums.canary / samples).abs() / unit, base / unit),
    };
    Weights {
        canary: canary.min(MOST_WEIGHT),
        control: if line.is_absolute() {
            0.0
        } else {
            control.min(MOST_WEIGHT)
        },
    }
}

/// The variance that is assumed, before it is forgotten. A number is compared with no other pod: unknown is only
/// what the canary may do in time.
fn assumed(line: &Line, sums: &LineSums, mean: f64, unit: f64) -> f64 {
    let most = ASSUMED * ASSUMED;
    if !line.is_absolute() {
        return most;
    }
    let own = sums.levels.at(0);
    let of_samples = own.sum / unit / unit / own.degrees_of_freedom.max(1) as f64;
    most.min(OF_SAMPLES * of_samples + OF_DISTANCE * mean * mean)
}

/// Pods that are measured raise what is assumed, and lower it where the canary is not cold.
fn by_pods(
    largest: &mut Largest,
    (line, weights): (&Line, Weights),
    between: Between,
    around: &Around<'_>,
) {
    if between.degrees_of_freedom == 0 || between.canary_pods == 0 {
        return;
    }
    let of_means = of_means(between, weights);
    let found = largest.beside(between.squares * of_means, between.degrees_of_freedom);
    if found > largest.assumed || line.scale == Scale::Plain || !around.is_cold {
        largest.assumed = found;
        largest.variance = found;
        largest.source = SpreadSource::Pods;
    }
}

/// Where a control pod breaks the number too, an identical canary pod may: then it counts what pods differ by.
fn by_pods_of_a_number(
    largest: &mut Largest,
    (line, weights): (&Line, Weights),
    segment: &Segment,
    between: Between,
) {
    let is_asked = line.scale == Scale::Logarithmic
        && between.degrees_of_freedom > 0
        && between.canary_pods > 0
        && pods_beyond(line, segment) > 0;
    if is_asked {
        let of_means = of_means(between, weights);
        let found = largest.beside(between.squares * of_means, between.degrees_of_freedom);
        largest.offer(found, between.degrees_of_freedom as f64, SpreadSource::Pods);
    }
}

/// Control pods that break the number themselves.
pub(super) fn pods_beyond(line: &Line, segment: &Segment) -> usize {
    let is_beyond = |mean: f64| line.breaks_the_number(mean);
    let (pods, samples) = (&segment.pods, segment.samples);
    pods.control_pods(samples, line.form, is_beyond)
}

/// What the control's pods did in earlier windows of this length.
fn by_earlier_windows(
    largest: &mut Largest,
    (line, weights): (&Line, Weights),
    segment: &Segment,
    (between, around): (Between, &Around<'_>),
) {
    let is_asked = between.canary_pods > 0
        && between.control_pods >= ENOUGH_PODS
        && around.samples >= 2 * segment.samples;
    if !is_asked {
        return;
    }
    let (squares, degrees_of_freedom) = segment.earlier_windows(around.pods, line.form);
    if degrees_of_freedom > 0 {
        let found = largest.beside(squares * of_means(between, weights), degrees_of_freedom);
        largest.offer(found, degrees_of_freedom as f64, SpreadSource::Pods);
    }
}

/// What a variance between pods is of the mean: by how many there are of each side.
fn of_means(between: Between, weights: Weights) -> f64 {
    let of = |weight: f64, pods: usize| {
        if pods == 0 {
            0.0
        } else {
            weight * weight / pods as f64
        }
    };
    of(weights.canary, between.canary_pods) + of(weights.control, between.control_pods)
}

/// What the samples vary by in blocks of each length, and the control did before.
fn by_blocks(
    largest: &mut Largest,
    (line, sums, weights): (&Line, &LineSums, Weights),
    (samples, unit): (usize, f64),
    around: &Around<'_>,
) {
    let both = weights.canary * weights.canary + weights.control * weights.control;
    let (mut level, mut length) = (0, 1);
    while length <= samples {
        let own = sums.levels.at(level);
        let before = sums.before.get(level).filter(|_| !line.is_absolute());
        let before = before.copied().unwrap_or_default();
        let degrees_of_freedom = own.degrees_of_freedom + before.degrees_of_freedom;
        let fewest = if level == 0 { 1 } else { FEWEST_OF_BLOCKS };
        let part = length as f64 / samples as f64;
        if degrees_of_freedom >= fewest {
            let squares = (own.sum + before.sum) / unit / unit;
            let found = largest.beside(squares * part, degrees_of_freedom);
            largest.offer(found, degrees_of_freedom as f64, SpreadSource::Samples);
            if level == 0 && largest.is_assumed {
                largest.degrees_of_freedom = KNOWN + degrees_of_freedom as f64;
            }
        }
        if let Some(past) = around.past.and_then(|past| past.at(length, line.form)) {
            let known = past.degrees_of_freedom;
            let found =
                (WEIGHT * largest.assumed + known * past.variance * both * part) / (WEIGHT + known);
            largest.offer(found, known, SpreadSource::Past);
        }
        level += 1;
        length *= 2;
    }
}
