//! Work for each request.

use serinus_analysis::series::{Heartbeats, Populations, Sampling, Series, per_request};

use crate::prometheus::{at, from_ms, grid, labels};

#[test]
fn work_is_told_for_each_request_of_the_interval() {
    let series = |name: &str, pod: &str, step: f64| {
        let mut labels = labels(pod, &[]);
        labels.insert("__name__".to_owned(), name.to_owned());
        let times = (-4..=40).map(|scrape| scrape * 15);
        Series {
            labels,
            timestamps_ms: times.clone().map(at).collect(),
            values: times
                .map(|time| 1_000.0 + step * (time / 15) as f64)
                .collect(),
        }
    };
    let grid = grid(20);
    // Two pods of ten requests a scrape and half a second each; one idle of the canary.
    let used = [series("cpu", "a", 0.5), series("cpu", "b", 0.5)];
    let total = [series("total", "a", 10.0), series("total", "b", 10.0)];
    let idle = [series("total", "c", 0.0)];
    let cpu = [series("cpu", "c", 0.1)];
    let none = Heartbeats::default();
    let sampling = Sampling::Scrapes {
        from_ms: from_ms(&grid),
    };
    let found = per_request(
        (&grid, sampling),
        Populations {
            control: &used[..],
            canary: &cpu[..],
        },
        Populations {
            control: &total[..],
            canary: &idle[..],
        },
        Populations {
            control: &none,
            canary: &none,
        },
    );
    let known: Vec<f64> = found
        .intervals
        .iter()
        .filter_map(|pair| pair.control)
        .collect();
    assert!(
        known.len() > 15 && known.iter().all(|work| (work - 0.05).abs() < 1e-12),
        "{known:?}"
    );
    assert!(found.intervals.iter().all(|pair| pair.canary.is_none()));
    assert_eq!(found.loads[5].control, Some(20.0));
}
