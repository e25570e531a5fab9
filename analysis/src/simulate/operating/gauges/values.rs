//! What both populations had.

use crate::series::Populations;

/// The minutes at which samples are taken: those before the rollout first, down from 0.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Minutes {
    pub(super) all: Vec<f64>,
    /// How many lie before the rollout.
    pub(super) before: usize,
}

impl Minutes {
    /// One each so many seconds, over so many minutes of the rollout and hours before it.
    pub(super) fn new(step_seconds: f64, minutes: f64, hours_before: f64) -> Self {
        let samples = |seconds: f64| whole(seconds / step_seconds);
        let before = samples(hours_before * 3600.0);
        let count = before + samples(minutes * 60.0);
        let at = |sample: usize| (sample as f64 + 1.0 - before as f64) * step_seconds / 60.0;
        Self {
            all: (0..count).map(at).collect(),
            before,
        }
    }
}

fn whole(number: f64) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive, and saturates"
    )]
    let whole = libm::floor(number + 1e-9) as usize;
    whole
}

/// The values of a population's pods, one a sample where there is one.
pub type PodValues = Vec<Vec<Option<f64>>>;

/// By pod the values of a rollout; and the control's mean before it.
#[derive(Debug, Clone, PartialEq)]
pub struct GaugeValues {
    /// Pods of both.
    pub pods: Populations<PodValues>,
    /// The control before the rollout.
    pub past: Vec<Option<f64>>,
}

impl GaugeValues {
    /// Splits what both had over all minutes.
    pub(super) fn split((control, canary): (PodValues, PodValues), minutes: &Minutes) -> Self {
        let past = (0..minutes.before).map(|sample| mean(&control, sample));
        let past = past.collect();
        let after = |pods: PodValues| -> PodValues {
            pods.into_iter()
                .map(|mut pod| pod.split_off(minutes.before.min(pod.len())))
                .collect()
        };
        Self {
            pods: Populations {
                control: after(control),
                canary: after(canary),
            },
            past,
        }
    }

    /// How many samples there are.
    pub(super) fn samples(&self) -> usize {
        self.pods.canary.first().map_or(0, Vec::len)
    }
}

/// The mean of the pods that have a value; nothing if fewer than half of them have one.
pub(super) fn mean(pods: &[Vec<Option<f64>>], sample: usize) -> Option<f64> {
    let had = pods.iter().filter_map(|pod| pod.get(sample).copied()?);
    let (count, sum) = had.fold((0_usize, 0.0), |(count, sum), value| {
        (count + 1, sum + value)
    });
    (count > 0 && 2 * count >= pods.len()).then(|| sum / count as f64)
}
