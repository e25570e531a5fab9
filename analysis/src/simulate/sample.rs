//! Exact samplers of counts: binomial, Poisson, multinomial.
//!
//! `statrs` draws a binomial by one uniform number a trial, half a million of them for one scrape
//! of one pod, and `rand_distr` is not a dependency. These take a bounded number of uniform
//! numbers whatever the size, and are exact up to the rounding of `f64`.

use super::random::Random;

/// Up to this mean the distribution function is searched from 0; above it the rejection methods
/// of Hörmann hold, which are proved for a mean of at least 10.
const SEARCH_MEAN: f64 = 10.0;

/// A bound on the rounds of a rejection: each is refused with less than one chance in five, so
/// the bound is out of reach (1e-200) and only says that the loop ends.
const ROUNDS: usize = 300;

/// Returns the number of successes in `trials` independent trials of the given probability.
///
/// Below a mean of 10 by searching the distribution function from 0 (algorithm BINV), else by
/// transformed rejection with the exact probability (algorithm BTRS). A probability that is not
/// above 0, NaN too, gives 0; one of at least 1 gives `trials`. Exact for up to 2^53 trials.
///
/// Source: V. Kachitvichyanukul, B. W. Schmeiser, "Binomial random variate generation",
/// Communications of the ACM 31 (1988), 216-222; W. Hörmann, "The generation of binomial random
/// variates", Journal of Statistical Computation and Simulation 46 (1993), 101-110.
pub fn binomial(random: &mut Random, trials: u64, probability: f64) -> u64 {
    if trials == 0 || probability.is_nan() || probability <= 0.0 {
        return 0;
    }
    if probability >= 1.0 {
        return trials;
    }
    if probability > 0.5 {
        return trials - binomial(random, trials, 1.0 - probability);
    }
    let successes = if trials as f64 * probability < SEARCH_MEAN {
        binomial_by_search(random, trials, probability)
    } else {
        binomial_by_rejection(random, trials, probability)
    };
    successes.min(trials)
}

/// Returns a Poisson number of the given mean.
///
/// Below a mean of 10 by searching the distribution function from 0, else by transformed
/// rejection (algorithm PTRS). A mean that is not above 0, NaN too, gives 0; an infinite one
/// gives `u64::MAX`.
///
/// Source: W. Hörmann, "The transformed rejection method for generating Poisson random
/// variables", Insurance: Mathematics and Economics 12 (1993), 39-45.
pub fn poisson(random: &mut Random, mean: f64) -> u64 {
    if mean.is_nan() || mean <= 0.0 {
        0
    } else if mean.is_infinite() {
        u64::MAX
    } else if mean < SEARCH_MEAN {
        poisson_by_search(random, mean)
    } else {
        poisson_by_rejection(random, mean)
    }
}

/// Draws how many of `trials` fall into each class and hands each class and its count to
/// `record`, in order.
///
/// `conditional_probabilities` holds for each class the chance of a trial to fall into it given
/// that it fell into none before (see [`conditional_probabilities`]): a chain of binomials, which
/// is exactly a multinomial. What is left after the last class goes to it.
///
/// [`conditional_probabilities`]: super::LatencyLaw::conditional_probabilities
pub fn multinomial(
    random: &mut Random,
    trials: u64,
    conditional_probabilities: &[f64],
    mut record: impl FnMut(usize, u64),
) {
    let Some(last) = conditional_probabilities.len().checked_sub(1) else {
        return;
    };
    let mut left = trials;
    for (class, probability) in conditional_probabilities.iter().enumerate() {
        let count = if class == last {
            left
        } else {
            binomial(random, left, *probability)
        };
        left -= count;
        record(class, count);
    }
}

fn binomial_by_search(random: &mut Random, trials: u64, probability: f64) -> u64 {
    let odds = probability / (1.0 - probability);
    let factor = (trials as f64 + 1.0) * odds;
    // At least exp(-14): the mean is below 10 and the probability at most 1/2.
    let none = libm::exp(trials as f64 * libm::log1p(-probability));
    for _ in 0..ROUNDS {
        let mut left = random.uniform();
        let mut term = none;
        let mut successes = 0_u64;
        // The rounding of the sum can leave a crumb beyond the last term: then draw again.
        while successes <= trials && term > 0.0 {
            if left <= term {
                return successes;
            }
            left -= term;
            successes += 1;
            term *= factor / successes as f64 - odds;
        }
    }
    floor(trials as f64 * probability)
}

fn binomial_by_rejection(random: &mut Random, trials: u64, probability: f64) -> u64 {
    let n = trials as f64;
    let deviation = libm::sqrt(n * probability * (1.0 - probability));
    let b = 1.15 + 2.53 * deviation;
    let a = -0.0873 + 0.0248 * b + 0.01 * probability;
    let center = n * probability + 0.5;
    let inner = 0.92 - 4.2 / b;
    let odds = probability / (1.0 - probability);
    let alpha = (2.83 + 5.1 / b) * deviation;
    let mode = libm::floor((n + 1.0) * probability);
    for _ in 0..ROUNDS {
        let u = random.uniform() - 0.5;
        let v = random.uniform();
        let edge = 0.5 - u.abs();
        let k = libm::floor((2.0 * a / edge + b) * u + center);
        if edge >= 0.07 && v <= inner {
            return floor(k);
        }
        if k < 0.0 || k > n {
            continue;
        }
        let height = libm::log(v * alpha / (a / (edge * edge) + b));
        let bound = (mode + 0.5) * libm::log((mode + 1.0) / (odds * (n - mode + 1.0)))
            + (n + 1.0) * libm::log((n - mode + 1.0) / (n - k + 1.0))
            + (k + 0.5) * libm::log(odds * (n - k + 1.0) / (k + 1.0))
            + stirling_tail(mode)
            + stirling_tail(n - mode)
            - stirling_tail(k)
            - stirling_tail(n - k);
        if height <= bound {
            return floor(k);
        }
    }
    floor(mode)
}

fn poisson_by_search(random: &mut Random, mean: f64) -> u64 {
    let none = libm::exp(-mean);
    for _ in 0..ROUNDS {
        let mut left = random.uniform();
        let mut term = none;
        let mut events = 0_u64;
        while term > 0.0 {
            if left <= term {
                return events;
            }
            left -= term;
            events += 1;
            term *= mean / events as f64;
        }
    }
    floor(mean)
}

fn poisson_by_rejection(random: &mut Random, mean: f64) -> u64 {
    let logarithm = libm::log(mean);
    let b = 0.931 + 2.53 * libm::sqrt(mean);
    let a = -0.059 + 0.02483 * b;
    let inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
    let inner = 0.9277 - 3.6224 / (b - 2.0);
    for _ in 0..ROUNDS {
        let u = random.uniform() - 0.5;
        let v = random.uniform();
        let edge = 0.5 - u.abs();
        let k = libm::floor((2.0 * a / edge + b) * u + mean + 0.43);
        if edge >= 0.07 && v <= inner {
            return floor(k);
        }
        if k < 0.0 || (edge < 0.013 && v > edge) {
            continue;
        }
        let height = libm::log(v * inverse_alpha / (a / (edge * edge) + b));
        if height <= k * logarithm - mean - libm::lgamma(k + 1.0) {
            return floor(k);
        }
    }
    floor(mean)
}

/// What Stirling's formula leaves out: `ln k! - ((k + 1/2) ln(k + 1) - (k + 1) + ln(2 pi) / 2)`.
fn stirling_tail(k: f64) -> f64 {
    if k < 10.0 {
        const HALF_LOG_TWO_PI: f64 = 0.918_938_533_204_672_7;
        return libm::lgamma(k + 1.0)
            - ((k + 0.5) * libm::log(k + 1.0) - (k + 1.0) + HALF_LOG_TWO_PI);
    }
    let square = (k + 1.0) * (k + 1.0);
    (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / 1260.0 / square) / square) / (k + 1.0)
}

/// The whole part of a number; 0 for what is negative or NaN.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` truncates and saturates, which is what is asked for"
)]
fn floor(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::super::random::RandomKey;
    use super::*;

    /// Checks a sampler against the probabilities of each count: the cumulative frequencies stay
    /// within four standard errors of the distribution function.
    fn check_distribution(draws: u32, probabilities: &[f64], mut draw: impl FnMut() -> u64) {
        let mut seen = vec![0_u32; probabilities.len()];
        for _ in 0..draws {
            let count = usize::try_from(draw()).unwrap();
            if count < seen.len() {
                seen[count] += 1;
            }
        }
        let size = f64::from(draws);
        let (mut below, mut expected) = (0.0, 0.0);
        for (count, probability) in probabilities.iter().enumerate() {
            below += f64::from(seen[count]);
            expected += probability;
            let error = (expected * (1.0 - expected).max(0.0) / size).sqrt();
            assert!(
                (below / size - expected).abs() <= 4.0 * error + 1e-9,
                "at most {count}: seen {}, expected {expected}",
                below / size
            );
        }
    }

    /// Binomial probabilities by their products, term by term from the definition.
    fn binomial_probabilities(trials: u32, probability: f64) -> Vec<f64> {
        (0..=trials)
            .map(|count| {
                let choose: f64 = (0..count)
                    .map(|i| f64::from(trials - i) / f64::from(i + 1))
                    .product();
                choose
                    * probability.powi(i32::try_from(count).unwrap())
                    * (1.0 - probability).powi(i32::try_from(trials - count).unwrap())
            })
            .collect()
    }

    fn poisson_probabilities(mean: f64, length: u32) -> Vec<f64> {
        (0..length)
            .map(|count| (1..=count).fold((-mean).exp(), |term, i| term * mean / f64::from(i)))
            .collect()
    }

    fn random(counter: u64) -> Random {
        Random::new(&RandomKey::new(11, "test", "sample"), counter)
    }

    fn moments(draws: u32, mut draw: impl FnMut() -> u64) -> (f64, f64) {
        let numbers: Vec<f64> = (0..draws).map(|_| draw() as f64).collect();
        let size = f64::from(draws);
        let mean = numbers.iter().sum::<f64>() / size;
        let variance = numbers.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / size;
        (mean, variance)
    }

    #[test]
    fn binomial_has_its_distribution_by_search_and_by_rejection() {
        for (trials, probability) in [
            (1, 0.3),
            (7, 0.5),
            (40, 0.02),
            (40, 0.4),
            (60, 0.93),
            (200, 0.12),
        ] {
            let mut random = random(1);
            check_distribution(60_000, &binomial_probabilities(trials, probability), || {
                binomial(&mut random, u64::from(trials), probability)
            });
        }
    }

    #[test]
    fn poisson_has_its_distribution_by_search_and_by_rejection() {
        for mean in [0.02, 1.0, 9.9, 10.1, 40.0] {
            let mut random = random(2);
            check_distribution(60_000, &poisson_probabilities(mean, 120), || {
                poisson(&mut random, mean)
            });
        }
    }

    #[test]
    fn large_counts_have_the_mean_and_variance_of_theory() {
        let draws = 40_000;
        for (trials, probability) in [(500_000_u64, 0.0002), (500_000, 0.3), (2_000_000, 0.997)] {
            let mut random = random(3);
            let (mean, variance) = moments(draws, || binomial(&mut random, trials, probability));
            let expected = trials as f64 * probability;
            let spread = expected * (1.0 - probability);
            assert!((mean - expected).abs() < 4.0 * (spread / f64::from(draws)).sqrt());
            assert!((variance / spread - 1.0).abs() < 4.0 * (2.1 / f64::from(draws)).sqrt());
        }
        for expected in [100.0, 500_000.0] {
            let mut random = random(4);
            let (mean, variance) = moments(draws, || poisson(&mut random, expected));
            assert!((mean - expected).abs() < 4.0 * (expected / f64::from(draws)).sqrt());
            assert!((variance / expected - 1.0).abs() < 4.0 * (2.1 / f64::from(draws)).sqrt());
        }
    }

    #[test]
    fn multinomial_gives_every_trial_to_one_class_with_its_probability() {
        let mut random = random(5);
        // 0.5, 0.3 and 0.2 as chances given that no class before was met.
        let conditional = [0.5, 0.6, 1.0];
        let mut totals = [0_u64; 3];
        let (draws, trials) = (2_000_u64, 1_000_u64);
        for _ in 0..draws {
            let mut sum = 0;
            multinomial(&mut random, trials, &conditional, |class, count| {
                totals[class] += count;
                sum += count;
            });
            assert_eq!(sum, trials);
        }
        let size = (draws * trials) as f64;
        for (total, probability) in totals.iter().zip([0.5, 0.3, 0.2]) {
            let error = (size * probability * (1.0 - probability)).sqrt();
            assert!((*total as f64 - size * probability).abs() < 4.0 * error);
        }
    }

    #[test]
    fn impossible_parameters_have_an_answer() {
        let mut random = random(6);
        assert_eq!(binomial(&mut random, 0, 0.5), 0);
        assert_eq!(binomial(&mut random, 9, f64::NAN), 0);
        assert_eq!(binomial(&mut random, 9, -1.0), 0);
        assert_eq!(binomial(&mut random, 9, 2.0), 9);
        assert_eq!(poisson(&mut random, f64::NAN), 0);
        assert_eq!(poisson(&mut random, -3.0), 0);
        assert_eq!(poisson(&mut random, f64::INFINITY), u64::MAX);
        multinomial(&mut random, 5, &[], |_, _| panic!("there is no class"));
    }
}
