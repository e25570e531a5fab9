//! The kill switch: absolute limits watched in every stage on the newest data, which roll back
//! at once.
//!
//! It is looked at after every interval of the window, as one would who asks at each: who asks
//! seldom must not miss what one who asks often was told, and a rollback is final.

use crate::interval::Confidence;
use crate::pipeline::{Check, Limit, Method};
use crate::proof::is_beyond_a_broken_control;
use crate::sequential::IntervalCounts;
use crate::series::{PairedCounts, PairedGauge, PairedHistogram, PairedInterval, Population};

use super::absence;
use super::bounds::no_bounds;
use super::conclude::{empty_report, values_text, with_sentence};
use super::evaluated::{Situation, totals_together};
use super::gauge::{self, GaugeRows, Newest};
use super::limit::{Claim, Claims, Levels, Scale, Shown, estimate};
use super::model::{CheckReport, Outcome, ReasonCode};
use super::quantile::{self, Asked, QuantileRows};
use crate::data::MetricData;
use crate::text;

/// The newest intervals that a kill switch looks at: five minutes of the usual 30 s.
const NEWEST_INTERVALS: usize = 10;
/// It is asked at every interval of a rollout of days, so its single looks must be very sure.
const CONFIDENCE: f64 = 0.999_99;

/// What a kill switch says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum KillSwitch {
    /// It fires.
    Fired(CheckReport),
    /// It would fire, but the control is beyond it too.
    Environment(CheckReport),
    /// It cannot see: no data, which must not promote.
    Blind(CheckReport),
    /// It is quiet.
    Quiet,
}

impl KillSwitch {
    /// What it reports, unless it is quiet.
    pub(super) fn into_report(self) -> Option<CheckReport> {
        match self {
            Self::Fired(report) | Self::Environment(report) | Self::Blind(report) => Some(report),
            Self::Quiet => None,
        }
    }
}

/// Looks at one kill switch.
pub(super) fn watch(switch: &Check, situation: Situation<'_>) -> KillSwitch {
    if !switch.counts_at(situation.stage.traffic_percent) {
        // An impact compares with a control, of which none is left.
        return KillSwitch::Quiet;
    }
    let name = &switch.measured.name;
    if let Some(warning) = situation.data.source_warnings.get(name) {
        let why = format!("the source says its data is partial: {warning}");
        return blind(switch, ReasonCode::PartialData, &why);
    }
    if let Some((code, why)) = absence::unjudged(switch, situation.data) {
        return blind(switch, code, &why);
    }
    match situation.data.metrics.get(name) {
        None => blind(
            switch,
            ReasonCode::NoData,
            "nothing was read for its metric",
        ),
        Some(MetricData::Fault(fault)) => blind(switch, fault.code.into(), &fault.message),
        Some(MetricData::Gauge(values)) => on_gauge(switch, values, situation),
        Some(MetricData::Counts(counts)) => {
            let counts = absence::countable(switch, counts, situation.data);
            on_counts(switch, &counts, situation)
        }
        Some(MetricData::Histogram(histogram)) => on_histogram(switch, histogram, situation),
    }
}

/// What the newest look sees if it fires; else the first look that fired; else the newest.
fn ever_fired(situation: Situation<'_>, look: impl Fn(usize) -> KillSwitch) -> KillSwitch {
    let grid = situation.data.grid;
    let newest = look(grid.intervals());
    if matches!(newest, KillSwitch::Fired(_)) {
        return newest;
    }
    for count in 1..grid.intervals() {
        if let KillSwitch::Fired(report) = look(count) {
            let ago_ms = grid.end_ms() - grid.boundary_ms(count);
            let ago = text::minutes(ago_ms as f64 / 60_000.0);
            let reason = text::one_line(&format!("{}, {ago} ago", report.reason));
            return KillSwitch::Fired(CheckReport { reason, ..report });
        }
    }
    newest
}

fn on_gauge(switch: &Check, values: &PairedGauge, situation: Situation<'_>) -> KillSwitch {
    let unknown_canary = gauge::not_finite(values, Population::Canary);
    let unknown_control = || {
        let control = gauge::not_finite(values, Population::Control);
        control.filter(|_| switch.limit.needs_control())
    };
    if let Some(why) = unknown_canary.or_else(unknown_control) {
        return blind(switch, ReasonCode::NotFinite, &why);
    }
    // Young processes are seen too.
    let mut rows = GaugeRows::of(
        values,
        situation.data.grid,
        0.0,
        gauge::is_per_request(switch),
    );
    if gauge::not_finite(values, Population::Control).is_some() {
        rows.forget_the_control();
    }
    let seen = gauge::watch(switch, &rows);
    ever_fired(situation, |count| {
        let what = || {
            let seen = values.intervals.get(..count).unwrap_or_default();
            let now = seen.iter().rev().find_map(|pair| pair.canary);
            now.map_or_else(String::new, |value| {
                format!("at {}", text::value(value, switch.measured.dimension))
            })
        };
        let newest = count.checked_sub(1).and_then(|newest| seen.get(newest));
        match newest.copied().unwrap_or(Newest::Unknown) {
            Newest::Unknown => blind(
                switch,
                ReasonCode::NoData,
                "the canary has no value in the newest intervals",
            ),
            Newest::Within => KillSwitch::Quiet,
            Newest::BothBeyond => environment(switch, &what()),
            Newest::Beyond => fired(switch, &what()),
        }
    })
}

fn on_counts(switch: &Check, counts: &PairedCounts, situation: Situation<'_>) -> KillSwitch {
    if counts.totals().canary.exposure <= 0.0 {
        return blind(
            switch,
            ReasonCode::NoData,
            "the canary had no traffic in the window",
        );
    }
    ever_fired(situation, |count| {
        let ends_by =
            |end: usize| move |interval: &PairedInterval| interval.first + interval.length <= end;
        let from = count.saturating_sub(NEWEST_INTERVALS);
        let from = counts.intervals.partition_point(ends_by(from));
        let until = counts.intervals.partition_point(ends_by(count));
        let newest = PairedCounts {
            intervals: counts
                .intervals
                .get(from..until)
                .unwrap_or_default()
                .to_vec(),
            quality: counts.quality,
            ..PairedCounts::default()
        };
        let totals = totals_together(&newest, switch.is_relative());
        let violation = Some(Claim {
            limit: switch.limit,
            totals,
        });
        let claims = Claims {
            scale: Scale::of(&switch.measured),
            violation,
            compliance: None,
        };
        told(switch, &claims, Some(totals), || {
            estimate(totals.canary).map_or_else(String::new, |value| {
                format!(
                    "{} of {} in the newest intervals",
                    text::value(value, switch.measured.dimension),
                    text::count(totals.canary.exposure)
                )
            })
        })
    })
}

fn on_histogram(
    switch: &Check,
    histogram: &PairedHistogram,
    situation: Situation<'_>,
) -> KillSwitch {
    let asked = match Asked::of_check(switch) {
        Ok(asked) => asked,
        Err(why) => return blind(switch, ReasonCode::NoData, &why),
    };
    // Young processes are seen too.
    let rows = QuantileRows::of(histogram, situation.data.grid, 0.0, true);
    if rows.requests().0.canary <= 0.0 {
        return blind(
            switch,
            ReasonCode::NoData,
            "the canary had no traffic in the window",
        );
    }
    if let Some(why) = no_bounds(histogram, switch.measured.dimension) {
        return blind(switch, ReasonCode::OtherBuckets, &why);
    }
    let Some(asked) = asked.at_the_next_bound(rows.bounds()) else {
        let why = "it lies beyond the last bucket and could never fire; lower it, or add buckets";
        return blind(switch, ReasonCode::NoData, why);
    };
    let (each, _) = quantile::counted(&rows, asked, None);
    ever_fired(situation, |count| {
        let newest = count.saturating_sub(NEWEST_INTERVALS)..count;
        let totals = quantile::totals_of(each.get(newest.clone()).unwrap_or_default());
        let claims = Claims {
            compliance: None,
            ..quantile::claims_of(asked, totals)
        };
        told(switch, &claims, None, || {
            let mut seen = empty_report(switch, Method::Wilson, true);
            if let Some(levels) = levels() {
                let canary = rows.sums(newest.start, newest.end).canary;
                let slow = asked.slow();
                seen.canary = quantile::arm_report(&canary, rows.bounds(), slow, levels.compliance);
            }
            values_text(&seen, switch.measured.dimension)
        })
    })
}

fn levels() -> Option<Levels> {
    let confidence = Confidence::new(CONFIDENCE).ok()?;
    Some(Levels {
        violation: confidence,
        compliance: confidence,
    })
}

/// What a look says. `totals` are the counts that it is about, where it is about counts: beside a control that is
/// beyond the limit too it fires where the canary is for sure far beyond the control.
fn told(
    switch: &Check,
    claims: &Claims,
    totals: Option<IntervalCounts>,
    what: impl Fn() -> String,
) -> KillSwitch {
    let is_beyond_the_control = || {
        let wants_less = matches!(switch.limit, Limit::AtMost { .. });
        wants_less && totals.as_ref().is_some_and(is_beyond_a_broken_control)
    };
    match levels().map(|levels| claims.shown(levels)) {
        Some(Shown::Violated) => fired(switch, &what()),
        Some(Shown::BothViolated) if is_beyond_the_control() => {
            let what = format!("{}, far beyond the control, which is beyond it too", what());
            fired(switch, &what)
        }
        Some(Shown::BothViolated) => environment(switch, &what()),
        _ => KillSwitch::Quiet,
    }
}

fn fired(switch: &Check, what: &str) -> KillSwitch {
    let why = format!("the kill switch fired, {what}");
    KillSwitch::Fired(report(switch, Outcome::Fail, ReasonCode::KillSwitch, &why))
}

fn environment(switch: &Check, what: &str) -> KillSwitch {
    let why = format!("canary and control are both beyond the kill switch, {what}");
    KillSwitch::Environment(report(
        switch,
        Outcome::Undecided,
        ReasonCode::Environment,
        &why,
    ))
}

fn blind(switch: &Check, code: ReasonCode, why: &str) -> KillSwitch {
    let why = format!("the kill switch cannot see: {why}");
    KillSwitch::Blind(report(switch, Outcome::NoData, code, &why))
}

fn report(switch: &Check, outcome: Outcome, code: ReasonCode, why: &str) -> CheckReport {
    let mut report = empty_report(switch, Method::Wilson, true);
    report.outcome = outcome;
    report.reason_code = code;
    with_sentence(report, why)
}
