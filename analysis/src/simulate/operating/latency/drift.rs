//! Speeds that wander.

use super::super::super::random::Random;

/// A logarithm that wanders around 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drift {
    /// Its correlation from one interval to the next.
    pub correlation: f64,
    /// Its standard deviation; 0 where it does not wander.
    pub deviation: f64,
}

impl Drift {
    /// None.
    pub const NONE: Self = Self::new(0.0, 0.0);

    /// With this correlation and standard deviation.
    pub const fn new(correlation: f64, deviation: f64) -> Self {
        Self {
            correlation,
            deviation,
        }
    }
}

/// A factor that wanders, begun in equilibrium.
#[derive(Debug, Clone)]
pub(super) struct Wandering {
    drift: Drift,
    level: Option<f64>,
}

impl Wandering {
    pub(super) fn new(drift: Drift) -> Self {
        Self { drift, level: None }
    }

    /// The next one: `exp(deviation * g)` with `g` autoregressive.
    pub(super) fn next(&mut self, random: &mut Random) -> f64 {
        let Drift {
            correlation,
            deviation,
        } = self.drift;
        if deviation <= 0.0 {
            return 1.0;
        }
        let innovation = random.normal();
        let rest = libm::sqrt(1.0 - correlation * correlation);
        let level = match self.level {
            None => innovation,
            Some(before) => correlation * before + rest * innovation,
        };
        self.level = Some(level);
        libm::exp(deviation * level)
    }
}
