//! PromQL to PromQL: what is written, what is refused, and what holds for any input.

// `cfg(test)` is always set here; it tells the lints that helpers are tests too.
#[cfg(test)]
mod populations;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod written;
