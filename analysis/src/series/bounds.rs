//! The bounds at which the histograms of all targets can be counted, and the targets that are.
//!
//! One pod of an old version with a bucket less must not take that bound from all others, and one
//! that has much of the traffic must not be left out in silence.

use super::buckets::{Bound, BucketTarget};
use super::ranges;
use super::{OtherBuckets, Populations};

/// The part of its population's requests below which targets with other buckets are left out, all
/// of them together.
const FEW_REQUESTS: f64 = 0.1;

/// What is counted of one population.
pub(super) struct Counted<'t, 'a> {
    /// The targets that are counted.
    pub(super) targets: Vec<&'t BucketTarget<'a>>,
    /// The finite bounds of those with most of the requests; none where these are ranges.
    pub(super) own_bounds: Vec<Bound>,
    /// The targets that lack some of them.
    pub(super) others: Vec<OtherBuckets>,
}

impl Counted<'_, '_> {
    /// Whether any target's buckets are ranges.
    pub(super) fn has_ranges(&self) -> bool {
        self.targets.iter().any(|target| target.has_ranges())
    }
}

/// Targets with the same bounds.
struct Alike<'t, 'a> {
    bounds: Vec<Bound>,
    has_ranges: bool,
    targets: Vec<&'t BucketTarget<'a>>,
    observations: f64,
}

impl<'t, 'a> Alike<'t, 'a> {
    fn holds(&self, target: &BucketTarget<'_>, bounds: &[Bound]) -> bool {
        // The ends of ranges are those that were populated: no two targets need have the same.
        self.has_ranges == target.has_ranges() && (self.has_ranges || self.bounds == bounds)
    }

    fn add(&mut self, target: &'t BucketTarget<'a>) {
        self.observations += target.observations();
        self.targets.push(target);
    }

    /// Whether all of its targets can be counted at all of some bounds.
    fn know_all(&self, bounds: &[Bound]) -> bool {
        let mut targets = self.targets.iter();
        targets.all(|target| bounds.iter().all(|bound| target.knows(*bound)))
    }
}

/// Says which targets of a population are counted: all, but for those that lack some of the bounds
/// that most requests are counted at and have less than a tenth of the requests together.
pub(super) fn counted<'t, 'a>(targets: &'t [BucketTarget<'a>]) -> Counted<'t, 'a> {
    let mut kinds = kinds(targets);
    let total: f64 = kinds.iter().map(|kind| kind.observations).sum();
    // The most requests first, then the most targets; of equals the first stays the first.
    kinds.sort_by(|one, other| {
        let by_targets = other.targets.len().cmp(&one.targets.len());
        other
            .observations
            .total_cmp(&one.observations)
            .then(by_targets)
    });
    let mut found = Counted {
        targets: Vec::new(),
        own_bounds: Vec::new(),
        others: Vec::new(),
    };
    let mut left_out = 0.0;
    let usual = kinds.first().map(|kind| kind.bounds.clone());
    let usual = usual.unwrap_or_default();
    // The fewest requests are left out first.
    while let Some(kind) = kinds.pop() {
        let is_usual = kinds.is_empty();
        if is_usual && !kind.has_ranges {
            found.own_bounds.clone_from(&kind.bounds);
        }
        if is_usual || kind.know_all(&usual) {
            found.targets.extend(kind.targets);
            continue;
        }
        let is_left_out = left_out + kind.observations < FEW_REQUESTS * total;
        found
            .others
            .extend(kind.targets.iter().map(|target| OtherBuckets {
                labels: target.name.clone(),
                is_left_out,
            }));
        if is_left_out {
            left_out += kind.observations;
        } else {
            found.targets.extend(kind.targets);
        }
    }
    found.others.sort_unstable();
    found
}

fn kinds<'t, 'a>(targets: &'t [BucketTarget<'a>]) -> Vec<Alike<'t, 'a>> {
    let mut kinds: Vec<Alike<'t, 'a>> = Vec::new();
    for target in targets {
        let bounds = target.finite_bounds();
        match kinds.iter_mut().find(|kind| kind.holds(target, &bounds)) {
            Some(kind) => kind.add(target),
            None => kinds.push(Alike {
                has_ranges: target.has_ranges(),
                bounds,
                targets: vec![target],
                observations: target.observations(),
            }),
        }
    }
    kinds
}

/// The bounds at which all targets of both populations can be counted: ascending, the infinite one
/// last. Where buckets are ranges there are bounds around each of `limits`, too.
pub(super) fn common_bounds(counted: &Populations<Counted<'_, '_>>, limits: &[f64]) -> Vec<Bound> {
    let targets = || {
        counted
            .control
            .targets
            .iter()
            .chain(&counted.canary.targets)
    };
    let mut bounds: Vec<Bound> = targets()
        .flat_map(|target| target.finite_bounds())
        .collect();
    let ends = targets().filter(|target| target.has_ranges());
    let ends: Vec<f64> = ends
        .flat_map(|target| target.finite_bounds())
        .map(|bound| bound.0)
        .collect();
    if !ends.is_empty() {
        let all = ends.iter().chain(limits).copied();
        let positive = all.filter(|end| *end > 0.0 && end.is_finite());
        let (least, most) = positive.fold((f64::INFINITY, 0.0_f64), |(least, most), end| {
            (least.min(end), most.max(end))
        });
        bounds.extend(ranges::grid(least, most));
    }
    bounds.sort_unstable();
    bounds.dedup();
    bounds.retain(|bound| targets().all(|target| target.knows(*bound)));
    bounds.push(Bound::INFINITE);
    bounds
}
