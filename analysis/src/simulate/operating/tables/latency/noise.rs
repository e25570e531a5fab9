//! C3: noise, 500 requests a second. Drifts are of the logarithm of the latency, from 30 s to 30 s.

use super::super::super::executor::Executor;
use super::super::super::latency::{
    Disturbance, Drift, Latencies, LatencyFleetDescription, LatencyTrial, PodSpeed, Servers,
};
use super::super::super::laws::Fault;
use super::super::super::trial::RampStage;
use super::super::bench::Bench;
use super::super::line::{Line, Published};
use super::alike::{Figures, KNOWN, ONE_HUMP, TWO_HUMPS, alike, cell, half_an_hour};

/// x1 rolled back, x1 promoted, x2 rolled back, after how many minutes: of version 1 and version 2.
type Of = (
    (f64, f64),
    (f64, f64),
    Option<(f64, f64)>,
    Option<(f64, f64)>,
);

struct Row {
    name: &'static str,
    disturbance: Disturbance,
    servers: Servers,
    one_hump: Of,
    two_humps: Of,
}

const CANARY_WANDERS: Disturbance = apart(0.15, 0.0);
const fn apart(canary: f64, control: f64) -> Disturbance {
    Disturbance {
        drifts: [
            Drift::NONE,
            Drift::new(0.94, canary),
            Drift::new(0.94, control),
        ],
        ..Disturbance::NONE
    }
}

const BOTH_WANDER: Disturbance = Disturbance {
    drifts: [Drift::new(0.9, 0.3), Drift::NONE, Drift::NONE],
    ..Disturbance::NONE
};
const BOTH_FOUR_TIMES: Disturbance = Disturbance {
    shared: Fault::Within(20, 30, 4.0),
    ..Disturbance::NONE
};
const BOTH_GROW: Disturbance = Disturbance {
    shared: Fault::Leak(120, 2.0),
    traffic: Fault::Leak(120, 1.5),
    ..Disturbance::NONE
};
const fn differ(deviation: f64) -> Servers {
    Servers {
        canary: 3,
        control: 3,
        each: PodSpeed::Differ(deviation),
    }
}
const ONE_OF_THREE: Servers = Servers {
    canary: 1,
    control: 3,
    each: PodSpeed::OneOfTheControl(2.0),
};

#[rustfmt::skip]
const ROWS: [Row; 10] = [
    Row { name: "plain", disturbance: Disturbance::NONE, servers: Servers::ONE,
        one_hump: ((0., 0.), (100., 100.), Some((100., 100.)), Some((4., 4.))),
        two_humps: ((0., 0.), (0., 100.), Some((100., 100.)), Some((5.5, 6.5))) },
    Row { name: "both AR(.9) cv .3", disturbance: BOTH_WANDER, servers: Servers::ONE,
        one_hump: ((0., 0.), (99., 100.), Some((100., 100.)), Some((4., 5.))),
        two_humps: ((0., 0.), (0., 100.), Some((99., 100.)), None) },
    Row { name: "both x4 from 10 to 15 min", disturbance: BOTH_FOUR_TIMES, servers: Servers::ONE,
        one_hump: ((0., 0.), (100., 100.), Some((100., 100.)), None),
        two_humps: ((0., 0.), (0., 100.), Some((100., 100.)), None) },
    Row { name: "both x2 over an hour, traffic +50 %", disturbance: BOTH_GROW, servers: Servers::ONE,
        one_hump: ((0., 0.), (100., 100.), Some((100., 100.)), None),
        two_humps: ((0., 0.), (0., 100.), Some((100., 100.)), None) },
    Row { name: "canary AR(.94) cv .15", disturbance: CANARY_WANDERS, servers: Servers::ONE,
        one_hump: ((1., 0.6), (99., 99.), Some((100., 100.)), None),
        two_humps: ((4., 0.4), (0., 100.), Some((97., 100.)), None) },
    Row { name: "canary AR(.94) cv .3", disturbance: apart(0.3, 0.0), servers: Servers::ONE,
        one_hump: ((21., 9.), (79., 86.), Some((99., 98.)), None),
        two_humps: ((17., 5.), (0., 93.), Some((96., 96.)), None) },
    Row { name: "canary AR(.94) cv .15, control .08", disturbance: apart(0.15, 0.08), servers: Servers::ONE,
        one_hump: ((3.4, 1.2), (97., 99.), Some((100., 100.)), None),
        two_humps: ((6.6, 1.6), (0., 98.), Some((97., 100.)), None) },
    Row { name: "pods differ by 5 %", disturbance: Disturbance::NONE, servers: differ(0.05),
        one_hump: ((0., 0.), (100., 100.), Some((100., 100.)), None),
        two_humps: ((0., 0.), (0., 100.), Some((92., 100.)), None) },
    Row { name: "pods differ by 10 %", disturbance: Disturbance::NONE, servers: differ(0.1),
        one_hump: ((0.2, 0.2), (100., 100.), Some((100., 100.)), None),
        two_humps: ((4., 0.2), (0., 100.), Some((90., 100.)), None) },
    Row { name: "one of three control pods x2", disturbance: Disturbance::NONE, servers: ONE_OF_THREE,
        one_hump: ((0., 0.), (100., 100.), Some((100., 99.)), Some((16., 26.))),
        two_humps: ((0., 0.), (0., 100.), Some((75., 96.)), None) },
];

pub(in super::super) fn lines(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let mut lines = Vec::new();
    for row in ROWS {
        for (law_name, law, of) in [
            ("ln.8", ONE_HUMP, row.one_hump),
            ("hit.03x20", TWO_HUMPS, row.two_humps),
        ] {
            let (rolled_back, promoted, found, minutes) = of;
            let fleet = LatencyFleetDescription {
                disturbance: row.disturbance,
                servers: row.servers,
                ..alike(500.0, law)
            };
            let case = format!("{}, {law_name}", row.name);
            let good = Figures::rolled_back(rolled_back).promoted(promoted);
            let trial = half_an_hour(&fleet);
            lines.extend(cell(bench, &format!("{case}, x1"), &trial, good, KNOWN));
            let bad = Figures {
                rolled_back: found.map(Published::from),
                minutes: minutes.map(Published::from),
                promoted: None,
            };
            let trial = half_an_hour(&with(&fleet, Fault::Times(2.0)));
            lines.extend(cell(bench, &format!("{case}, x2"), &trial, bad, KNOWN));
        }
    }
    lines.extend(of_cold_starts(bench));
    lines.extend(of_late_onsets(bench));
    lines.extend(of_clusters(bench));
    lines
}

const fn with(fleet: &LatencyFleetDescription, fault: Fault) -> LatencyFleetDescription {
    LatencyFleetDescription { fault, ..*fleet }
}

/// A canary that is slow at first: what it is in which steps, the warm-up, what is rolled back and promoted.
type ColdStart = (&'static str, Fault, usize, (f64, f64), (f64, f64));

#[rustfmt::skip]
const COLD_STARTS: [ColdStart; 3] = [
    ("canary x3 for 4 min, warm-up 2 min", Fault::Until(8, 3.0), 4, (100., 99.6), (0., 0.)),
    ("canary x3 for 4 min, warm-up 5 min", Fault::Until(8, 3.0), 10, (100., 0.), (0., 100.)),
    ("canary x2 for 3 min", Fault::Until(6, 2.0), 4, (0.2, 0.), (100., 100.)),
];

fn of_cold_starts(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let mut lines = Vec::new();
    for (case, fault, warm_up, rolled_back, promoted) in COLD_STARTS {
        let figures = Figures::rolled_back(rolled_back).promoted(promoted);
        let trial = LatencyTrial {
            warm_up,
            ..half_an_hour(&with(&alike(500.0, ONE_HUMP), fault))
        };
        lines.extend(cell(bench, case, &trial, figures, KNOWN));
    }
    let late = LatencyTrial {
        warm_up: 10,
        ..half_an_hour(&with(&alike(500.0, ONE_HUMP), Fault::Times(2.0)))
    };
    let figures = Figures::rolled_back((100., 100.)).after((7., 7.));
    let case = "canary x2, warm-up 5 min";
    lines.extend(cell(bench, case, &late, figures, KNOWN));
    lines
}

/// From 15 minutes on, of a stage of an hour: what is rolled back, after how many minutes of the stage, and what is
/// promoted at its end.
#[rustfmt::skip]
const LATE: [(&str, Latencies, f64, Figures); 4] = [
    ("ln.8", ONE_HUMP, 1.5, late((100., 94.), Some((30., 38.)), None)),
    ("ln.8", ONE_HUMP, 2.0, late((100., 100.), Some((22., 22.)), None)),
    ("hit.03x20", TWO_HUMPS, 1.5, late((52., 27.), None, Some(62.))),
    ("hit.03x20", TWO_HUMPS, 2.0, late((91., 100.), Some((24., 30.)), None)),
];

const fn late(
    rolled_back: (f64, f64),
    minutes: Option<(f64, f64)>,
    promoted: Option<f64>,
) -> Figures {
    Figures {
        rolled_back: Some(published(rolled_back)),
        minutes: match minutes {
            Some(minutes) => Some(published(minutes)),
            None => None,
        },
        promoted: match promoted {
            Some(now) => Some(Published { before: None, now }),
            None => None,
        },
    }
}

const fn published((before, now): (f64, f64)) -> Published {
    Published {
        before: Some(before),
        now,
    }
}

fn of_late_onsets(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let mut lines = Vec::new();
    for (name, law, times, figures) in LATE {
        let fault = Fault::From(30, times);
        let trial = LatencyTrial {
            ramp: vec![RampStage {
                share: 0.05,
                least: 120,
                most: 120,
                held: 0,
            }],
            ..half_an_hour(&with(&alike(100.0, law), fault))
        };
        let case = format!("x{times} from 15 min of 60 on, 100 rps, {name}");
        lines.extend(cell(bench, &case, &trial, figures, KNOWN));
    }
    lines
}

/// Misses in clusters: their share, how many come together, requests a second; x1 promoted, x2 rolled back.
type Clusters = (f64, f64, f64, f64, (f64, f64));

#[rustfmt::skip]
const CLUSTERS: [Clusters; 6] = [
    (0.03, 3.0, 20.0, 100., (0., 4.)),
    (0.03, 3.0, 100.0, 100., (94., 82.)),
    (0.03, 3.0, 500.0, 100., (100., 100.)),
    (0.03, 10.0, 20.0, 80., (1., 0.)),
    (0.03, 10.0, 100.0, 100., (76., 1.)),
    (0.03, 10.0, 500.0, 100., (99., 89.)),
];

fn of_clusters(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    let mut lines = Vec::new();
    for (misses, cluster, traffic, promoted, found) in CLUSTERS {
        let fleet = LatencyFleetDescription {
            disturbance: Disturbance {
                cluster,
                ..Disturbance::NONE
            },
            ..alike(traffic, Latencies::hit(misses, 20.0))
        };
        let case = format!(
            "{} % misses in clusters of {cluster}, {traffic} rps",
            100.0 * misses
        );
        let figures = Figures::rolled_back(0.0).promoted((0.0, promoted));
        let trial = half_an_hour(&fleet);
        lines.extend(cell(bench, &format!("{case}, x1"), &trial, figures, KNOWN));
        let trial = half_an_hour(&with(&fleet, Fault::Times(2.0)));
        let figures = Figures::rolled_back(found);
        lines.extend(cell(bench, &format!("{case}, x2"), &trial, figures, KNOWN));
    }
    lines
}
