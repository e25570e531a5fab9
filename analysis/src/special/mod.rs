//! Special functions, right to the last digits where a verdict depends on them.
//!
//! The only place that names `statrs` or `libm` for special functions. `statrs` 0.19 is wrong by
//! 1e-10 in the normal tails, by 0.57 in `I_x(1e7, 1e7)` and by 0.36 in the quantile of Student's t
//! for 1e7 degrees of freedom; of it only the inverse of `erfc` is used here. Everything is built on
//! `libm`, which gives the same bits on every target.
//!
//! Every function is total: outside its domain and at its bound on iterations it returns an error,
//! never a number. References are tables of mpmath values in `tests/data/special.json`, made by
//! `tests/data/special.py`.

mod beta;
mod gamma;
mod invert;
mod normal;
mod student_t;

pub use beta::regularized_beta;
pub use gamma::{chi_square_quantile, gamma_quantile, ln_gamma, regularized_gamma};
pub use normal::{ln_normal_cdf, normal_quantile, normal_tails};
pub use student_t::{student_t_quantile, student_t_tails};

/// Why a special function has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SpecialError {
    /// An argument is NaN or outside the function's domain.
    #[error("cannot compute {function}: an argument is outside its domain")]
    OutsideDomain {
        /// The function.
        function: &'static str,
    },
    /// The bound on iterations was reached.
    #[error("cannot compute {function}: no convergence after {iterations} iterations")]
    NotConverged {
        /// The function.
        function: &'static str,
        /// The bound.
        iterations: u32,
    },
}

/// A probability and its complement, each computed on its own so that neither loses its digits when
/// it is tiny.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tails {
    /// Probability of a value at most as large as the argument.
    pub lower: f64,
    /// Probability of a larger value: one less `lower`.
    pub upper: f64,
}

impl Tails {
    /// Nothing below: the argument is the lowest possible.
    const NONE_BELOW: Self = Self {
        lower: 0.0,
        upper: 1.0,
    };
    /// Nothing above: the argument is the largest possible.
    const NONE_ABOVE: Self = Self {
        lower: 1.0,
        upper: 0.0,
    };

    /// From the lower one. Rounding can carry a probability past 1 by an ulp: it is cut.
    fn from_lower(lower: f64) -> Self {
        let lower = lower.clamp(0.0, 1.0);
        Self {
            lower,
            upper: 1.0 - lower,
        }
    }

    /// The two exchanged.
    fn swapped(self) -> Self {
        Self {
            lower: self.upper,
            upper: self.lower,
        }
    }
}

/// Which tail of a distribution a probability belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// Below the quantile.
    Lower,
    /// Above the quantile.
    Upper,
}
