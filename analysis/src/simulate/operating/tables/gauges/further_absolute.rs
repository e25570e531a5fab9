//! Absolute limits of the laws on which nothing was chosen.

use super::super::super::executor::Executor;
use super::super::super::gauges::{CanaryChange, FurtherGaugeLaw, GaugeTrial, JudgedGauge, PodLaw};
use super::super::bench::Bench;
use super::super::line::{Known, Line};
use super::further::{PODS, told, trial};
use super::lines::{Asked, rounding};

const KNOWN: f64 = 300.0;
/// Where the level is, of the limit: the mean, of two levels the lower one, of a job what is there without it.
const PARTS: [f64; 3] = [0.5, 0.8, 0.95];

/// A law, its level, whether its values are whole numbers, and by part of the limit what is rolled back within two
/// hours: one pod each, ten and one, ten and three.
type Absolute = (&'static str, FurtherGaugeLaw, f64, bool, [[f64; 3]; 3]);

const NONE: [f64; 3] = [0.0; 3];

#[rustfmt::skip]
const LAWS: [Absolute; 13] = [
    ("ar(.2,.9)", alike(PodLaw::drift(0.2, 0.9)), 1.0, false, [NONE, NONE, NONE]),
    ("ar(.2,.99)", alike(PodLaw::drift(0.2, 0.99)), 1.0, false, [NONE, [6.3, 1.3, 1.0], [15., 1.0, 1.0]]),
    ("ar(.05,.5), pods .1", alike(pods(0.1)), 1.0, false, [NONE, [0., 0.3, 0.], [5.3, 0., 0.7]]),
    ("ar(.05,.5), pods .2", alike(pods(0.2)), 1.0, false, [NONE, [4.7, 2.7, 0.3], [13., 0.3, 0.7]]),
    ("ar(1,.5)", alike(PodLaw::drift(1.0, 0.5)), 1.0, false, [NONE, [3.0, 0., 0.], [5.3, 0.3, 0.]]),
    ("slow queue", alike(PodLaw::SlowQueue(1.5)), 1.5, true, [[7.0, 6.0, 0.], [20., 4.7, 1.3], [27., 2.7, 1.0]]),
    ("lag", alike(PodLaw::Lag), 1.35, false, [[6.0, 0., 0.], [14., 0., 0.], [15., 0., 0.]]),
    ("two levels", alike(PodLaw::TwoLevels), 1.0, false, [NONE, [33., 0., 0.], [50., 0., 0.]]),
    ("job x4", alike(JOB), 1.0, false, [[5.7, 2.7, 0.], [81., 33., 5.7], [85., 35., 12.]]),
    ("leader", alike(PodLaw::Leader), 1.0, false, [[54., 10., 0.], [54., 10., 23.], [54., 10., 23.]]),
    ("leak of both", alike(PodLaw::Leak(0.0)), 1.0, false, [[3.3, 0.3, 0.], [2.7, 0., 0.], [2.3, 0., 0.]]),
    ("cold: 1 + 2e^(-t/10)", canary(CanaryChange::Cold { more: 2.0, minutes: 10.0 }), 1.0, false, [NONE, NONE, [1.3, 1.7, 0.]]),
    ("cache: x2 for 15 min", canary(CanaryChange::Until(2.0, 15.0)), 1.0, false, [NONE, [0.7, 0.7, 0.], [40., 78., 87.]]),
];

const JOB: PodLaw = PodLaw::Job {
    times: 4.0,
    minutes: 10.0,
    every: 120.0,
    variation: 0.1,
    correlation: 0.5,
};

const fn alike(law: PodLaw) -> FurtherGaugeLaw {
    FurtherGaugeLaw::alike(law)
}

const fn pods(of_pods: f64) -> PodLaw {
    PodLaw::Drift {
        variation: 0.05,
        correlation: 0.5,
        of_pods,
    }
}

const fn canary(canary: CanaryChange) -> FurtherGaugeLaw {
    FurtherGaugeLaw {
        canary,
        ..alike(PodLaw::drift(0.1, 0.5))
    }
}

pub(in super::super) fn lines(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let mut lines = Vec::new();
    for (name, law, level, is_number, figures) in LAWS {
        for (part, figures) in PARTS.into_iter().zip(figures) {
            for (pods, figure) in PODS.into_iter().zip(figures) {
                let law = FurtherGaugeLaw { pods, ..law };
                let trial = GaugeTrial {
                    judged: JudgedGauge::Absolute {
                        limit: level / part,
                        is_number,
                    },
                    ..trial(
                        &format!("{name} at {part} of the limit, {}", told(pods)),
                        law,
                    )
                };
                let outcomes = bench.run_gauge(&trial);
                let share = Asked::RolledBack.share(&trial, &outcomes, trial.minutes);
                let known = Known {
                    replicates: KNOWN,
                    rounding: rounding(figure),
                };
                let quantity = format!("{}: rolled back", trial.name);
                lines.push(Line::percent(quantity, share, figure.into(), known));
            }
        }
    }
    lines
}
