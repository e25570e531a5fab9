//! Sums that keep what rounding loses.

/// A sum as the unevaluated sum of two numbers. A fall of traffic by a million leaves nothing of small
/// squares in a plain sum: a difference of two plain sums would be their rounding.
///
/// Source: D. E. Knuth, "The Art of Computer Programming 2" (1998), section 4.2.2, theorem B.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Twofold {
    high: f64,
    low: f64,
}

impl Twofold {
    /// Adds a number.
    pub(super) fn add(&mut self, number: f64) {
        let sum = self.high + number;
        let rounded = sum - self.high;
        let lost = (self.high - (sum - rounded)) + (number - rounded);
        self.high = sum;
        self.low += lost;
    }

    /// What was added since an earlier value.
    pub(super) fn since(&self, before: &Self) -> f64 {
        (self.high - before.high) + (self.low - before.low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_small_is_there_after_what_is_large() {
        let mut sum = Twofold::default();
        sum.add(1e24);
        let before = sum;
        for _ in 0..1000 {
            sum.add(0.25);
        }
        assert!((sum.since(&before) - 250.0).abs() < 1e-9);
    }
}
