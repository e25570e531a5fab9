//! The bounds at which native histograms of several resolutions can all be counted.

/// Grid positions in a doubling: those of schema 8, the finest. The bounds of every other schema
/// are among them.
const POSITIONS_PER_OCTAVE: f64 = 256.0;

/// Positions from one bound to the next at schema -4, the coarsest.
const WIDEST: i64 = 4_096;

/// Positions from one bound to the next at schema 3, which client libraries use by default: taken
/// where no bucket tells.
const USUAL: i64 = 32;

/// Positions of the smallest and of the largest power of two that is a float.
const LEAST_POSITION: f64 = -1_074.0 * POSITIONS_PER_OCTAVE;
const MOST_POSITION: f64 = 1_023.0 * POSITIONS_PER_OCTAVE;

/// How far from a whole position a bound may be. A logarithm of a float in 256ths of an octave is
/// exact to 10^-10, and two neighbouring positions are 1 apart.
const POSITION_TOLERANCE: f64 = 1e-6;

/// Most finite bounds of the exponential grid, and most of other bounds: 40 doublings at schema
/// 3, 10 at schema 5. All buckets between are kept, populated or not, so that a bucket that is
/// populated later changes nothing between others.
const MOST_BOUNDS: i64 = 320;

/// A populated bucket. Bounds of the exponential grid are the same float, however they were
/// rounded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bucket {
    lower: f64,
    upper: f64,
}

impl Bucket {
    pub(super) fn new(lower: f64, upper: f64) -> Self {
        Self {
            lower: canonical(lower),
            upper: canonical(upper),
        }
    }

    pub(super) fn upper(&self) -> f64 {
        self.upper
    }

    /// Whether it is the zero bucket, or one that reaches from below zero to above.
    fn holds_zero(&self) -> bool {
        self.lower <= 0.0 && self.upper > 0.0
    }

    fn reaches_across(&self, bound: f64) -> bool {
        self.lower < bound && bound < self.upper
    }

    /// Positions from its lower to its upper bound, where it is a bucket of some schema.
    fn width(&self) -> Option<i64> {
        let (lower, upper) = (position(self.lower)?, position(self.upper)?);
        let width = upper - lower;
        let is_schema = (1..=WIDEST).contains(&width) && width.count_ones() == 1;
        (is_schema && lower % width == 0).then_some(width)
    }
}

/// Returns the bounds at which all histograms with these populated buckets can be counted,
/// ascending, the infinite one last: those of the lowest schema in use over the range of the
/// buckets and of `limits`, and the positive bounds of buckets that are of no schema; without
/// those that some bucket reaches across.
pub(super) fn common_bounds(populated: impl Iterator<Item = Bucket>, limits: &[f64]) -> Vec<f64> {
    let buckets = distinct(populated);
    let mut bounds = exponential(&buckets, limits);
    bounds.extend(others(&buckets));
    bounds.sort_by(f64::total_cmp);
    bounds.dedup_by(|a, b| a.total_cmp(b).is_eq());
    bounds.retain(|bound| !buckets.iter().any(|bucket| bucket.reaches_across(*bound)));
    bounds.push(f64::INFINITY);
    bounds
}

fn distinct(populated: impl Iterator<Item = Bucket>) -> Vec<Bucket> {
    let mut buckets: Vec<Bucket> = populated.collect();
    buckets.sort_by(|a, b| {
        let by_lower = a.lower.total_cmp(&b.lower);
        by_lower.then(a.upper.total_cmp(&b.upper))
    });
    buckets.dedup();
    buckets
}

/// All bounds of the lowest schema in use, over the range of the positive buckets and limits.
fn exponential(buckets: &[Bucket], limits: &[f64]) -> Vec<f64> {
    let positive = buckets.iter().filter(|bucket| bucket.lower > 0.0);
    let ends = positive
        .flat_map(|bucket| [bucket.lower, bucket.upper])
        .chain(limits.iter().copied())
        .filter(|end| *end > 0.0 && end.is_finite())
        .map(exact_position);
    let (least, most) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), end| {
        (least.min(end), most.max(end))
    });
    if least > most {
        return Vec::new();
    }
    let mut width = buckets
        .iter()
        .filter_map(Bucket::width)
        .max()
        .unwrap_or(USUAL);
    loop {
        let first = whole((least / width as f64).floor());
        let last = whole((most / width as f64).ceil());
        if last - first < MOST_BOUNDS || width >= WIDEST {
            let positions = (first..=last).map(|step| (step * width) as f64);
            return positions
                .filter(|position| (LEAST_POSITION..=MOST_POSITION).contains(position))
                .map(|position| libm::exp2(position / POSITIONS_PER_OCTAVE))
                .collect();
        }
        width *= 2;
    }
}

/// The positive bounds that are of no schema, and the threshold of the zero bucket.
fn others(buckets: &[Bucket]) -> Vec<f64> {
    let zero_threshold = buckets
        .iter()
        .filter(|bucket| bucket.holds_zero())
        .map(|bucket| bucket.upper)
        .max_by(f64::total_cmp);
    let ends = buckets
        .iter()
        .flat_map(|bucket| [bucket.lower, bucket.upper])
        .filter(|end| *end > 0.0 && position(*end).is_none())
        .chain(zero_threshold)
        .filter(|end| end.is_finite());
    let mut found: Vec<f64> = ends.collect();
    found.sort_by(f64::total_cmp);
    found.dedup_by(|a, b| a.total_cmp(b).is_eq());
    let most = usize::try_from(MOST_BOUNDS).unwrap_or(1);
    let every = found.len().div_ceil(most).max(1);
    found.into_iter().step_by(every).collect()
}

/// A bound as the nearest float to its position on the grid, however it was rounded.
fn canonical(bound: f64) -> f64 {
    match position(bound) {
        Some(position) => libm::exp2(position as f64 / POSITIONS_PER_OCTAVE),
        None => bound,
    }
}

/// The position of a bound on the grid of schema 8; nothing for one that is not on it.
fn position(bound: f64) -> Option<i64> {
    if !(bound > 0.0 && bound.is_finite()) {
        return None;
    }
    let exact = libm::log2(bound) * POSITIONS_PER_OCTAVE;
    let nearest = exact.round();
    ((exact - nearest).abs() < POSITION_TOLERANCE).then(|| whole(nearest))
}

/// The position of a positive number: a whole one, if it is on the grid.
fn exact_position(number: f64) -> f64 {
    match position(number) {
        Some(position) => position as f64,
        None => libm::log2(number) * POSITIONS_PER_OCTAVE,
    }
}

fn whole(number: f64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "positions are between -1074 * 256 and 1024 * 256"
    )]
    let whole = number as i64;
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_schema(schema: i32, indices: &[i32]) -> Vec<Bucket> {
        let bound = |index: i32| (f64::from(index) * (-f64::from(schema)).exp2()).exp2();
        indices
            .iter()
            .map(|&index| Bucket::new(bound(index - 1), bound(index)))
            .collect()
    }

    fn bounds(buckets: &[Bucket], limits: &[f64]) -> Vec<f64> {
        common_bounds(buckets.iter().copied(), limits)
    }

    #[test]
    fn every_bound_of_every_schema_is_on_the_grid_wherever_it_was_rounded() {
        for schema in -4..=8_i32 {
            let width = f64::from(8 - schema).exp2();
            for index in (-2_000..2_000).step_by(7) {
                let exact = f64::from(index) * width / 256.0;
                if !(-1_000.0..1_000.0).contains(&exact) {
                    continue;
                }
                let expected = whole(f64::from(index) * width);
                let bound = exact.exp2();
                for rounded in [bound, bound.next_up(), bound.next_down()] {
                    assert_eq!(position(rounded), Some(expected), "{schema} {index}");
                }
            }
        }
        for other in [0.1, 0.3, 3.0, 0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(position(other), None, "{other}");
        }
    }

    #[test]
    fn gaps_are_filled_and_the_lower_schema_counts() {
        let fine = at_schema(1, &[1, 4]);
        let half = 0.5_f64.exp2();
        assert_eq!(
            bounds(&fine, &[]),
            [1.0, half, 2.0, 2.0 * half, 4.0, f64::INFINITY]
        );
        let mut mixed = fine;
        mixed.extend(at_schema(-1, &[2]));
        assert_eq!(bounds(&mixed, &[]), [1.0, 4.0, 16.0, f64::INFINITY]);
    }

    #[test]
    fn a_limit_has_bounds_on_both_sides_also_where_nothing_was_observed() {
        let buckets = at_schema(3, &[-30]);
        let found = bounds(&buckets, &[0.2, 8.0, -1.0, f64::NAN]);
        let after = found.iter().position(|bound| *bound >= 0.2).unwrap();
        assert!((found[after] / found[after - 1] - 0.125_f64.exp2()).abs() < 1e-12);
        assert_eq!(found[found.len() - 2..], [8.0, f64::INFINITY]);
        assert_eq!(bounds(&[], &[]), [f64::INFINITY]);
        assert_eq!(bounds(&[], &[1.0]), [1.0, f64::INFINITY]);
    }

    #[test]
    fn no_bound_is_inside_the_zero_bucket() {
        let mut buckets = at_schema(0, &[-3, 1]);
        assert_eq!(
            bounds(&buckets, &[]),
            [0.0625, 0.125, 0.25, 0.5, 1.0, 2.0, f64::INFINITY]
        );
        // A target that raised its threshold, to one that is of no schema.
        buckets.push(Bucket::new(-0.3, 0.3));
        assert_eq!(bounds(&buckets, &[]), [0.3, 0.5, 1.0, 2.0, f64::INFINITY]);
        // Its next bucket is cut there.
        buckets.push(Bucket::new(0.3, 0.5));
        assert_eq!(bounds(&buckets, &[]), [0.3, 0.5, 1.0, 2.0, f64::INFINITY]);
        let zero = [Bucket::new(-1e-3, 1e-3), Bucket::new(-2.0, -1.0)];
        assert_eq!(bounds(&zero, &[]), [1e-3, f64::INFINITY]);
    }

    #[test]
    fn buckets_with_bounds_of_their_own_are_kept() {
        let buckets = [
            Bucket::new(f64::NEG_INFINITY, 0.1),
            Bucket::new(0.1, 0.25),
            Bucket::new(0.25, 3.0),
            Bucket::new(3.0, f64::INFINITY),
        ];
        let found = bounds(&buckets, &[]);
        for kept in [0.1, 0.25, 3.0] {
            assert!(found.contains(&kept), "{found:?}");
        }
        assert!(!found.contains(&1.0), "{found:?}");
    }

    #[test]
    fn the_number_of_bounds_is_limited_by_a_lower_schema() {
        let wide = at_schema(8, &[-5_000, 5_000]);
        let found = bounds(&wide, &[]);
        assert!(found.len() > 160 && found.len() <= 322, "{}", found.len());
        // Of schema 3: eight to a doubling.
        assert!((found[1] / found[0] - 0.125_f64.exp2()).abs() < 1e-12);
        let extreme = [
            Bucket::new(f64::MIN_POSITIVE / 4.0, f64::MIN_POSITIVE / 2.0),
            Bucket::new(f64::MAX / 2.0, f64::MAX),
            Bucket::new(f64::MAX, f64::INFINITY),
        ];
        let found = bounds(&extreme, &[1e308, f64::MIN_POSITIVE]);
        assert!(found.len() <= 322 && found.is_sorted(), "{}", found.len());
        let own: Vec<_> = (1..5_000)
            .map(|k| Bucket::new(f64::from(k) + 0.1, f64::from(k) + 0.2))
            .collect();
        assert!(bounds(&own, &[]).len() <= 642);
    }
}
