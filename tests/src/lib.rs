//! Helpers for the integration tests: a real Prometheus, an exporter of known truth, a browser.
