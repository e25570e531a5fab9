//! Rollouts on the wire: the gate, a rollout's state, what happened to it.

mod event;
mod gate;
mod request;
mod state;

pub use event::{Event, EventKind, EventList};
pub use gate::{GateAnswer, GateRequest, MAX_GATE_ANSWER_BYTES};
pub use request::{
    AdvanceMode, AdvanceRequest, CancelRequest, OverrideRequest, OverrideVerdict, StartRequest,
};
pub use state::{Rollout, RolloutList, RolloutStage, RolloutState, RolloutSummary, StageState};
