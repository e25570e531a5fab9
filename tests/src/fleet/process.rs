//! The processes of a pod, one after the other: what they count, and what each scrape was given.

use std::collections::BTreeMap;

use super::counters::{Counters, Counts, Random, requests_within};
use super::exposition::{Exposition, Value, seconds};
use super::plan::{Miss, PodPlan, ToldStart};
use crate::network::now_ms;

/// What one scrape was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Served {
    /// The scrape's number, unique in the pod, also after a restart. It is served as
    /// `truth_scrape`, so that a stored sample names the answer that it came from.
    pub(super) scrape: u64,
    /// The number of the process that answered.
    pub(super) process: u32,
    /// When the process tells that it was started, if it does.
    pub(super) told_start_ms: Option<i64>,
    /// What it had counted.
    pub(super) counts: Counts,
    /// Whether the answer had a series of 503, which is the one that is forgotten first.
    pub(super) shows_503: bool,
    /// Whether every counter was 1 lower than the scrape before saw it.
    pub(super) is_dip: bool,
}

/// What one job of one source was given, and will be.
#[derive(Debug, Default)]
pub(super) struct Scraper {
    misses_ahead: Option<(u32, Miss)>,
    dips_ahead: u32,
    /// The series of the last good answer.
    last: Option<Exposition>,
    /// The good answers, oldest first.
    pub(super) served: Vec<Served>,
    /// When a scrape was made to fail.
    pub(super) missed_at_ms: Vec<i64>,
}

/// What changes while a pod runs.
#[derive(Debug)]
pub(super) struct PodState {
    number: usize,
    plan: PodPlan,
    random: Random,
    counters: Counters,
    process: u32,
    start_ms: i64,
    counted_until_ms: i64,
    /// The part of a request that is left over.
    carried: f64,
    scrapes: u64,
    /// By the name of the source and its job: each sees counts at times of its own.
    scrapers: BTreeMap<(String, String), Scraper>,
}

impl PodState {
    pub(super) fn new(number: usize, plan: PodPlan, seed: u64) -> Self {
        Self {
            number,
            plan,
            random: Random::new(seed),
            counters: Counters::default(),
            process: 0,
            start_ms: 0,
            counted_until_ms: 0,
            carried: 0.0,
            scrapes: 0,
            scrapers: BTreeMap::new(),
        }
    }

    /// What a job of a source was given; nothing when it never came.
    pub(super) fn scraper(&self, source: &str, job: &str) -> Option<&Scraper> {
        self.scrapers.get(&(source.to_owned(), job.to_owned()))
    }

    /// Lets the next scrapes of everyone who scrapes fail.
    pub(super) fn miss_next(&mut self, count: u32, miss: Miss) {
        for scraper in self.scrapers.values_mut() {
            scraper.misses_ahead = (count > 0).then_some((count, miss));
        }
    }

    /// Gives the next scrape of everyone who scrapes what it saw last, each counter 1 lower.
    pub(super) fn dip_next(&mut self) {
        for scraper in self.scrapers.values_mut() {
            scraper.dips_ahead += 1;
        }
    }

    pub(super) fn set_error_rate(&mut self, error_rate: f64) {
        self.count_until(now_ms());
        self.plan.error_rate = error_rate;
    }

    pub(super) fn set_traffic(&mut self, requests_per_second: (u32, u32)) {
        self.count_until(now_ms());
        self.plan.requests_per_second = requests_per_second;
    }

    /// Whether everyone who scrapes has seen all that was counted.
    pub(super) fn is_all_seen(&self) -> bool {
        let counts = self.counters.counts();
        self.last_served()
            .all(|last| last.process == self.process && last.counts == counts)
    }

    /// Shows the series of errors from a code on no more, and returns whether it did: not before
    /// everyone who scrapes has seen all errors.
    pub(super) fn forget_errors(&mut self, from_code: u16) -> bool {
        let errors = self.counters.counts().errors;
        let is_seen = self
            .last_served()
            .all(|last| last.process == self.process && last.counts.errors == errors);
        if is_seen {
            self.counters.forget_errors(from_code);
        }
        is_seen
    }

    fn last_served(&self) -> impl Iterator<Item = &Served> {
        let scrapers = self.scrapers.values();
        scrapers.filter_map(|scraper| scraper.served.last())
    }

    pub(super) fn start_process(&mut self) {
        let now_ms = now_ms();
        self.process += 1;
        self.counted_until_ms = now_ms;
        let is_first = self.process == 1;
        if is_first {
            let age_ms = i64::try_from(self.plan.age.as_millis()).unwrap_or_default();
            self.start_ms = now_ms - age_ms;
            self.counters = Counters::new(self.start_ms);
            let before = self.plan.requests_before;
            self.counters
                .serve(before, self.start_ms, &self.plan, &mut self.random);
        } else {
            self.start_ms = now_ms;
            self.counters = if self.plan.restart_is_overtaken {
                Counters::overtaking(&self.counters, now_ms)
            } else {
                Counters::new(now_ms)
            };
        }
        if self.plan.error_before_first_scrape {
            self.counters.count_error(now_ms);
        }
    }

    fn count_until(&mut self, now_ms: i64) {
        let milliseconds = now_ms - self.counted_until_ms;
        self.counted_until_ms = now_ms;
        let count = requests_within(
            milliseconds,
            &self.plan,
            &mut self.carried,
            &mut self.random,
        );
        self.counters
            .serve(count, now_ms, &self.plan, &mut self.random);
    }

    /// Counts what happened until now and answers a scrape, or fails as planned.
    pub(super) fn answer(&mut self, source: &str, job: &str) -> Result<String, Miss> {
        let now_ms = now_ms();
        self.count_until(now_ms);
        self.scrapes += 1;
        let name = (source.to_owned(), job.to_owned());
        let scraper = self.scrapers.entry(name).or_default();
        if let Some((ahead, miss)) = scraper.misses_ahead {
            scraper.misses_ahead = (ahead > 1).then_some((ahead - 1, miss));
            scraper.missed_at_ms.push(now_ms);
            return Err(miss);
        }
        let fresh = Served {
            scrape: self.scrapes,
            process: self.process,
            told_start_ms: match self.plan.told_start {
                ToldStart::ProcessStart | ToldStart::Created => Some(self.start_ms),
                ToldStart::Untold => None,
            },
            counts: self.counters.counts(),
            shows_503: self.counters.shows_503(),
            is_dip: false,
        };
        let mut shown = match scraper.dip(&fresh) {
            Some(lower) => lower,
            None => scraper.see(fresh, self.counters.exposition(&self.plan)),
        };
        if self.plan.told_start == ToldStart::ProcessStart {
            shown.family("process_start_time_seconds", "gauge");
            shown.series("process_start_time_seconds", &[], seconds(self.start_ms));
        }
        shown.family("truth_scrape", "gauge");
        shown.series(
            "truth_scrape",
            &[("number", &self.number.to_string())],
            Value::Other(self.scrapes.to_string()),
        );
        Ok(shown.text())
    }
}

impl Scraper {
    /// Remembers an answer, and returns it.
    fn see(&mut self, served: Served, shown: Exposition) -> Exposition {
        self.served.push(served);
        self.last.insert(shown).clone()
    }

    /// The series that were seen last, each counter 1 lower, when that is planned.
    fn dip(&mut self, fresh: &Served) -> Option<Exposition> {
        self.dips_ahead.checked_sub(1)?;
        let before = self.served.last()?;
        if before.process != fresh.process {
            return None;
        }
        let lower = self.last.clone()?.one_lower();
        self.dips_ahead -= 1;
        self.served.push(Served {
            scrape: fresh.scrape,
            is_dip: true,
            ..before.clone()
        });
        Some(lower)
    }
}
