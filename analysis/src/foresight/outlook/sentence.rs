//! What a stage will see, in words.

use crate::pipeline::{Check, Limit, Stage};

use super::{CheckOutlook, FactorsOf, OutlookStatus, PromotionOutlook};
use crate::judge::limit::times_control;
use crate::text;

/// `at 1 % of the traffic this stage sees x5 in 9 minutes, x2 in 4 hours; it lasts 60 minutes`.
pub(super) fn of_check(outlook: &CheckOutlook, stage: &Stage, check: &Check) -> String {
    let promotion = outlook
        .promotion
        .as_ref()
        .map_or_else(String::new, |promotion| {
            format!("; {}", promoted(outlook, promotion, stage, check))
        });
    format!(
        "{}: at {} % of the traffic this stage {}; it {}{promotion}",
        outlook.condition,
        text::digits(stage.traffic_percent),
        seen(outlook, stage),
        lasts(stage)
    )
}

/// The smallest factor of the table that is seen in time, and the next below it, which is not.
fn seen(outlook: &CheckOutlook, stage: &Stage) -> String {
    let longest = stage.max_duration_minutes;
    let possible = || {
        outlook
            .sees
            .iter()
            .filter_map(|sight| Some((sight.factor, sight.minutes?)))
    };
    let in_time = possible().find(|(_, minutes)| *minutes <= longest);
    let late = possible().rfind(|(_, minutes)| *minutes > longest);
    let of = match outlook.factors_of {
        FactorsOf::Limit => " the limit",
        FactorsOf::SlowRequestsAllowed => " the slow requests allowed",
        FactorsOf::Baseline => "",
    };
    let told =
        |factor: f64, minutes: f64| format!("x{}{of} in {}", text::digits(factor), span(minutes));
    match (in_time, late) {
        (Some((factor, minutes)), Some((other, later))) => {
            format!("sees {}, {}", told(factor, minutes), told(other, later))
        }
        (Some((factor, minutes)), None) => {
            // Nothing is too small to be seen, so what is seen much sooner is worth a word.
            match possible().find(|(other, sooner)| *other > factor && *sooner < 0.5 * minutes) {
                Some((other, sooner)) => {
                    format!("sees {}, {}", told(other, sooner), told(factor, minutes))
                }
                None => format!("sees {}", told(factor, minutes)),
            }
        }
        (None, Some((factor, minutes))) => {
            format!(
                "does not see x{} in time: that takes {}",
                text::digits(factor),
                span(minutes)
            )
        }
        (None, None) => {
            "sees none of these: they keep the limit, or no canary can be so bad".to_owned()
        }
    }
}

fn lasts(stage: &Stage) -> String {
    let (usual, longest) = (stage.duration_minutes, stage.max_duration_minutes);
    if longest > usual {
        format!("lasts {}, at most {}", span(usual), span(longest))
    } else {
        format!("lasts {}", span(usual))
    }
}

fn promoted(
    outlook: &CheckOutlook,
    promotion: &PromotionOutlook,
    stage: &Stage,
    check: &Check,
) -> String {
    let claim = claim(check);
    let Some(minutes) = promotion.minutes else {
        return match check.limit.absolute_value() {
            Some(limit)
                if outlook.baseline.is_some_and(|today| match check.limit {
                    Limit::AtLeast { .. } => today <= limit,
                    Limit::AtMost { .. } | Limit::Within { .. } => today >= limit,
                }) =>
            {
                format!(
                    "the service itself is at {} today and does not keep this limit",
                    outlook.baseline_text.as_deref().unwrap_or_default()
                )
            }
            Some(_) => "the data cannot show that the limit is kept".to_owned(),
            None => format!("a canary as good as the service is never shown to be {claim}"),
        };
    };
    let told = format!(
        "a canary as good as the service is shown to be {claim} in {}",
        span(minutes)
    );
    if promotion.in_time {
        return told;
    }
    let enough = enough(promotion, minutes, stage, check);
    format!(
        "{told}, not within {}: {enough} would be enough",
        span(stage.max_duration_minutes)
    )
}

/// What must be shown for a promotion.
fn claim(check: &Check) -> String {
    match check.promotion_limit {
        Limit::AtMost {
            ratio: Some(ratio),
            offset,
        } => format!(
            "below {}",
            times_control(ratio, offset, check.measured.dimension)
        ),
        Limit::AtLeast {
            ratio: Some(ratio),
            offset,
        } => format!(
            "above {}",
            times_control(ratio, offset, check.measured.dimension)
        ),
        Limit::AtMost { ratio: None, .. }
        | Limit::AtLeast { ratio: None, .. }
        | Limit::Within { .. } => "within the limit".to_owned(),
    }
}

fn enough(promotion: &PromotionOutlook, minutes: f64, stage: &Stage, check: &Check) -> String {
    let mut ways = vec![format!("max_duration_minutes: {}", rounded_up(minutes))];
    if let Some(percent) = promotion.enough_traffic_percent {
        ways.push(format!(
            "{} % of the traffic",
            text::digits(beyond(percent, stage.traffic_percent))
        ));
    }
    if let Some(ratio) = promotion.enough_promote_ratio {
        let today = match check.promotion_limit {
            Limit::AtMost { ratio, .. } | Limit::AtLeast { ratio, .. } => ratio.unwrap_or(1.0),
            Limit::Within { .. } => 1.0,
        };
        ways.push(format!(
            "promote_ratio: {}",
            text::digits(beyond(ratio, today))
        ));
    }
    match ways.pop() {
        Some(last) if !ways.is_empty() => format!("{} or {last}", ways.join(", ")),
        last => last.unwrap_or_default(),
    }
}

/// A little beyond what is just enough, as seen from what is there: what is told has three digits.
fn beyond(enough: f64, from: f64) -> f64 {
    if enough >= from {
        enough * 1.005
    } else {
        enough / 1.005
    }
}

/// Two significant digits, rounded up: a plan is no measurement.
fn rounded_up(minutes: f64) -> String {
    text::about(minutes).replace(',', "")
}

/// Whether the stage promotes a canary that is as good as the service is today.
pub(super) fn of_stage(
    stage: &Stage,
    checks: &[CheckOutlook],
    can_promote: Option<bool>,
    minutes: f64,
) -> String {
    let counting = || {
        checks
            .iter()
            .filter(|check| !check.warn_only && check.status != OutlookStatus::DoesNotCount)
    };
    if counting().next().is_none() {
        return "this stage cannot promote: at 100 % traffic none of its checks counts; add an \
                absolute one, such as error_rate < 0.1%"
            .to_owned();
    }
    let needed = || counting().filter(|check| check.is_waited_for());
    let names = |test: &dyn Fn(&CheckOutlook) -> bool| {
        needed()
            .filter(|check| test(check))
            .map(|check| check.condition.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let open = names(&|check| check.status != OutlookStatus::Planned);
    match can_promote {
        Some(true) => format!(
            "a canary as good as the service is today is promoted after {}",
            span(minutes)
        ),
        None => format!(
            "a canary as good as the service is today is promoted after {} at the earliest; not \
             planned: {open}",
            span(minutes)
        ),
        Some(false) => {
            let never = names(&|check| {
                check
                    .promotion
                    .as_ref()
                    .is_some_and(|promotion| promotion.minutes.is_none())
            });
            let late = names(&|check| {
                check
                    .promotion
                    .as_ref()
                    .is_some_and(|promotion| promotion.minutes.is_some() && !promotion.in_time)
            });
            let mut reasons = Vec::new();
            if !never.is_empty() {
                reasons.push(format!("never shown: {never}"));
            }
            if !late.is_empty() {
                reasons.push(format!("too slow: {late}"));
            }
            if reasons.is_empty() {
                reasons.push(format!("its gauges take {}", span(minutes)));
            }
            format!(
                "this stage cannot promote a canary as good as the service is today within {}; {}",
                span(stage.max_duration_minutes),
                reasons.join("; ")
            )
        }
    }
}

/// A time with two significant digits, rounded up: a plan is no measurement.
fn span(minutes: f64) -> String {
    let (value, unit) = if minutes < 180.0 {
        (minutes, "minutes")
    } else if minutes < 72.0 * 60.0 {
        (minutes / 60.0, "hours")
    } else {
        (minutes / 1_440.0, "days")
    };
    // What the file says is told as it stands there.
    if value.fract() == 0.0 {
        return format!("{} {unit}", text::digits(value));
    }
    let magnitude = libm::floor(libm::log10(value));
    let step = libm::pow(10.0, magnitude - 1.0);
    format!("{} {unit}", text::digits(libm::ceil(value / step) * step))
}
