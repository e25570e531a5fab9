//! The lines that a gauge's samples are held against.
//!
//! One limit is several lines: that of a violation at its own ratio and at 1.25, that of a promotion, and of a share
//! that may be near 1 the same of its failures. Which one counts is asked anew at each sample; what each needs is
//! kept of all.

use super::excess::{
    Form, complement_offset, excess, is_beyond, is_near_one, limit_beside, load_factor, wide_ratio,
};
use super::sample::GaugeSample;
use super::settings::{GaugeLine, GaugeSettings};
use crate::sequential::{Side, default_promotion_ratio};

/// How far a value lies from its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// Beyond it, as a logarithm: a violation.
    Logarithmic,
    /// Within it, plain: a promotion, which is about the mean.
    Plain,
}

/// What a value is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Against {
    Control {
        ratio: f64,
        offset: f64,
        asks_load: bool,
    },
    /// `asks_control`: where the control breaks it as well, 1.25 of the control.
    Number { limit: f64, asks_control: bool },
}

/// A line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Line {
    pub(super) form: Form,
    pub(super) scale: Scale,
    pub(super) bad: Side,
    pub(super) against: Against,
    /// The check's own limit, which the plain mean must not be beyond.
    pub(super) guard: Option<Against>,
}

/// What a sample is on a line.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Point {
    pub(super) canary: f64,
    pub(super) limit: f64,
    /// The plain distance: of a violation positive beyond, of a promotion positive within.
    pub(super) distance: f64,
    /// The same on the line's scale.
    pub(super) scaled: f64,
    /// How far beyond the check's own limit.
    pub(super) beyond_guard: f64,
}

impl Line {
    /// Whether it compares with a number.
    pub(super) fn is_absolute(&self) -> bool {
        matches!(self.against, Against::Number { .. })
    }

    /// `delta`: what the limit is beside the control's part.
    pub(super) fn offset(&self) -> f64 {
        match self.against {
            Against::Control { offset, .. } => offset,
            Against::Number { limit, .. } => limit,
        }
    }

    /// The sample on this line. Nothing where a value is missing that it needs.
    pub(super) fn point(&self, sample: &GaugeSample) -> Option<Point> {
        let canary = self.form.of(sample.canary()?);
        let limit = self.limit(self.against, sample)?;
        let beyond = match self.bad {
            Side::Above => canary - limit,
            Side::Below => limit - canary,
        };
        let (distance, scaled) = match (self.scale, self.bad) {
            (Scale::Plain, _) => (-beyond, -beyond),
            (Scale::Logarithmic, Side::Above) => (beyond, excess(canary, limit)),
            (Scale::Logarithmic, Side::Below) => (beyond, excess(limit, canary)),
        };
        let guard = self.guard.and_then(|guard| self.limit(guard, sample));
        let beyond_guard = guard.map_or(0.0, |guard| match self.bad {
            Side::Above => canary - guard,
            Side::Below => guard - canary,
        });
        Some(Point {
            canary,
            limit,
            distance,
            scaled,
            beyond_guard,
        })
    }

    fn limit(&self, against: Against, sample: &GaugeSample) -> Option<f64> {
        let control = sample.control().map(|control| self.form.of(control));
        match against {
            Against::Control {
                ratio,
                offset,
                asks_load,
            } => {
                let loads = sample
                    .loads
                    .filter(|_| asks_load && self.bad == Side::Above);
                let load = loads.map_or(1.0, |both| load_factor(both.canary, both.control));
                Some(ratio * control? * load + offset)
            }
            Against::Number {
                limit,
                asks_control,
            } => Some(limit_beside(
                control.filter(|_| asks_control),
                limit,
                self.bad,
            )),
        }
    }

    /// Whether a value of this form breaks the number.
    pub(super) fn breaks_the_number(&self, value: f64) -> bool {
        match self.against {
            Against::Number { limit, .. } => is_beyond(value, limit, self.bad),
            Against::Control { .. } => false,
        }
    }
}

/// The places of the lines of one form of a side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Places {
    /// At its own ratio, and at 1.25 if that is wider.
    pub(super) own: usize,
    pub(super) wide: usize,
    /// That of the usual promotion; those that stages name follow.
    pub(super) promotion: usize,
}

/// A side of a limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SidePlaces {
    pub(super) direct: Option<Places>,
    pub(super) failures: Option<Places>,
}

/// All lines of a stream: those of violations first.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lines {
    pub(super) all: Vec<Line>,
    pub(super) of_violations: usize,
    pub(super) sides: Vec<SidePlaces>,
    /// Canary over control, for display.
    pub(super) display: Option<usize>,
    /// Those that a side has.
    pub(super) forms: Vec<Form>,
}

impl Lines {
    pub(super) fn new(settings: &GaugeSettings) -> Self {
        let (mut violations, mut promotions) = (Vec::new(), Vec::new());
        let mut sides = Vec::new();
        let mut all_forms = Vec::new();
        let ratios = named_ratios(settings);
        for side in settings.line.sides() {
            let is_within = matches!(settings.line, GaugeLine::Within { .. });
            let forms = forms_of(&side, settings, is_within);
            let mut places = SidePlaces {
                direct: None,
                failures: None,
            };
            for form in forms {
                if !all_forms.contains(&form) {
                    all_forms.push(form);
                }
                let own = violations.len();
                violations.extend(violations_of(&side, form, settings.votes_at_its_ratio));
                let found = Places {
                    own,
                    wide: violations.len() - 1,
                    promotion: promotions.len(),
                };
                promotions.push(promotion_of(&side, form, None));
                let named = ratios
                    .iter()
                    .map(|ratio| promotion_of(&side, form, Some(*ratio)));
                promotions.extend(named);
                match form {
                    Form::Direct => places.direct = Some(found),
                    Form::Failures => places.failures = Some(found),
                }
            }
            sides.push(places);
        }
        let of_violations = violations.len();
        for side in &mut sides {
            for places in [&mut side.direct, &mut side.failures].into_iter().flatten() {
                places.promotion += of_violations;
            }
        }
        let mut all = violations;
        all.append(&mut promotions);
        let display = (!settings.line.is_absolute()).then(|| {
            all.push(displayed());
            all.len() - 1
        });
        Self {
            all,
            of_violations,
            sides,
            display,
            forms: all_forms,
        }
    }
}

/// The ratios of promotions that stages name: of a limit that has one.
fn named_ratios(settings: &GaugeSettings) -> &[f64] {
    match settings.line {
        GaugeLine::Relative { .. } => &settings.promotion_ratios,
        GaugeLine::Absolute { .. } | GaugeLine::Within { .. } => &[],
    }
}

/// Which promotion of a side has this ratio: the usual one where none was announced.
pub(super) fn promotion_with(settings: &GaugeSettings, ratio: Option<f64>) -> usize {
    let is_it = |named: &f64| ratio.is_some_and(|ratio| ratio.total_cmp(named).is_eq());
    let place = named_ratios(settings).iter().position(is_it);
    place.map_or(0, |place| place + 1)
}

fn forms_of(side: &GaugeLine, settings: &GaugeSettings, is_within: bool) -> Vec<Form> {
    let may_be_near = |bad: Side, level: f64| is_near_one(settings.unit, bad, Some(level));
    match *side {
        GaugeLine::Absolute { limit, bad, .. } if may_be_near(bad, limit) => vec![Form::Failures],
        // Asked anew at each sample, of the control's mean.
        GaugeLine::Relative { bad, .. } if !is_within && may_be_near(bad, 1.0) => {
            vec![Form::Direct, Form::Failures]
        }
        _ => vec![Form::Direct],
    }
}

/// A limit in one form: its bad side, ratio and offset.
fn in_form(form: Form, bad: Side, ratio: f64, offset: f64) -> (Side, f64, f64) {
    match form {
        Form::Direct => (bad, ratio, offset),
        Form::Failures => (bad.opposite(), ratio, complement_offset(ratio, offset)),
    }
}

fn violations_of(side: &GaugeLine, form: Form, votes_at_its_ratio: bool) -> Vec<Line> {
    let line = |bad: Side, against: Against| Line {
        form,
        scale: Scale::Logarithmic,
        bad,
        against,
        guard: None,
    };
    match *side {
        GaugeLine::Relative {
            ratio, offset, bad, ..
        } => {
            let (bad, ratio, offset) = in_form(form, bad, ratio, offset);
            let at = |ratio: f64| {
                line(
                    bad,
                    Against::Control {
                        ratio,
                        offset,
                        asks_load: true,
                    },
                )
            };
            let wide = wide_ratio(ratio, bad);
            let is_wide = wide.total_cmp(&ratio).is_eq();
            if is_wide || votes_at_its_ratio {
                vec![at(ratio)]
            } else {
                vec![at(ratio), at(wide)]
            }
        }
        GaugeLine::Absolute {
            limit,
            bad,
            has_control,
            ..
        } => {
            let (limit, bad) = number_in_form(form, limit, bad);
            vec![line(
                bad,
                Against::Number {
                    limit,
                    asks_control: has_control,
                },
            )]
        }
        GaugeLine::Within { .. } => Vec::new(),
    }
}

fn number_in_form(form: Form, limit: f64, bad: Side) -> (f64, Side) {
    match form {
        Form::Direct => (limit, bad),
        Form::Failures => (form.of(limit), bad.opposite()),
    }
}

fn promotion_of(side: &GaugeLine, form: Form, named_ratio: Option<f64>) -> Line {
    let line = |bad: Side, against: Against, guard: Against| Line {
        form,
        scale: Scale::Plain,
        bad,
        against,
        guard: Some(guard),
    };
    match *side {
        GaugeLine::Relative { ratio, offset, bad } => {
            let (bad, own, own_offset) = in_form(form, bad, ratio, offset);
            let at = |ratio: f64, offset: f64| Against::Control {
                ratio,
                offset,
                asks_load: false,
            };
            let guard = at(wide_ratio(own, bad), own_offset);
            let promotion = match (named_ratio, bad) {
                (Some(given), _) => {
                    let (_, ratio, offset) = in_form(form, bad, given, offset);
                    at(ratio, offset)
                }
                (None, Side::Above) => at(default_promotion_ratio(own), own_offset),
                (None, Side::Below) => at(1.0 / default_promotion_ratio(1.0 / own), own_offset),
            };
            line(bad, promotion, guard)
        }
        GaugeLine::Absolute { limit, bad, .. } => {
            let (limit, bad) = number_in_form(form, limit, bad);
            let number = Against::Number {
                limit,
                asks_control: false,
            };
            line(bad, number, number)
        }
        GaugeLine::Within { .. } => displayed(),
    }
}

fn displayed() -> Line {
    Line {
        form: Form::Direct,
        scale: Scale::Logarithmic,
        bad: Side::Above,
        against: Against::Control {
            ratio: 1.0,
            offset: 0.0,
            asks_load: false,
        },
        guard: None,
    }
}
