//! How much more counts vary than independent failures would.

/// How much the evidence is divided by, and how well that is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dispersion {
    /// How many times the variance of the counts exceeds that of independent failures; at least 1.
    pub value: f64,
    /// How well it is known: degrees of freedom, as of a variance.
    pub degrees_of_freedom: f64,
}

impl Dispersion {
    /// Independent failures, known for sure: the evidence as it is.
    pub const NONE: Self = Self {
        value: 1.0,
        degrees_of_freedom: f64::INFINITY,
    };
}
