//! What holds for reasons of the data, and what a hold advises.

use super::*;

/// D12: a canary that hangs three requests of ten, which nobody counts.
#[test]
fn d12_requests_that_are_never_counted_are_missed() {
    let held = |share: f64, seed: u64| {
        let on = |pipeline: &mut Pipeline| {
            pipeline.analysis.split_check = SplitCheck::Hold;
            pipeline.stages[0].traffic_percent = 5.0;
        };
        let mut rows = traffic(seed, 60, (100.0, 0.05), 0.01, 1.0);
        let mut random = random(1_000 + seed);
        for row in &mut rows {
            row.1 = poisson(&mut random, share * 150.0) as f64;
            row.0 = poisson(&mut random, 0.01 * share * 150.0) as f64;
            row.3 = poisson(&mut random, 2_850.0) as f64;
        }
        let told = answers_of(relative(1.1), on, &rows);
        let place = told
            .iter()
            .position(|one| one.reason_code == ReasonCode::SplitMismatch)?;
        assert_eq!(told[place].verdict, Verdict::Hold);
        Some((place + 1) as f64 / 2.0)
    };
    let seeds = 1..=20;
    let found: Vec<f64> = seeds.clone().filter_map(|seed| held(0.7, seed)).collect();
    let in_time = found.iter().filter(|minutes| **minutes <= 20.0).count();
    assert!(in_time >= 15, "{in_time} of 20: {found:?}");
    assert_eq!(seeds.filter_map(|seed| held(1.0, seed)).count(), 0);
}

/// The number behind a word of a reason.
fn advised(reason: &str, word: &str) -> Option<f64> {
    let (_, after) = reason.split_once(word)?;
    let end = after.find(|letter: char| !letter.is_ascii_digit() && letter != '.');
    let number = &after[..end.unwrap_or(after.len())];
    Some(number.trim_end_matches('.').parse().unwrap())
}

/// D15: what would let a regression through is not advised, nor what no person would wait for.
#[test]
fn d15_no_advice_lets_a_bad_canary_through() {
    let (mut ratios, mut durations, mut undecided) = (0, 0, 0);
    for requests in [30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0] {
        for rate in [0.000_2, 0.001, 0.005, 0.02] {
            for times in [0.0, 0.8, 1.0, 1.3, 5.2] {
                let (n, m) = (0.1 * requests, 0.9 * requests);
                let row = (n * rate * times, n, m * rate, m);
                for count in [20, 60] {
                    let rows = vec![row; count];
                    let told = answers(relative(1.1), &rows);
                    let reason = &last(&told).reason;
                    let ratio = advised(reason, "promote_ratio: ");
                    let minutes = advised(reason, "max_duration_minutes: ");
                    assert!(ratio.is_none_or(|ratio| ratio <= 3.0), "{reason}");
                    assert!(minutes.is_none_or(|minutes| minutes <= 1_440.0), "{reason}");
                    assert!(times < 1.2 || ratio.is_none(), "{times}: {reason}");
                    ratios += usize::from(ratio.is_some());
                    durations += usize::from(minutes.is_some());
                    let is_undecided = last(&told).verdict == Verdict::Hold;
                    undecided += usize::from(times > 5.0 && is_undecided);
                }
            }
        }
    }
    assert!(ratios > 0 && durations > 0 && undecided > 0);
}
