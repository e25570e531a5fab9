//! Random numbers with an address instead of a state.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The `ChaCha` key of one pod: which random numbers are its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RandomKey([u8; 32]);

impl RandomKey {
    /// Returns the key of a pod of a service under a seed.
    pub fn new(seed: u64, service: &str, pod: &str) -> Self {
        let words = [
            seed,
            fnv1a(service.as_bytes()),
            fnv1a(pod.as_bytes()),
            u64::from_le_bytes(*b"serinus1"),
        ];
        let mut key = [0; 32];
        for (target, byte) in key
            .iter_mut()
            .zip(words.iter().flat_map(|word| word.to_le_bytes()))
        {
            *target = byte;
        }
        Self(key)
    }
}

/// The random numbers at one address, a key and a counter. `ChaCha8` is counter-based, so any
/// address is reached at once.
#[derive(Debug, Clone)]
pub struct Random {
    generator: ChaCha8Rng,
}

impl Random {
    /// Returns the numbers at `counter` of `key`.
    pub fn new(key: &RandomKey, counter: u64) -> Self {
        let mut generator = ChaCha8Rng::from_seed(key.0);
        generator.set_stream(counter);
        Self { generator }
    }

    /// Returns a number strictly between 0 and 1, one of 2^52 with equal distance.
    pub fn uniform(&mut self) -> f64 {
        const DISTANCE: f64 = 1.0 / 4_503_599_627_370_496.0;
        // 52 bits, not 53: half a distance must fit in the significand, or the largest is 1.
        ((self.generator.next_u64() >> 12) as f64 + 0.5) * DISTANCE
    }

    /// Returns a standard normal number.
    ///
    /// Source: G. E. P. Box, M. E. Muller, "A note on the generation of random normal deviates",
    /// Annals of Mathematical Statistics 29 (1958), 610-611.
    pub fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(self.uniform()));
        radius * libm::cos(2.0 * std::f64::consts::PI * self.uniform())
    }
}

/// The FNV-1a hash of some bytes, 64 bits: fixed forever, unlike the standard library's.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_is_the_published_one() {
        // Test vectors of the FNV reference distribution.
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn an_address_always_holds_the_same_numbers() {
        let key = RandomKey::new(7, "checkout", "checkout-stable-0");
        let mut first = Random::new(&key, 40);
        let mut again = Random::new(&key, 40);
        let mut next = Random::new(&key, 41);
        let mut other = Random::new(&RandomKey::new(8, "checkout", "checkout-stable-0"), 40);
        let number = first.uniform();
        assert_eq!(number.to_bits(), again.uniform().to_bits());
        assert_ne!(number.to_bits(), next.uniform().to_bits());
        assert_ne!(number.to_bits(), other.uniform().to_bits());
    }

    #[test]
    fn uniform_and_normal_have_their_moments() {
        let key = RandomKey::new(1, "a", "b");
        let mut random = Random::new(&key, 0);
        let count = 200_000;
        let (mut sum, mut normal_sum, mut normal_squares) = (0.0, 0.0, 0.0);
        for _ in 0..count {
            let number = random.uniform();
            assert!(number > 0.0 && number < 1.0);
            sum += number;
            let deviate = random.normal();
            normal_sum += deviate;
            normal_squares += deviate * deviate;
        }
        let size = f64::from(count);
        // Four standard errors: 1/sqrt(12 n), 1/sqrt(n), sqrt(2/n).
        assert!((sum / size - 0.5).abs() < 4.0 / (12.0 * size).sqrt());
        assert!((normal_sum / size).abs() < 4.0 / size.sqrt());
        assert!((normal_squares / size - 1.0).abs() < 4.0 * (2.0 / size).sqrt());
    }
}
