//! What a client may ask of the server.

use std::time::Duration;

/// What a client may ask of the server. All have defaults.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// Largest accepted body, in bytes.
    pub body_bytes: usize,
    /// Longest time that a body may take to arrive.
    pub body_time: Duration,
    /// Longest time that an analysis may take, waiting for its turn included. Callers of a gate
    /// give up at 10 s and read that as an error; what is not ready by then is a `hold`.
    pub analysis_time: Duration,
    /// Most analyses that run at the same time. More wait for their turn.
    pub concurrent_analyses: usize,
    /// Longest time that a gate waits for the first judgement of a stage.
    pub gate_wait: Duration,
    /// Requests a second that one holder of a token, or one address without a token, may make for
    /// gates, and as many again for everything else; 0 for no limit.
    pub requests_per_second: u32,
    /// How many of them may come at once. At least as many as a second allows.
    pub burst_requests: u32,
    /// Most requests that are answered at the same time, those of gates apart. More are refused.
    pub requests_in_flight: usize,
    /// Most requests of gates and adapters that are answered at the same time. More wait, for a
    /// moment.
    pub gates_in_flight: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1024 * 1024,
            body_time: Duration::from_secs(10),
            // Half a second less than the 8 s promised, to write the answer.
            analysis_time: Duration::from_millis(7_500),
            concurrent_analyses: 64,
            gate_wait: Duration::from_millis(1_800),
            requests_per_second: 200,
            burst_requests: 400,
            requests_in_flight: 1_024,
            gates_in_flight: 1_024,
        }
    }
}
