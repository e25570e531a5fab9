//! A plan as tables for people.

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ContentArrangement, Table};
use serinus_analysis::foresight::{
    CheckOutlook, DispersionSource, FACTORS, OutlookStatus, StageOutlook,
};

use super::super::table;
use super::Report;

/// Writes the plan, in tables that are at most so wide.
pub(super) fn of(report: &Report, columns: u16) -> String {
    let mut lines = vec![format!("{}, {}", report.pipeline, report.basis.text)];
    if let Some(why) = &report.basis.noise {
        lines.push(format!("the noise is assumed, not measured: {why}"));
    }
    lines.extend(report.selectors.iter().map(ToString::to_string));
    for stage in &report.stages {
        lines.push(String::new());
        lines.extend(of_stage(stage, columns));
    }
    lines.join("\n")
}

/// A number as the other tables write it.
pub(super) fn number(value: f64) -> String {
    table::number(value)
}

fn of_stage(stage: &StageOutlook, columns: u16) -> Vec<String> {
    let mut lines = vec![
        format!(
            "{} \"{}\": {} % of the traffic{} for {}, at most {}",
            stage.stage,
            stage.name,
            number(stage.traffic_percent),
            stage
                .canary_requests_per_second
                .map_or_else(String::new, |rate| format!(
                    ", about {} requests/s,",
                    number((rate * 100.0).round() / 100.0)
                )),
            time(stage.duration_minutes),
            time(stage.max_duration_minutes)
        ),
        stage.sentence.clone(),
    ];
    let is_planned = |check: &&CheckOutlook| check.status == OutlookStatus::Planned;
    if stage.checks.iter().any(|check| is_planned(&check)) {
        lines.push(checks(stage, columns));
    }
    lines.extend(
        stage
            .checks
            .iter()
            .map(|check| format!("* {}", check.sentence)),
    );
    lines
}

fn checks(stage: &StageOutlook, columns: u16) -> String {
    let mut header = vec!["check".to_owned(), "today".to_owned(), "noise".to_owned()];
    header.extend(FACTORS.iter().map(|factor| format!("x{}", number(*factor))));
    header.push(format!("seen in {}", time(stage.duration_minutes)));
    header.push("shown good in".to_owned());
    let mut table = Table::new();
    table
        .load_style(UTF8_HORIZONTAL_ONLY)
        .set_width(columns)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header);
    for check in &stage.checks {
        if check.status != OutlookStatus::Planned {
            continue;
        }
        let noise = check.dispersion.map_or_else(String::new, |dispersion| {
            format!(
                "{dispersion:.1} {}",
                check.dispersion_source.map_or("", DispersionSource::name)
            )
        });
        let mut row = vec![
            check.condition.clone(),
            check.baseline_text.clone().unwrap_or_default(),
            noise,
        ];
        row.extend(check.sees.iter().map(|sight| maybe(sight.minutes)));
        row.push(
            check
                .smallest_seen_in_duration
                .map_or_else(|| "-".to_owned(), |factor| format!("x{factor:.1}")),
        );
        row.push(maybe(
            check
                .promotion
                .as_ref()
                .and_then(|promotion| promotion.minutes),
        ));
        table.add_row(row);
    }
    table.to_string()
}

fn maybe(minutes: Option<f64>) -> String {
    minutes.map_or_else(|| "-".to_owned(), time)
}

/// A time in the unit that suits, with two digits.
fn time(minutes: f64) -> String {
    let digits = |value: f64| {
        if value < 9.95 && value.fract() > 0.04 {
            format!("{value:.1}")
        } else {
            format!("{value:.0}")
        }
    };
    if minutes < 120.0 {
        format!("{} min", digits(minutes))
    } else if minutes < 72.0 * 60.0 {
        format!("{} h", digits(minutes / 60.0))
    } else if minutes < 1_000.0 * 1_440.0 {
        format!("{} days", digits(minutes / 1_440.0))
    } else {
        "years".to_owned()
    }
}
