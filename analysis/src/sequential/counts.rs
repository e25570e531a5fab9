//! What one interval holds, and what of it can be used.

use crate::series::{ArmCount, PairedInterval, Populations};

/// What both populations did in one interval of the grid; zeros where nothing is known.
pub type IntervalCounts = Populations<ArmCount>;

/// The largest count whose neighbours are still whole numbers: 2^53.
const MOST_EVENTS: f64 = 9_007_199_254_740_992.0;
/// Exposures outside this range would overflow the squares of the dispersion.
const LEAST_EXPOSURE: f64 = 1e-30;
const MOST_EXPOSURE: f64 = 1e30;

/// Whether a population's count can be computed with. NaN, infinities, negative numbers and an
/// exposure of 0 cannot: they are no data, and neither pass nor fail anything.
pub(crate) fn is_usable(count: &ArmCount) -> bool {
    (0.0..=MOST_EVENTS).contains(&count.events)
        && (LEAST_EXPOSURE..=MOST_EXPOSURE).contains(&count.exposure)
}

/// Whether both populations can be compared. The other one's data is not carried forward when one has
/// none: it would compare different times.
pub(crate) fn is_comparable(counts: &IntervalCounts) -> bool {
    is_usable(&counts.canary) && is_usable(&counts.control)
}

/// Returns one entry for each of the first `intervals` intervals of the grid: the counts of joined
/// intervals go to the last one they cover, and intervals without data are zero, which is time without
/// evidence.
///
/// ```
/// use serinus_analysis::sequential::on_every_interval;
/// use serinus_analysis::series::{ArmCount, PairedInterval};
///
/// let count = ArmCount { events: 1.0, exposure: 10.0 };
/// let joined = PairedInterval { first: 1, length: 2, control: count, canary: count };
/// let dense = on_every_interval(&[joined], 4);
/// assert_eq!(dense.len(), 4);
/// assert_eq!(dense[2].canary, count);
/// assert_eq!(dense[1], Default::default());
/// ```
pub fn on_every_interval(joined: &[PairedInterval], intervals: usize) -> Vec<IntervalCounts> {
    let mut dense = vec![IntervalCounts::default(); intervals];
    for interval in joined {
        let last = (interval.first.saturating_add(interval.length)).saturating_sub(1);
        if let Some(slot) = dense.get_mut(last) {
            slot.control = interval.control;
            slot.canary = interval.canary;
        }
    }
    dense
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_no_data() {
        let good = ArmCount {
            events: 0.0,
            exposure: 0.5,
        };
        assert!(is_usable(&good));
        for bad in [f64::NAN, f64::INFINITY, -1.0, 1e300] {
            assert!(!is_usable(&ArmCount {
                events: bad,
                ..good
            }));
            assert!(!is_usable(&ArmCount {
                exposure: bad,
                ..good
            }));
        }
        assert!(!is_usable(&ArmCount::default()));
    }
}
