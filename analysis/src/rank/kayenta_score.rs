//! The score that Kayenta makes of the classes of all metrics, and what becomes of it.

use std::collections::BTreeMap;

/// From this part of the metrics without data on, the score is 0, in percent.
const MOST_WITHOUT_DATA_PERCENT: f64 = 50.0;

const WHOLE_PERCENT: f64 = 100.0;

/// What Kayenta's judge says of one metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KayentaClass {
    /// The canary's values are larger.
    High,
    /// The canary's values are smaller.
    Low,
    /// Neither is shown.
    Pass,
    /// A side has no values.
    NoData,
    /// A side has no values, and they must be there.
    NoDataFailMetric,
    /// It cannot be computed.
    Error,
}

/// One metric that takes part in a score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KayentaResult {
    /// The groups that it counts in.
    pub groups: Vec<String>,
    /// What was said of it.
    pub class: KayentaClass,
    /// Whether it is critical, and if it is [`KayentaClass::High`] or [`KayentaClass::Low`], by enough.
    pub is_critical: bool,
}

/// What a score is made of: a number from 0 to 100, and what it rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KayentaScore {
    /// The score, rounded to a hundredth.
    pub value: f64,
    /// What it rests on.
    pub basis: ScoreBasis,
}

/// What a score rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScoreBasis {
    /// A critical metric that is high or low, whatever the others.
    CriticalMetric,
    /// Critical metrics without data, or too many metrics without.
    NoData,
    /// The share of the metrics of each group that pass.
    Groups,
}

/// What follows from a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScoreAnswer {
    /// It is at most the marginal one.
    Rollback,
    /// It is neither, or the end has not come.
    Hold,
    /// At the end it is at least the one that passes.
    Promote,
}

/// Between which scores nothing is decided. The defaults are Spinnaker's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoreLimits {
    /// At the end, from this on the canary passes.
    pub pass: f64,
    /// Up to this the canary fails, at once.
    pub marginal: f64,
}

impl Default for ScoreLimits {
    fn default() -> Self {
        Self {
            pass: 95.0,
            marginal: 75.0,
        }
    }
}

impl ScoreLimits {
    /// What follows from a score.
    pub fn answer(self, score: f64, is_end: bool) -> ScoreAnswer {
        if score <= self.marginal {
            ScoreAnswer::Rollback
        } else if is_end && score >= self.pass {
            ScoreAnswer::Promote
        } else {
            ScoreAnswer::Hold
        }
    }
}

/// Returns Kayenta's score of these metrics. `weights` are those of groups, in percent; groups without share
/// what they leave of 100 in equal parts.
///
/// A critical metric that is high, low or without data makes it 0, and so do half of the metrics without data. Else
/// it is the sum over the groups of the share that passes of the metrics that are judged, times the group's weight:
/// errors and what has no data are left out, and a group of nothing else counts as passed.
///
/// Source: `WeightedSumScorer.scala` of Spinnaker's Kayenta.
///
/// ```
/// use serinus_analysis::rank::{KayentaClass, KayentaResult, kayenta_score};
///
/// let of = |group: &str, class| KayentaResult {
///     groups: vec![group.to_owned()],
///     class,
///     is_critical: false,
/// };
/// let all = [of("errors", KayentaClass::High), of("latency", KayentaClass::Pass)];
/// assert_eq!(kayenta_score(&all, &Default::default()).value, 50.0);
/// ```
pub fn kayenta_score(results: &[KayentaResult], weights: &BTreeMap<String, f64>) -> KayentaScore {
    let zero = |basis| KayentaScore { value: 0.0, basis };
    let is_beyond = |one: &KayentaResult| {
        one.is_critical && matches!(one.class, KayentaClass::High | KayentaClass::Low)
    };
    if results.iter().any(is_beyond) {
        return zero(ScoreBasis::CriticalMetric);
    }
    let is_missed = |one: &KayentaResult| {
        one.is_critical
            && matches!(
                one.class,
                KayentaClass::NoData | KayentaClass::NoDataFailMetric
            )
    };
    let without = results
        .iter()
        .filter(|one| one.class == KayentaClass::NoData);
    let share = WHOLE_PERCENT * without.count() as f64 / results.len().max(1) as f64;
    if results.iter().any(is_missed) || share >= MOST_WITHOUT_DATA_PERCENT {
        return zero(ScoreBasis::NoData);
    }
    KayentaScore {
        value: rounded(sum_of_groups(results, weights)),
        basis: ScoreBasis::Groups,
    }
}

/// The sum over the groups, not rounded.
fn sum_of_groups(results: &[KayentaResult], weights: &BTreeMap<String, f64>) -> f64 {
    let mut groups: BTreeMap<&str, Vec<KayentaClass>> = BTreeMap::new();
    for one in results {
        for group in &one.groups {
            groups.entry(group).or_default().push(one.class);
        }
    }
    let free = groups.keys().filter(|group| !weights.contains_key(**group));
    let given: f64 = weights.values().sum();
    let rest = (WHOLE_PERCENT - given) / free.count().max(1) as f64;
    let of_group = |(group, classes): (&&str, &Vec<KayentaClass>)| {
        let count =
            |is_so: fn(&KayentaClass) -> bool| classes.iter().filter(|one| is_so(one)).count();
        let judged = count(|one| !matches!(one, KayentaClass::NoData | KayentaClass::Error));
        let passed = count(|one| *one == KayentaClass::Pass);
        let score = if judged > 0 {
            WHOLE_PERCENT * passed as f64 / judged as f64
        } else {
            WHOLE_PERCENT
        };
        score * weights.get(*group).copied().unwrap_or(rest) / WHOLE_PERCENT
    };
    groups.iter().map(of_group).sum()
}

/// To a hundredth.
fn rounded(score: f64) -> f64 {
    (score * WHOLE_PERCENT).round() / WHOLE_PERCENT
}
