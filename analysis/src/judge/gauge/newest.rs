//! What a kill switch sees of a gauge.

use crate::pipeline::Check;
use crate::proof::gauge::{GaugeLine, GaugeSample};

use super::asked::line_of;
use super::rows::GaugeRows;

/// Newest samples that must all be beyond a kill switch: one spike kills nothing.
const NEWEST_SAMPLES: usize = 3;

/// What the newest samples show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::judge) enum Newest {
    /// No value in them.
    Unknown,
    /// All are beyond the limit.
    Beyond,
    /// All are, and only because the control is as well they are excused.
    BothBeyond,
    /// Not so.
    Within,
}

/// What the newest samples of each number of intervals show.
pub(in crate::judge) fn watch(switch: &Check, rows: &GaugeRows<'_>) -> Vec<Newest> {
    let beside = line_of(switch, true);
    let alone = line_of(switch, false);
    let mut found = Vec::with_capacity(rows.intervals());
    let mut newest: Vec<GaugeSample> = Vec::new();
    let mut seen = Newest::Unknown;
    for interval in 0..rows.intervals() {
        if let Some(sample) = rows.at(interval) {
            if newest.len() == NEWEST_SAMPLES {
                newest.remove(0);
            }
            newest.push(sample);
            let is_beyond = |line: &GaugeLine| all_beyond(line, &newest, switch.is_inclusive);
            seen = if newest.iter().all(|one| one.canary.is_none()) {
                Newest::Unknown
            } else if is_beyond(&beside) {
                Newest::Beyond
            } else if is_beyond(&alone) {
                Newest::BothBeyond
            } else {
                Newest::Within
            };
        }
        found.push(seen);
    }
    found
}

/// The limit must hold, so a value on it is beyond only where it is not included.
fn all_beyond(line: &GaugeLine, newest: &[GaugeSample], is_inclusive: bool) -> bool {
    newest.len() == NEWEST_SAMPLES
        && newest.iter().all(|sample| {
            let beyond = line.beyond_at(sample);
            beyond.is_some_and(|beyond| {
                if is_inclusive {
                    beyond > 0.0
                } else {
                    beyond >= 0.0
                }
            })
        })
}
