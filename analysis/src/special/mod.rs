//! Room of `special`.
