//! What the pods of a gauge differ by.
//!
//! Pods of the control are replicates of what the canary should be, at the same time, whatever the autocorrelation
//! of each. Of each start there is a sum by pod; for the windows before it, running sums of the control's pods after
//! each sample. Of those a thousand are kept at each distance that doubles, so that a window of whatever age is cut
//! at most a sixteenth of its length from where it should be, and memory grows with the logarithm of the age.
//!
//! Source: docs/design/gauges.md, "3. Spread".

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::excess::Form;
use super::sample::{PodValue, counted};

/// So many control pods speak for both sides, and for windows before a start.
pub(super) const ENOUGH_PODS: usize = 5;
/// Running sums that are kept at each level: exact for so many samples.
const KEPT: usize = 1024;
/// Levels of running sums: 1024 times 64 samples are more than a rollout has.
const LEVELS: usize = 7;
/// Windows that are asked at most: from 5 pods they know what pods differ by with 128 degrees of freedom.
const MOST_WINDOWS: usize = 32;
/// Most pods of a population that are followed: more are read of none.
const MOST_PODS: usize = 400;
/// A relative variance beyond it says no more.
const MOST_VARIANCE: f64 = 1e12;

/// The values of one pod since a begin.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct PodSum {
    sum: f64,
    samples: u32,
}

impl PodSum {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.samples += 1;
    }

    /// The mean of a pod that has at least half of the samples.
    fn mean(&self, samples: usize, form: Form) -> Option<f64> {
        let counts = self.samples > 0 && 2 * self.samples as usize >= samples;
        counts.then(|| form.of(self.sum / f64::from(self.samples)))
    }
}

/// Squares between the pods of one or both sides, relative to their mean.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Between {
    /// `sum (pod mean - M)^2 / M^2`.
    pub(super) squares: f64,
    pub(super) degrees_of_freedom: usize,
    pub(super) canary_pods: usize,
    pub(super) control_pods: usize,
}

/// A value at the place of its pod.
pub(super) type Placed = (usize, f64);

/// Which place each pod has.
#[derive(Debug, Clone, PartialEq, Default)]
struct Places {
    by_name: BTreeMap<Arc<str>, usize>,
    names: Vec<Arc<str>>,
    seen_at: Vec<usize>,
}

impl Places {
    /// The place of a pod, and whether it was another one's, the one that was not seen for longest; nothing where
    /// too many were seen now.
    fn place_of(&mut self, name: &Arc<str>, now: usize) -> Option<(usize, bool)> {
        let known = self.by_name.get(name).copied();
        let (place, is_taken_over) = if let Some(place) = known {
            (place, false)
        } else if self.names.len() < MOST_PODS {
            self.names.push(Arc::clone(name));
            self.seen_at.push(now);
            (self.names.len() - 1, false)
        } else {
            let (place, at) = self.seen_at.iter().enumerate().min_by_key(|(_, at)| **at)?;
            if *at >= now {
                return None;
            }
            let left = std::mem::replace(self.names.get_mut(place)?, Arc::clone(name));
            self.by_name.remove(&left);
            (place, true)
        };
        if known.is_none() {
            self.by_name.insert(Arc::clone(name), place);
        }
        *self.seen_at.get_mut(place)? = now;
        Some((place, is_taken_over))
    }

    fn bytes(&self) -> usize {
        /// A name, twice referred to, and its places.
        const BYTES_A_POD: usize = 112;
        self.names.len() * BYTES_A_POD
    }
}

/// One side's values of a sample by place, and the places that were another pod's before.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct PlacedSide {
    pub(super) values: Vec<Placed>,
    pub(super) taken_over: Vec<usize>,
}

/// Where the pods are, and what the control's have had so far.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PodTable {
    canary: Places,
    control: Places,
    running: Option<Running>,
}

impl PodTable {
    /// No pods yet. `asks_earlier_windows`: of a relative limit.
    pub(super) fn new(asks_earlier_windows: bool) -> Self {
        Self {
            canary: Places::default(),
            control: Places::default(),
            running: asks_earlier_windows.then(Running::default),
        }
    }

    /// Adds a sample, of canary and control.
    pub(super) fn push(
        &mut self,
        (canary, control): (&[PodValue], &[PodValue]),
        now: usize,
    ) -> (PlacedSide, PlacedSide) {
        let canary = placed(&mut self.canary, canary, now);
        let control = placed(&mut self.control, control, now);
        if let Some(running) = &mut self.running {
            running.push(&control.values);
        }
        (canary, control)
    }

    /// What the control's pods differed by in earlier windows of the length of the newest so many samples: the
    /// newest 32 of them.
    pub(super) fn earlier(&self, length: usize, form: Form) -> (f64, usize) {
        let mut found = (0.0, 0);
        let has_enough = |running: &&Running| length > 0 && running.sums.len() >= ENOUGH_PODS;
        let Some(running) = self.running.as_ref().filter(has_enough) else {
            return found;
        };
        let mut scratch = Vec::with_capacity(running.sums.len());
        let mut end = running.samples;
        let mut now = running.after(end);
        for _ in 0..MOST_WINDOWS {
            let before = end
                .checked_sub(length)
                .and_then(|begin| running.after(begin));
            let (Some(newer), Some(older)) = (now, before) else {
                break;
            };
            means_between(older, newer, form, &mut scratch);
            let (_, (squares, degrees_of_freedom)) = squares(scratch.iter().copied());
            found.0 += squares;
            found.1 += degrees_of_freedom;
            end -= length;
            now = before;
        }
        found
    }

    pub(super) fn bytes(&self) -> usize {
        let running = self.running.as_ref().map_or(0, Running::bytes);
        self.canary.bytes() + self.control.bytes() + running
    }
}

fn placed(places: &mut Places, pods: &[PodValue], now: usize) -> PlacedSide {
    let mut found = PlacedSide::default();
    for one in pods {
        let Some(value) = counted(one.value) else {
            continue;
        };
        if let Some((place, is_taken_over)) = places.place_of(&one.pod, now) {
            found.values.push((place, value));
            if is_taken_over {
                found.taken_over.push(place);
            }
        }
    }
    found
}

/// The sums of both sides' pods since a begin.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct PodSums {
    canary: Vec<PodSum>,
    control: Vec<PodSum>,
}

impl PodSums {
    /// Adds a sample.
    pub(super) fn push(&mut self, canary: &PlacedSide, control: &PlacedSide) {
        for (sums, side) in [(&mut self.canary, canary), (&mut self.control, control)] {
            for place in &side.taken_over {
                if let Some(sum) = sums.get_mut(*place) {
                    *sum = PodSum::default();
                }
            }
            add(sums, &side.values);
        }
    }

    /// What the pods differ by: the control's if there are enough, else both sides', each around its own mean.
    pub(super) fn between(&self, samples: usize, form: Form) -> Between {
        let (control_pods, control) = squares(means(&self.control, samples, form));
        let (canary_pods, canary) = squares(means(&self.canary, samples, form));
        let (mut sum, mut degrees_of_freedom) = control;
        if control_pods < ENOUGH_PODS {
            sum += canary.0;
            degrees_of_freedom += canary.1;
        }
        Between {
            squares: sum,
            degrees_of_freedom,
            canary_pods,
            control_pods,
        }
    }

    /// Of how many control pods that count the mean is so.
    pub(super) fn control_pods(
        &self,
        samples: usize,
        form: Form,
        is_so: impl Fn(f64) -> bool,
    ) -> usize {
        let found = means(&self.control, samples, form);
        found.filter(|mean| is_so(*mean)).count()
    }

    pub(super) fn bytes(&self) -> usize {
        (self.canary.capacity() + self.control.capacity()) * size_of::<PodSum>()
    }
}

fn add(sums: &mut Vec<PodSum>, values: &[Placed]) {
    for (place, value) in values {
        if sums.len() <= *place {
            sums.resize(*place + 1, PodSum::default());
        }
        if let Some(sum) = sums.get_mut(*place) {
            sum.add(*value);
        }
    }
}

fn means(sums: &[PodSum], samples: usize, form: Form) -> impl Iterator<Item = f64> + Clone {
    sums.iter().filter_map(move |sum| sum.mean(samples, form))
}

/// How many there are, their squares relative to their mean, and degrees of freedom: none around a mean of 0.
fn squares(means: impl Iterator<Item = f64> + Clone) -> (usize, (f64, usize)) {
    let (mut pods, mut sum) = (0_usize, 0.0);
    for mean in means.clone() {
        pods += 1;
        sum += mean;
    }
    let middle = sum / pods as f64;
    if pods < 2 || middle == 0.0 {
        return (pods, (0.0, 0));
    }
    let relative = |mean: f64| {
        let apart = (mean - middle) / middle;
        apart * apart
    };
    let sum: f64 = means.map(relative).sum();
    (pods, (sum.min(MOST_VARIANCE), pods - 1))
}

/// Running sums and the number of samples after which they stood so.
type Row<'a> = (usize, &'a [PodSum]);

/// The means of the pods that count between two of them.
fn means_between((begin, older): Row<'_>, (end, newer): Row<'_>, form: Form, into: &mut Vec<f64>) {
    const NOTHING: PodSum = PodSum {
        sum: 0.0,
        samples: 0,
    };
    into.clear();
    let of_new_pods = std::iter::repeat(&NOTHING);
    for (newer, older) in newer.iter().zip(older.iter().chain(of_new_pods)) {
        let since = PodSum {
            sum: newer.sum - older.sum,
            samples: newer.samples - older.samples,
        };
        into.extend(since.mean(end - begin, form));
    }
}

/// Sums of the control's pods after each sample, thinned with their age.
#[derive(Debug, Clone, PartialEq)]
struct Running {
    samples: usize,
    sums: Vec<PodSum>,
    /// By level: after each `2^level`-th sample, the newest last.
    levels: [VecDeque<Arc<[PodSum]>>; LEVELS],
}

impl Default for Running {
    fn default() -> Self {
        let before_all: Arc<[PodSum]> = Arc::from([]);
        Self {
            samples: 0,
            sums: Vec::new(),
            levels: std::array::from_fn(|_| VecDeque::from([Arc::clone(&before_all)])),
        }
    }
}

impl Running {
    fn push(&mut self, values: &[Placed]) {
        self.samples += 1;
        add(&mut self.sums, values);
        let now: Arc<[PodSum]> = Arc::from(self.sums.as_slice());
        for (level, rows) in self.levels.iter_mut().enumerate() {
            if self.samples.is_multiple_of(1 << level) {
                rows.push_back(Arc::clone(&now));
                if rows.len() > KEPT + 2 {
                    rows.pop_front();
                }
            }
        }
    }

    /// The sums after so many samples, or a little fewer: after how many.
    fn after(&self, samples: usize) -> Option<Row<'_>> {
        let age = self.samples.checked_sub(samples)?;
        let level = (0..LEVELS).find(|level| age <= KEPT << level)?;
        let rows = self.levels.get(level)?;
        let back = (self.samples >> level) - (samples >> level);
        let place = rows.len().checked_sub(1 + back)?;
        Some(((samples >> level) << level, rows.get(place)?))
    }

    fn bytes(&self) -> usize {
        /// Two counters of an `Arc`.
        const BYTES_OF_A_ROW: usize = 16;
        let row = |row: &Arc<[PodSum]>| BYTES_OF_A_ROW + size_of_val(&**row);
        // Half of the rows of a level are those of the level below.
        let of_level = |(level, rows): (usize, &VecDeque<Arc<[PodSum]>>)| {
            let own = rows.back().map_or(0, row) * rows.len();
            (if level == 0 { own } else { own / 2 }) + rows.capacity() * size_of::<Arc<[PodSum]>>()
        };
        self.levels.iter().enumerate().map(of_level).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_of_any_age_is_cut_near_its_ends() {
        let mut running = Running::default();
        for at in 0..20_160_u32 {
            running.push(&[(0, f64::from(at))]);
        }
        for age in [0, 1, 5, 1024, 1025, 5000, 20_000, 20_160] {
            let asked = 20_160 - age;
            let (found, _) = running.after(asked).unwrap();
            assert!(
                found <= asked && asked - found <= age / 512,
                "{age}: {found}"
            );
        }
        assert!(running.after(20_161).is_none());
        assert!(running.levels.iter().all(|rows| rows.len() <= KEPT + 2));
    }

    #[test]
    fn a_pod_that_comes_when_too_many_are_known_takes_the_place_of_one_that_went() {
        let mut places = Places::default();
        let name = |at: usize| Arc::<str>::from(format!("pod-{at}"));
        for at in 0..MOST_PODS {
            assert_eq!(places.place_of(&name(at), at), Some((at, false)));
        }
        assert_eq!(places.place_of(&name(9_999), 1_000), Some((0, true)));
        assert_eq!(places.place_of(&name(9_999), 1_001), Some((0, false)));
        assert_eq!(places.place_of(&name(0), 1_001), Some((1, true)));
        assert_eq!(places.by_name.len(), MOST_PODS);
    }
}
