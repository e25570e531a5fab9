//! The laws on which nothing was chosen, and what the design has measured of them, as it says it.

use super::super::super::gauges::{CanaryChange, FurtherGaugeLaw, Phase, PodLaw, SharedChange};
use crate::series::Populations;

/// A law and its figures, each of one control pod and one canary pod, ten and one, ten and three: identical versions
/// rolled back by 30/120 minutes; the same of one pod each with four hours of the past; identical versions promoted;
/// a canary x1.5 promoted; x2 promoted; x2 found within an hour @ the median minute of those that are found.
pub(super) type Further = (&'static str, FurtherGaugeLaw, [&'static str; 6]);

/// A period of an hour, of each pod.
const HOUR: (f64, f64) = (60.0, 60.0);

#[rustfmt::skip]
pub(super) const LAWS: [Further; 43] = [
    ("ar(.1,.5)", drift(0.1, 0.5, 0.0),
        ["0 0 0", "0", "100 100 100", "0 0 0", "0 0 0", "100@22 100@23 100@23"]),
    ("ar(.3,.5)", drift(0.3, 0.5, 0.0),
        [".2 0 0", "0", "99 100 100", "14 4.7 0", "0 0 0", "96@20 97@27.5 100@23.5"]),
    ("ar(.3,.7)", drift(0.3, 0.7, 0.0),
        [".3/.5 0 0", ".2", "97 100 100", "21 15 1.7", ".7 0 0", "94@19 80@34 100@24"]),
    ("ar(.2,.9)", drift(0.2, 0.9, 0.0),
        [".3/1.0 0 0", ".8", "96 99 100", "23 15 2.3", "1.0 0 0", "91@22 73@35 99@24"]),
    ("ar(.3,.9)", drift(0.3, 0.9, 0.0),
        ["3.0/7.2 0 0", "3.0", "87 95 100", "31 25 14", "6.3 .3 0", "89@19 37@55 79@32.5"]),
    ("ar(.2,.99)", drift(0.2, 0.99, 0.0),
        ["1.7/5.5 0 0", "5.5", "83 89 97", "30 22 8.0", "5.3 1.0 0", "78@19 29@28 67@24"]),
    ("ar(.4,.99)", drift(0.4, 0.99, 0.0),
        ["13/28 0/.2 .2", "26", "74 53 72", "40 18 17", "21 5.3 .3", "71@14 8.7@38 21@26"]),
    ("ar(.05,.5), pods .1", drift(0.05, 0.5, 0.1),
        ["0/.2 0 0", ".2", "95 99 100", "13 5.3 .7", "0 0 0", "90@22 74@21 99@23"]),
    ("ar(.05,.5), pods .2", drift(0.05, 0.5, 0.2),
        ["2.0/6.3 .2 0", "6.3", "78 81 97", "32 17 12", "5.7 1.3 0", "70@18 20@21 52@20.5"]),
    ("ar(.003,.5), pods .1", drift(0.003, 0.5, 0.1),
        ["0/.2 0 0", ".2", "95 99 100", "12 5.3 .3", "0 0 0", "91@22 75@21 99@23"]),
    ("shared 1 + .6 sin(2π t/24 h), random phase; ar(.1,.5)", shared(drift(0.1, 0.5, 0.0), SharedChange::Day),
        ["0 0 0", "0", "100 100 100", "0 0 0", "0 0 0", "100@23 100@23 100@23"]),
    ("shared ar(.4,.95); ar(.05,.5)", shared(drift(0.05, 0.5, 0.0), SharedChange::Drift(0.4, 0.95)),
        ["0 0 0", "0", "100 100 100", "0 0 0", "0 0 0", "100@22 100@23 100@22"]),
    ("heavy: abs(1 + .2 t₂), independent", alike(PodLaw::HeavyTails(0.2)),
        ["0 0 0", "0", "99 99 100", "8.3 2.3 0", "0 0 0", "91@26 94@30 99@24.5"]),
    ("ar(1,.5)", drift(1.0, 0.5, 0.0),
        ["7.8/8.2 .2 0", "0", "47 83 99", "15 26 27", "3.3 3.7 .3", "50@22.5 5.0@41 36@64"]),
    ("queue: Poisson .7", alike(PodLaw::Queue(0.7)),
        ["1.8/2.0 0 0", ".3", "47 94 99", "9.0 25 18", "1.7 3.0 .3", "5.0@10 .7@12 10@31"]),
    ("slow queue: Poisson of 1.5·ar(1,.9)", alike(PodLaw::SlowQueue(1.5)),
        ["18/30 .2 .3", "3.0", "37 51 52", "27 21 18", "16 9.0 3.3", "42@17.5 1.0@51 9.3@42"]),
    ("mostly 0: exponential(10) in 4 % of the samples", alike(PodLaw::MostlyZero(0.04)),
        [".7/2.7 0 0", "0", "14 23 9.3", "14 18 5.0", "14 17 2.7", "2.0@49 0 .3@8"]),
    ("mostly 0, runs: exponential(10) samples in runs of 4 min in the mean, one an hour and pod", alike(PodLaw::RunsOfValues),
        ["10/35 1.8 5.0", "17", "38 15 6.8", "41 16 7.3", "41 16 6.7", "18@58 1.7@8 4.3@8"]),
    ("lag: exponential(.1); once an hour in the mean a shared spike of 30·U(.5,1.5) a pod, falling with τ of U(1,4) min by pod", alike(PodLaw::Lag),
        ["7.7/15 0 0/.3", "1.5", "34 58 62", "6.7 16 7.7", "1.7 1.7 .7", "42@33 5.0@43.5 36@46"]),
    ("two levels, 1 or 2, each 30 min in the mean; ar(.05,.5)", alike(PodLaw::TwoLevels),
        ["11/25 0 0", "9.5", "79 82 96", "37 32 21", "16 3.3 1.3", "83@23 11@73 49@55"]),
    ("job: x4 for 10 min each 2 h, random phase by pod; ar(.1,.5)", job(4.0, 10.0, 120.0, (0.1, 0.5)),
        ["12/33 5.8 1.0/1.7", "29", "72 77 96", "15 22 21", "0 0 .3", "93@22 25@93.5 64@42"]),
    ("* job x3 for 15 min each 90; ar(.15,.6)", job(3.0, 15.0, 90.0, (0.15, 0.6)),
        ["24/39 3.3 1.0/1.3", "8.5", "64 82 98", "27 35 20", "5.0 0 .7", "90@21 11@84 61@54.5"]),
    ("* job x6 for 5 min each 60; ar(.15,.6)", job(6.0, 5.0, 60.0, (0.15, 0.6)),
        ["14/18 2.2 2.8", "0", "34 80 96", "5.7 40 22", "0 3.0 2.7", "77@21 6.3@96 45@56"]),
    ("leader: one of all pods x3; ar(.1,.5)", alike(PodLaw::Leader),
        ["52 8.7 24", "52", "48 0 63", "49 0 0", "49 0 0", "51@8 9.7@8 19@8"]),
    ("gaps: 15 % of the values of each pod lost; ar(.3,.5)", alike(PodLaw::Gaps { variation: 0.3, lost: 0.15 }),
        ["0 0 0", "0", "99 100 100", "14 6.0 0", ".3 0 0", "95@22 94@29 100@24"]),
    ("* exp(.15·v·N(0,1)), v = ar(1,.95)", alike(PodLaw::Volatile(0.15)),
        [".2/.3 0/.5 0/.3", ".3", "99 99 100", "2.0 0 0", "0 0 0", "99@22 99@24 100@23"]),
    ("GC: sawtooth .4 to 1, period U(4,12) min, random phase by pod; + N(0,.01)", alike(sawtooth((4.0, 12.0), Phase::Own)),
        ["0 0 0", "0", "100 100 100", "0 0 0", "0 0 0", "100@23 100@24 100@23"]),
    ("slow GC: sawtooth .4 to 1 in 60 min, the canary from the bottom, control pods at random phases", apart(sawtooth(HOUR, Phase::Own), sawtooth(HOUR, Phase::Start)),
        ["0 0 0", "0", "100 100 100", "44 65 68", "0 0 0", "100@34 100@44 100@38"]),
    ("slow GC, the control pods in one phase", apart(sawtooth(HOUR, Phase::Common), sawtooth(HOUR, Phase::Start)),
        ["0 0/26 0/24", "0", "100 100 100", "44 38 39", "0 0 0", "100@34 100@30 100@30"]),
    ("leak: 1 + .01 a minute + random walk of .02 a √minute, all of one age", alike(PodLaw::Leak(0.0)),
        ["0 0 0", "0", "100 100 100", "4.3 1.3 0", "0 0 0", "98@22 99@22 100@22"]),
    ("leak, control pods U(0,1.8) ahead", apart(PodLaw::Leak(1.8), PodLaw::Leak(0.0)),
        ["0 0 0", "0", "100 100 100", "89 97 100", "62 42 78", "15@54 0 0"]),
    ("young memory: canary times .3 + .7(1 - e^(-t/30)); ar(.03,.5)", canary(drift(0.03, 0.5, 0.0), CanaryChange::YoungMemory),
        ["0 0 0", "0", "100 100 100", "100 100 100", "99 100 100", "0 100@47 100@47"]),
    ("cold: canary times 1 + 2e^(-t/5); ar(.1,.5)", canary(drift(0.1, 0.5, 0.0), cold(2.0, 5.0)),
        ["0 0 0", "0", "100 100 100", "0 0 0", "0 0 0", "100@8 100@8 100@8"]),
    ("cold: 1 + 2e^(-t/10)", canary(drift(0.1, 0.5, 0.0), cold(2.0, 10.0)),
        [".2 0 0", ".2", "83 91 99", "0 0 0", "0 0 0", "100@8 100@8 100@8"]),
    ("* cold: 1 + 1.5e^(-t/15)", canary(drift(0.1, 0.5, 0.0), cold(1.5, 15.0)),
        [".3 4.0 1.0", ".3", "23 20 8.0", "0 0 0", "0 0 0", "100@8 100@8 100@8"]),
    ("cold: 1 + e^(-t/20)", canary(drift(0.1, 0.5, 0.0), cold(1.0, 20.0)),
        ["0 2.7 1.8/2.3", "0", "38 39 34", "0 0 0", "0 0 0", "100@8 100@8 100@8"]),
    ("* cold: max(1, 1.8 - t/25); ar(.12,.7), pods .07", canary(drift(0.12, 0.7, 0.07), CanaryChange::ColdLine { most: 1.8, minutes: 25.0 }),
        [".2 0 0", ".2", "90 97 100", "2.0 0 0", "0 0 0", "99@8 100@8 100@8"]),
    ("cache: canary x1.6 for 10 min; ar(.1,.5)", canary(drift(0.1, 0.5, 0.0), CanaryChange::Until(1.6, 10.0)),
        ["0 0 0", "0", "100 100 100", "0 0 0", "0 0 0", "100@8 100@8 100@8"]),
    ("cache: x2 for 15 min", canary(drift(0.1, 0.5, 0.0), CanaryChange::Until(2.0, 15.0)),
        ["5.5 .7 0", "5.5", "91 98 100", "0 0 0", "0 0 0", "100@8 100@8 100@8"]),
    ("cache: x1.5 for 30 min", canary(drift(0.1, 0.5, 0.0), CanaryChange::Until(1.5, 30.0)),
        ["0 41 85", "0", "68 55 15", "0 0 0", "0 0 0", "100@8 100@8 100@8"]),
    ("load doubled from minute 20 to 60, each side up to 3 min late; ar(.1,.5)", shared(drift(0.1, 0.5, 0.0), SharedChange::Load),
        ["0 0 0", "0", "100 100 100", "0 0 0", "0 0 0", "100@22 100@22 100@22"]),
    ("canary ar(.3,.5), control ar(.1,.5)", apart(PodLaw::drift(0.1, 0.5), PodLaw::drift(0.3, 0.5)),
        ["0 0 0", "0", "100 100 100", "5.3 5.0 .7", "0 0 0", "98@24 99@24 100@23"]),
    ("canary ar(.6,.5), control ar(.1,.5)", apart(PodLaw::drift(0.1, 0.5), PodLaw::drift(0.6, 0.5)),
        [".2 0 0", ".2", "98 98 100", "27 27 6.0", "1.0 1.3 0", "63@30.5 66@31 100@26"]),
];

const fn alike(law: PodLaw) -> FurtherGaugeLaw {
    FurtherGaugeLaw::alike(law)
}

const fn drift(variation: f64, correlation: f64, of_pods: f64) -> FurtherGaugeLaw {
    alike(PodLaw::Drift {
        variation,
        correlation,
        of_pods,
    })
}

const fn shared(law: FurtherGaugeLaw, shared: SharedChange) -> FurtherGaugeLaw {
    FurtherGaugeLaw { shared, ..law }
}

const fn canary(law: FurtherGaugeLaw, canary: CanaryChange) -> FurtherGaugeLaw {
    FurtherGaugeLaw { canary, ..law }
}

const fn cold(more: f64, minutes: f64) -> CanaryChange {
    CanaryChange::Cold { more, minutes }
}

const fn apart(control: PodLaw, canary: PodLaw) -> FurtherGaugeLaw {
    FurtherGaugeLaw {
        laws: Populations { control, canary },
        ..alike(control)
    }
}

const fn sawtooth(period: (f64, f64), phase: Phase) -> PodLaw {
    PodLaw::Sawtooth { period, phase }
}

const fn job(
    times: f64,
    minutes: f64,
    every: f64,
    (variation, correlation): (f64, f64),
) -> FurtherGaugeLaw {
    alike(PodLaw::Job {
        times,
        minutes,
        every,
        variation,
        correlation,
    })
}
