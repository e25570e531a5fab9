//! What gauges prove: queue lengths, shares, bytes, anything that is sampled and not counted.
//!
//! Two questions: how far beyond the limit is the canary, on a logarithmic scale, and how well is that mean known?
//!
//! * reading: [`by_pod`] and [`population`] make samples of series, [`sample_step`] says how far apart.
//! * [`GaugeStream`]: evidence that a canary is beyond its limit, through all stages, from many starts; and what a
//!   stage shows of one that keeps it ([`GaugePromotion`]).
//! * [`GaugeSpread`]: how well a mean is known, by what is assumed, pods, samples and [`GaugePast`].
//! * planning: [`minutes_until_decided`].
//!
//! What is proven: with a variance that is known and information whose increments are independent, a canary within
//! its limit is ever rolled back with a chance of at most `alpha`. The variance is estimated: the rest is measured.
//!
//! Source: docs/design/gauges.md, "The method of gauges".

mod blocks;
mod evidence;
mod excess;
mod lines;
mod past;
mod plan;
mod pods;
mod population;
mod promotion;
mod reading;
mod sample;
mod segment;
mod settings;
mod single_look;
mod spread;
mod stage;
mod starts;
mod stream;

pub use evidence::mixture_log_evidence;
pub use excess::{
    GaugeUnit, MOST_EXCESS, complement_offset, excess, is_beyond, is_near_one, limit_beside,
    load_factor, voting_ratio,
};
pub use past::{GaugePast, PastVariance};
pub use plan::{GaugeOutlook, minutes_as_samples_come, minutes_until_decided};
pub use population::{GaugeSeries, PodName, Population, by_pod, population};
pub use promotion::{GaugePods, GaugePromotion};
pub use reading::{
    FEWEST_SAMPLES, FEWEST_SECONDS, aggregated_by, can_speak, is_counter_as_gauge, is_enough,
    is_lacking, is_young_at, named_like_a_counter, sample_step, what_lacks,
};
pub use sample::{GaugeSample, Loads, PodValue};
pub use settings::{COLD_START_SECONDS, GaugeLine, GaugeSettings};
pub use single_look::{GaugeLook, GaugeRatio, ratio_interval, single_look};
pub use spread::{GaugeSpread, SpreadSource};
pub use stream::GaugeStream;
