//! What a gauge's samples prove over a whole rollout.

use super::blocks::OpenBlocks;
use super::excess::{ENOUGH_DEGREES_OF_FREEDOM, Form, GaugeUnit, is_beyond, is_near_one};
use super::lines::{Lines, Places, SidePlaces, promotion_with};
use super::pods::PodTable;
use super::reading::what_lacks;
use super::sample::GaugeSample;
use super::segment::{Arrived, Segment};
use super::settings::{GaugeLine, GaugeSettings};
use super::spread::{Around, log_evidence};
use super::stage::Stage;
use super::starts::GaugeSchedule;
use crate::sequential::{Side, log_sum_exp};

/// A rest of the weights that is less is none.
const NO_REST: f64 = 1e-12;

/// Evidence that a canary's gauge is beyond its limit: sample by sample.
///
/// Over starts `a` of weight `w`, `ln E = lse(ln w_a + E(a, K))`, starts to come 1; `E(a, K)` is the half-normal
/// mixture of the mean excess of the samples since, with the variance of [`super::GaugeSpread`]. It is formed anew at each
/// sample with the ratio, the form and the past that all samples so far ask for.
///
/// A function of the samples only: polls do not change it, and a replay gives the same bytes. A sample costs what
/// the starts that go on and the control's pods do: 40 starts after 480 samples of a minute, about 140 after 20,160.
/// Each has at most 32 earlier windows, of which old ones are asked now and then.
///
/// Source: docs/design/gauges.md, "4. Evidence for a violation"; A. Shiryaev, "On optimum methods in quickest
/// detection problems" (1963), for the starts.
#[derive(Debug, Clone, PartialEq)]
pub struct GaugeStream {
    settings: GaugeSettings,
    lines: Lines,
    schedule: GaugeSchedule,
    open: Vec<OpenBlocks>,
    pods: PodTable,
    whole: Segment,
    pub(super) stage: Stage,
    starts: Vec<Going>,
    /// The weights of all starts so far, and by side the logarithm of what those that no longer go on have left.
    weights: f64,
    left: Vec<f64>,
    control: ControlSoFar,
    is_cold: bool,
    is_newest_shared: bool,
    last: f64,
}

/// A start that goes on.
#[derive(Debug, Clone, PartialEq)]
struct Going {
    log_weight: f64,
    ends_at: Option<usize>,
    segment: Segment,
}

/// All samples of the control's mean.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct ControlSoFar {
    samples: usize,
    sum: f64,
    is_any_negative: bool,
}

impl GaugeStream {
    /// Before the first sample of a rollout.
    pub fn new(settings: GaugeSettings) -> Self {
        let lines = Lines::new(&settings);
        Self {
            schedule: GaugeSchedule::new(&settings),
            open: vec![OpenBlocks::default(); lines.all.len()],
            pods: PodTable::new(!settings.line.is_absolute()),
            whole: Segment::begin(0, lines.all.len(), None),
            stage: Stage::begin(Segment::begin(0, lines.all.len(), None), 0),
            starts: Vec::new(),
            weights: 0.0,
            left: vec![f64::NEG_INFINITY; lines.sides.len()],
            control: ControlSoFar::default(),
            is_cold: false,
            is_newest_shared: false,
            last: 0.0,
            lines,
            settings,
        }
    }

    /// What is fixed.
    pub fn settings(&self) -> &GaugeSettings {
        &self.settings
    }

    /// A stage begins before the next sample. `promotion_ratio` is what its check names, one of
    /// [`GaugeSettings::promotion_ratios`].
    pub fn begin_stage(&mut self, promotion_ratio: Option<f64>) {
        let segment = Segment::begin(self.whole.samples, self.lines.all.len(), Some(&self.whole));
        self.stage = Stage::begin(segment, promotion_with(&self.settings, promotion_ratio));
    }

    /// All evidence begins anew before the next sample: a person has decided. What it is divided by keeps all
    /// data.
    pub fn begin_anew(&mut self) {
        self.starts.clear();
        self.weights = 0.0;
        self.left.fill(f64::NEG_INFINITY);
        self.schedule.begin_anew(self.whole.samples);
        self.last = 0.0;
    }

    /// Adds a sample; returns `ln E` after it. One that lacks a value leaves it as it was, as does one that is not
    /// later than the newest.
    pub fn push(&mut self, sample: &GaugeSample) -> f64 {
        let is_later = self.whole.samples == 0 || sample.at_seconds > self.whole.newest_seconds;
        if !sample.at_seconds.is_finite() || !is_later {
            return self.last;
        }
        self.notice(sample);
        let points: Option<Vec<_>> = self
            .lines
            .all
            .iter()
            .map(|line| line.point(sample))
            .collect();
        let Some(points) = points else {
            return self.last;
        };
        let now = self.whole.samples;
        if let Some(start) = self.schedule.start_at(now) {
            self.weights += start.weight;
            self.starts.push(Going {
                log_weight: libm::log(start.weight),
                ends_at: start.ends_at,
                segment: Segment::begin(now, self.lines.of_violations, Some(&self.whole)),
            });
        }
        let (canary_pods, control_pods) = self
            .pods
            .push((&sample.canary_pods, &sample.control_pods), now);
        let points: Vec<_> = points
            .into_iter()
            .zip(&mut self.open)
            .map(|(point, open)| (point, open.push(point.scaled).to_vec()))
            .collect();
        let arrived = Arrived {
            at_seconds: sample.at_seconds,
            points: &points,
            canary_pods: &canary_pods,
            control_pods: &control_pods,
            pods_with_a_value: canary_pods.values.len().max(1),
        };
        self.whole.push(&arrived);
        self.stage.segment.push(&arrived);
        for going in &mut self.starts {
            going.segment.push(&arrived);
            for form in &self.lines.forms {
                going.segment.ask_earlier_windows(&self.pods, *form);
            }
        }
        self.is_newest_shared = self.is_shared(sample);
        self.is_cold = sample
            .canary_age_seconds
            .is_some_and(|age| age < self.settings.cold_start_seconds);
        self.last = self.mixed();
        self.let_go();
        self.last
    }

    /// What also a sample that is not used tells.
    fn notice(&mut self, sample: &GaugeSample) {
        if let Some(control) = sample.control() {
            self.control.samples += 1;
            self.control.sum += control;
            self.control.is_any_negative |= control < 0.0;
        }
        if !sample.is_warming_up {
            let is_absolute = self.settings.line.is_absolute();
            let (has_any, lacks) = what_lacks(sample.canary(), sample.control(), is_absolute);
            self.stage.notice(has_any, lacks);
        }
    }

    fn is_shared(&self, sample: &GaugeSample) -> bool {
        let GaugeLine::Absolute {
            limit,
            bad,
            has_control,
            ..
        } = self.settings.line
        else {
            return false;
        };
        let control = sample.control().filter(|_| has_control);
        control.is_some_and(|control| is_beyond(control, limit, bad))
    }

    /// `ln E` of all starts: the mean over both sides of a tolerance.
    fn mixed(&self) -> f64 {
        let rest = 1.0 - self.weights;
        let rest = if rest > NO_REST {
            libm::log(rest)
        } else {
            f64::NEG_INFINITY
        };
        let of_a_side = |(side, left): (&SidePlaces, &f64)| {
            let mut terms = self.terms(side, |_| true);
            terms.extend([*left, rest]);
            log_sum_exp(&terms)
        };
        let sides = self.lines.sides.iter().zip(&self.left).map(of_a_side);
        let sides: Vec<f64> = sides.collect();
        log_sum_exp(&sides) - libm::log(sides.len() as f64)
    }

    /// What each of these starts adds to a side.
    fn terms(&self, side: &SidePlaces, is_asked: impl Fn(&Going) -> bool) -> Vec<f64> {
        let voting = self
            .voting_line(side)
            .and_then(|(place, form)| Some((place, self.lines.all.get(place)?, self.around(form))));
        let term = |going: &Going| {
            let found = voting.as_ref().and_then(|(place, line, around)| {
                let sums = going.segment.lines.get(*place)?;
                Some(log_evidence(line, sums, &going.segment, around))
            });
            going.log_weight + found.unwrap_or(0.0)
        };
        let asked = self.starts.iter().filter(|going| is_asked(going));
        asked.map(term).collect()
    }

    /// Lets those starts end whose time is over.
    fn let_go(&mut self) {
        let now = self.whole.samples;
        let is_over = |going: &Going| going.ends_at.is_some_and(|end| end <= now);
        if !self.starts.iter().any(is_over) {
            return;
        }
        let of_a_side = |(side, left): (&SidePlaces, &f64)| {
            let mut terms = self.terms(side, is_over);
            terms.push(*left);
            log_sum_exp(&terms)
        };
        let left = self.lines.sides.iter().zip(&self.left).map(of_a_side);
        self.left = left.collect();
        self.starts.retain(|going| !is_over(going));
    }

    /// The places of the lines that a side is judged by now, and their form.
    pub(super) fn places_of(&self, side: &SidePlaces) -> Option<(Places, Form)> {
        let mean =
            (self.control.samples > 0).then(|| self.control.sum / self.control.samples as f64);
        let is_near = is_near_one(self.settings.unit, Side::Below, mean);
        match (side.direct, side.failures) {
            (_, Some(failures)) if is_near || side.direct.is_none() => {
                Some((failures, Form::Failures))
            }
            (Some(direct), _) => Some((direct, Form::Direct)),
            _ => None,
        }
    }

    /// The line that a side's violation is judged by now.
    pub(super) fn voting_line(&self, side: &SidePlaces) -> Option<(usize, Form)> {
        let (places, form) = self.places_of(side)?;
        let is_measured = self.degrees_of_freedom(form) >= ENOUGH_DEGREES_OF_FREEDOM;
        Some((if is_measured { places.own } else { places.wide }, form))
    }

    /// Of the pods of all samples so far.
    fn degrees_of_freedom(&self, form: Form) -> usize {
        self.whole
            .pods
            .between(self.whole.samples, form)
            .degrees_of_freedom
    }

    pub(super) fn around(&self, form: Form) -> Around<'_> {
        let is_read = self.settings.line.is_absolute()
            || self.degrees_of_freedom(form) < ENOUGH_DEGREES_OF_FREEDOM;
        Around {
            samples: self.whole.samples,
            pods: &self.pods,
            past: self.settings.past.as_deref().filter(|_| is_read),
            is_cold: self.is_cold,
            is_number: self.settings.unit == GaugeUnit::Number,
        }
    }

    pub(super) fn lines(&self) -> &Lines {
        &self.lines
    }

    pub(super) fn whole(&self) -> &Segment {
        &self.whole
    }

    /// `ln E` after the newest sample.
    pub fn log_evidence(&self) -> f64 {
        self.last
    }

    /// Samples that were used.
    pub fn samples(&self) -> usize {
        self.whole.samples
    }

    /// Whether a relative limit has no meaning: the control was below 0 in a sample.
    pub fn is_baseline_negative(&self) -> bool {
        !self.settings.line.is_absolute() && self.control.is_any_negative
    }

    /// Whether the control breaks the absolute limit in the newest sample as well.
    pub fn is_newest_of_the_environment(&self) -> bool {
        self.is_newest_shared
    }

    /// Whether the newest canary is still cold, so that pods prove no more than one.
    pub fn is_cold(&self) -> bool {
        self.is_cold
    }

    /// Whether shares are judged as their complement now.
    pub fn is_judged_by_failures(&self) -> bool {
        let mut sides = self.lines.sides.iter();
        sides.any(|side| {
            self.places_of(side)
                .is_some_and(|(_, form)| form == Form::Failures)
        })
    }

    /// Whether a limit within 1.25 is judged at 1.25 for want of measured pods.
    pub fn is_judged_at_the_wide_ratio(&self) -> bool {
        let mut sides = self.lines.sides.iter();
        sides.any(|side| {
            let found = self.places_of(side).zip(self.voting_line(side));
            found.is_some_and(|((places, _), (voting, _))| voting != places.own)
        })
    }

    /// About how many bytes it takes, without the past, which is shared.
    pub fn bytes(&self) -> usize {
        let starts = self
            .starts
            .iter()
            .map(|going| size_of::<Going>() + going.segment.bytes());
        let open = self.open.iter().map(OpenBlocks::bytes);
        size_of::<Self>()
            + starts.sum::<usize>()
            + open.sum::<usize>()
            + self.pods.bytes()
            + self.whole.bytes()
            + self.stage.segment.bytes()
    }
}
