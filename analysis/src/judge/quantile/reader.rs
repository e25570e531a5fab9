//! What a rollout remembers of a quantile, so that each interval is counted at places that came before it.

use crate::proof::{
    AbsolutePlaces, Interval, KeptBeyond, Laws, Place, Quantile, QuantileLimit, SlowShare, Tails,
    Window, decided_at,
};
use crate::sequential::IntervalCounts;
use crate::series::Populations;

use super::asked::Asked;

/// What is remembered of the rows before an interval, through all stages.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reader {
    /// The newest rows of both populations.
    Relative {
        /// The part of requests beyond the quantile.
        slow: SlowShare,
        /// What breaks the check.
        limit: QuantileLimit,
        /// The rows.
        window: Window,
    },
    /// All rows, from which the laws between two bounds are read.
    Absolute {
        /// The part of requests beyond the quantile.
        slow: SlowShare,
        /// Whether a canary above the number is bad.
        wants_less: bool,
        /// What breaks the check, and what must be kept.
        limits: (f64, f64),
        /// The rows.
        places: AbsolutePlaces,
    },
}

/// An interval, counted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Read {
    /// What is judged; without exposure where nothing is known yet.
    pub(crate) lane: Interval,
    /// What promotions must show, each with its counts.
    pub(crate) kept: Vec<(KeptBeyond, IntervalCounts)>,
    /// The control's quantile, where its pods are counted.
    pub(crate) place: Option<Place>,
}

/// What is known of the control's quantile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Known {
    /// Not enough requests: so many of so many.
    TooFew {
        /// Seen.
        seen: f64,
        /// Needed.
        needed: f64,
    },
    /// In the first bucket, up to this bound.
    InTheFirstBucket(f64),
    /// Beyond the last bound, which is this one.
    BeyondTheLast(f64),
    /// Among the buckets.
    At(f64),
}

impl Known {
    /// Where a quantile lies; nothing without bounds.
    pub(crate) fn of(found: Quantile, bounds: &[f64]) -> Option<Self> {
        let (first, last) = (bounds.first().copied()?, bounds.last().copied()?);
        Some(if found.place.bucket == 0 {
            Self::InTheFirstBucket(first)
        } else if found.place.bucket >= bounds.len() {
            Self::BeyondTheLast(last)
        } else {
            Self::At(found.at)
        })
    }
}

impl Reader {
    /// Before the first row.
    pub(crate) fn of(asked: Asked) -> Self {
        match asked {
            Asked::Relative { slow, limit } => Self::Relative {
                slow,
                limit,
                window: Window::new(slow.value()),
            },
            Asked::Absolute {
                slow,
                wants_less,
                limit,
                kept,
            } => Self::Absolute {
                slow,
                wants_less,
                limits: (limit, kept),
                places: AbsolutePlaces::default(),
            },
        }
    }

    /// Counts an interval at what is known before it, and then takes it in. `kept` are what promotions ask.
    pub(crate) fn read(
        &mut self,
        bounds: &[f64],
        row: Populations<Tails>,
        kept: &[KeptBeyond],
    ) -> Read {
        match self {
            Self::Relative {
                slow,
                limit,
                window,
            } => {
                window.set_bounds(bounds);
                beside_the_control(*slow, *limit, window, row, kept)
            }
            Self::Absolute {
                slow,
                wants_less,
                limits,
                places,
            } => {
                places.set_bounds(bounds);
                against_a_number((*slow, *wants_less), *limits, places, &row)
            }
        }
    }

    /// What is known of the control's quantile now; nothing of a check against a number.
    pub(crate) fn known(&self) -> Option<Known> {
        let Self::Relative { slow, window, .. } = self else {
            return None;
        };
        let bounds = window.bounds();
        let Some(laws) = Laws::of(window, slow.value()) else {
            let (needed, seen) = Laws::needed(window, slow.value());
            return Some(Known::TooFew { seen, needed });
        };
        Known::of(laws.quantile(), bounds)
    }

    /// The number that it is held against; nothing of a check beside the control's.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Relative { .. } => None,
            Self::Absolute { limits, .. } => Some(limits.0),
        }
    }

    /// About how many bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Relative { window, .. } => window.bytes(),
            Self::Absolute { places, .. } => {
                size_of::<Self>() + 2 * (places.bounds().len() + 1) * size_of::<f64>()
            }
        }
    }
}

fn beside_the_control(
    slow: SlowShare,
    limit: QuantileLimit,
    window: &mut Window,
    row: Populations<Tails>,
    kept: &[KeptBeyond],
) -> Read {
    let arms = row.as_ref();
    let has_both = row.control.all() > 0.0 && row.canary.all() > 0.0;
    let laws = Laws::of(window, slow.value()).filter(|_| has_both);
    let read = laws.map(|laws| Read {
        lane: Interval::from(laws.violation(&arms, limit).counts),
        kept: kept
            .iter()
            .map(|kept| (*kept, laws.compliance(&arms, *kept).counts))
            .collect(),
        place: Some(laws.quantile().place),
    });
    window.push(row);
    read.unwrap_or(Read {
        lane: Interval::default(),
        kept: Vec::new(),
        place: None,
    })
}

fn against_a_number(
    (slow, wants_less): (SlowShare, bool),
    (limit, kept): (f64, f64),
    places: &mut AbsolutePlaces,
    row: &Populations<Tails>,
) -> Read {
    let arms = row.as_ref();
    let (above, below) = (
        decided_at(places.bounds(), limit),
        decided_at(places.bounds(), kept),
    );
    let (broken_at, kept_at) = if wants_less {
        (above.0, below.1)
    } else {
        (above.1, below.0)
    };
    let beyond = |at, is_none_slower| places.beyond(&arms, at, slow.value(), is_none_slower);
    let mut counts = beyond(broken_at, wants_less);
    if wants_less && broken_at.is_none() {
        // Nobody is shown to be beyond a limit that no bound reaches: the control neither, else it is called the
        // environment's fault, and a good canary never promoted.
        counts.control.events = 0.0;
    }
    let lane = Interval {
        counts,
        kept: Some(beyond(kept_at, !wants_less)),
        ..Interval::default()
    };
    places.push(&arms);
    Read {
        lane,
        kept: Vec::new(),
        place: None,
    }
}
