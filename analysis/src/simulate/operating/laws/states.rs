//! A chain of two states.

use super::super::super::random::Random;

/// Is on for a while and off for a while, both geometric, and begun in equilibrium.
#[derive(Debug, Clone)]
pub(in super::super) struct TwoStates {
    leaves_off: f64,
    leaves_on: f64,
    is_on: bool,
}

impl TwoStates {
    /// Off and on for so many steps in the mean.
    pub(in super::super) fn new(random: &mut Random, off: f64, on: f64) -> Self {
        Self {
            leaves_off: 1.0 / off,
            leaves_on: 1.0 / on,
            is_on: random.uniform() < on / (off + on),
        }
    }

    /// Whether it is on in this step.
    pub(in super::super) fn next(&mut self, random: &mut Random) -> bool {
        let now = self.is_on;
        let leaves = if now { self.leaves_on } else { self.leaves_off };
        if random.uniform() < leaves {
            self.is_on = !now;
        }
        now
    }
}
