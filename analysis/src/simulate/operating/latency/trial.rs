//! One latency check of one rollout, read and judged through its stages by the code that judges real ones.

use super::super::trial::{Ends, Outcome, PodSpread, RampStage};
use super::super::walk::{Seen, Source, through};
use super::fleet::{LatencyFleet, LatencyFleetDescription};
use crate::judge::quantile::{Asked, Reader};
use crate::proof::{
    Counted, Interval, KeptBeyond, Laws, Member, Place, PodPlace, PodSquares, Pods, QuantileLimit,
    Rollout, Settings, SlowShare, Stream, Tails, Window,
};
use crate::sequential::default_promotion_ratio;
use crate::series::{ArmCount, Populations};

/// Intervals of the hour before a rollout.
const HOUR: usize = 120;

/// What the check says of its quantile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum JudgedQuantile {
    /// `< baseline * ratio`.
    Relative(f64),
    /// `< limit`, in seconds.
    Absolute(f64),
}

/// A rollout of one latency check.
#[derive(Debug, Clone, PartialEq)]
pub struct LatencyTrial {
    /// How its requests come.
    pub fleet: LatencyFleetDescription,
    /// The quantile, as 0.99.
    pub quantile: f64,
    /// What the check says of it.
    pub judged: JudgedQuantile,
    /// Its stages.
    pub ramp: Vec<RampStage>,
    /// What ends them.
    pub ends: Ends,
    /// Intervals in which the canary's processes are young.
    pub warm_up: usize,
    /// What is read of pods.
    pub pods: PodSpread,
}

impl LatencyTrial {
    /// The replicate with this index; nothing where a number is none that may be judged.
    pub fn replicate(&self, seed: u64, index: u64) -> Option<Outcome> {
        let slow = SlowShare::of_quantile(self.quantile)?;
        let (asked, kept) = asked(self.judged, slow);
        let mut fleet = LatencyFleet::new(self.fleet, seed, index);
        let pods = self.pods_before(slow, &mut fleet);
        let settings = Settings {
            line: asked.line(true)?,
            interval_seconds: self.fleet.interval_seconds,
            counted: Counted::Events,
            past: None,
        };
        let planned = self.ramp.iter().map(|stage| stage.most).collect();
        let member = Member::new(Stream::new(settings, 1), 1.0, pods);
        let rollout = Rollout::new(planned, vec![member]);
        let source = Intervals {
            warm_up: self.warm_up,
            reader: Reader::of(asked),
            kept,
            fleet,
            places: Vec::new(),
            so_far: 0,
        };
        let stages = (self.ramp.as_slice(), self.ends);
        Some(through(stages, asked.kept()?, rollout, source))
    }

    /// What the control's pods differed by in the hour before, beyond the control's quantile.
    fn pods_before(&self, slow: SlowShare, fleet: &mut LatencyFleet) -> Option<Pods> {
        if self.pods == PodSpread::None {
            return None;
        }
        let mut window = Window::new(slow.value());
        window.set_bounds(fleet.bounds());
        let (mut pods, mut places) = (Pods::new(slow.rest()), Vec::new());
        let mut past = Vec::with_capacity(HOUR);
        for _ in 0..HOUR {
            let rows = fleet.before();
            let place = Laws::of(&window, slow.value()).map(|laws| laws.quantile().place);
            let had = place.map(|place| placed(&mut pods, &mut places, &tails(&rows), place));
            past.push(had.unwrap_or_default());
            window.push(Populations {
                control: sum(&tails(&rows), fleet.bounds().len()),
                canary: Tails::nothing(fleet.bounds().len()),
            });
        }
        pods.push_past(&past);
        (self.pods == PodSpread::On).then_some(pods)
    }
}

/// What the check asks, and its promotion.
pub(super) fn asked(judged: JudgedQuantile, slow: SlowShare) -> (Asked, Vec<KeptBeyond>) {
    match judged {
        JudgedQuantile::Relative(ratio) => {
            let limit = |ratio: f64| QuantileLimit { ratio, offset: 0.0 };
            let kept = limit(default_promotion_ratio(ratio));
            let limit = limit(ratio);
            (Asked::Relative { slow, limit }, vec![kept])
        }
        JudgedQuantile::Absolute(limit) => {
            let asked = Asked::Absolute {
                slow,
                wants_less: true,
                limit,
                kept: limit,
            };
            (asked, Vec::new())
        }
    }
}

/// The intervals of a replicate.
struct Intervals {
    warm_up: usize,
    reader: Reader,
    kept: Vec<KeptBeyond>,
    fleet: LatencyFleet,
    places: Vec<Option<PodPlace>>,
    so_far: usize,
}

impl Source for Intervals {
    fn next(&mut self, stage: &RampStage, pods: Option<&mut Pods>) -> Seen {
        let rows = self.fleet.next(stage.share);
        self.so_far += 1;
        let bounds = self.fleet.bounds();
        let control = tails(&rows.control);
        let canary = if self.so_far > self.warm_up {
            tails(&rows.canary)
        } else {
            Vec::new()
        };
        let row = Populations {
            control: sum(&control, bounds.len()),
            canary: sum(&canary, bounds.len()),
        };
        let read = self.reader.read(bounds, row, &self.kept);
        let kept = read.kept.first().map(|(_, counts)| *counts);
        let mut seen = Seen {
            lane: Interval {
                kept: kept.or(read.lane.kept),
                ..read.lane
            },
            squares: PodSquares::default(),
            control_pods: Vec::new(),
        };
        let (Some(place), Some(pods)) = (read.place, pods) else {
            return seen;
        };
        seen.control_pods = placed(pods, &mut self.places, &control, place);
        let squares = |sum: f64, requests: f64| sum + requests * requests;
        let of_control = seen.control_pods.iter().map(|(_, one)| one.exposure);
        seen.squares = PodSquares {
            canary: canary.iter().map(Tails::all).fold(0.0, squares),
            control: of_control.fold(0.0, squares),
        };
        seen
    }
}

fn tails(rows: &[Vec<f64>]) -> Vec<Tails> {
    rows.iter().map(|row| Tails::of_buckets(row)).collect()
}

fn sum(rows: &[Tails], bounds: usize) -> Tails {
    let mut sum = Tails::nothing(bounds);
    for row in rows {
        sum.add(row);
    }
    sum
}

/// What each of the control's pods had that had requests.
fn placed(
    pods: &mut Pods,
    places: &mut Vec<Option<PodPlace>>,
    rows: &[Tails],
    place: Place,
) -> Vec<(PodPlace, ArmCount)> {
    for pod in places.len()..rows.len() {
        places.push(pods.place_of(&format!("control-{pod}")));
    }
    let each = places.iter().zip(rows);
    let had = each.filter(|(_, row)| row.all() > 0.0);
    had.filter_map(|(pod, row)| {
        let count = ArmCount {
            events: row.beyond(place),
            exposure: row.all(),
        };
        pod.map(|pod| (pod, count))
    })
    .collect()
}
