//! C12: shared incidents, held stages, and the noise that only one population has.

use super::super::executor::Executor;
use super::super::laws::{ArmLaw, BadMinutes, Cluster, Fault, FleetDescription, Law, PodLaw};
use super::super::trial::{Judged, Trial};
use super::bench::{Bench, found, minutes, minutes_of_found};
use super::line::{Known, Line, Published};

const KNOWN: Known = Known {
    replicates: 200.0,
    rounding: 0.5,
};
const FALSE: Known = Known {
    replicates: 600.0,
    rounding: 0.05,
};
const HELD: Known = Known {
    replicates: 60.0,
    rounding: 0.5,
};
/// Intervals of a quarter of an hour and of an hour.
const QUARTER: usize = 30;
const HOUR: usize = 120;

/// Named A and B in the design.
const A: (f64, f64) = (50.0, 0.01);
const B: (f64, f64) = (500.0, 0.005);

const SHARED: Law = Law::Shared {
    off: 30.0,
    on: 6.0,
    times: 10.0,
    is_later_in_the_canary: false,
};
const LAGGED: Law = Law::Shared {
    off: 20.0,
    on: 4.0,
    times: 10.0,
    is_later_in_the_canary: true,
};
const NODE: Law = Law::Node(BadMinutes {
    good: 40.0,
    bad: 6.0,
    times: 5.0,
});
const PODS: Law = pods(PodLaw::BadMinutes(BadMinutes {
    good: 120.0,
    bad: 10.0,
    times: 5.0,
}));

const fn pods(each: PodLaw) -> Law {
    Law::Pods {
        canary: 1,
        control: 20,
        each,
        is_even: true,
    }
}

const fn differ(variation: f64) -> Law {
    pods(PodLaw::LogNormal { variation })
}

/// Traffic and rate, the law, the fault's onset and how many times the failures; of version 1 and of version 2 what
/// is found and its median minutes.
struct Found(
    &'static str,
    (f64, f64),
    Law,
    (usize, f64),
    ((f64, f64), (f64, f64)),
);

#[rustfmt::skip]
const FOUND: [Found; 6] = [
    Found("shared x10, A", A, SHARED, (0, 2.0), ((100., 12.), (100., 12.))),
    Found("shared x10, A", A, SHARED, (QUARTER, 5.0), ((100., 7.), (100., 7.))),
    Found("shared x10, B", B, SHARED, (0, 2.0), ((100., 5.5), (100., 6.))),
    Found("shared x10, B", B, SHARED, (QUARTER, 5.0), ((100., 5.), (100., 7.))),
    Found("shared x10, one step later in the canary, A", A, LAGGED, (0, 2.0), ((95., 30.), (86., 36.))),
    Found("shared x10, one step later in the canary, A", A, LAGGED, (QUARTER, 5.0), ((100., 7.), (100., 12.))),
];

/// Traffic and rate, the share, the law; what is false within an hour of version 1 and of version 2.
struct False(&'static str, (f64, f64), f64, Law, Option<f64>, f64);

#[rustfmt::skip]
const FALSE_IN_AN_HOUR: [False; 20] = [
    False("iid, B", B, 0.05, Law::Apart(ArmLaw::INDEPENDENT), Some(0.), 0.),
    False("shared x10, A", A, 0.05, SHARED, Some(0.), 0.),
    False("AR(.8), 500 rps 1 %", (500.0, 0.01), 0.05, Law::Apart(ArmLaw::DRIFT), Some(4.2), 5.5),
    False("AR(.8), 1000 rps 50 % 1 %", (1000.0, 0.01), 0.5, Law::Apart(ArmLaw::DRIFT), Some(6.3), 4.2),
    False("AR(.95), 500 rps 1 %", (500.0, 0.01), 0.05, Law::Apart(ArmLaw::SLOW_DRIFT), Some(21.7), 22.3),
    False("c10/30, 50 rps .1 %", (50.0, 0.001), 0.05, Law::Apart(ArmLaw::clusters(10.0, 30.0)), Some(21.), 0.),
    False("c10/90, B", B, 0.05, Law::Apart(ArmLaw::clusters(10.0, 90.0)), Some(6.3), 2.0),
    False("c10/180, 100 rps .5 %", (100.0, 0.005), 0.05, Law::Apart(ArmLaw::clusters(10.0, 180.0)), Some(19.5), 6.7),
    False("Pareto 1.1, A", A, 0.05, Law::Apart(ArmLaw::Clusters(Cluster::Pareto)), Some(10.8), 1.2),
    False("retries, A", A, 0.05, Law::Apart(ArmLaw::Clusters(Cluster::Retries)), Some(4.7), 2.7),
    False("node x5, A", A, 0.05, NODE, Some(22.), 26.),
    False("node x5, B", B, 0.05, NODE, Some(31.8), 49.7),
    False("pods with bad minutes x5, A", A, 0.05, PODS, Some(25.), 20.),
    False("pods with bad minutes x5, B", B, 0.05, PODS, Some(33.), 25.),
    False("failing clients, A", A, 0.05, Law::Apart(ArmLaw::Clients), Some(34.), 31.),
    False("failing clients, B", B, 0.05, Law::Apart(ArmLaw::Clients), Some(59.), 61.),
    False("pods that differ by cv .1, B", B, 0.05, differ(0.1), None, 1.),
    False("pods that differ by cv .2, B", B, 0.05, differ(0.2), None, 8.3),
    False("failing clients that stick to one population, A", A, 0.05, Law::StickyClients, None, 13.),
    False("failing clients that stick to one population, B", B, 0.05, Law::StickyClients, None, 17.),
];

/// Hours that were good, traffic and rate, how many times the failures then; minutes until it is found.
#[rustfmt::skip]
const HELD_STAGES: [(usize, (f64, f64), f64, f64); 9] = [
    (1, A, 3.0, 8.5),
    (4, A, 3.0, 14.),
    (12, A, 3.0, 14.),
    (1, A, 5.0, 5.),
    (4, A, 5.0, 6.),
    (12, A, 5.0, 6.),
    (1, (500.0, 0.01), 3.0, 1.5),
    (4, (500.0, 0.01), 3.0, 2.),
    (12, (500.0, 0.01), 3.0, 1.5),
];

pub(super) fn lines(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let mut lines = Vec::new();
    for Found(name, (traffic, rate), law, (onset, times), (before, now)) in FOUND {
        let fleet = FleetDescription::good(traffic, rate)
            .by(law)
            .with(Fault::From(onset, times));
        let outcomes = bench.run(&Trial::hour(fleet));
        let when = if onset > 0 { " from min 15" } else { "" };
        let case = format!("{name}, x{times}{when}");
        let published = (before.0, now.0).into();
        let quantity = format!("{case}: found");
        lines.push(Line::percent(quantity, found(&outcomes), published, KNOWN));
        let quantity = format!("{case}: median");
        let published = (before.1, now.1);
        lines.push(minutes_of_found(
            quantity, &outcomes, onset, published, KNOWN,
        ));
    }
    let low = FleetDescription::good(20.0, 0.01).times(2.2);
    let outcomes = bench.run(&Trial::hour(low));
    let quantity = "iid, 20 rps 1 %, x2.2: found";
    lines.push(Line::percent(
        quantity,
        found(&outcomes),
        92.0.into(),
        KNOWN,
    ));
    let quantity = "iid, 20 rps 1 %, x2.2: median";
    lines.push(minutes_of_found(quantity, &outcomes, 0, 33.5, KNOWN));
    let drifting = FleetDescription::good(1000.0, 0.01)
        .by(Law::Apart(ArmLaw::DRIFT))
        .times(3.5);
    let outcomes = bench.run(&Trial::hour(drifting).over(0.5, HOUR));
    let quantity = "AR(.8), 1000 rps 50 % 1 %, x3.5: median";
    lines.push(minutes(quantity, &outcomes, 0, 3.5, KNOWN));
    for False(name, (traffic, rate), share, law, before, now) in FALSE_IN_AN_HOUR {
        let fleet = FleetDescription::good(traffic, rate).by(law);
        let trial = Trial::hour(fleet).over(share, HOUR);
        let known = match law {
            Law::Apart(ArmLaw::Rate(_) | ArmLaw::Clusters(_)) => FALSE,
            _ => Known {
                rounding: 0.5,
                ..FALSE
            },
        };
        let quantity = format!("{name}: false");
        let published = Published { before, now };
        lines.push(bench.false_rollbacks(quantity, &trial, published, known));
    }
    lines.extend(held(bench));
    lines.extend(once(bench));
    lines
}

/// A stage of an hour that is held for hours.
fn held(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let bench = bench.part(10, 60);
    let mut lines = Vec::new();
    for (hours, (traffic, rate), times, now) in HELD_STAGES {
        let onset = hours * HOUR;
        let fleet = FleetDescription::good(traffic, rate).with(Fault::From(onset, times));
        let outcomes = bench.run(&held_for(fleet, onset + HOUR));
        let percent = 100.0 * rate;
        let case =
            format!("held, good for {hours} h, then {traffic} rps {percent} % x{times}: median");
        lines.push(minutes(case, &outcomes, onset, now, HELD));
    }
    let known = Known {
        replicates: 120.0,
        rounding: 0.5,
    };
    for (name, law, now) in [
        ("iid", Law::Apart(ArmLaw::INDEPENDENT), 0.0),
        ("shared x10, one step later in the canary", LAGGED, 0.0),
        (
            "Pareto 1.1",
            Law::Apart(ArmLaw::Clusters(Cluster::Pareto)),
            100.0 / 120.0,
        ),
    ] {
        let fleet = FleetDescription::good(A.0, A.1).by(law);
        let case = format!("held for 8 h, A, {name}: false");
        let trial = held_for(fleet, 8 * HOUR);
        lines.push(bench.false_rollbacks(case, &trial, now, known));
    }
    lines
}

fn held_for(fleet: FleetDescription, intervals: usize) -> Trial {
    let mut trial = Trial::hour(fleet);
    for stage in &mut trial.ramp {
        stage.held = intervals;
    }
    trial
}

/// What happens once: a cluster, a crash, a cold start; and a control without traffic.
fn once(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let mut lines = Vec::new();
    for size in [400.0, 1000.0, 5000.0] {
        let law = Law::OneCluster { step: 12, size };
        let trial = Trial::hour(FleetDescription::good(500.0, 0.001).by(law));
        let case = format!("one cluster of {size} failures in one interval, 500 rps .1 %: false");
        let published = Published {
            before: None,
            now: 0.0,
        };
        lines.push(bench.false_rollbacks(case, &trial, published, KNOWN));
    }
    for rate in [0.3, 1.0] {
        let fault = Fault::From(20, rate / 0.001);
        let trial = Trial::hour(FleetDescription::good(500.0, 0.001).with(fault));
        let percent = 100.0 * rate;
        let case = format!("crash at min 10 to {percent} %, 500 rps .1 %: median");
        lines.push(minutes(case, &bench.run(&trial), 20, (0.5, 1.0), KNOWN));
    }
    for (traffic, now) in [(20.0, 1.5), (500.0, 1.0)] {
        let fleet = FleetDescription::good(traffic, 0.005)
            .by(Law::NoControlTraffic)
            .times(100.0);
        let trial = Trial {
            judged: Judged::Absolute(0.01),
            ..Trial::hour(fleet).over(0.5, HOUR)
        };
        let outcomes = bench.run(&trial);
        let case =
            format!("limit 1 %, canary 50 %, control without traffic, {traffic} rps 50 %: median");
        lines.push(minutes(case, &outcomes, 0, now, KNOWN));
    }
    let known = Known {
        replicates: 300.0,
        rounding: 0.05,
    };
    let decay = Fault::Decay {
        times: 10.0,
        minutes: 1.5,
    };
    for (name, fault, before, by_warm_up) in [
        ("x10 exp(-t / 1.5 min)", decay, 97.0, [15.7, 0.7]),
        ("x3 for 4 min", Fault::Until(8, 3.0), 91.0, [48.3, 0.7]),
    ] {
        for (warm_up, now) in [1, 2].into_iter().zip(by_warm_up) {
            let trial = Trial {
                warm_up: 2 * warm_up,
                ..Trial::hour(FleetDescription::good(B.0, B.1).with(fault))
            };
            let published = (before, now);
            let case = format!("cold start, B, {name}, warm-up {warm_up} min: false");
            lines.push(bench.false_rollbacks(case, &trial, published, known));
        }
    }
    lines
}
