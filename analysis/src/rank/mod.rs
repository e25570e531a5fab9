//! Room of `rank`.
