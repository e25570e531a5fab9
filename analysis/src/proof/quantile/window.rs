//! The newest rows of both populations, from which a quantile is read.

use std::collections::VecDeque;

use super::law::Tails;
use crate::series::Populations;

/// Requests of the control beyond its quantile that the newest rows hold from which it is read.
const MEMORY: f64 = 200.0;
/// Most rows that are told apart: older ones are one.
const MOST_ROWS: usize = 512;

/// The newest rows of both populations: as many as hold enough of the control's requests beyond the quantile.
///
/// Source: docs/design/latency.md, "2. Reading a law off its buckets".
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    bounds: Vec<f64>,
    slow_share: f64,
    rows: VecDeque<Populations<Tails>>,
    sums: Populations<Tails>,
}

impl Window {
    /// Before the first row. `slow_share` is the part of requests beyond the quantile.
    pub fn new(slow_share: f64) -> Self {
        Self {
            bounds: Vec::new(),
            slow_share,
            rows: VecDeque::new(),
            sums: Populations::default(),
        }
    }

    /// The finite bounds of the rows.
    pub fn bounds(&self) -> &[f64] {
        &self.bounds
    }

    /// The rows to come have these finite bounds: what is known at them is kept, other rows are left out.
    pub fn set_bounds(&mut self, bounds: &[f64]) {
        if self.bounds == bounds {
            return;
        }
        let known = std::mem::take(&mut self.rows);
        let before = std::mem::replace(&mut self.bounds, bounds.to_vec());
        self.sums = Populations::same(Tails::nothing(bounds.len()));
        for row in known {
            let control = row.control.at(&before, bounds);
            let canary = row.canary.at(&before, bounds);
            if let (Some(control), Some(canary)) = (control, canary) {
                self.push(Populations { control, canary });
            }
        }
    }

    /// Adds a row.
    pub fn push(&mut self, row: Populations<Tails>) {
        self.sums.control.add(&row.control);
        self.sums.canary.add(&row.canary);
        self.rows.push_back(row);
        while let Some(oldest) = self.rows.front() {
            let left = (self.sums.control.all() - oldest.control.all()) * self.slow_share;
            if left < MEMORY {
                break;
            }
            self.sums.control.take_away(&oldest.control);
            self.sums.canary.take_away(&oldest.canary);
            self.rows.pop_front();
        }
        if self.rows.len() > MOST_ROWS
            && let (Some(oldest), Some(next)) = (self.rows.pop_front(), self.rows.front_mut())
        {
            next.control.add(&oldest.control);
            next.canary.add(&oldest.canary);
        }
    }

    /// What the rows have together.
    pub fn sums(&self) -> &Populations<Tails> {
        &self.sums
    }

    /// How many of the control's requests the rows are expected to have beyond the quantile.
    pub fn control_beyond(&self) -> f64 {
        self.sums.control.all() * self.slow_share
    }

    /// About how many bytes it takes.
    pub fn bytes(&self) -> usize {
        let each = size_of::<Populations<Tails>>() + 2 * (self.bounds.len() + 1) * size_of::<f64>();
        size_of::<Self>() + self.rows.len() * each
    }
}
