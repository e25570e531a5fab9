//! What is told of a quantile: the number that is tested.
//!
//! Source: docs/design/latency.md, "6. What is told".

use super::super::assumed::{Counted, assumed_variation};
use super::super::dispersion::Prior;
use super::super::line::QUANTILE_EFFECTS;
use super::super::noise::{Fits, Noise, Residual};
use super::super::promotion::QUANTILE_KEPT_EFFECTS;
use super::increment::{SlowShare, quantile_increment};
use super::law::{Law, Tails};
use super::places::{Laws, QuantileLimit};
use super::window::Window;
use crate::interval::{Confidence, Count, Interval, wilson_interval};
use crate::sequential::{IntervalCounts, deflate, log_sum_exp};
use crate::series::Populations;

/// Ratios are looked for up to so many times, and as small a part.
const FURTHEST_RATIO: f64 = 16.0;
/// Halvings of the logarithm of a ratio.
const HALVINGS: u32 = 30;

/// A population's quantile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuantileEstimate {
    /// The latency; infinite beyond the last bound.
    pub at: f64,
    /// Its interval.
    pub interval: (f64, f64),
    /// The edges of the bucket that holds it.
    pub bucket: (f64, f64),
}

/// Reads a quantile off a population's requests, with the reading at both ends of the interval of the share that
/// is beyond it (E. B. Wilson (1927)). Nothing without requests.
pub fn quantile_estimate(
    tails: &Tails,
    bounds: &[f64],
    slow: SlowShare,
    confidence: Confidence,
) -> Option<QuantileEstimate> {
    let all = tails.all();
    if all <= 0.0 || !all.is_finite() {
        return None;
    }
    let law = Law::of(tails, bounds);
    let found = law.quantile(slow.value());
    let share: Interval = {
        let count = Count::new(slow.value() * all, all).ok()?;
        wilson_interval(count, confidence)
    };
    let bucket = found.place.bucket;
    Some(QuantileEstimate {
        at: found.at,
        interval: (
            law.quantile(share.upper()).at,
            law.quantile(share.lower()).at,
        ),
        bucket: (law.lower_edge(bucket), law.upper_edge(bucket)),
    })
}

/// The ratios of the canary's quantile to the control's that the evidence of these rows leaves: below the first it
/// would be beyond the limit, above the second within it. Nothing on a side where the buckets end.
///
/// `rows` are of both populations, and whether the canary's is judged; `log_level` is `ln E` from which a ratio is
/// excluded.
pub fn quantile_ratio(
    rows: &[(Populations<Tails>, bool)],
    bounds: &[f64],
    slow: SlowShare,
    (interval_seconds, log_level): (f64, f64),
) -> (Option<f64>, Option<f64>) {
    let excluded = |log_ratio: f64| {
        let said = Said::of(rows, bounds, slow, (interval_seconds, libm::exp(log_ratio)));
        (said.violation >= log_level, said.compliance >= log_level)
    };
    let furthest = libm::log(FURTHEST_RATIO);
    let ends = (excluded(-furthest), excluded(furthest));
    let between = |ends: (bool, bool), is_excluded: &dyn Fn(f64) -> bool| {
        if ends.0 == ends.1 {
            return None;
        }
        let (mut low, mut high) = (-furthest, furthest);
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            if is_excluded(middle) == ends.0 {
                low = middle;
            } else {
                high = middle;
            }
        }
        Some(libm::exp(f64::midpoint(low, high)))
    };
    let (lowest, highest) = ends;
    (
        between((lowest.0, highest.0), &|middle| excluded(middle).0),
        between((lowest.1, highest.1), &|middle| excluded(middle).1),
    )
}

/// `ln E` of all rows together, for one ratio.
struct Said {
    violation: f64,
    compliance: f64,
}

impl Said {
    fn of(
        rows: &[(Populations<Tails>, bool)],
        bounds: &[f64],
        slow: SlowShare,
        (interval_seconds, ratio): (f64, f64),
    ) -> Self {
        let limit = QuantileLimit { ratio, offset: 0.0 };
        let mut window = Window::new(slow.value());
        window.set_bounds(bounds);
        let mut noise = Noise::new(Fits::Exposure);
        let mut beyond = [0.0; QUANTILE_EFFECTS.len()];
        let mut kept = [0.0; QUANTILE_KEPT_EFFECTS.len()];
        let (mut event_variance, mut live) = (0.0, 0.0_f64);
        for (row, is_judged) in rows {
            let arms = row.as_ref();
            let read = Laws::of(&window, slow.value())
                .filter(|_| *is_judged && row.control.all() > 0.0 && row.canary.all() > 0.0);
            let counted = read.map(|laws| {
                let kept = laws.compliance(&arms, limit).counts;
                (laws.violation(&arms, limit).counts, kept)
            });
            if let Some((violation, compliance)) = counted {
                let add = |sums: &mut [f64], effects: &[f64], counts: &IntervalCounts| {
                    for (sum, effect) in sums.iter_mut().zip(effects) {
                        *sum += quantile_increment(counts, slow, *effect);
                    }
                };
                add(&mut beyond, &QUANTILE_EFFECTS, &violation);
                add(&mut kept, &QUANTILE_KEPT_EFFECTS, &compliance);
                event_variance += super::event_variance(&violation, slow);
                live += 1.0;
                noise.push(&super::residual(&violation, slow), std::iter::empty());
            } else {
                noise.push(&Residual::default(), std::iter::empty());
            }
            window.push(without_young(row, *is_judged));
        }
        let mixture = |sums: &[f64], growth: f64| {
            let prior = Prior {
                variation: assumed_variation(Counted::Events, interval_seconds),
                event_variance: event_variance / live.max(1.0),
                growth,
                past: None,
            };
            let dispersion = prior.dispersion(&noise, None);
            let each: Vec<f64> = sums.iter().map(|sum| sum / dispersion.value).collect();
            let mixed = log_sum_exp(&each) - libm::log(sums.len() as f64);
            deflate(mixed, dispersion.degrees_of_freedom)
        };
        Self {
            violation: mixture(&beyond, 2.0),
            compliance: mixture(&kept, 1.0),
        }
    }
}

/// A row as it is remembered: what is not judged of the canary is none of it.
fn without_young(row: &Populations<Tails>, is_judged: bool) -> Populations<Tails> {
    let canary = if is_judged {
        row.canary.clone()
    } else {
        Tails::nothing(row.canary.bounds())
    };
    Populations {
        control: row.control.clone(),
        canary,
    }
}
