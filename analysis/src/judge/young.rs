//! New processes are slow and fail more at first: what they do is not judged. The process is left out, never an
//! interval: all others keep counting.
//!
//! Source: docs/design/counts.md, "2. Young processes".

use std::collections::BTreeMap;

use crate::pipeline::{AnalysisSettings, Check, Method, MetricKind, Stage};
use crate::series::{
    Apart, ArmCount, Grid, Lives, PairedCounts, PairedInterval, PodLife, Populations,
};
use crate::text;

const SECONDS_PER_MINUTE: f64 = 60.0;
/// The longest that counts leave a process out, where nothing else is said; latency and gauges, which a cold cache
/// or a young just-in-time compiler moves for longer.
const MOST_SECONDS_OF_COUNTS: f64 = 120.0;
const MOST_SECONDS: f64 = 300.0;
/// Nobody is warm earlier, however short the stage.
const LEAST_SECONDS: f64 = 60.0;
/// The part of a stage that a warm-up may take.
const STAGE_SHARE: f64 = 1.0 / 6.0;
/// A process is left out of an interval of which it is young for more than this part: of intervals of minutes a
/// few seconds are no reason to lose the whole.
const MOST_YOUNG_PART: f64 = 0.25;
/// Where all processes of a canary have been young for so many warm-ups, they are judged as they are: else a
/// crash loop would never be.
const ALWAYS_YOUNG: f64 = 2.0;

/// How long a process is young, in seconds: what the check says, else the stage, else the pipeline, else
/// `min(c, max(1 min, a sixth of the stage))`, with 2 minutes for counts and 5 for latency and gauges. Kayenta knows
/// none: it has one only where the file says so.
pub(crate) fn warm_up_seconds(check: &Check, stage: &Stage, settings: &AnalysisSettings) -> f64 {
    let said = check.warm_up_seconds.or(stage.warm_up_seconds);
    said.or(settings.warm_up_seconds).map_or_else(
        || {
            if check.method == Method::Kayenta {
                return 0.0;
            }
            let share = STAGE_SHARE * stage.duration_minutes * SECONDS_PER_MINUTE;
            let most = match check.measured.kind {
                MetricKind::Proportion { .. } | MetricKind::EventRate { .. } => {
                    MOST_SECONDS_OF_COUNTS
                }
                MetricKind::Quantile { .. }
                | MetricKind::Gauge { .. }
                | MetricKind::PerRequest { .. } => MOST_SECONDS,
            };
            share.clamp(LEAST_SECONDS, most)
        },
        f64::from,
    )
}

/// Which pods are young in each row of what was counted.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Youth {
    /// By row, the places of young pods; nothing where none ever is.
    rows: Vec<Populations<Vec<u32>>>,
    /// Whether processes of the canary never live long enough, so that they are judged as they are.
    pub(super) are_short_lived: bool,
}

impl Youth {
    /// Looks at rows: first interval, length, and the canary's exposure of each. `exposure` is that of a pod.
    pub(super) fn of<T>(
        grid: Grid,
        spans: impl Iterator<Item = (usize, usize, f64)>,
        (pods, lives): (&Populations<Apart<T>>, &Populations<Lives>),
        warm_up_seconds: f64,
        exposure: impl Fn(&T) -> f64,
    ) -> Self {
        let until = Populations {
            control: young_until_ms(&lives.control, grid, warm_up_seconds),
            canary: young_until_ms(&lives.canary, grid, warm_up_seconds),
        };
        if until.control.is_empty() && until.canary.is_empty() {
            return Self::default();
        }
        let first_sample_ms = first_sample(&lives.canary);
        let mut youth = Self::default();
        let mut was_ever_warm = false;
        for (row, (first, length, of_canary)) in spans.enumerate() {
            let begin_ms = grid.boundary_ms(first);
            let young_before_ms = begin_ms.saturating_add(most_young_ms(grid, length));
            let mut young = Populations {
                control: young_in(&pods.control, row, young_before_ms, &until.control),
                canary: young_in(&pods.canary, row, young_before_ms, &until.canary),
            };
            let had = pods.canary.rows.get(row).into_iter().flatten();
            let of_young = had.filter(|(place, _)| young.canary.contains(place));
            let of_young: f64 = of_young.map(|(_, count)| exposure(count)).sum();
            was_ever_warm |= of_canary - of_young > 0.0;
            let since_first_ms = begin_ms.saturating_sub(first_sample_ms) as f64;
            if of_canary > 0.0
                && !was_ever_warm
                && since_first_ms >= ALWAYS_YOUNG * warm_up_seconds * 1_000.0
            {
                youth.are_short_lived = true;
                young.canary.clear();
            }
            youth.rows.push(young);
        }
        youth
    }

    /// The places of the pods that are young in a row.
    pub(super) fn of_row(&self, row: usize) -> &Populations<Vec<u32>> {
        static NONE: Populations<Vec<u32>> = Populations {
            control: Vec::new(),
            canary: Vec::new(),
        };
        self.rows.get(row).unwrap_or(&NONE)
    }
}

/// Counts without those of young processes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Warm {
    /// What is judged.
    pub(super) counts: PairedCounts,
    /// What young processes of the canary did, row by row.
    pub(super) young: Vec<ArmCount>,
    /// Whether processes of the canary never live long enough, so that they are judged as they are.
    pub(super) are_short_lived: bool,
}

impl Warm {
    /// Takes young processes out of counts.
    pub(super) fn of(counts: &PairedCounts, grid: Grid, warm_up_seconds: f64) -> Self {
        let spans = counts.intervals.iter();
        let spans = spans.map(|one| (one.first, one.length, one.canary.exposure));
        let apart = (&counts.pods, &counts.lives);
        let youth = Youth::of(grid, spans, apart, warm_up_seconds, |count: &ArmCount| {
            count.exposure
        });
        let mut warm = Self {
            young: vec![ArmCount::default(); counts.intervals.len()],
            counts: counts.clone(),
            are_short_lived: youth.are_short_lived,
        };
        for (row, interval) in counts.intervals.iter().enumerate() {
            let young = youth.of_row(row);
            if !young.control.is_empty() || !young.canary.is_empty() {
                let of = |apart: &Apart<ArmCount>, young: &[u32]| sum_of(apart, row, young);
                let of_control = of(&counts.pods.control, &young.control);
                let of_canary = of(&counts.pods.canary, &young.canary);
                warm.take_out(
                    row,
                    interval,
                    (of_control, &young.control),
                    (of_canary, &young.canary),
                );
            }
        }
        warm
    }

    /// What is told where young processes of the canary did enough to be missed: that they are not judged.
    pub(super) fn told(&self, counted: Populations<ArmCount>) -> Option<String> {
        /// A part of the events, or of the requests, that a reader would miss.
        const WORTH_A_WORD: f64 = 0.05;
        let nothing = ArmCount::default();
        let young = self.young.iter().fold(nothing, |sum, one| sum.and(*one));
        let is_much = |part: f64, of: f64| of > 0.0 && part > WORTH_A_WORD * of;
        let is_told = is_much(young.events, counted.canary.events)
            || is_much(young.exposure, counted.canary.exposure);
        is_told.then(|| {
            format!(
                "{} of {} canary requests are of new processes and not judged",
                text::count(young.exposure.round()),
                text::count(counted.canary.exposure.round())
            )
        })
    }

    fn take_out(
        &mut self,
        row: usize,
        interval: &PairedInterval,
        (of_control, control_pods): (ArmCount, &[u32]),
        (of_canary, canary_pods): (ArmCount, &[u32]),
    ) {
        if let Some(judged) = self.counts.intervals.get_mut(row) {
            judged.control = interval.control.less(of_control);
            judged.canary = interval.canary.less(of_canary);
        }
        if let Some(young) = self.young.get_mut(row) {
            *young = of_canary;
        }
        let pods = &mut self.counts.pods;
        for (apart, young) in [
            (&mut pods.control, control_pods),
            (&mut pods.canary, canary_pods),
        ] {
            if let Some(had) = apart.rows.get_mut(row)
                && !young.is_empty()
            {
                had.retain(|(place, _)| !young.contains(place));
            }
        }
        // What a stratum's young processes did is not known by itself.
        if of_canary.exposure > 0.0 && self.counts.has_strata() {
            let strata = &mut self.counts.strata;
            for apart in [&mut strata.control, &mut strata.canary] {
                if let Some(had) = apart.rows.get_mut(row) {
                    had.clear();
                }
            }
        }
    }
}

/// Until when each pod is young whose first process began within the window, or shortly before. One of which no
/// start is known began a step before its first sample, unless it was seen before the window.
fn young_until_ms(lives: &Lives, grid: Grid, warm_up_seconds: f64) -> BTreeMap<&str, i64> {
    #[expect(clippy::cast_possible_truncation, reason = "minutes")]
    let warm_up_ms = (warm_up_seconds * 1_000.0) as i64;
    let until = |life: &PodLife| {
        let start_ms = life.start_ms.or_else(|| {
            (life.first_sample_ms >= grid.start_ms())
                .then(|| life.first_sample_ms - grid.interval_ms())
        })?;
        let until_ms = start_ms.saturating_add(warm_up_ms);
        (until_ms > grid.start_ms()).then_some(until_ms)
    };
    lives
        .iter()
        .filter_map(|(pod, life)| Some((pod.as_str(), until(life)?)))
        .collect()
}

/// For how long a process may be young in an interval that counts.
fn most_young_ms(grid: Grid, intervals: usize) -> i64 {
    let length_ms = grid.interval_ms() as f64 * intervals as f64;
    #[expect(clippy::cast_possible_truncation, reason = "a part of an interval")]
    let most_ms = (MOST_YOUNG_PART * length_ms) as i64;
    most_ms
}

fn first_sample(lives: &Lives) -> i64 {
    let all = lives.values().map(|life| life.first_sample_ms);
    all.min().unwrap_or(i64::MAX)
}

/// The places of the pods of a row that are young.
fn young_in<T>(
    pods: &Apart<T>,
    row: usize,
    young_before_ms: i64,
    until_ms: &BTreeMap<&str, i64>,
) -> Vec<u32> {
    if until_ms.is_empty() {
        return Vec::new();
    }
    let had = pods.rows.get(row).into_iter().flatten();
    let young = had.filter(|(place, _)| {
        let name = pods.names.get(*place as usize);
        let until = name.and_then(|name| until_ms.get(name.as_str()));
        until.is_some_and(|until_ms| young_before_ms < *until_ms)
    });
    young.map(|(place, _)| *place).collect()
}

/// What some pods had in a row.
fn sum_of(pods: &Apart<ArmCount>, row: usize, places: &[u32]) -> ArmCount {
    let had = pods.rows.get(row).into_iter().flatten();
    let of_places = had.filter(|(place, _)| places.contains(place));
    of_places.fold(ArmCount::default(), |sum, (_, count)| sum.and(*count))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_MS: i64 = 60_000;

    fn count(events: f64, exposure: f64) -> ArmCount {
        ArmCount { events, exposure }
    }

    /// A canary of pods whose lives are given, each with 10 failures of 100 requests in every minute.
    fn counts(minutes: usize, lives: &[(&str, PodLife)]) -> PairedCounts {
        let names: Vec<String> = lives.iter().map(|(name, _)| (*name).to_owned()).collect();
        let each: Vec<(u32, ArmCount)> = (0..)
            .zip(&names)
            .map(|(place, _)| (place, count(10.0, 100.0)))
            .collect();
        let pods = names.len() as f64;
        PairedCounts {
            intervals: (0..minutes)
                .map(|first| PairedInterval {
                    first,
                    length: 1,
                    control: count(9.0, 900.0),
                    canary: count(10.0 * pods, 100.0 * pods),
                })
                .collect(),
            pods: Populations {
                canary: Apart {
                    names,
                    rows: vec![each; minutes],
                },
                ..Populations::default()
            },
            lives: Populations {
                canary: lives
                    .iter()
                    .map(|(name, life)| ((*name).to_owned(), *life))
                    .collect(),
                ..Populations::default()
            },
            ..PairedCounts::default()
        }
    }

    fn grid(minutes: i64) -> Grid {
        Grid::covering(0, minutes * MINUTE_MS, MINUTE_MS)
    }

    fn life(first_sample_ms: i64, start_ms: Option<i64>) -> PodLife {
        PodLife {
            first_sample_ms,
            start_ms,
        }
    }

    fn exposures(warm: &Warm) -> Vec<f64> {
        warm.counts
            .intervals
            .iter()
            .map(|one| one.canary.exposure)
            .collect()
    }

    #[test]
    fn a_new_process_is_left_out_and_the_others_go_on() {
        let lives = [
            ("old", life(-300_000, Some(-3_600_000))),
            ("new", life(70_000, Some(60_000))),
        ];
        let warm = Warm::of(&counts(5, &lives), grid(5), 120.0);
        // The rows of this test have both pods in all minutes.
        assert_eq!(exposures(&warm), [100.0, 100.0, 100.0, 200.0, 200.0]);
        assert_eq!(warm.young[0], count(10.0, 100.0));
        assert_eq!(warm.young[3], ArmCount::default());
        assert!(!warm.are_short_lived);
    }

    #[test]
    fn a_process_that_is_young_for_a_small_part_of_an_interval_counts_in_it() {
        let lives = [("new", life(-20_000, Some(-65_000)))];
        let young_for = |seconds: f64| Warm::of(&counts(2, &lives), grid(2), seconds);
        assert_eq!(
            exposures(&young_for(75.0)),
            [100.0, 100.0],
            "10 of 60 seconds"
        );
        assert_eq!(
            exposures(&young_for(85.0)),
            [0.0, 100.0],
            "20 of 60 seconds"
        );
    }

    #[test]
    fn a_pod_of_unknown_start_is_young_unless_it_was_seen_before() {
        let lives = [("seen", life(-15_000, None)), ("new", life(40_000, None))];
        let warm = Warm::of(&counts(4, &lives), grid(4), 120.0);
        assert_eq!(exposures(&warm), [100.0, 100.0, 200.0, 200.0]);
    }

    #[test]
    fn processes_that_never_grow_old_are_judged_after_two_warm_ups() {
        let lives = [("loop", life(0, Some(i64::MAX / 2)))];
        let warm = Warm::of(&counts(6, &lives), grid(6), 120.0);
        assert_eq!(exposures(&warm), [0.0, 0.0, 0.0, 0.0, 100.0, 100.0]);
        assert!(warm.are_short_lived);
    }
}
