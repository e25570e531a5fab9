//! How long requests take: a log-normal law, seen through the buckets of a histogram.

/// Upper bounds of the histogram's finite buckets, in seconds. Dense where p99 lies, so that its
/// bracket is narrow there, as an operator with an objective would set them.
pub const BUCKET_UPPER_BOUNDS_SECONDS: [f64; 16] = [
    0.01, 0.025, 0.05, 0.075, 0.1, 0.12, 0.13, 0.14, 0.16, 0.18, 0.2, 0.25, 0.3, 0.5, 1.0, 2.5,
];

/// Number of buckets, the infinite one included.
pub const BUCKET_COUNT: usize = BUCKET_UPPER_BOUNDS_SECONDS.len() + 1;

/// A log-normal law of latencies: the logarithm is normal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LatencyLaw {
    median_seconds: f64,
    sigma: f64,
}

impl LatencyLaw {
    /// Returns the law with this median and this standard deviation of the logarithm; both must
    /// be finite and positive, otherwise there is none.
    pub fn new(median_seconds: f64, sigma: f64) -> Option<Self> {
        let is_positive = |number: f64| number.is_finite() && number > 0.0;
        (is_positive(median_seconds) && is_positive(sigma)).then_some(Self {
            median_seconds,
            sigma,
        })
    }

    /// Returns the law of latencies `factor` times as long.
    pub fn scaled(self, factor: f64) -> Option<Self> {
        Self::new(self.median_seconds * factor, self.sigma)
    }

    /// Returns the probability of at most `seconds`: `Phi((ln seconds - ln median) / sigma)`.
    pub fn cumulative_probability(&self, seconds: f64) -> f64 {
        normal_probability(self.standard(seconds))
    }

    /// Returns the mean: `median * exp(sigma^2 / 2)`.
    pub fn mean_seconds(&self) -> f64 {
        self.median_seconds * libm::exp(self.sigma * self.sigma / 2.0)
    }

    /// Returns for each bucket the probability of a request to fall into it, given that it fell
    /// into none before. The last is 1.
    pub fn conditional_probabilities(&self) -> [f64; BUCKET_COUNT] {
        let mut probabilities = [1.0; BUCKET_COUNT];
        let mut below = 0.0;
        for (target, bound) in probabilities.iter_mut().zip(BUCKET_UPPER_BOUNDS_SECONDS) {
            let cumulative = self.cumulative_probability(bound);
            let left = 1.0 - below;
            *target = if left > 0.0 {
                (cumulative - below) / left
            } else {
                1.0
            };
            below = cumulative;
        }
        probabilities
    }

    /// Returns the mean latency of the requests within each bucket:
    /// `mean * (Phi(b - sigma) - Phi(a - sigma)) / (Phi(b) - Phi(a))` with `a` and `b` the
    /// bucket's bounds on the standard scale. A bucket that is never met has its lower bound.
    pub fn bucket_means_seconds(&self) -> [f64; BUCKET_COUNT] {
        let mut means = [0.0; BUCKET_COUNT];
        let bounds = BUCKET_UPPER_BOUNDS_SECONDS
            .into_iter()
            .chain([f64::INFINITY]);
        let mut lower = 0.0;
        for (target, upper) in means.iter_mut().zip(bounds) {
            let (a, b) = (self.standard(lower), self.standard(upper));
            let probability = normal_probability(b) - normal_probability(a);
            let partial = normal_probability(b - self.sigma) - normal_probability(a - self.sigma);
            *target = if probability > 1e-12 {
                self.mean_seconds() * partial / probability
            } else {
                lower
            };
            lower = upper;
        }
        means
    }

    /// `seconds` on the scale where the law is standard normal.
    fn standard(&self, seconds: f64) -> f64 {
        (libm::log(seconds) - libm::log(self.median_seconds)) / self.sigma
    }
}

/// The standard normal distribution function.
fn normal_probability(z: f64) -> f64 {
    0.5 * libm::erfc(-z / std::f64::consts::SQRT_2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_where_the_normal_law_puts_them() {
        let law = LatencyLaw::new(0.03, 0.6).unwrap();
        assert!((law.cumulative_probability(0.03) - 0.5).abs() < 1e-15);
        // The 0.99 quantile of the standard normal is 2.3263478740408408 (Abramowitz, Stegun 26.2).
        let p99 = 0.03 * (0.6 * 2.326_347_874_040_840_8_f64).exp();
        assert!((law.cumulative_probability(p99) - 0.99).abs() < 1e-14);
    }

    #[test]
    fn buckets_share_out_all_of_the_probability_and_of_the_mean() {
        let law = LatencyLaw::new(0.03, 0.6).unwrap();
        let mut left = 1.0;
        let mut mean = 0.0;
        for (conditional, bucket_mean) in law
            .conditional_probabilities()
            .iter()
            .zip(law.bucket_means_seconds())
        {
            mean += left * conditional * bucket_mean;
            left *= 1.0 - conditional;
        }
        assert!(left.abs() < 1e-15);
        assert!((mean / law.mean_seconds() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn bucket_means_lie_within_their_buckets() {
        let law = LatencyLaw::new(0.03, 0.6).unwrap();
        let mut lower = 0.0;
        for (mean, upper) in law
            .bucket_means_seconds()
            .into_iter()
            .zip(BUCKET_UPPER_BOUNDS_SECONDS)
        {
            assert!(mean >= lower && mean <= upper, "{lower} {mean} {upper}");
            lower = upper;
        }
    }

    #[test]
    fn there_is_no_law_without_positive_parameters() {
        assert!(LatencyLaw::new(0.0, 0.5).is_none());
        assert!(LatencyLaw::new(0.1, f64::NAN).is_none());
        assert!(LatencyLaw::new(0.1, 0.5).unwrap().scaled(-1.0).is_none());
    }
}
