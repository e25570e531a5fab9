//! What is summed up of one sequence of counts: of all requests, or of one stratum.

use super::assumed::{assumed_variation, cap, cap_without_noise};
use super::dispersion::{Noisiest, Prior};
use super::environment::Environment;
use super::line::{ByEffect, Line, MOST_EFFECTS};
use super::noise::{Fits, Noise, Residual, Since};
use super::quantile;
use super::settings::Settings;
use crate::sequential::{Dispersion, IntervalCounts, is_usable};
use crate::series::ArmCount;

/// Control events from which an interval's own rate is believed, in the second fit of the noise.
const RATE_PRIOR: f64 = 10.0;
/// Events of the control from which on its own noise is asked as well, and how many times it counts.
const CONTROL_EVENTS: f64 = 30.0;
const CONTROL_FACTOR: f64 = 1.5;
/// The breaker believes no interval more than so many nats, of its own noise each.
pub(super) const BREAKER_CUT: f64 = 6.0;
/// The noise that the breaker assumes: with a fixed 100 it alone rolled back 10 to 85 % of good canaries at
/// 10,000 requests per second and more.
const BREAKER_LEAST_NOISE: f64 = 100.0;
const BREAKER_NOISE_PER_EVENT: f64 = 16.0;

/// How the excess of noise grows with each doubling of blocks, by assumption: for a violation noise that
/// lasts, for compliance none that does.
const GROWTH_OF_VIOLATION: f64 = 2.0;
const GROWTH_OF_COMPLIANCE: f64 = 1.0;

/// One interval of both populations.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Interval {
    /// What processes did that are not young.
    pub counts: IntervalCounts,
    /// What the canary's young processes did beside: only the breaker sees it.
    pub young: ArmCount,
    /// What a promotion is asked about, where that is counted at another place: requests slower than what must be
    /// kept.
    pub kept: Option<IntervalCounts>,
}

impl Interval {
    /// What a promotion is asked about.
    pub(super) fn kept(&self) -> &IntervalCounts {
        self.kept.as_ref().unwrap_or(&self.counts)
    }
}

impl From<IntervalCounts> for Interval {
    fn from(counts: IntervalCounts) -> Self {
        Self {
            counts,
            ..Self::default()
        }
    }
}

/// What is remembered of a start.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Begun {
    capped: ByEffect,
    calm: ByEffect,
    own: Since,
    control: Since,
}

/// One sequence of counts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lane {
    /// Sums of increments: cut with the allowance for noise, cut without, and the breaker's.
    capped: ByEffect,
    calm: ByEffect,
    breaker: ByEffect,
    own: Noise,
    control: Noise,
    /// What compliance and veto divide by: one fit, without what the environment did.
    plain: Noise,
    stage: Since,
    starts: Vec<Begun>,
    /// `Q`: what the variance of each interval's events would be.
    event_variance: f64,
    live: f64,
    largest_exposure: f64,
    largest_expected: f64,
    control_events: f64,
    control_exposure: f64,
    environment: Environment,
    is_newest_of_the_environment: bool,
}

impl Lane {
    /// After so many intervals without data, with as many starts as others have.
    pub(super) fn after(
        intervals: usize,
        starts: impl Iterator<Item = usize>,
        stage: usize,
    ) -> Self {
        let begun = |at: usize| Begun {
            capped: [0.0; MOST_EFFECTS],
            calm: [0.0; MOST_EFFECTS],
            own: Noise::after(at, Fits::ExposureOrRate).begin(),
            control: Noise::after(at, Fits::Exposure).begin(),
        };
        Self {
            capped: [0.0; MOST_EFFECTS],
            calm: [0.0; MOST_EFFECTS],
            breaker: [0.0; MOST_EFFECTS],
            own: Noise::after(intervals, Fits::ExposureOrRate),
            control: Noise::after(intervals, Fits::Exposure),
            plain: Noise::after(intervals, Fits::Exposure),
            stage: Noise::after(stage, Fits::Exposure).begin(),
            starts: starts.map(begun).collect(),
            event_variance: 0.0,
            live: 0.0,
            largest_exposure: 0.0,
            largest_expected: 0.0,
            control_events: 0.0,
            control_exposure: 0.0,
            environment: Environment::default(),
            is_newest_of_the_environment: false,
        }
    }

    /// About how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.starts.len() * size_of::<Begun>()
    }

    /// Evidence begins here.
    pub(super) fn begin(&mut self) {
        self.starts.push(Begun {
            capped: self.capped,
            calm: self.calm,
            own: self.own.begin(),
            control: self.control.begin(),
        });
    }

    /// A stage begins here.
    pub(super) fn begin_stage(&mut self) {
        self.stage = self.plain.begin();
    }

    /// A start no longer goes on.
    pub(super) fn end(&mut self, start: usize) {
        if start < self.starts.len() {
            self.starts.remove(start);
        }
    }

    /// All evidence begins anew: what began before is forgotten, the breaker's too.
    pub(super) fn begin_anew(&mut self) {
        self.starts.clear();
        self.breaker = [0.0; MOST_EFFECTS];
    }

    /// Adds an interval; one without data is time without evidence.
    pub(super) fn push(&mut self, interval: &Interval, settings: &Settings) {
        let Settings { line, .. } = settings;
        let counts = &interval.counts;
        let variation = assumed_variation(settings.counted, settings.interval_seconds);
        let expected = line.expected_events(counts);
        let most = cap(settings.interval_seconds, variation, expected);
        let most_calm = cap_without_noise(settings.interval_seconds);
        let increments = line.increments(counts);
        for (place, increment) in increments.into_iter().enumerate() {
            add(&mut self.capped, place, increment.min(most));
            add(&mut self.calm, place, increment.min(most_calm));
        }
        self.push_into_the_breaker(interval, &increments, line);
        let is_told = line.is_told_by(counts);
        self.is_newest_of_the_environment = match line {
            Line::Absolute {
                limit,
                has_control: true,
            } => self.environment.push(limit, counts.control),
            Line::Relative(_) | Line::Quantile(_) | Line::Absolute { .. } => false,
        };
        let (own, control) = if is_told {
            self.residuals(counts, line)
        } else {
            (Residual::default(), Residual::default())
        };
        let plain = match (line, &interval.kept) {
            _ if self.is_newest_of_the_environment => Residual::default(),
            (Line::Absolute { .. }, Some(kept)) if is_told => {
                alone(kept.canary.events, kept.canary.exposure)
            }
            _ => own,
        };
        let starts = self.starts.iter_mut().map(|begun| &mut begun.own);
        self.own.push(&own, starts);
        let starts = self.starts.iter_mut().map(|begun| &mut begun.control);
        self.control.push(&control, starts);
        self.plain.push(&plain, std::iter::once(&mut self.stage));
    }

    fn push_into_the_breaker(&mut self, interval: &Interval, increments: &ByEffect, line: &Line) {
        let has_young = interval.young.exposure > 0.0;
        let all = IntervalCounts {
            canary: interval.counts.canary.and(interval.young),
            control: interval.counts.control,
        };
        let seen = if has_young { all } else { interval.counts };
        self.largest_expected = self.largest_expected.max(line.expected_events(&seen));
        let of_all = if has_young {
            line.increments(&seen)
        } else {
            *increments
        };
        let most = BREAKER_CUT * self.breaker_noise();
        for (place, increment) in of_all.into_iter().enumerate() {
            add(&mut self.breaker, place, increment.min(most));
        }
    }

    /// What the interval adds to the noise of both populations' difference, and to that of the control.
    fn residuals(&mut self, counts: &IntervalCounts, line: &Line) -> (Residual, Residual) {
        let (x, n) = (counts.canary.events, counts.canary.exposure);
        let (y, m) = (counts.control.events, counts.control.exposure);
        self.live += 1.0;
        let (own, effective) = match line {
            Line::Absolute { limit, .. } => {
                self.event_variance += 0.5 * n * limit.limit();
                (alone(x, n), n)
            }
            Line::Quantile(slow) => {
                // The quantile follows the control, which would hide the control's own noise: it is not asked.
                self.event_variance += quantile::event_variance(counts, *slow);
                self.largest_exposure = self.largest_exposure.max(n * m / (n + m));
                return (quantile::residual(counts, *slow), Residual::default());
            }
            Line::Relative(limit) => {
                let share = n / (n + m);
                self.event_variance += (x + y) * share * (1.0 - share);
                self.control_exposure += m;
                let total = self.control_events + y;
                let odds = limit.ratio() * (n / m);
                let own = Residual {
                    deviation: x - odds * y,
                    variance: x + odds * odds * y,
                    exposure: n,
                    weight: n * (n + m) / m,
                    at_the_rate: n * (y + RATE_PRIOR)
                        / (m + RATE_PRIOR * self.control_exposure / (total + 0.5)),
                };
                (own, n * m / (n + m))
            }
        };
        self.largest_exposure = self.largest_exposure.max(effective);
        if m <= 0.0 || !is_usable(&counts.control) {
            return (own, Residual::default());
        }
        self.control_events += y;
        (own, alone(y, m))
    }

    fn prior<'a>(&self, settings: &'a Settings, growth: f64) -> Prior<'a> {
        Prior {
            variation: assumed_variation(settings.counted, settings.interval_seconds),
            event_variance: self.event_variance / self.live.max(1.0),
            growth,
            past: settings
                .past
                .as_deref()
                .map(|past| (past, self.largest_exposure)),
        }
    }

    /// `max(100, 16 bmax)`.
    pub(super) fn breaker_noise(&self) -> f64 {
        breaker_noise(self.largest_expected)
    }

    /// What the breaker has, by effect size.
    pub(super) fn breaker(&self) -> &ByEffect {
        &self.breaker
    }

    /// Whether there was any data.
    pub(super) fn has_data(&self) -> bool {
        self.live > 0.0
    }

    /// The noise by which the evidence is divided that began at the rollout's start.
    pub(super) fn dispersion_of_all(&self, settings: &Settings) -> Dispersion {
        self.prior(settings, GROWTH_OF_VIOLATION)
            .dispersion(&self.own, None)
    }

    /// The same with the length of the blocks that differ the most.
    pub(super) fn noisiest(&self, settings: &Settings) -> Noisiest {
        self.prior(settings, GROWTH_OF_VIOLATION)
            .noisiest(&self.own, None)
    }

    /// Since a start: the evidence and its dispersion.
    pub(super) fn own(&self, start: usize, settings: &Settings) -> Option<(ByEffect, Dispersion)> {
        let begun = self.starts.get(start)?;
        let prior = self.prior(settings, GROWTH_OF_VIOLATION);
        let dispersion = prior.dispersion(&self.own, Some(&begun.own));
        Some((difference(&self.capped, &begun.capped), dispersion))
    }

    /// The same with the noise that the control has by itself.
    pub(super) fn by_the_control(
        &self,
        start: usize,
        settings: &Settings,
    ) -> Option<(ByEffect, Dispersion)> {
        let begun = self.starts.get(start)?;
        let prior = self.prior(settings, GROWTH_OF_VIOLATION);
        let dispersion = prior.dispersion(&self.control, Some(&begun.control));
        let dispersion = Dispersion {
            value: CONTROL_FACTOR * dispersion.value,
            ..dispersion
        };
        Some((difference(&self.calm, &begun.calm), dispersion))
    }

    /// Whether the control has shown enough for its own noise to be asked.
    pub(super) fn asks_the_control(&self, settings: &Settings) -> bool {
        settings.past.is_none() && self.control_events >= CONTROL_EVENTS
    }

    /// What compliance and veto of the stage it is at are divided by.
    pub(super) fn dispersion_of_the_stage(&self, settings: &Settings) -> Dispersion {
        self.prior(settings, GROWTH_OF_COMPLIANCE)
            .dispersion(&self.plain, Some(&self.stage))
    }

    /// Whether the newest interval belongs to the environment: the control is beyond the limit itself.
    pub(super) fn is_newest_of_the_environment(&self) -> bool {
        self.is_newest_of_the_environment
    }
}

/// What the breaker divides by, where so many events are the most that was expected in an interval.
pub(super) fn breaker_noise(largest_expected: f64) -> f64 {
    BREAKER_LEAST_NOISE.max(BREAKER_NOISE_PER_EVENT * largest_expected)
}

fn alone(events: f64, exposure: f64) -> Residual {
    Residual {
        deviation: events,
        variance: events,
        exposure,
        weight: exposure,
        at_the_rate: 0.0,
    }
}

fn add(sums: &mut ByEffect, place: usize, increment: f64) {
    if let Some(sum) = sums.get_mut(place) {
        *sum += increment;
    }
}

fn difference(now: &ByEffect, before: &ByEffect) -> ByEffect {
    let mut since = *now;
    for (sum, before) in since.iter_mut().zip(before) {
        *sum -= before;
    }
    since
}
