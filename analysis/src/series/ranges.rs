//! Buckets that are ranges (`vmrange`), counted as cumulative ones at their ends.
//!
//! Only ranges in which something was observed are exposed, and one that is new began at 0. Its
//! program's ranges lie on a fixed grid of 18 to a decade. All bounds of that grid between the lowest
//! and the highest that is populated are counted at, so that a range that is populated later changes
//! nothing between others.
//!
//! Source: `histogram.go` of `VictoriaMetrics/metrics` (`bucketsPerDecimal`, `e10Min`, `e10Max`,
//! `initBucketRanges`).

use super::buckets::Bound;

/// Ranges in a decade.
const PER_DECADE: f64 = 18.0;
/// The lowest and the highest bound of the grid, in ranges from 1 on.
const LOWEST: i32 = -9 * 18;
const HIGHEST: i32 = 18 * 18;

/// The bounds of the grid from one that is at or below the first value to one that is at or above
/// the second, ascending.
pub(super) fn grid(least: f64, most: f64) -> Vec<Bound> {
    let all: Vec<f64> = (LOWEST..=HIGHEST).filter_map(bound).collect();
    let from = all
        .partition_point(|bound| *bound <= least)
        .saturating_sub(1);
    let until = all.partition_point(|bound| *bound < most).saturating_add(1);
    let part = all.get(from..until.min(all.len())).unwrap_or_default();
    part.iter().copied().map(Bound).collect()
}

/// A bound as it is exposed: with four digits.
fn bound(index: i32) -> Option<f64> {
    let exact = libm::pow(10.0, f64::from(index) / PER_DECADE);
    format!("{exact:.3e}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference: the first ranges that the library makes, from its own tests: `1.000e+00...1.136e+00`,
    /// `1.136e+00...1.292e+00`; a decade ends where the next begins.
    #[test]
    fn the_grid_is_that_of_the_library() {
        let bounds: Vec<f64> = grid(1.0, 10.0).into_iter().map(|bound| bound.0).collect();
        assert_eq!(bounds.len(), 19);
        assert_eq!(bounds[..3], [1.0, 1.136, 1.292]);
        assert!(bounds[18].total_cmp(&10.0).is_eq());
        assert_eq!(grid(1e-300, 1e300).len(), 27 * 18 + 1);
    }

    #[test]
    fn the_grid_reaches_around_what_it_must_hold() {
        let found = grid(0.2, 0.5);
        assert!(found[0].0 <= 0.2 && found[found.len() - 1].0 >= 0.5);
        assert!(found[1].0 > 0.2 && found[found.len() - 2].0 < 0.5);
    }
}
