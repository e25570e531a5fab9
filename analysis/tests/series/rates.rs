//! Events against exposures.
