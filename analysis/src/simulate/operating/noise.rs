//! How the failure rate of one population wanders while nobody changes it.

use std::fmt;
use std::str::FromStr;

use super::super::random::Random;
use super::error::{OperatingError, within};

/// Share of the intervals that are bursts, and how many times the failures are then.
const BURST_SHARE: f64 = 0.02;
const BURST_FACTOR: f64 = 20.0;

/// Bound on the rounds of the gamma sampler: each is refused with less than one chance in twenty.
const ROUNDS: usize = 200;

/// The law of a population's failure rate from interval to interval. Given the rate, requests fail
/// independently of each other; both populations have a rate of their own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NoiseLaw {
    /// The rate is constant: binomial counts.
    Independent,
    /// A beta-distributed rate, new in every interval: beta-binomial counts.
    BetaBinomial {
        /// Standard deviation over mean of the rate.
        variation: f64,
    },
    /// A log-normal rate whose logarithm is autoregressive of order 1: drift.
    Autoregressive {
        /// Correlation of the logarithm with that of the interval before.
        correlation: f64,
        /// Standard deviation over mean of the rate.
        variation: f64,
    },
    /// In 2 % of the intervals twenty times the failures.
    Bursts,
}

impl NoiseLaw {
    /// Checks that a rate can vary by this law.
    ///
    /// # Errors
    ///
    /// [`OperatingError::OutOfRange`] unless `0 < variation <= 10` and `-1 < correlation < 1`;
    /// [`OperatingError::TooVariable`] for a beta law unless `variation^2 < (1 - rate) / rate`.
    pub fn check(&self, rate: f64) -> Result<(), OperatingError> {
        let check_variation = |variation: f64| {
            let is_within = variation > 0.0 && variation <= 10.0;
            let range = "above 0 and at most 10";
            within("a coefficient of variation", variation, is_within, range)
        };
        match *self {
            Self::Independent | Self::Bursts => Ok(()),
            Self::BetaBinomial { variation } => {
                check_variation(variation)?;
                // A rate of 1 or more is a constant 1.
                if rate >= 1.0 || beta_shape(rate, variation) > 0.0 {
                    Ok(())
                } else {
                    Err(OperatingError::TooVariable { rate, variation })
                }
            }
            Self::Autoregressive {
                correlation,
                variation,
            } => {
                check_variation(variation)?;
                let is_within = correlation > -1.0 && correlation < 1.0;
                let range = "between -1 and 1, both excluded";
                within("a correlation", correlation, is_within, range)
            }
        }
    }
}

impl FromStr for NoiseLaw {
    type Err = OperatingError;

    /// Reads `iid`, `beta:0.5`, `ar:0.8,0.3` or `bursts`.
    fn from_str(text: &str) -> Result<Self, OperatingError> {
        let refused = || OperatingError::Noise {
            text: text.to_owned(),
        };
        let number = |number: &str| number.trim().parse::<f64>().map_err(|_| refused());
        let law = match text.split_once(':') {
            None if text == "iid" => Self::Independent,
            None if text == "bursts" => Self::Bursts,
            Some(("beta", variation)) => Self::BetaBinomial {
                variation: number(variation)?,
            },
            Some(("ar", parameters)) => {
                let (correlation, variation) = parameters.split_once(',').ok_or_else(refused)?;
                Self::Autoregressive {
                    correlation: number(correlation)?,
                    variation: number(variation)?,
                }
            }
            _ => return Err(refused()),
        };
        law.check(0.0)?;
        Ok(law)
    }
}

impl fmt::Display for NoiseLaw {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Independent => formatter.write_str("iid"),
            Self::BetaBinomial { variation } => write!(formatter, "beta:{variation}"),
            Self::Autoregressive {
                correlation,
                variation,
            } => write!(formatter, "ar:{correlation},{variation}"),
            Self::Bursts => formatter.write_str("bursts"),
        }
    }
}

/// The failure rate of one population, interval by interval.
#[derive(Debug, Clone)]
pub struct RateProcess {
    law: NoiseLaw,
    /// Of the autoregressive logarithm, standard normal.
    level: Option<f64>,
}

impl RateProcess {
    /// Returns the process at its start, in its stationary law.
    pub fn new(law: NoiseLaw) -> Self {
        Self { law, level: None }
    }

    /// Returns the rate of the next interval, between 0 and 1, around a mean.
    pub fn next(&mut self, random: &mut Random, mean: f64) -> f64 {
        let rate = match self.law {
            NoiseLaw::Independent => mean,
            NoiseLaw::BetaBinomial { variation } => beta(random, mean, variation),
            NoiseLaw::Autoregressive {
                correlation,
                variation,
            } => {
                let log_variance = libm::log1p(variation * variation);
                let innovation = random.normal();
                let level = self.level.map_or(innovation, |before| {
                    correlation * before + libm::sqrt(1.0 - correlation * correlation) * innovation
                });
                self.level = Some(level);
                mean * libm::exp(libm::sqrt(log_variance) * level - 0.5 * log_variance)
            }
            NoiseLaw::Bursts => {
                let is_burst = random.uniform() < BURST_SHARE;
                if is_burst { BURST_FACTOR * mean } else { mean }
            }
        };
        rate.clamp(0.0, 1.0)
    }
}

/// The first shape of a beta law: `(1 - mean) / variation^2 - mean`.
fn beta_shape(mean: f64, variation: f64) -> f64 {
    (1.0 - mean) / (variation * variation) - mean
}

/// A beta number with this mean and coefficient of variation: two gamma numbers, one over the sum.
fn beta(random: &mut Random, mean: f64, variation: f64) -> f64 {
    let shape = beta_shape(mean, variation);
    if !(mean > 0.0 && mean < 1.0 && shape > 0.0) {
        return mean;
    }
    let successes = gamma(random, shape);
    let failures = gamma(random, shape * (1.0 - mean) / mean);
    let both = successes + failures;
    if both > 0.0 { successes / both } else { mean }
}

/// A gamma number with this shape and scale 1.
///
/// Source: G. Marsaglia and W. W. Tsang, "A simple method for generating gamma variables", ACM
/// Transactions on Mathematical Software 26 (2000), 363-372; below a shape of 1 their section 6.
pub(super) fn gamma(random: &mut Random, shape: f64) -> f64 {
    if shape < 1.0 {
        let power = libm::pow(random.uniform(), 1.0 / shape);
        return gamma(random, shape + 1.0) * power;
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / libm::sqrt(9.0 * d);
    for _ in 0..ROUNDS {
        let x = random.normal();
        let v = (1.0 + c * x) * (1.0 + c * x) * (1.0 + c * x);
        if v <= 0.0 {
            continue;
        }
        let bound = 0.5 * x * x + d * (1.0 - v + libm::log(v));
        if libm::log(random.uniform()) < bound {
            return d * v;
        }
    }
    // Out of reach: a chance below 1e-200.
    d
}

#[cfg(test)]
mod tests {
    use super::super::super::random::RandomKey;
    use super::super::super::sample::binomial;
    use super::*;

    const MEAN: f64 = 0.01;
    const REQUESTS: u64 = 3000;
    const INTERVALS: u32 = 40_000;

    /// Mean, variance and lag-1 covariance of the counts of 40,000 intervals.
    fn moments(law: NoiseLaw) -> (f64, f64, f64) {
        let mut random = Random::new(&RandomKey::new(3, "noise", &law.to_string()), 0);
        let mut process = RateProcess::new(law);
        let counts: Vec<f64> = (0..INTERVALS)
            .map(|_| {
                let rate = process.next(&mut random, MEAN);
                binomial(&mut random, REQUESTS, rate) as f64
            })
            .collect();
        let size = f64::from(INTERVALS);
        let mean = counts.iter().sum::<f64>() / size;
        let variance = counts.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / size;
        let pairs = counts.iter().zip(counts.iter().skip(1));
        let covariance = pairs.map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>() / size;
        (mean, variance, covariance)
    }

    /// Each law keeps the mean (bursts raise it), and its counts vary as much as theory says:
    /// `Var = E[n p (1 - p)] + n^2 Var(p)`. Tolerances are five standard errors or more.
    #[test]
    fn every_law_has_the_mean_and_the_dispersion_of_theory() {
        let n = REQUESTS as f64;
        let variance_of = |mean_rate: f64, rate_variance: f64| {
            let second_moment = mean_rate * mean_rate + rate_variance;
            n * (mean_rate - second_moment) + n * n * rate_variance
        };
        let burst_mean = MEAN * (1.0 + 19.0 * 0.02);
        let burst_variance = MEAN * MEAN * 361.0 * 0.02 * 0.98;
        let relative = |variation: f64| MEAN * MEAN * variation * variation;
        // Law, mean, variance of the rate, lag-1 covariance of the rate, tolerances.
        let drift = |rho: f64| MEAN * MEAN * ((1.09_f64.ln() * rho).exp() - 1.0);
        for (text, mean, rate_variance, covariance, mean_tolerance, tolerance) in [
            ("iid", MEAN, 0.0, 0.0, 0.005, 0.04),
            ("beta:0.5", MEAN, relative(0.5), 0.0, 0.015, 0.08),
            ("beta:1", MEAN, relative(1.0), 0.0, 0.03, 0.12),
            ("ar:0.8,0.3", MEAN, relative(0.3), drift(0.8), 0.03, 0.12),
            ("bursts", burst_mean, burst_variance, 0.0, 0.06, 0.18),
        ] {
            let law: NoiseLaw = text.parse().unwrap();
            let (actual_mean, actual_variance, actual_covariance) = moments(law);
            let relative_error = actual_mean / (n * mean) - 1.0;
            assert!(
                relative_error.abs() < mean_tolerance,
                "{text}: {relative_error}"
            );
            let expected = variance_of(mean, rate_variance);
            let relative_error = actual_variance / expected - 1.0;
            assert!(relative_error.abs() < tolerance, "{text}: {relative_error}");
            let difference = (actual_covariance - n * n * covariance) / expected;
            assert!(difference.abs() < 0.05, "{text}: {difference}");
        }
    }

    #[test]
    fn laws_are_read_as_they_are_written() {
        for text in ["iid", "beta:0.5", "ar:0.8,0.3", "bursts"] {
            assert_eq!(text.parse::<NoiseLaw>().unwrap().to_string(), text);
        }
        for text in [
            "", "beta", "beta:x", "beta:0", "beta:NaN", "ar:0.8", "ar:1,0.3", "iid:1",
        ] {
            assert!(text.parse::<NoiseLaw>().is_err(), "{text}");
        }
        let law = NoiseLaw::BetaBinomial { variation: 2.0 };
        assert!(law.check(0.3).is_err());
        assert!(law.check(0.1).is_ok());
    }

    #[test]
    fn gamma_numbers_have_their_moments() {
        let mut random = Random::new(&RandomKey::new(5, "noise", "gamma"), 0);
        for shape in [0.3, 1.0, 4.0, 5000.0] {
            let draws: Vec<f64> = (0..40_000).map(|_| gamma(&mut random, shape)).collect();
            let mean = draws.iter().sum::<f64>() / 40_000.0;
            let variance = draws.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 40_000.0;
            assert!((mean - shape).abs() < 5.0 * (shape / 40_000.0).sqrt());
            assert!((variance / shape - 1.0).abs() < 0.12, "{shape}: {variance}");
        }
    }
}
