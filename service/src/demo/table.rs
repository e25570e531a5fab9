//! The table of verdicts that the demo prints as it plays.

use std::collections::BTreeMap;
use std::io::Write;

use serinus_analysis::pipeline::Stage;

/// What a gate has answered.
pub(super) struct Row<'a> {
    /// When, on the fleet's clock.
    pub(super) at_ms: i64,
    /// Whose canary.
    pub(super) service: &'static str,
    /// Which gate was asked.
    pub(super) stage: &'a Stage,
    /// Its verdict.
    pub(super) verdict: &'a str,
    /// Why, as a token.
    pub(super) reason_code: &'a str,
    /// Why, in words.
    pub(super) reason: &'a str,
}

/// Prints a row whenever a rollout's stage, its verdict or the kind of its reason changes.
pub(super) struct Table {
    out: Box<dyn Write + Send>,
    last: BTreeMap<&'static str, [String; 3]>,
}

impl Table {
    /// Returns a table that is written to `out`, and writes its head.
    pub(super) fn new(mut out: Box<dyn Write + Send>) -> Self {
        row(
            &mut out,
            [
                "day and time",
                "rollout",
                "stage",
                "traffic",
                "verdict",
                "reason",
            ],
        );
        Self {
            out,
            last: BTreeMap::new(),
        }
    }

    /// Tells an answer, if it says something new.
    pub(super) fn tell(&mut self, told: &Row<'_>) {
        let Row { service, stage, .. } = *told;
        let news = [&stage.id, told.verdict, told.reason_code].map(str::to_owned);
        if self.last.get(service) == Some(&news) {
            return;
        }
        self.last.insert(service, news);
        let at = chrono::DateTime::from_timestamp_millis(told.at_ms)
            .map_or_else(String::new, |at| at.format("%a %H:%M").to_string());
        let stage_text = format!("{} {}", stage.id, stage.name);
        let traffic = format!("{} %", stage.traffic_percent);
        row(
            &mut self.out,
            [
                &at,
                service,
                &stage_text,
                &traffic,
                told.verdict,
                told.reason,
            ],
        );
    }
}

fn row(out: &mut impl Write, cells: [&str; 6]) {
    let [at, service, stage, traffic, verdict, reason] = cells;
    let line = format!("{at:<13} {service:<9} {stage:<36} {traffic:<8} {verdict:<9} {reason}\n");
    // A reader that went away (`| head`) is no reason to stop the play.
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}
