//! How much pods of one version differ: what the control's pods say.
//!
//! A canary is one to ten pods, and the pod is what was drawn. More requests of the same pod do not make its
//! effect more certain.
//!
//! Source: docs/design/counts.md, "8. Pods as replicates".

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::sequential::Dispersion;
use crate::series::ArmCount;

/// Lengths of blocks, in intervals: differences that move average out in long ones.
const BLOCK_LENGTHS: [usize; LENGTHS] = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const LENGTHS: usize = 9;
/// The weight of what is assumed, in pods; the coefficient of variation of a pod's share of failures that is;
/// and how well it is known, in degrees of freedom.
const ASSUMED_PODS: f64 = 0.25;
const ASSUMED_VARIATION: f64 = 0.05;
const ASSUMED_DEGREES_OF_FREEDOM: f64 = 10.0;
/// A control pod that fails so many times as often as the others together is left out, from so many events
/// on, of so many pods.
const BROKEN_RATIO: f64 = 3.0;
const BROKEN_EVENTS: f64 = 10.0;
const FEWEST_PODS_BESIDE: usize = 3;
/// What a promotion may excuse at most, however much the control's pods differ.
pub(super) const MOST_EXCUSED_VARIATION: f64 = 0.15;

/// More than this times its limit is not asked for.
const MOST_TIMES: f64 = 1_000.0;

/// Most pods that are followed: more are read of no population.
const MOST_PODS: usize = 400;

/// A pod's place among those that are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PodPlace(usize);

/// Squares between pods in blocks of one length.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Blocks {
    /// `S`: squares that chance does not explain. May be negative.
    beyond_chance: f64,
    /// `T`: the same if the share had a coefficient of variation of 1 between pods.
    if_it_were_one: f64,
    complete: u32,
    /// The block under way, by the place of the pod.
    open: Vec<ArmCount>,
}

/// What pods of the control differ by: the intervals of the hour before the rollout, then those of the rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pods {
    /// 1 for events; for a quantile the share that is not beyond it.
    chance: f64,
    places: BTreeMap<String, usize>,
    names: Vec<String>,
    /// The last interval in which each had requests.
    seen_at: Vec<usize>,
    blocks: [Blocks; LENGTHS],
    /// All intervals, by the place of the pod.
    all: Vec<ArmCount>,
    intervals: usize,
    left_out: Option<usize>,
    degrees_of_freedom: f64,
    /// `tau^2` of all intervals as one block.
    of_all: f64,
}

/// How much pods differ over a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// `tau^2`: the variance between pods of the logarithm of their share of events.
    pub variance: f64,
    /// Effective pods less one.
    pub degrees_of_freedom: f64,
}

/// How many pods were drawn, by requests: two of which one serves next to nothing are one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drawn {
    /// 1 over the canary's.
    pub one_over_canary_pods: f64,
    /// 1 over the control's.
    pub one_over_control_pods: f64,
}

impl Drawn {
    fn of_both(self) -> f64 {
        self.one_over_canary_pods + self.one_over_control_pods
    }

    /// The fewest canary pods with which `times` the limit would be proven, of at most `most`: where pods differ by
    /// `spread`, evidence of it ends at about `(λ ln λ − λ + 1)/(τ² g)` however long one waits, which has to be as
    /// much as `evidence`. Nothing where none of them are enough.
    ///
    /// Source: docs/design/counts.md, "8. Pods as replicates".
    pub fn canary_pods_to_prove(
        self,
        times: f64,
        spread: Spread,
        (evidence, most): (f64, u32),
    ) -> Option<u32> {
        if times <= 1.0 {
            return None;
        }
        let is_enough = |pods: &u32| {
            let drawn = Self {
                one_over_canary_pods: 1.0 / f64::from(*pods),
                ..self
            };
            growth_of(times) >= evidence * spread.variance * drawn.of_both()
        };
        (1..=most).find(is_enough)
    }

    /// How many times the limit would be proven with the pods that there are.
    pub fn times_to_prove(self, spread: Spread, evidence: f64) -> f64 {
        /// Halvings of the logarithm, to less than a thousandth.
        const HALVINGS: u32 = 16;
        let needed = evidence * spread.variance * self.of_both();
        let (mut low, mut high) = (0.0, libm::log(MOST_TIMES));
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            if growth_of(libm::exp(middle)) < needed {
                low = middle;
            } else {
                high = middle;
            }
        }
        libm::exp(high)
    }

    /// How many canary pods there are, by requests.
    pub fn canary_pods(self) -> f64 {
        1.0 / self.one_over_canary_pods
    }
}

/// `λ ln λ − λ + 1`.
fn growth_of(times: f64) -> f64 {
    times * libm::log(times) - times + 1.0
}

impl Spread {
    /// How well it is known, in degrees of freedom.
    pub fn known(self) -> f64 {
        let measured = self.degrees_of_freedom;
        measured + ASSUMED_DEGREES_OF_FREEDOM * ASSUMED_PODS / (ASSUMED_PODS + measured)
    }
}

impl Pods {
    /// Before the first interval. `chance` is the part of the variance of independent events that is left
    /// when their share is known: 1 for rare ones.
    pub fn new(chance: f64) -> Self {
        Self {
            chance,
            places: BTreeMap::new(),
            names: Vec::new(),
            seen_at: Vec::new(),
            blocks: Default::default(),
            all: Vec::new(),
            intervals: 0,
            left_out: None,
            degrees_of_freedom: 0.0,
            of_all: mixed((0.0, 0.0), 0.0),
        }
    }

    /// The place of a pod. Where too many are followed, that of the one that was not seen for longest; nothing
    /// where all were seen now.
    pub fn place_of(&mut self, name: &str) -> Option<PodPlace> {
        if let Some(&place) = self.places.get(name) {
            if let Some(seen_at) = self.seen_at.get_mut(place) {
                *seen_at = self.intervals;
            }
            return Some(PodPlace(place));
        }
        let place = if self.names.len() < MOST_PODS {
            self.names.push(name.to_owned());
            self.seen_at.push(self.intervals);
            self.all.push(ArmCount::default());
            for blocks in &mut self.blocks {
                blocks.open.push(ArmCount::default());
            }
            self.names.len() - 1
        } else {
            let (place, seen_at) = self.seen_at.iter().enumerate().min_by_key(|(_, at)| **at)?;
            if *seen_at >= self.intervals {
                return None;
            }
            self.forget(place);
            if let Some(known) = self.names.get_mut(place) {
                name.clone_into(known);
            }
            place
        };
        self.places.insert(name.to_owned(), place);
        if let Some(seen_at) = self.seen_at.get_mut(place) {
            *seen_at = self.intervals;
        }
        Some(PodPlace(place))
    }

    fn forget(&mut self, place: usize) {
        if let Some(name) = self.names.get(place) {
            self.places.remove(name);
        }
        let opened = self.blocks.iter_mut().map(|blocks| &mut blocks.open);
        for sums in opened.chain([&mut self.all]) {
            if let Some(sum) = sums.get_mut(place) {
                *sum = ArmCount::default();
            }
        }
    }

    /// Adds the intervals before a rollout. A pod that failed far more than the others in all of them together
    /// is left out from the first on: what one had and is over says nothing of what pods differ by, and until
    /// it was seen to be that one its blocks would have counted.
    pub fn push_past(&mut self, intervals: &[Vec<(PodPlace, ArmCount)>]) {
        let mut all = vec![ArmCount::default(); self.names.len()];
        for control in intervals {
            add(&mut all, control);
        }
        let broken = broken(&all);
        for control in intervals {
            self.push_without(control, broken);
        }
    }

    /// Adds an interval of the control's pods that had requests.
    pub fn push(&mut self, control: &[(PodPlace, ArmCount)]) {
        self.push_without(control, None);
    }

    /// Adds an interval; `known` is left out of it, else who is seen to be broken so far.
    fn push_without(&mut self, control: &[(PodPlace, ArmCount)], known: Option<usize>) {
        self.intervals += 1;
        add(&mut self.all, control);
        for (PodPlace(place), _) in control {
            if let Some(seen_at) = self.seen_at.get_mut(*place) {
                *seen_at = self.intervals;
            }
        }
        self.left_out = known.or_else(|| broken(&self.all));
        for (blocks, length) in self.blocks.iter_mut().zip(BLOCK_LENGTHS) {
            add(&mut blocks.open, control);
            if self.intervals.is_multiple_of(length) {
                let (beyond_chance, if_it_were_one) =
                    squares(&blocks.open, self.left_out, self.chance);
                blocks.beyond_chance += beyond_chance;
                blocks.if_it_were_one += if_it_were_one;
                blocks.complete += 1;
                blocks.open.fill(ArmCount::default());
            }
        }
        self.degrees_of_freedom = effective_pods(&self.all, self.left_out);
        let of_all = squares(&self.all, self.left_out, self.chance);
        self.of_all = mixed(of_all, self.degrees_of_freedom);
    }

    /// How much pods differ over so many intervals: by the longest blocks that are no longer, a straight line
    /// between two lengths; at least what lasts.
    pub fn over(&self, intervals: usize) -> Spread {
        let of = |place: usize| {
            let blocks = self.blocks.get(place)?;
            let found = (blocks.beyond_chance, blocks.if_it_were_one);
            (blocks.complete > 0).then(|| mixed(found, self.degrees_of_freedom))
        };
        let mut variance = self.of_all;
        let fits = (0..LENGTHS).rev().find_map(|place| {
            let length = BLOCK_LENGTHS
                .get(place)
                .filter(|length| **length <= intervals)?;
            Some((place, *length, of(place)?))
        });
        if let Some((place, length, mut at_length)) = fits {
            if let Some(longer) = of(place + 1)
                && longer < at_length
            {
                let part = (intervals - length) as f64 / length as f64;
                at_length += (longer - at_length) * part;
            }
            variance = variance.max(at_length);
        }
        Spread {
            variance,
            degrees_of_freedom: self.degrees_of_freedom,
        }
    }

    /// The pod that fails far more often than the others, which is left out.
    pub fn left_out(&self) -> Option<&str> {
        self.names.get(self.left_out?).map(String::as_str)
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        /// A name, its place and its sums.
        const BYTES_A_POD: usize = 64 + (LENGTHS + 1) * size_of::<ArmCount>();
        self.names.len() * BYTES_A_POD
    }

    /// How many pods had requests.
    pub fn count(&self) -> usize {
        self.all.iter().filter(|one| one.exposure > 0.0).count()
    }

    /// Intervals so far, those before the rollout included.
    pub fn intervals(&self) -> usize {
        self.intervals
    }

    /// `S` and `T` by length, and those of all intervals as one block.
    pub fn sums(&self) -> ([(f64, f64); LENGTHS], (f64, f64)) {
        let each = self.blocks.each_ref();
        let by_length = each.map(|blocks| (blocks.beyond_chance, blocks.if_it_were_one));
        (by_length, squares(&self.all, self.left_out, self.chance))
    }
}

fn add(sums: &mut [ArmCount], pods: &[(PodPlace, ArmCount)]) {
    for (PodPlace(place), count) in pods {
        if let Some(sum) = sums.get_mut(*place) {
            *sum = sum.and(*count);
        }
    }
}

/// The pod of three or more that is broken: its share is more than three times that of the others together.
fn broken(pods: &[ArmCount]) -> Option<usize> {
    if pods.len() < FEWEST_PODS_BESIDE {
        return None;
    }
    let nothing = ArmCount::default();
    let all = pods.iter().fold(nothing, |sum, one| sum.and(*one));
    let mut worst = (BROKEN_RATIO, None);
    for (place, one) in pods.iter().enumerate() {
        let others = all.exposure - one.exposure;
        if one.exposure <= 0.0 || others <= 0.0 || one.events < BROKEN_EVENTS {
            continue;
        }
        let ratio = one.events / one.exposure * others / (all.events - one.events + 0.5);
        if ratio > worst.0 {
            worst = (ratio, Some(place));
        }
    }
    worst.1
}

/// Those of a block that are asked.
fn asked(pods: &[ArmCount], left_out: Option<usize>) -> impl Iterator<Item = &ArmCount> + Clone {
    pods.iter()
        .enumerate()
        .filter(move |(place, count)| Some(*place) != left_out && count.exposure > 0.0)
        .map(|(_, count)| count)
}

/// `S` and `T` of a block.
fn squares(pods: &[ArmCount], left_out: Option<usize>, chance: f64) -> (f64, f64) {
    let rows = asked(pods, left_out);
    let all = rows
        .clone()
        .fold(ArmCount::default(), |sum, one| sum.and(*one));
    if all.events <= 0.0 {
        return (0.0, 0.0);
    }
    let share = |one: &ArmCount| one.exposure / all.exposure;
    let share_squares: f64 = rows.clone().map(|one| share(one) * share(one)).sum();
    let pairs = all.events * (all.events - 1.0).max(0.0);
    let mut sums = (0.0, 0.0);
    for one in rows {
        let share = share(one);
        let rest = one.events - share * all.events;
        sums.0 += rest * rest - chance * share * all.events * (1.0 - share);
        sums.1 += share * share * pairs * (1.0 - 2.0 * share + share_squares);
    }
    sums
}

/// Effective pods less one.
fn effective_pods(pods: &[ArmCount], left_out: Option<usize>) -> f64 {
    let mut sums = (0.0, 0.0);
    for one in asked(pods, left_out) {
        sums.0 += one.exposure;
        sums.1 += one.exposure * one.exposure;
    }
    if sums.1 > 0.0 {
        (sums.0 * sums.0 / sums.1 - 1.0).max(0.0)
    } else {
        0.0
    }
}

/// `tau^2` of what was seen and what is assumed.
fn mixed((beyond_chance, if_it_were_one): (f64, f64), degrees_of_freedom: f64) -> f64 {
    let seen = if if_it_were_one > 0.0 && degrees_of_freedom > 0.0 {
        (beyond_chance / if_it_were_one).max(0.0)
    } else {
        0.0
    };
    let assumed = ASSUMED_PODS * ASSUMED_VARIATION * ASSUMED_VARIATION;
    (assumed + degrees_of_freedom * seen) / (ASSUMED_PODS + degrees_of_freedom)
}

/// Sums over a rollout's intervals with data that a widened dispersion needs.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Sums {
    /// `U`: what the canary would have at the limit.
    expected: f64,
    /// `V0`: its variance by chance.
    variance: f64,
    canary_squares: f64,
    canary_pod_squares: f64,
    control_squares: f64,
    control_pod_squares: f64,
}

impl Sums {
    /// Adds an interval of a limit of `ratio` times the control: of all requests `n` and `m`, and the sums of
    /// the squares of each pod's.
    pub(super) fn add(
        &mut self,
        ratio: f64,
        chance: f64,
        (canary, control): (ArmCount, ArmCount),
        (canary_pods, control_pods): (f64, f64),
    ) {
        if canary.exposure <= 0.0 || control.exposure <= 0.0 {
            return;
        }
        let odds = canary.exposure / control.exposure;
        let expected = ratio * odds * control.events;
        self.expected += expected;
        self.variance += chance * expected * (1.0 + ratio * odds);
        self.canary_squares += canary.exposure * canary.exposure;
        self.canary_pod_squares += canary_pods;
        self.control_squares += control.exposure * control.exposure;
        self.control_pod_squares += control_pods;
    }

    pub(super) fn since(&self, before: &Self) -> Self {
        Self {
            expected: self.expected - before.expected,
            variance: self.variance - before.variance,
            canary_squares: self.canary_squares - before.canary_squares,
            canary_pod_squares: self.canary_pod_squares - before.canary_pod_squares,
            control_squares: self.control_squares - before.control_squares,
            control_pod_squares: self.control_pod_squares - before.control_pod_squares,
        }
    }

    /// `X`: the variance that pods of this spread add, in units of chance.
    fn excess(&self, variance_between_pods: f64) -> f64 {
        if self.variance <= 0.0 || self.canary_squares <= 0.0 || self.control_squares <= 0.0 {
            return 0.0;
        }
        let drawn = self.drawn().of_both();
        variance_between_pods * drawn * self.expected * self.expected / self.variance
    }

    /// How many pods were drawn.
    pub(super) fn drawn(&self) -> Drawn {
        Drawn {
            one_over_canary_pods: self.canary_pod_squares / self.canary_squares,
            one_over_control_pods: self.control_pod_squares / self.control_squares,
        }
    }

    /// The wider of a dispersion and of what pods of this spread make it.
    pub(super) fn widen(&self, spread: Spread, dispersion: Dispersion) -> Dispersion {
        let excess = self.excess(spread.variance);
        if 1.0 + excess <= dispersion.value {
            return dispersion;
        }
        let known = spread.known() * libm::pow((1.0 + excess) / excess, 2.0);
        Dispersion {
            value: 1.0 + excess,
            degrees_of_freedom: dispersion.degrees_of_freedom.min(known),
        }
    }
}

/// Canary pods that fail so much more than the canary's others that chance does not explain it: for who looks,
/// no evidence. Of each its name, and how many times the others' share.
pub fn differing_pods(canary: &BTreeMap<String, ArmCount>) -> Vec<(String, f64)> {
    /// Standard deviations beyond chance.
    const BEYOND_CHANCE: f64 = 4.0;
    let nothing = ArmCount::default();
    let all = canary.values().fold(nothing, |sum, one| sum.and(*one));
    let differs = |(pod, one): (&String, &ArmCount)| {
        let others = ArmCount {
            events: all.events - one.events,
            exposure: all.exposure - one.exposure,
        };
        if one.exposure <= 0.0 || others.exposure <= 0.0 || one.events < BROKEN_EVENTS {
            return None;
        }
        let share = one.exposure / all.exposure;
        let deviation = libm::sqrt(all.events * share * (1.0 - share));
        let is_beyond = one.events - all.events * share - 0.5 >= BEYOND_CHANCE * deviation;
        let times = one.events / one.exposure * others.exposure / (others.events + 0.5);
        (is_beyond && times >= BROKEN_RATIO).then(|| (pod.clone(), times))
    };
    canary.iter().filter_map(differs).collect()
}
