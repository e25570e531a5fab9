//! The answer of `serinus simulate` for one scenario.

use comfy_table::Table;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use serde::Serialize;
use serinus_analysis::simulate::operating::{Characteristics, Share};

use super::super::Failure;
use super::super::output::{self, Format};
use super::arguments::Arguments;

/// What was simulated, and what came of it.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    base_rate: f64,
    shares: Vec<f64>,
    requests_per_interval: u64,
    intervals: usize,
    noise: String,
    history: &'static str,
    onset: usize,
    ratio: f64,
    margin: f64,
    replicates: u64,
    seed: u64,
    cells: Vec<Cell>,
}

/// One method on one effect.
#[derive(Debug, Serialize)]
pub(super) struct Cell {
    pub(super) method: &'static str,
    pub(super) looks: String,
    pub(super) effect: f64,
    pub(super) fixed_horizon_intervals: Option<usize>,
    #[serde(flatten)]
    pub(super) characteristics: Characteristics,
}

impl Report {
    pub(super) fn new(arguments: &Arguments, margin: f64, cells: Vec<Cell>) -> Self {
        Self {
            base_rate: arguments.base_rate,
            shares: arguments.share.clone(),
            requests_per_interval: arguments.requests_per_interval,
            intervals: arguments.intervals,
            noise: arguments.noise.to_string(),
            history: arguments.history.text(),
            onset: arguments.onset,
            ratio: arguments.ratio,
            margin,
            replicates: arguments.replicates,
            seed: arguments.seed,
            cells,
        }
    }

    pub(super) fn print(&self, format: Format) -> Result<(), Failure> {
        match format {
            Format::Json => output::line(&serde_json::to_string_pretty(self)?),
            Format::Text => output::line(&self.text()),
        }
        Ok(())
    }

    fn text(&self) -> String {
        let shares: Vec<String> = self.shares.iter().map(f64::to_string).collect();
        let mut table = Table::new();
        table.load_style(UTF8_HORIZONTAL_ONLY).set_header([
            "method",
            "looks",
            "effect",
            "false rollback",
            "detected",
            "delay",
            "fixed",
            "promoted",
            "after",
        ]);
        for cell in &self.cells {
            let measured = &cell.characteristics;
            // With a violation from the start there is no false rollback.
            let can_be_false = measured.detected.is_none() || self.onset > 0;
            table.add_row([
                cell.method.to_owned(),
                cell.looks.clone(),
                format!("x{}", cell.effect),
                share(can_be_false.then_some(measured.false_rollback)),
                share(measured.detected),
                number(measured.median_delay),
                number(
                    cell.fixed_horizon_intervals
                        .map(|intervals| intervals as f64),
                ),
                share(measured.promoted),
                number(measured.median_to_promote),
            ]);
        }
        format!(
            "{} rollouts of {} intervals, {} requests each, base rate {}, share {}, noise {}, \
             history {}\nlimit baseline * {}, margin {}, effect from interval {}, seed {}\n{table}",
            self.replicates,
            self.intervals,
            self.requests_per_interval,
            self.base_rate,
            shares.join(" "),
            self.noise,
            self.history,
            self.ratio,
            self.margin,
            self.onset,
            self.seed
        )
    }
}

/// A share with its standard error, or what it is at most when there was none.
fn share(share: Option<Share>) -> String {
    let Some(share) = share else {
        return "-".to_owned();
    };
    if share.count == 0 {
        return format!("0 (< {:.3})", share.upper());
    }
    format!("{:.3} ± {:.3}", share.rate(), share.standard_error())
}

fn number(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_reads_well() {
        let good = Characteristics {
            false_rollback: Share { count: 0, of: 300 },
            detected: None,
            median_delay: None,
            promoted: Some(Share {
                count: 300,
                of: 300,
            }),
            median_to_promote: Some(12.5),
        };
        let bad = Characteristics {
            detected: Some(Share {
                count: 291,
                of: 300,
            }),
            median_delay: Some(17.0),
            promoted: None,
            median_to_promote: None,
            ..good
        };
        let cell = |effect, characteristics| Cell {
            method: "sequential",
            looks: "every".to_owned(),
            effect,
            fixed_horizon_intervals: (effect > 1.0).then_some(14),
            characteristics,
        };
        let report = Report {
            base_rate: 0.001,
            shares: vec![0.01, 0.1],
            requests_per_interval: 30_000,
            intervals: 480,
            noise: "iid".to_owned(),
            history: "4h",
            onset: 0,
            ratio: 1.0,
            margin: 2.0,
            replicates: 300,
            seed: 1,
            cells: vec![cell(1.0, good), cell(2.0, bad)],
        };
        insta::assert_snapshot!(report.text());
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["cells"][1]["detected"]["count"], 291);
        assert_eq!(json["cells"][1]["fixed_horizon_intervals"], 14);
    }
}
