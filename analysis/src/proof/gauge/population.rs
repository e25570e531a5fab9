//! Series to pods, pods to one value of a sample.
//!
//! Source: docs/design/gauges.md, "1. Samples".

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::sample::{GaugeSample, PodValue};

/// The part of the living pods that must have a value.
const FEWEST_OF_THE_LIVING: f64 = 0.5;
/// A pod lives with a value in a sample or in so many before it; never by later ones, so that a replay sees what
/// was seen.
const SAMPLES_OF_LIFE: usize = 3;
/// The labels that name a pod where a file names none.
const POD_LABELS: [&str; 2] = ["pod", "instance"];

/// Which process a series is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PodName {
    /// A series without any label: beside others it comes from a constant.
    Bare,
    /// Labels, but none that names a pod: all such are one pod.
    Unnamed,
    /// The label and its value: `pod=a`.
    Named(Arc<str>),
}

impl PodName {
    /// The pod that these labels name, by `pod_label` if it is set and there, else by `pod`, else by `instance`.
    pub fn of(labels: &BTreeMap<String, String>, pod_label: Option<&str>) -> Self {
        if labels.is_empty() {
            return Self::Bare;
        }
        let mut asked = pod_label.into_iter().chain(POD_LABELS);
        let found = asked.find_map(|label| Some(format!("{label}={}", labels.get(label)?)));
        found.map_or(Self::Unnamed, |name| Self::Named(name.into()))
    }
}

/// The values of one series, or of one pod, by the number of the sample.
#[derive(Debug, Clone, PartialEq)]
pub struct GaugeSeries {
    /// Whose they are.
    pub pod: PodName,
    /// What is not finite is no value.
    pub values: BTreeMap<usize, f64>,
}

/// What a population's pods say together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Population {
    /// The mean of the pods that have a value, by the number of the sample.
    pub means: BTreeMap<usize, f64>,
    /// The pods it is of, with their finite values.
    pub pods: Vec<GaugeSeries>,
    /// Values that are not finite.
    pub not_finite: usize,
    /// Series without labels that were left out beside series with labels.
    pub bare: usize,
}

/// One series for each pod: those of a pod are averaged sample by sample, by the rule of [`population`]. Cores,
/// disks and containers are no pods. A series without labels stays what it is beside others.
pub fn by_pod(series: &[GaugeSeries]) -> Vec<GaugeSeries> {
    let mut groups: BTreeMap<PodName, Vec<GaugeSeries>> = BTreeMap::new();
    for one in series {
        let pod = match &one.pod {
            PodName::Bare if series.len() == 1 => PodName::Unnamed,
            other => other.clone(),
        };
        let values = one.values.clone();
        groups
            .entry(pod.clone())
            .or_default()
            .push(GaugeSeries { pod, values });
    }
    let as_one = |(pod, mut group): (PodName, Vec<GaugeSeries>)| {
        let values = if pod == PodName::Bare {
            group.pop().map(|one| one.values).unwrap_or_default()
        } else {
            population(&group).means
        };
        GaugeSeries { pod, values }
    };
    groups.into_iter().map(as_one).collect()
}

/// The mean of the pods at each sample; none where fewer than half of the living ones have a value. Values that
/// are not finite are missing of that pod alone.
pub fn population(pods: &[GaugeSeries]) -> Population {
    let mut found = Population::default();
    for one in pods {
        if one.pod == PodName::Bare && pods.len() > 1 {
            found.bare += 1;
            continue;
        }
        let mut values = one.values.clone();
        values.retain(|_, value| value.is_finite());
        found.not_finite += one.values.len() - values.len();
        let pod = one.pod.clone();
        found.pods.push(GaugeSeries { pod, values });
    }
    let samples: BTreeSet<usize> = found
        .pods
        .iter()
        .flat_map(|pod| pod.values.keys().copied())
        .collect();
    for sample in samples {
        let (mut sum, mut with_a_value, mut living) = (0.0, 0_usize, 0_usize);
        for pod in &found.pods {
            let lived = sample.saturating_sub(SAMPLES_OF_LIFE)..=sample;
            living += usize::from(pod.values.range(lived).next().is_some());
            if let Some(value) = pod.values.get(&sample) {
                sum += value;
                with_a_value += 1;
            }
        }
        if with_a_value as f64 >= FEWEST_OF_THE_LIVING * living as f64 && sum.is_finite() {
            found.means.insert(sample, sum / with_a_value as f64);
        }
    }
    found
}

impl Population {
    /// What each pod has at a sample.
    fn pods_at(&self, sample: usize) -> Vec<PodValue> {
        let unnamed: Arc<str> = Arc::from("");
        let value_of = |pod: &GaugeSeries| {
            let name = match &pod.pod {
                PodName::Named(name) => Arc::clone(name),
                PodName::Bare | PodName::Unnamed => Arc::clone(&unnamed),
            };
            Some(PodValue {
                pod: name,
                value: *pod.values.get(&sample)?,
            })
        };
        self.pods.iter().filter_map(value_of).collect()
    }

    /// What both populations have at a sample that was taken at this time.
    pub fn sample(canary: &Self, control: &Self, number: usize, at_seconds: f64) -> GaugeSample {
        GaugeSample {
            at_seconds,
            canary: canary.means.get(&number).copied(),
            control: control.means.get(&number).copied(),
            canary_pods: canary.pods_at(number),
            control_pods: control.pods_at(number),
            ..GaugeSample::default()
        }
    }
}
