//! Latency quantiles, as version 1 judges them.

use super::super::error::OperatingError;
use super::super::executor::Executor;
use super::super::latency::{BucketKind, LatencyScenario};
use super::bench::Bench;
use super::{Line, Target};

pub(super) fn lines(bench: &Bench<'_, impl Executor>) -> Result<Vec<Line>, OperatingError> {
    let mut lines = Vec::new();
    for (effect, most) in [
        (1.0, None),
        (1.2, None),
        (1.5, Some(20.0)),
        (2.0, Some(10.0)),
        (3.0, Some(7.0)),
    ] {
        let (mut shares, mut medians) = (Vec::new(), Vec::new());
        for share in [0.05, 0.5] {
            for slow_down in [0.0, 0.3] {
                for buckets in [BucketKind::Classic, BucketKind::NativeSchema3] {
                    let scenario =
                        LatencyScenario::new(share, 120, slow_down, effect, 1.2, buckets)?;
                    let (rolled_back, median) =
                        scenario.measure(bench.executor, bench.replicates, bench.seed);
                    shares.push(rolled_back);
                    medians.push(median);
                }
            }
        }
        let quantity = format!("latency p99 < baseline * 1.2, canary x{effect}");
        lines.push(match most {
            Some(most) => Line::latest(
                format!("{quantity}: intervals to rollback"),
                &medians,
                Target::AtMost(most),
            ),
            None => Line::worst(
                format!("{quantity}: false rollback"),
                &shares,
                Target::AtMost(0.01),
            ),
        });
    }
    Ok(lines)
}
