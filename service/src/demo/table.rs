//! The table of verdicts that the demo prints as it plays.

use std::collections::BTreeMap;
use std::io::Write;

use serinus_analysis::pipeline::Stage;

/// Prints a row whenever a rollout's stage or verdict changes, and now and then while it holds.
pub(super) struct Table {
    out: Box<dyn Write + Send>,
    last: BTreeMap<&'static str, (String, String)>,
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
    pub(super) fn tell(
        &mut self,
        at_ms: i64,
        service: &'static str,
        stage: &Stage,
        verdict: &str,
        reason: &str,
    ) {
        let news = (stage.id.clone(), verdict.to_owned());
        if self.last.get(service) == Some(&news) {
            return;
        }
        self.last.insert(service, news);
        let at = chrono::DateTime::from_timestamp_millis(at_ms)
            .map_or_else(String::new, |at| at.format("%a %H:%M").to_string());
        let stage_text = format!("{} {}", stage.id, stage.name);
        let traffic = format!("{} %", stage.traffic_percent);
        row(
            &mut self.out,
            [&at, service, &stage_text, &traffic, verdict, reason],
        );
    }
}

fn row(out: &mut impl Write, cells: [&str; 6]) {
    let [at, service, stage, traffic, verdict, reason] = cells;
    let line = format!("{at:<13} {service:<9} {stage:<36} {traffic:<8} {verdict:<9} {reason}\n");
    // A reader that went away (`| head`) is no reason to stop the play.
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}
