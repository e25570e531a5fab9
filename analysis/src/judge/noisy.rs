//! What noise that lasts does to a check, and what would help: the method can measure it, and not tell drift of one
//! version from a fault.
//!
//! Source: docs/design/counts.md, "4. Noise" and "11. History"; docs/operating-characteristics.md has the figures.

use crate::data::History;
use crate::pipeline::{Check, Limit};
use crate::proof::Noisiest;
use crate::text;

use super::evaluated::Situation;
use super::model::NoiseSource;
use super::walk::CountsProof;

/// Noise of the past is told from so many times chance on.
const TOLD_OF_THE_PAST: f64 = 2.0;
/// Noise that nobody has measured before is told from so many times chance on, in blocks of so many intervals.
const TOLD_OF_NOW: f64 = 3.0;
const LASTING_INTERVALS: usize = 8;
/// The limit that halves what drift rolls back.
const WIDER: f64 = 1.25;

/// Why noise keeps an open check from its proof, or may be all that a proof has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Noisy {
    /// Of a check that is open.
    pub(super) of_an_open_check: Option<String>,
    /// Of one that is broken.
    pub(super) of_a_broken_check: Option<String>,
}

impl Noisy {
    /// What is to be said of the counts of a check.
    pub(super) fn of(check: &Check, proof: &CountsProof, situation: Situation<'_>) -> Self {
        let nothing = Self {
            of_an_open_check: None,
            of_a_broken_check: None,
        };
        let Some(noisiest) = proof.noisiest.filter(|_| check.is_relative()) else {
            return nothing;
        };
        let seen = seen(noisiest, situation);
        match (proof.noise_from, &situation.data.history) {
            (NoiseSource::History, History::Seen(history))
                if noisiest.dispersion.value > TOLD_OF_THE_PAST =>
            {
                let grid = history.grid();
                let hours = (grid.end_ms() - grid.start_ms()) as f64 / 3_600_000.0;
                let hours = text::digits(libm::round(hours));
                Self {
                    of_an_open_check: Some(format!("noise of the {hours} h before, {seen}")),
                    ..nothing
                }
            }
            (NoiseSource::Assumed, _)
                if noisiest.dispersion.value > TOLD_OF_NOW
                    && noisiest.length >= LASTING_INTERVALS =>
            {
                let or_wider = match check.limit {
                    Limit::AtMost {
                        ratio: Some(ratio), ..
                    } if ratio < WIDER => format!(" or baseline * {WIDER}"),
                    Limit::AtMost { .. } | Limit::AtLeast { .. } | Limit::Within { .. } => {
                        String::new()
                    }
                };
                let told = format!(
                    "noise that lasts ({seen}) may look like harm: a history{or_wider} would help"
                );
                Self {
                    of_an_open_check: Some(told.clone()),
                    of_a_broken_check: Some(told),
                }
            }
            (NoiseSource::History | NoiseSource::Assumed, _) => nothing,
        }
    }
}

/// `blocks of 8 min: 4.3 times chance`.
fn seen(noisiest: Noisiest, situation: Situation<'_>) -> String {
    let seconds = noisiest.length as f64 * situation.data.grid.interval_ms() as f64 / 1_000.0;
    let times = text::digits(noisiest.dispersion.value);
    if seconds < 60.0 {
        return format!("{times} times chance");
    }
    let minutes = text::digits(seconds / 60.0);
    format!("blocks of {minutes} min: {times} times chance")
}
