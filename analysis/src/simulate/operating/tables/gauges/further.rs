//! Laws on which nothing was chosen.

use super::super::super::executor::Executor;
use super::super::super::gauges::{
    FurtherGaugeLaw, GaugeLaw, GaugeLooks, GaugeOutcome, GaugeProcess, GaugeTrial,
};
use super::super::super::measured::Share;
use super::super::bench::Bench;
use super::super::line::{Known, Line, Published, Unit};
use super::further_laws::{Further, LAWS};
use super::lines::{Asked, by_minutes, rounding, usual};
use crate::series::Populations;

/// Rollouts of identical versions in the design, and of worse ones.
const REPLICATES: f64 = 600.0;
const FEW: f64 = 300.0;
/// Control pods and canary pods.
pub(super) const PODS: [Populations<usize>; 3] = [
    Populations {
        control: 1,
        canary: 1,
    },
    Populations {
        control: 10,
        canary: 1,
    },
    Populations {
        control: 10,
        canary: 3,
    },
];
/// In percent what the design must have found for its median to say something: 15 rollouts.
const FEWEST_FOUND: f64 = 5.0;
/// Hours of the control's past, where it is read.
const PAST: f64 = 4.0;

pub(in super::super) fn lines(bench: &Bench<'_, impl Executor>) -> Vec<Line> {
    LAWS.iter().flat_map(|law| of_a_law(bench, law)).collect()
}

fn of_a_law(bench: &Bench<'_, impl Executor>, (name, law, figures): &Further) -> Vec<Line> {
    let [rolled_back, past, promoted, half_more, twice, found] = figures;
    let mut lines = Vec::new();
    let with = |pods: Populations<usize>, times: f64| FurtherGaugeLaw {
        pods,
        times,
        ..*law
    };
    for ((pods, rolled_back), promoted) in PODS
        .into_iter()
        .zip(words(rolled_back))
        .zip(words(promoted))
    {
        let trial = trial(&format!("{name}, {}", told(pods)), with(pods, 1.0));
        let outcomes = bench.run_gauge(&trial);
        let of = (&trial, outcomes.as_slice());
        let (early, late) = rolled_back
            .split_once('/')
            .unwrap_or((rolled_back, rolled_back));
        let figures = [(30.0, early), (120.0, late)];
        lines.extend(asked(Asked::RolledBack, of, &figures, REPLICATES));
        lines.extend(asked(
            Asked::PromotedFirst,
            of,
            &[(60.0, promoted)],
            REPLICATES,
        ));
    }
    let before = FurtherGaugeLaw {
        hours_before: PAST,
        ..*law
    };
    let with_past = trial(&format!("{name}, 4 h of the past"), before);
    let outcomes = bench.run_gauge(&with_past);
    let of = (&with_past, outcomes.as_slice());
    lines.extend(asked(Asked::RolledBack, of, &[(120.0, past)], REPLICATES));
    let few = bench.part(3, 300);
    let found: Vec<&str> = words(found).collect();
    for (times, promoted) in [(1.5, half_more), (2.0, twice)] {
        for (place, (pods, promoted)) in PODS.into_iter().zip(words(promoted)).enumerate() {
            let trial = trial(
                &format!("{name}, x{times}, {}", told(pods)),
                with(pods, times),
            );
            let outcomes = few.run_gauge(&trial);
            let of = (&trial, outcomes.as_slice());
            lines.extend(asked(Asked::PromotedFirst, of, &[(60.0, promoted)], FEW));
            let found = found.get(place).filter(|_| times > 1.9);
            lines.extend(found.into_iter().flat_map(|found| found_of(of, found)));
        }
    }
    lines
}

pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(' ')
}

pub(super) fn told(pods: Populations<usize>) -> String {
    format!("pods {}:{}", pods.control, pods.canary)
}

pub(super) fn trial(name: &str, law: FurtherGaugeLaw) -> GaugeTrial {
    GaugeTrial {
        process: GaugeProcess::Further(law),
        left_out_minutes: 5.0,
        looks: GaugeLooks::EverySample,
        promoted_from_minute: 30.0,
        ..usual(name, GaugeLaw::CONSTANT)
    }
}

/// The lines of figures that are written as the design writes them; none of one that is no number.
fn asked(
    asked: Asked,
    of: (&GaugeTrial, &[GaugeOutcome]),
    figures: &[(f64, &str)],
    replicates: f64,
) -> Vec<Line> {
    let read = |(by, text): &(f64, &str)| Some((*by, Published::from(text.parse::<f64>().ok()?)));
    let figures: Vec<(f64, Published)> = figures.iter().filter_map(read).collect();
    let largest = figures
        .iter()
        .map(|figure| figure.1.now)
        .fold(0.0, f64::max);
    let known = Known {
        replicates,
        rounding: rounding(largest),
    };
    by_minutes(asked, of, &figures, known)
}

/// Of `share@minute`: what is found within an hour, and the median minute of all that is found.
fn found_of((trial, outcomes): (&GaugeTrial, &[GaugeOutcome]), figure: &str) -> Vec<Line> {
    let (share, minute) = figure.split_once('@').unwrap_or((figure, ""));
    let mut lines = asked(Asked::RolledBack, (trial, outcomes), &[(60.0, share)], FEW);
    let found = Share::counted(outcomes, |one| one.rolled_back_at.is_some());
    let is_enough = share
        .parse::<f64>()
        .is_ok_and(|share| share >= FEWEST_FOUND);
    if let Ok(minute) = minute.parse::<f64>()
        && is_enough
    {
        let mut times: Vec<Option<usize>> = outcomes.iter().map(|one| one.rolled_back_at).collect();
        times.retain(Option::is_some);
        let known = Known {
            replicates: FEW * found.rate(),
            rounding: 0.5,
        };
        let quantity = format!("{}: median of these", trial.name);
        lines.push(Line::median_of(
            quantity,
            &times,
            (Unit::Minutes, 1.0),
            minute.into(),
            known,
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_of_the_laws_is_a_number() {
        for (name, _, figures) in &LAWS {
            for (place, figure) in figures.iter().enumerate() {
                let each: Vec<&str> = words(figure).collect();
                assert_eq!(
                    each.len(),
                    if place == 1 { 1 } else { 3 },
                    "{name}: {figure}"
                );
                for number in each.iter().flat_map(|one| one.split(['/', '@'])) {
                    assert!(number.parse::<f64>().is_ok(), "{name}: {number}");
                }
            }
        }
    }
}
