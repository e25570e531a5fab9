//! Gauges: one check alone, `cpu < baseline * 1.25` unless it says otherwise, promoted below `baseline * 2`, samples
//! of a minute, a canary that begins with the rollout.

mod cells;
mod further;
mod further_absolute;
mod further_laws;
mod lines;
mod success;

pub(super) use cells::lines as of_table;
pub(super) use further::lines as of_further_laws;
pub(super) use further_absolute::lines as of_further_absolute;
pub(super) use success::lines as of_success_rates;

/// What is simulated.
pub(super) mod titles {
    pub(in super::super) const IDENTICAL: &str =
        "Identical versions: rolled back, and promoted before that; control pods : canary pods";
    pub(in super::super) const FOUND: &str =
        "Canaries that are so many times their control: found, and promoted before that";
    pub(in super::super) const SAMPLING: &str =
        "Gauges that are sampled more or less often, one pod each";
    pub(in super::super) const PROMOTION: &str =
        "Good canaries of gauges, and canaries that are exactly at the limit of a promotion";
    pub(in super::super) const OTHERS: &str =
        "Steps, leaks, bursts, heavy tails, shared drift, other limits, the control's past";
    pub(in super::super) const EDGE: &str = "A canary whose level is exactly its absolute limit; the control is at 1 / 1.3 of it, or on it as well";
    pub(in super::super) const DISTANCE: &str = "A canary whose level is off its absolute limit by d of it, with a coefficient of variation of s times d";
    pub(in super::super) const ABSOLUTE: &str =
        "Absolute limits: pods that differ, whole numbers, rounded values, leaks and steps";
    pub(in super::super) const SUCCESS: &str = "Success rates as gauges: `> baseline * .99`, the control fails .5 %, ar(.3,.5) in the failures";
    pub(in super::super) const FURTHER: &str = "Laws of gauges on which nothing was chosen: `* 1.25`, the first 5 \
        minutes left out, asked at every sample; promoted between minute 30 and 60, found within an hour";
    pub(in super::super) const FURTHER_ABSOLUTE: &str = "The same laws with their mean at so much of an absolute \
        limit: identical versions rolled back within two hours, without the past";
}
