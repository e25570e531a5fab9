//! Callers that cannot read the gate's answer: what it says, in their words.

pub(super) mod flagger;
