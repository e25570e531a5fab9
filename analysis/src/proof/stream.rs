//! What the counts of a rollout prove, through all of its stages.
//!
//! A stream is a metric with the limit that a violation breaks. Checks of several stages with the same stream
//! are one: what stage 1 has gathered counts in stage 2.

use std::sync::Arc;

use super::dispersion::Noisiest;
use super::lane::{Interval, Lane};
use super::line::{ByEffect, Line, MOST_EFFECTS};
use super::past_noise::PastNoise;
use super::pods::{self, Drawn, MOST_EXCUSED_VARIATION, Pods, Spread};
use super::promotion::Promotion;
use super::settings::Settings;
use super::starts::Start;
use crate::sequential::{Dispersion, IntervalCounts, deflate, log_sum_exp};

/// Weight of the circuit breaker in the whole.
pub(super) const BREAKER_WEIGHT: f64 = 0.1;
/// A rest of the weights that is less is none.
const NO_REST: f64 = 1e-12;

/// Evidence of one stream: interval by interval, in constant time and memory.
///
/// With starts `s` of weight `w` ([`super::Schedule`]), prefix sums `L` of the increments by effect size, each
/// cut at what an interval may say, and the dispersion `(D, nu)` since each start,
///
/// `ln E = lse(ln 0.9 + max(own, control), ln 0.1 + breaker)`,
/// `own = lse_s(deflate(lse_rho((L - L(s)) / D_s) - ln J + ln w_s, nu_s))`, evidence 1 for starts to come,
///
/// `control` the same with the noise that the control has by itself, where it has shown some and no history is
/// known, and a breaker that finds crashes within two intervals without any estimate of noise.
///
/// A violation is proven when the weighted mean over all streams ever reaches the threshold. The evidence is a
/// function of the intervals only: polls do not change it, and replaying gives the same bytes.
///
/// Source: a mixture of likelihood ratios (H. Robbins, "Statistical methods related to the law of the iterated
/// logarithm", Annals of Mathematical Statistics 41 (1970)) over change points (A. Shiryaev, "On optimum methods
/// in quickest detection problems" (1963)).
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    settings: Settings,
    intervals: usize,
    stage_begun_at: usize,
    lanes: Vec<Lane>,
    starts: Vec<Going>,
    /// The weights of all starts so far, and the logarithms of what those that no longer go on have left.
    weights: f64,
    left_of_own: f64,
    left_of_control: f64,
    sums: pods::Sums,
    stage_sums: pods::Sums,
}

/// A start that goes on.
#[derive(Debug, Clone, PartialEq)]
struct Going {
    start: Start,
    log_weight: f64,
    sums: pods::Sums,
}

/// Requests of each pod squared, of canary and control: how many pods there are, by requests.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PodSquares {
    /// Of the canary's pods.
    pub canary: f64,
    /// Of the control's.
    pub control: f64,
}

impl Stream {
    /// Evidence before the first interval of a rollout, of so many lanes.
    pub fn new(settings: Settings, lanes: usize) -> Self {
        let lane = || Lane::after(0, std::iter::empty(), 0);
        Self {
            settings,
            intervals: 0,
            stage_begun_at: 0,
            lanes: (0..lanes).map(|_| lane()).collect(),
            starts: Vec::new(),
            weights: 0.0,
            left_of_own: f64::NEG_INFINITY,
            left_of_control: f64::NEG_INFINITY,
            sums: pods::Sums::default(),
            stage_sums: pods::Sums::default(),
        }
    }

    /// Takes over what was measured before the rollout. Nothing where something was counted already.
    pub fn remember(&mut self, past: Option<Arc<PastNoise>>) {
        if !self.lanes.iter().any(Lane::has_data) {
            self.settings.past = past;
        }
    }

    /// Whether anything was counted.
    pub fn has_data(&self) -> bool {
        self.lanes.iter().any(Lane::has_data)
    }

    /// What is fixed.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Makes room for so many strata: those that were not seen before had nothing.
    pub fn widen_to(&mut self, lanes: usize) {
        while self.lanes.len() < lanes {
            let starts = self.starts.iter().map(|going| going.start.at);
            self.lanes
                .push(Lane::after(self.intervals, starts, self.stage_begun_at));
        }
    }

    /// A stage begins before the next interval.
    pub fn begin_stage(&mut self) {
        self.stage_begun_at = self.intervals;
        self.stage_sums = self.sums;
        for lane in &mut self.lanes {
            lane.begin_stage();
        }
    }

    /// All evidence begins anew before the next interval, the breaker's too; noise keeps all data.
    pub fn begin_anew(&mut self) {
        self.starts.clear();
        self.weights = 0.0;
        self.left_of_own = f64::NEG_INFINITY;
        self.left_of_control = f64::NEG_INFINITY;
        for lane in &mut self.lanes {
            lane.begin_anew();
        }
    }

    /// Evidence begins before the next interval.
    pub fn begin(&mut self, start: Start) {
        self.weights += start.weight;
        self.starts.push(Going {
            start,
            log_weight: libm::log(start.weight),
            sums: self.sums,
        });
        for lane in &mut self.lanes {
            lane.begin();
        }
    }

    /// Adds an interval: what each lane had. Lanes without data may be left out at the end.
    pub fn push(&mut self, lanes: &[Interval], squares: PodSquares) {
        self.intervals += 1;
        let nothing = Interval::default();
        let mut all = IntervalCounts::default();
        for (place, lane) in self.lanes.iter_mut().enumerate() {
            let interval = lanes.get(place).unwrap_or(&nothing);
            lane.push(interval, &self.settings);
            all.canary = all.canary.and(interval.counts.canary);
            all.control = all.control.and(interval.counts.control);
        }
        let squares = (squares.canary, squares.control);
        let (ratio, chance) = match &self.settings.line {
            Line::Relative(limit) => (limit.ratio(), 1.0),
            Line::Quantile(slow) => (1.0, slow.rest()),
            Line::Absolute { .. } => return,
        };
        self.sums
            .add(ratio, chance, (all.canary, all.control), squares);
    }

    /// Lets those starts end whose time is over. To be called after the evidence of an interval was told.
    pub fn let_go(&mut self, pods: Option<&Pods>) {
        let mut place = 0;
        while let Some(going) = self.starts.get(place) {
            if going.start.ends_at.is_some_and(|at| at <= self.intervals) {
                let own = self.term(place, Whose::Own, pods);
                let control = self.term(place, Whose::Control, pods);
                self.left_of_own = log_sum_exp(&[self.left_of_own, own]);
                self.left_of_control = log_sum_exp(&[self.left_of_control, control]);
                self.starts.remove(place);
                for lane in &mut self.lanes {
                    lane.end(place);
                }
            } else {
                place += 1;
            }
        }
    }

    /// What one start adds to a mixture.
    fn term(&self, place: usize, whose: Whose, pods: Option<&Pods>) -> f64 {
        let Some(going) = self.starts.get(place) else {
            return f64::NEG_INFINITY;
        };
        let effects = self.settings.line.effects();
        let spread = pods.map(|pods| {
            let since = self.sums.since(&going.sums);
            (since, pods.over(self.intervals - going.start.at))
        });
        let mut totals: ByEffect = [0.0; MOST_EFFECTS];
        let mut known = f64::INFINITY;
        for lane in &self.lanes {
            let found = match whose {
                Whose::Own => lane.own(place, &self.settings),
                Whose::Control => lane.by_the_control(place, &self.settings),
            };
            let Some((since, dispersion)) = found else {
                continue;
            };
            let dispersion = match &spread {
                Some((sums, spread)) => sums.widen(*spread, dispersion),
                None => dispersion,
            };
            if self.lanes.len() == 1 || lane.has_data() {
                known = known.min(dispersion.degrees_of_freedom);
            }
            for (total, since) in totals.iter_mut().zip(since) {
                *total += since / dispersion.value;
            }
        }
        let mixed = log_sum_exp(totals.get(..effects).unwrap_or_default());
        deflate(mixed - libm::log(effects as f64) + going.log_weight, known)
    }

    fn mixture(&self, whose: Whose, pods: Option<&Pods>) -> f64 {
        let left = match whose {
            Whose::Own => self.left_of_own,
            Whose::Control => self.left_of_control,
        };
        let rest = 1.0 - self.weights;
        let rest = if rest > NO_REST {
            libm::log(rest)
        } else {
            f64::NEG_INFINITY
        };
        let mut terms = Vec::with_capacity(self.starts.len() + 2);
        terms.extend([left, rest]);
        terms.extend((0..self.starts.len()).map(|place| self.term(place, whose, pods)));
        log_sum_exp(&terms)
    }

    /// `ln E` after the newest interval. `pods` says how much pods of this version differ, where that is known.
    pub fn log_evidence(&self, pods: Option<&Pods>) -> f64 {
        if self.starts.is_empty() && self.weights <= 0.0 {
            return 0.0;
        }
        let mut main = self.mixture(Whose::Own, pods);
        let mut lanes = self.lanes.iter();
        if lanes.any(|lane| lane.asks_the_control(&self.settings)) {
            main = main.max(self.mixture(Whose::Control, pods));
        }
        let effects = self.settings.line.effects();
        let mut breaker: ByEffect = [0.0; MOST_EFFECTS];
        for lane in &self.lanes {
            let noise = lane.breaker_noise();
            for (total, since) in breaker.iter_mut().zip(lane.breaker()) {
                *total += since / noise;
            }
        }
        let breaker =
            log_sum_exp(breaker.get(..effects).unwrap_or_default()) - libm::log(effects as f64);
        log_sum_exp(&[
            libm::log(1.0 - BREAKER_WEIGHT) + main,
            libm::log(BREAKER_WEIGHT) + breaker,
        ])
    }

    /// The start whose evidence is the largest, in intervals: since when the canary seems to be beyond its limit.
    pub fn since(&self, pods: Option<&Pods>) -> usize {
        let mut largest = (f64::NEG_INFINITY, 0);
        for (place, going) in self.starts.iter().enumerate() {
            let term = self.term(place, Whose::Own, pods);
            if term > largest.0 {
                largest = (term, going.start.at);
            }
        }
        largest.1
    }

    /// What the evidence is divided by that began with the rollout: of the noisiest lane.
    pub fn dispersion(&self, pods: Option<&Pods>) -> Option<Dispersion> {
        let spread = pods.map(|pods| pods.over(self.intervals));
        let each = self
            .lanes
            .iter()
            .filter(|lane| lane.has_data())
            .map(|lane| {
                let dispersion = lane.dispersion_of_all(&self.settings);
                match spread {
                    Some(spread) => self.sums.widen(spread, dispersion),
                    None => dispersion,
                }
            });
        each.reduce(|one, other| if other.value > one.value { other } else { one })
    }

    /// The noise since the rollout began, without what pods differ by, and how long it lasts: of the noisiest lane.
    pub fn noisiest(&self) -> Option<Noisiest> {
        let lanes = self.lanes.iter().filter(|lane| lane.has_data());
        let each = lanes.map(|lane| lane.noisiest(&self.settings));
        each.reduce(|one, other| {
            if other.dispersion.value > one.dispersion.value {
                other
            } else {
                one
            }
        })
    }

    /// Whether it is the pods that the evidence is divided by: how much they differ, and how many were drawn.
    pub fn spread_that_widens(&self, pods: &Pods) -> Option<(Spread, Drawn)> {
        let own = self.dispersion(None)?;
        let widened = self.dispersion(Some(pods))?;
        (widened.value > own.value).then(|| (pods.over(self.intervals), self.sums.drawn()))
    }

    /// What compliance of the stage it is at is divided by: of the noisiest lane.
    pub fn dispersion_of_the_stage(&self) -> Option<Dispersion> {
        let lanes = self.lanes.iter().filter(|lane| lane.has_data());
        let each = lanes.map(|lane| lane.dispersion_of_the_stage(&self.settings));
        each.reduce(|one, other| if other.value > one.value { other } else { one })
    }

    /// Adds the newest interval to what the stage shows of a check.
    pub fn push_into(&self, promotion: &mut Promotion, lanes: &[Interval]) {
        let nothing = Interval::default();
        let each = self.lanes.iter().enumerate();
        let each = each.map(|(place, lane)| (lane, lanes.get(place).unwrap_or(&nothing)));
        promotion.push(&self.settings.line, each);
    }

    /// `ln E'` that the stage shows the limit to be kept.
    pub fn compliance(&self, promotion: &Promotion) -> f64 {
        promotion.compliance(&self.lanes, &self.settings)
    }

    /// How much a single look says that the canary is beyond the check's own limit: at [`super::VETO`] and more
    /// it is not promoted.
    pub fn beyond_its_limit(&self, promotion: &Promotion, pods: Option<&Pods>) -> f64 {
        let since = self.sums.since(&self.stage_sums);
        let spread = pods.map(|pods| {
            let spread = pods.over(self.intervals - self.stage_begun_at);
            Spread {
                variance: spread
                    .variance
                    .min(MOST_EXCUSED_VARIATION * MOST_EXCUSED_VARIATION),
                ..spread
            }
        });
        promotion.beyond_its_limit(&self.lanes, &self.settings, |dispersion| match spread {
            Some(spread) => since.widen(spread, dispersion),
            None => dispersion,
        })
    }

    /// Whether the newest interval is one in which the control is beyond the limit itself.
    pub fn is_of_the_environment(&self) -> bool {
        self.lanes.iter().any(Lane::is_newest_of_the_environment)
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        let lanes = self.lanes.iter().map(Lane::bytes).sum::<usize>();
        lanes + self.starts.len() * size_of::<Going>()
    }

    /// Intervals so far.
    pub fn intervals(&self) -> usize {
        self.intervals
    }
}

/// By whose noise evidence is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// That of the difference of both populations.
    Own,
    /// That of the control by itself.
    Control,
}
