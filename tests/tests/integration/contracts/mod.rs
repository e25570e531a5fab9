//! What the callers of the gate make of its answers: one test a named case of
//! docs/design/callers.md.
//!
//! Two kinds. Where the caller's reaction is the question, a simulator asks a server that says
//! what the case says. Where Serinus has to do something, the simulator asks the real binary over
//! a socket, which reads a real Prometheus.

mod argo_rollouts;
mod argo_web;
mod bench;
mod ci_shells;
mod flagger;
mod flagger_events;
mod kargo;
mod kargo_manifests;
mod kargo_promotion;
mod kubernetes;
mod manifests;
mod relabelling;
mod skipped;
mod spinnaker;
mod spinnaker_post;
mod three_stages;
mod wait;
