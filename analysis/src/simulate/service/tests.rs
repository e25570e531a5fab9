use super::super::pod::PodCounters;
use super::super::{LatencyLaw, Multipliers, SCRAPE_INTERVAL_MS};
use super::*;

const HOUR_MS: i64 = 3_600_000;
const ORIGIN_MS: i64 = 1_800_000_000_000;

fn description() -> ServiceDescription {
    ServiceDescription {
        name: "checkout".to_owned(),
        network: "10.0".to_owned(),
        requests_per_second: 3_000.0,
        daily_amplitude: 0.0,
        control_pods: 3,
        canary_pods: 2,
        error_probability: 0.002,
        not_found_probability: 0.01,
        latency: LatencyLaw::new(0.03, 0.6).unwrap(),
        cpu_cores: 0.35,
        memory_bytes: 4e8,
        conversion_probability: 0.03,
        complaint_probability: 0.0001,
        queue_depth: 12.0,
        canary: Multipliers {
            error: 3.0,
            latency: 1.5,
            ..Multipliers::default()
        },
    }
}

/// What was recorded: (pod, tick) and the counters, nothing for a scrape without an answer.
type Recorded = Vec<(usize, i64, Option<PodCounters>)>;

fn run(simulation: &mut ServiceSimulation, shares: &ShareHistory, until_ms: i64) -> Recorded {
    let mut recorded = Vec::new();
    simulation.advance(shares, until_ms, |pod, tick, scrape| {
        recorded.push((
            pod,
            tick,
            match scrape {
                Scrape::Answered(counters) => Some(counters.clone()),
                Scrape::Missed | Scrape::Absent => None,
            },
        ));
    });
    recorded
}

fn requests(counters: &PodCounters) -> u64 {
    counters.requests_by_code.iter().sum()
}

/// The increments that the scrapes of some pods saw, summed by `count`: resets and births count
/// whole.
fn total(recorded: &Recorded, pods: &[usize], count: impl Fn(&PodCounters) -> u64) -> u64 {
    let mut sum = 0;
    for pod in pods {
        let mut before: Option<&PodCounters> = None;
        for (_, _, counters) in recorded.iter().filter(|scrape| scrape.0 == *pod) {
            let Some(now) = counters else { continue };
            let base = before
                .filter(|last| last.started_ms == now.started_ms)
                .map_or(0, &count);
            sum += count(now) - base;
            before = Some(now);
        }
    }
    sum
}

#[test]
fn the_same_seed_gives_the_same_samples_at_any_pace() {
    let mut shares = ShareHistory::default();
    shares.set(ORIGIN_MS + HOUR_MS, 10.0);
    let mut at_once = ServiceSimulation::new(5, &description(), ORIGIN_MS).unwrap();
    let mut expected = run(&mut at_once, &shares, ORIGIN_MS + 3 * HOUR_MS);
    let mut in_steps = ServiceSimulation::new(5, &description(), ORIGIN_MS).unwrap();
    let mut found = Vec::new();
    let mut now_ms = ORIGIN_MS;
    while now_ms < ORIGIN_MS + 3 * HOUR_MS {
        now_ms = (now_ms + 47_321).min(ORIGIN_MS + 3 * HOUR_MS);
        found.append(&mut run(&mut in_steps, &shares, now_ms));
    }
    expected.sort_by_key(|scrape| (scrape.0, scrape.1));
    found.sort_by_key(|scrape| (scrape.0, scrape.1));
    assert_eq!(found, expected);

    let mut other_seed = ServiceSimulation::new(6, &description(), ORIGIN_MS).unwrap();
    assert_ne!(
        run(&mut other_seed, &shares, ORIGIN_MS + 3 * HOUR_MS).last(),
        expected.last()
    );
}

#[test]
fn counts_follow_the_description_within_their_standard_errors() {
    let mut shares = ShareHistory::default();
    shares.set(ORIGIN_MS, 25.0);
    let mut simulation = ServiceSimulation::new(1, &description(), ORIGIN_MS).unwrap();
    let recorded = run(&mut simulation, &shares, ORIGIN_MS + 6 * HOUR_MS);
    let (control, canary) = ([0, 1, 2], [3, 4]);
    let errors = |counters: &PodCounters| {
        counters
            .requests_by_code
            .get(2..)
            .map_or(0, |codes| codes.iter().sum())
    };
    let near = |count: u64, expected: f64| {
        let count = count as f64;
        // Four standard errors of a Poisson count, and up to a scrape interval at the end of
        // each pod's time.
        let tolerance = 4.0 * expected.sqrt() + expected * 15.0 / (6.0 * 3_600.0);
        assert!((count - expected).abs() < tolerance, "{count} {expected}");
    };
    let traffic = 3_000.0 * 6.0 * 3_600.0;
    near(total(&recorded, &control, requests), traffic * 0.75);
    near(total(&recorded, &canary, requests), traffic * 0.25);
    near(total(&recorded, &control, errors), traffic * 0.75 * 0.002);
    near(total(&recorded, &canary, errors), traffic * 0.25 * 0.006);
    near(
        total(&recorded, &control, |counters| counters.orders),
        traffic * 0.75 * 0.03,
    );
    near(
        total(&recorded, &canary, |counters| {
            // Above 0.1 s.
            counters
                .requests_by_bucket
                .get(5..)
                .map_or(0, |buckets| buckets.iter().sum())
        }),
        traffic
            * 0.25
            * (1.0
                - LatencyLaw::new(0.045, 0.6)
                    .unwrap()
                    .cumulative_probability(0.1)),
    );
}

#[test]
fn every_request_has_one_code_and_one_bucket() {
    let mut shares = ShareHistory::default();
    shares.set(ORIGIN_MS, 5.0);
    let mut simulation = ServiceSimulation::new(2, &description(), ORIGIN_MS).unwrap();
    for (_, _, counters) in run(&mut simulation, &shares, ORIGIN_MS + HOUR_MS) {
        let Some(counters) = counters else { continue };
        assert_eq!(
            requests(&counters),
            counters.requests_by_bucket.iter().sum::<u64>()
        );
        assert!(counters.orders <= requests(&counters));
    }
}

#[test]
fn a_canary_without_traffic_has_no_pods_and_comes_back_as_a_new_process() {
    let mut shares = ShareHistory::default();
    shares.set(ORIGIN_MS + HOUR_MS, 10.0);
    shares.set(ORIGIN_MS + 2 * HOUR_MS, 0.0);
    shares.set(ORIGIN_MS + 3 * HOUR_MS, 20.0);
    let mut simulation = ServiceSimulation::new(3, &description(), ORIGIN_MS).unwrap();
    let phase_ms = simulation.pods().nth(3).unwrap().1;
    for (pod, tick, counters) in run(&mut simulation, &shares, ORIGIN_MS + 4 * HOUR_MS) {
        if pod != 3 {
            continue;
        }
        let age_ms = tick * SCRAPE_INTERVAL_MS + phase_ms - ORIGIN_MS;
        match age_ms / HOUR_MS {
            0 | 2 => assert_eq!(counters, None),
            hour => {
                let Some(counters) = counters else { continue };
                assert!(counters.started_ms >= ORIGIN_MS + hour * HOUR_MS);
            }
        }
    }
}

#[test]
fn control_counters_are_flat_when_the_canary_takes_all_traffic() {
    let mut shares = ShareHistory::default();
    shares.set(ORIGIN_MS + HOUR_MS, 100.0);
    let mut simulation = ServiceSimulation::new(4, &description(), ORIGIN_MS).unwrap();
    run(&mut simulation, &shares, ORIGIN_MS + HOUR_MS + 15_000);
    let recorded = run(&mut simulation, &shares, ORIGIN_MS + 2 * HOUR_MS);
    let mut counts: Vec<u64> = recorded
        .iter()
        .filter(|scrape| scrape.0 == 0)
        .filter_map(|scrape| scrape.2.as_ref().map(requests))
        .collect();
    assert!(counts.len() > 200);
    counts.dedup();
    assert_eq!(counts.len(), 1);
}

#[test]
fn scrapes_are_missed_and_pods_restart_now_and_then() {
    let shares = ShareHistory::default();
    let mut simulation = ServiceSimulation::new(9, &description(), ORIGIN_MS).unwrap();
    let (mut missed, mut answered, mut restarts) = (0_u32, 0_u32, 0_u32);
    let mut started = [ORIGIN_MS; 5];
    simulation.advance(
        &shares,
        ORIGIN_MS + 14 * 24 * HOUR_MS,
        |pod, _, scrape| match scrape {
            Scrape::Missed => missed += 1,
            Scrape::Absent => {}
            Scrape::Answered(counters) => {
                answered += 1;
                if counters.started_ms != started[pod] {
                    assert!(counters.started_ms > started[pod]);
                    started[pod] = counters.started_ms;
                    restarts += 1;
                }
            }
        },
    );
    // 241,920 scrapes of three pods: expect 121 missed and 14.5 restarts.
    assert_eq!(missed + answered, 3 * 14 * 24 * 240);
    assert!((80..165).contains(&missed), "{missed}");
    assert!((3..32).contains(&restarts), "{restarts}");
}

#[test]
fn a_description_that_makes_no_sense_is_refused() {
    let mut negative = description();
    negative.error_probability = -0.1;
    assert_eq!(
        ServiceSimulation::new(1, &negative, 0)
            .unwrap_err()
            .to_string(),
        "cannot simulate service \"checkout\": error_probability is -0.1, give a finite number of \
         at least 0"
    );
    let mut timeless = description();
    timeless.canary.latency = 0.0;
    assert!(matches!(
        ServiceSimulation::new(1, &timeless, 0),
        Err(SimulationError::NoLatency { .. })
    ));
}
