//! What cannot be simulated.

use crate::interval::IntervalError;
use crate::sequential::SequentialError;

/// Why an experiment cannot be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum OperatingError {
    /// A number of a scenario outside its range.
    #[error("cannot simulate {what} of {value}: it must be {range}")]
    OutOfRange {
        /// What the number is.
        what: &'static str,
        /// The number.
        value: f64,
        /// What it must be.
        range: &'static str,
    },
    /// A noise law that nothing is known about.
    #[error(
        "cannot read the noise {text:?}: it must be iid, beta:VARIATION as in beta:0.5, \
         ar:CORRELATION,VARIATION as in ar:0.8,0.3, or bursts"
    )]
    Noise {
        /// What was given.
        text: String,
    },
    /// A number of looks that cannot be read.
    #[error("cannot read the looks {text:?}: it must be every, once, or a number of intervals")]
    Looks {
        /// What was given.
        text: String,
    },
    /// A row that there is not.
    #[error("cannot find the row {text:?}: it must be one of {names}")]
    Row {
        /// What was given.
        text: String,
        /// All names.
        names: String,
    },
    /// A rate that cannot vary that much between 0 and 1.
    #[error(
        "cannot simulate a rate of {rate} with a coefficient of variation of {variation}: a share \
         cannot vary that much; lower one of them"
    )]
    TooVariable {
        /// The mean failure rate.
        rate: f64,
        /// Its coefficient of variation.
        variation: f64,
    },
    /// A limit or history that the sequential method refuses.
    #[error(transparent)]
    Sequential(#[from] SequentialError),
    /// A confidence that is none.
    #[error(transparent)]
    Interval(#[from] IntervalError),
}

/// Checks that a number is in a range. NaN never is.
pub(super) fn within(
    what: &'static str,
    value: f64,
    is_within: bool,
    range: &'static str,
) -> Result<(), OperatingError> {
    if is_within {
        Ok(())
    } else {
        Err(OperatingError::OutOfRange { what, value, range })
    }
}
