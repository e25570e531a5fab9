//! The cells that the design's own program has measured: 510 laws with their figures, in `cells.tsv`, which `cells.py`
//! makes of its output.

use std::num::ParseFloatError;
use std::str::FromStr;

use super::super::super::executor::Executor;
use super::super::super::gauges::{Bursts, GaugeLaw, GaugeOutcome, GaugeTrial, JudgedGauge};
use super::super::bench::Bench;
use super::super::line::{Known, Line, Published};
use super::lines::{Asked, by_minutes, usual};
use crate::series::Populations;

/// By lines: table, name, seconds between samples, rollouts, what is judged, the law, figures.
const CELLS: &str = include_str!("cells.tsv");
/// From so many control pods on a quarter of the rollouts, as the design has it.
const MANY_PODS: usize = 50;
/// The control of success rates fails in this share of the requests.
const FAILURES: f64 = 0.005;

/// A cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cell {
    table: &'static str,
    trial: GaugeTrial,
    known: Known,
    has_many_pods: bool,
    figures: Vec<Figure>,
}

/// By some minute, in percent of version 1 and of version 2: rolled back, rolled back before a promotion, promoted.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Figure {
    by: f64,
    before: [f64; 3],
    now: [f64; 3],
}

/// The lines of a table.
pub(in super::super) fn lines(bench: &Bench<'_, impl Executor>, table: &str) -> Vec<Line> {
    let cells = all().into_iter().flatten();
    let cells = cells.filter(|cell| cell.table == table);
    cells.flat_map(|cell| cell.lines(bench)).collect()
}

/// All cells; nothing in place of one that cannot be read.
pub(super) fn all() -> Vec<Option<Cell>> {
    CELLS.lines().map(Cell::read).collect()
}

impl Cell {
    fn lines(&self, bench: &Bench<'_, impl Executor>) -> Vec<Line> {
        let outcomes = if self.has_many_pods {
            bench.part(4, 100).run_gauge(&self.trial)
        } else {
            bench.run_gauge(&self.trial)
        };
        let mut lines = self.of(Asked::RolledBack, &self.figures, &outcomes);
        let last = self.figures.last().as_slice().to_vec();
        let is_other = |figure: &&Figure| {
            let [all, first, _] = figure.now;
            (all - first).abs() > 0.0
        };
        let last: Vec<Figure> = last.into_iter().filter(is_other).copied().collect();
        lines.extend(self.of(Asked::RolledBackFirst, &last, &outcomes));
        lines.extend(self.of(Asked::PromotedFirst, &self.figures, &outcomes));
        lines
    }

    fn of(&self, asked: Asked, figures: &[Figure], outcomes: &[GaugeOutcome]) -> Vec<Line> {
        let published = |figure: &Figure| {
            let of = |[all, first, promoted]: [f64; 3]| match asked {
                Asked::RolledBack => all,
                Asked::RolledBackFirst => first,
                Asked::PromotedFirst => promoted,
            };
            (
                figure.by,
                Published::from((of(figure.before), of(figure.now))),
            )
        };
        let figures: Vec<(f64, Published)> = figures.iter().map(published).collect();
        by_minutes(asked, (&self.trial, outcomes), &figures, self.known)
    }

    fn read(line: &'static str) -> Option<Self> {
        let mut columns = line.split('\t');
        let mut next = || columns.next();
        let (table, name) = (next()?, next()?);
        let step_seconds = next()?.parse().ok()?;
        let replicates = next()?.parse().ok()?;
        let (judged, law) = (next()?, next()?);
        let figures: Option<Vec<Figure>> = next()?.split(' ').map(Figure::read).collect();
        let figures = figures?;
        let law = read_law(law)?;
        let usual = usual(name, law);
        let mut trial = GaugeTrial {
            step_seconds,
            minutes: figures.iter().map(|figure| figure.by).fold(0.0, f64::max),
            judged: read_judged(judged)?,
            ..usual
        };
        trial.cold_start_seconds = number(judged, "cold", trial.cold_start_seconds)?;
        Some(Self {
            table,
            trial,
            known: Known {
                replicates,
                rounding: 0.05,
            },
            has_many_pods: law.pods.control >= MANY_PODS,
            figures,
        })
    }
}

impl Figure {
    /// Of `minutes:a/b/c>a/b/c`.
    fn read(text: &str) -> Option<Self> {
        let (by, shares) = text.split_once(':')?;
        let (before, now) = shares.split_once('>')?;
        let three = |text: &str| -> Option<[f64; 3]> {
            let numbers: Result<Vec<f64>, _> = text.split('/').map(str::parse).collect();
            numbers.ok()?.try_into().ok()
        };
        Some(Self {
            by: by.parse().ok()?,
            before: three(before)?,
            now: three(now)?,
        })
    }
}

/// The number of `key=number` among words, what is usual where there is no such word; nothing where it is no number.
fn number(words: &str, key: &str, usual: f64) -> Option<f64> {
    text(words, key).map_or(Some(usual), |text| text.parse().ok())
}

/// The same where nothing is usual.
fn optional(words: &str, key: &str) -> Result<Option<f64>, ParseFloatError> {
    text(words, key).map(str::parse).transpose()
}

fn text<'a>(words: &'a str, key: &str) -> Option<&'a str> {
    let mut pairs = words.split(' ').filter_map(|word| word.split_once('='));
    pairs.find(|(name, _)| *name == key).map(|pair| pair.1)
}

/// Both of `number:number`.
fn pair<T: FromStr>(text: &str) -> Option<(T, T)> {
    let (one, other) = text.split_once(':')?;
    Some((one.parse().ok()?, other.parse().ok()?))
}

fn read_judged(words: &str) -> Option<JudgedGauge> {
    let is_number = text(words, "number").is_some();
    if let Some(limit) = optional(words, "absolute").ok()? {
        return Some(JudgedGauge::Absolute { limit, is_number });
    }
    let ratio = number(words, "r", 1.25)?;
    let offset = number(words, "delta", 0.0)?;
    // Failures `< .99 * baseline + 2` in units of .5 %: `> baseline * .99` of the rest.
    Some(if ratio < 1.0 {
        JudgedGauge::SuccessRate {
            ratio,
            failures: FAILURES,
            is_told: true,
        }
    } else {
        JudgedGauge::Relative { ratio, offset }
    })
}

fn read_law(words: &str) -> Option<GaugeLaw> {
    let (control, canary) = text(words, "pods").map_or(Some((1, 1)), pair)?;
    let bursts = match text(words, "bursts") {
        Some(text) => {
            let (times, minutes) = pair(text)?;
            Some(Bursts { times, minutes })
        }
        None => None,
    };
    Some(GaugeLaw {
        variation: number(words, "cv", 0.0)?,
        correlation: number(words, "rho", 0.0)?,
        pods: Populations { control, canary },
        pod_variation: number(words, "podcv", 0.0)?,
        shared_variation: number(words, "shared", 0.0)?,
        times: number(words, "x", 1.0)?,
        from_minute: number(words, "at", 0.0)?,
        leak: number(words, "leak", 0.0)?,
        is_of_one_pod: text(words, "one").is_some(),
        bursts,
        is_heavy: text(words, "heavy").is_some(),
        sick_times: number(words, "sick", 1.0)?,
        hours_before: number(words, "hours", 0.0)?,
        poisson_mean: optional(words, "poisson").ok()?,
        quantum: optional(words, "quant").ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words that a law or a judge may have: another one would be overlooked.
    const WORDS: [&str; 20] = [
        "cv", "rho", "pods", "podcv", "shared", "x", "at", "leak", "one", "bursts", "heavy",
        "sick", "hours", "poisson", "quant", "absolute", "number", "r", "delta", "cold",
    ];

    #[test]
    fn every_cell_of_the_design_is_read() {
        let cells = all();
        assert_eq!(cells.len(), 510);
        assert!(cells.iter().all(Option::is_some));
        for line in CELLS.lines() {
            let columns: Vec<&str> = line.split('\t').collect();
            let words = columns[4..6].iter().flat_map(|column| column.split(' '));
            for word in words.filter(|word| !word.is_empty()) {
                let name = word.split('=').next().unwrap();
                assert!(WORDS.contains(&name), "{word}");
            }
        }
    }

    #[test]
    fn a_cell_is_what_its_line_says() {
        let line = "others\tx\t15\t250\tabsolute=1.3 number=yes\tcv=0.2 rho=0.5 bursts=20:5 pods=50:5 x=3 at=30\t\
                    30:0/0/9.9>15/14/49 120:0/0/10>16/14/50";
        let cell = Cell::read(line).unwrap();
        assert!(cell.has_many_pods);
        assert!((cell.trial.minutes - 120.0).abs() < 1e-9);
        let absolute = JudgedGauge::Absolute {
            limit: 1.3,
            is_number: true,
        };
        assert_eq!(cell.trial.judged, absolute);
        assert_eq!(format!("{:?}", cell.figures[1].now), "[16.0, 14.0, 50.0]");
        let bursts = Bursts {
            times: 20.0,
            minutes: 5.0,
        };
        let law = read_law("bursts=20:5 pods=50:5").unwrap();
        assert_eq!((law.bursts, law.pods.canary), (Some(bursts), 5));
        assert_eq!(read_law("cv=many"), None);
    }
}
