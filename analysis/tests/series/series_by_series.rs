//! What only series tell that are read one by one, with all of their labels, as they were scraped.

use serinus_analysis::series::{
    Grid, Heartbeats, PairedCounts, Populations, Sampling, ScrapeLabel, Series, TargetLabels,
    proportion,
};

use crate::prometheus::{assert_pods_add_up, at, from_ms, grid, labels};

/// Samples of one series: its labels beside those of its pod, and a value for each time in seconds.
fn series(pod: &str, more: &[(&str, &str)], samples: &[(i64, f64)]) -> Series {
    Series {
        labels: labels(pod, more),
        timestamps_ms: samples.iter().map(|(time, _)| at(*time)).collect(),
        values: samples.iter().map(|(_, value)| *value).collect(),
    }
}

/// Each scrape of 15 s from one time to another.
fn every(from: i64, until: i64, value: impl Fn(i64) -> f64) -> Vec<(i64, f64)> {
    (from..=until)
        .step_by(15)
        .map(|time| (time, value(time)))
        .collect()
}

/// Ten requests a second.
fn requests(from: i64, until: i64) -> Vec<(i64, f64)> {
    every(from, until, |time| (10 * (time + 10_000)) as f64)
}

/// The start of a pod's process, at each scrape.
fn start(pod: &str, from: i64, until: i64, started: impl Fn(i64) -> i64) -> Series {
    let starts = every(from, until, |time| at(started(time)) as f64 / 1_000.0);
    series(pod, &[], &starts)
}

fn long_ago(_: i64) -> i64 {
    -100_000
}

fn counted(grid: &Grid, total: &[Series], events: &[Series], starts: &[Series]) -> PairedCounts {
    counted_of(grid, total, events, &Heartbeats::from_series(starts))
}

fn counted_of(
    grid: &Grid,
    total: &[Series],
    events: &[Series],
    known: &Heartbeats,
) -> PairedCounts {
    let none: &[Series] = &[];
    let unknown = Heartbeats::default();
    let sampling = Sampling::Scrapes {
        from_ms: from_ms(grid),
    };
    let counts = proportion(
        grid,
        sampling,
        Populations {
            control: none,
            canary: events,
        },
        Populations {
            control: none,
            canary: total,
        },
        Populations {
            control: &unknown,
            canary: known,
        },
        None,
    );
    assert_pods_add_up(&counts);
    counts
}

/// Events and requests of the canary in ten minutes.
fn of_canary(total: &[Series], events: &[Series], starts: &[Series]) -> (f64, f64) {
    let canary = counted(&grid(20), total, events, starts).totals().canary;
    (canary.events, canary.exposure)
}

#[test]
fn a_value_that_dips_by_one_is_not_counted_again() {
    let dips = every(-15, 600, |time| if time == 300 { 39.0 } else { 40.0 });
    let total = [series("a", &[], &requests(-15, 600))];
    let events = [series("a", &[("code", "500")], &dips)];
    let starts = [start("a", -15, 600, long_ago)];
    assert_eq!(of_canary(&total, &events, &starts), (0.0, 6_000.0));
    assert_eq!(of_canary(&total, &events, &[]), (0.0, 6_000.0), "no start");
}

#[test]
fn a_series_that_the_exporter_forgot_begins_anew_when_it_is_lower() {
    let mut forgotten = every(-15, 150, |_| 40.0);
    forgotten.extend(every(300, 600, |_| 3.0));
    let total = [series("a", &[], &requests(-15, 600))];
    let events = [series("a", &[("code", "500")], &forgotten)];
    let starts = [start("a", -15, 600, long_ago)];
    assert_eq!(of_canary(&total, &events, &starts), (3.0, 6_000.0));
    assert_eq!(of_canary(&total, &events, &[]), (3.0, 6_000.0), "no start");
}

#[test]
fn a_restart_that_no_start_tells_is_one_of_all_series_of_the_target() {
    let anew = |time: i64, before: f64, since: f64| if time < 300 { before } else { since };
    let total = every(-15, 600, |time| {
        anew(
            time,
            (10 * (time + 10_000)) as f64,
            (10 * (time - 290)) as f64,
        )
    });
    // The errors have overtaken what they were before.
    let errors = every(-15, 600, |time| anew(time, 2.0, 4.0));
    let counts = counted(
        &grid(20),
        &[series("a", &[], &total)],
        &[series("a", &[("code", "500")], &errors)],
        &[],
    );
    let canary = counts.totals().canary;
    assert_eq!((canary.events, canary.exposure), (4.0, 2_850.0 + 3_100.0));
}

#[test]
fn a_label_that_changes_while_the_process_lives_brings_no_old_counts() {
    let renamed = |value: fn(i64, i64) -> Vec<(i64, f64)>| {
        [
            series("a", &[("team", "x")], &value(-15, 285)),
            series("a", &[("team", "y")], &value(300, 600)),
        ]
    };
    let total = renamed(requests);
    let events = renamed(|from, until| every(from, until, |time| (300 + time / 15) as f64));
    let starts = [start("a", -15, 600, long_ago)];
    let (events, requests) = of_canary(&total, &events, &starts);
    // What was counted between the last scrape of the one and the first of the other is lost.
    assert_eq!((events, requests), (39.0, 5_850.0));
}

#[test]
fn a_series_that_is_pushed_at_times_of_its_own_is_not_new() {
    let total = [series("a", &[], &requests(-15, 600))];
    let slow: Vec<(i64, f64)> = (0..5).map(|k| (k * 120 + 47, 5_000.0 + k as f64)).collect();
    let events = [series("a", &[("code", "500")], &slow)];
    let starts = [start("a", -15, 600, long_ago)];
    assert_eq!(of_canary(&total, &events, &starts).0, 4.0);
}

#[test]
fn a_pod_that_two_monitors_scrape_counts_once() {
    let read = |job: &str, from: i64, until: i64| {
        let job = [("job", job)];
        let errors = every(from, until, |time| (time / 60) as f64 + 5.0);
        (
            series("a", &job, &requests(from, until)),
            series("a", &[("code", "500"), job[0]], &errors),
        )
    };
    // The second is scraped a few seconds later, and ends.
    let (first, second) = (read("pods", -15, 600), read("services", -10, 300));
    let counts = counted(&grid(20), &[first.0, second.0], &[first.1, second.1], &[]);
    let canary = counts.totals().canary;
    assert_eq!((canary.events, canary.exposure), (10.0, 6_000.0));
    assert_eq!(counts.quality.copied_by, Some(ScrapeLabel::Job));
}

#[test]
fn a_label_of_the_program_that_is_named_like_one_of_the_scraping_makes_no_copies() {
    let of = |endpoint: &str, rate: i64| {
        let values = every(-15, 600, |time| (rate * (time + 1_000)) as f64);
        series("a", &[("endpoint", endpoint)], &values)
    };
    let counts = counted(&grid(20), &[of("/a", 2), of("/b", 3)], &[], &[]);
    assert_eq!(counts.totals().canary.exposure, 5.0 * 600.0);
    assert_eq!(counts.quality.copied_by, None);
}

#[test]
fn targets_without_instance_are_told_apart_by_the_name_of_their_pod() {
    let of = |pod: &str, until: i64| Series {
        labels: [("k8s_pod_name".to_owned(), pod.to_owned())].into(),
        ..series("x", &[], &requests(-15, until))
    };
    let (events, requests) = of_canary(&[of("a", 600), of("b", 300)], &[], &[]);
    assert_eq!((events, requests), (0.0, 6_000.0 + 3_000.0));
}

#[test]
fn increments_of_each_scrape_are_no_counter() {
    let increments = every(-15, 600, |time| (50 + (time / 15 % 2) * 30) as f64);
    let total = [series("a", &[], &increments)];
    let falls = |starts: &[Series]| counted(&grid(20), &total, &[], starts).quality.falls.canary;
    assert!(falls(&[]).is_no_counter());
    assert!(falls(&[start("a", -15, 600, long_ago)]).is_no_counter());
}

#[test]
fn a_created_timestamp_tells_that_a_series_began_anew_though_it_is_higher() {
    let total = [series("a", &[], &requests(-15, 600))];
    let named = |name: &str, samples: &[(i64, f64)]| {
        series("a", &[("__name__", name), ("code", "500")], samples)
    };
    let errors = every(-15, 600, |time| if time < 300 { 2.0 } else { 5.0 });
    let created = every(-15, 600, |time| {
        at(if time < 300 { -9_000 } else { 290 }) as f64 / 1_000.0
    });
    let none: &[Series] = &[];
    let unknown = Heartbeats::default();
    let known = Heartbeats::default().with_created(&[named("errors_created", &created)]);
    let grid = grid(20);
    let counts = proportion(
        &grid,
        Sampling::Scrapes {
            from_ms: from_ms(&grid),
        },
        Populations {
            control: none,
            canary: &[named("errors_total", &errors)],
        },
        Populations {
            control: none,
            canary: &total,
        },
        Populations {
            control: &unknown,
            canary: &known,
        },
        None,
    );
    assert_eq!(counts.totals().canary.events, 5.0);
}

#[test]
fn a_metric_that_is_collected_from_now_on_brings_no_old_counts() {
    let total = [series("a", &[], &requests(300, 600))];
    let old = every(300, 600, |time| (300 + time / 15) as f64);
    let events = [series("a", &[("code", "500")], &old)];
    let starts = [start("a", -15, 600, long_ago)];
    assert_eq!(of_canary(&total, &events, &starts), (20.0, 3_000.0));
}

#[test]
fn what_each_pod_counted_is_told_beside_the_sums() {
    let idle = |pod: &str| series(pod, &[], &every(-60, 600, |_| 5.0));
    let total = [
        series("a", &[("container", "web")], &requests(-60, 600)),
        series("a", &[("container", "proxy")], &requests(-60, 600)),
        series("b", &[], &requests(-60, 600)),
        idle("c"),
    ];
    let failures = every(-60, 600, |time| if time > 300 { 3.0 } else { 1.0 });
    let events = [series("b", &[], &failures)];
    let counts = counted(&grid(20), &total, &events, &[]);
    let pods = &counts.pods.canary;
    let of_pod = |place: u32| {
        let had = pods.rows.iter().flatten().filter(|(pod, _)| *pod == place);
        had.fold((0.0, 0.0), |(events, requests), (_, count)| {
            (events + count.events, requests + count.exposure)
        })
    };
    // One that counted nothing is none of them.
    assert_eq!(pods.names, ["a", "b"]);
    assert_eq!([of_pod(0), of_pod(1)], [(0.0, 12_000.0), (2.0, 6_000.0)]);
    assert_eq!(counts.pods.control.names, [] as [&str; 0]);
}

#[test]
fn programs_that_only_a_label_of_their_own_tells_apart_are_told_apart_by_it() {
    // The first of two workers of one pod begins anew, soon after its first requests; when is not known.
    let restarted = every(-60, 600, |time| match time {
        ..=270 => 0.0,
        285 => 20.0,
        300 => 40.0,
        _ => (25 + 20 * (time - 315) / 15) as f64,
    });
    let total = [
        series("a", &[("worker", "1")], &restarted),
        series("a", &[("worker", "2")], &requests(-60, 600)),
    ];
    let none: &[Series] = &[];
    let by = |labels: &[&str]| {
        let labels = labels.iter().map(|&label| label.to_owned()).collect();
        let known = Heartbeats::of_targets_by(&TargetLabels::new(labels), none);
        counted_of(&grid(20), &total, &[], &known)
            .totals()
            .canary
            .exposure
    };
    // Where they are one, the other shows that its process went on.
    assert_eq!(by(&["pod"]), 6_000.0 + 405.0);
    assert_eq!(by(&["pod", "worker"]), 6_000.0 + 40.0 + 405.0);
}
