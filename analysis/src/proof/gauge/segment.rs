//! Samples since a begin: what a start, a stage or a whole rollout knows.

use super::blocks::{Block, Levels, Squares};
use super::excess::Form;
use super::lines::Point;
use super::pods::{PlacedSide, PodSums, PodTable};

/// The part of a whole number that is rounding.
const ROUNDING: f64 = 1e-9;
/// What pods did in earlier windows is asked anew whenever a segment has grown by a part between a 32nd and a 64th:
/// at each sample of the first 64.
const REFRESHED_FROM: u32 = 5;

/// What a line's samples sum up to.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct LineSums {
    pub(super) canary: f64,
    pub(super) limit: f64,
    pub(super) distance: f64,
    pub(super) scaled: f64,
    /// Of the larger of both, by size.
    pub(super) larger: f64,
    pub(super) beyond_guard: f64,
    /// Whether any sample is off the limit.
    pub(super) is_any_off: bool,
    pub(super) levels: Levels,
    /// The squares of the samples before the begin.
    pub(super) before: Vec<Squares>,
}

impl LineSums {
    fn push(&mut self, point: &Point, begun_at: usize, blocks: &[Block]) {
        self.canary += point.canary;
        self.limit += point.limit;
        self.distance += point.distance;
        self.scaled += point.scaled;
        self.larger += point.canary.abs().max(point.limit.abs());
        self.beyond_guard += point.beyond_guard;
        self.is_any_off |= point.distance != 0.0;
        for block in blocks.iter().filter(|block| block.begin >= begun_at) {
            self.levels.push(block);
        }
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.levels.bytes() + self.before.capacity() * size_of::<Squares>()
    }
}

/// A sample, as it was put in its places.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrived<'a> {
    pub(super) at_seconds: f64,
    /// By line: its point and the blocks that it completes.
    pub(super) points: &'a [(Point, Vec<Block>)],
    pub(super) canary_pods: &'a PlacedSide,
    pub(super) control_pods: &'a PlacedSide,
    /// The canary's pods that have a value; 1 where they are not known.
    pub(super) pods_with_a_value: usize,
}

/// All that is kept since a begin.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Segment {
    /// Samples before it.
    pub(super) begun_at: usize,
    pub(super) samples: usize,
    pub(super) first_seconds: f64,
    pub(super) newest_seconds: f64,
    /// Of the first so many lines.
    pub(super) lines: Vec<LineSums>,
    pub(super) pods: PodSums,
    /// Values of canary pods, and whether all their sums are whole numbers.
    pub(super) pod_values: usize,
    pub(super) is_any_broken: bool,
    /// What the control's pods did in earlier windows, of each form: where it is remembered.
    earlier: [Option<(f64, usize)>; 2],
}

impl Segment {
    /// One that begins after so many samples, of so many lines; `whole` is all that was before.
    pub(super) fn begin(begun_at: usize, lines: usize, whole: Option<&Self>) -> Self {
        let before_of = |place: usize| {
            let line = whole.and_then(|whole| whole.lines.get(place));
            line.map(|line| line.levels.all()).unwrap_or_default()
        };
        let lines = (0..lines).map(|place| LineSums {
            before: before_of(place),
            ..LineSums::default()
        });
        Self {
            begun_at,
            lines: lines.collect(),
            ..Self::default()
        }
    }

    /// Adds a sample.
    pub(super) fn push(&mut self, arrived: &Arrived<'_>) {
        if self.samples == 0 {
            self.first_seconds = arrived.at_seconds;
        }
        self.samples += 1;
        self.newest_seconds = arrived.at_seconds;
        for (line, (point, blocks)) in self.lines.iter_mut().zip(arrived.points) {
            line.push(point, self.begun_at, blocks);
        }
        self.pods.push(arrived.canary_pods, arrived.control_pods);
        self.pod_values += arrived.pods_with_a_value;
        if let Some((point, _)) = arrived.points.first() {
            let sum = point.canary * arrived.pods_with_a_value as f64;
            let off = (sum - libm::round(sum)).abs();
            self.is_any_broken |= off > ROUNDING * sum.abs().max(1.0);
        }
    }

    /// Asks what the control's pods did in earlier windows, if it is time to, and remembers it.
    pub(super) fn ask_earlier_windows(&mut self, pods: &PodTable, form: Form) {
        let Some(size) = self.samples.checked_ilog2() else {
            return;
        };
        let grain = 1_usize << size.saturating_sub(REFRESHED_FROM);
        // Later there are too few of them for its length.
        let has_any = self.begun_at >= self.samples;
        if let Some(earlier) = self.earlier.get_mut(place_of(form))
            && has_any
            && self.samples.is_multiple_of(grain)
        {
            *earlier = Some(pods.earlier(self.samples, form));
        }
    }

    /// What the control's pods did in earlier windows.
    pub(super) fn earlier_windows(&self, pods: &PodTable, form: Form) -> (f64, usize) {
        let remembered = self.earlier.get(place_of(form)).copied().flatten();
        remembered.unwrap_or_else(|| pods.earlier(self.samples, form))
    }

    /// Seconds from its first to its newest sample.
    pub(super) fn seconds(&self) -> f64 {
        self.newest_seconds - self.first_seconds
    }

    pub(super) fn bytes(&self) -> usize {
        let lines: usize = self.lines.iter().map(LineSums::bytes).sum();
        size_of::<Self>() + lines + self.pods.bytes()
    }
}

fn place_of(form: Form) -> usize {
    match form {
        Form::Direct => 0,
        Form::Failures => 1,
    }
}
