//! The sequential method: its reference vectors, the numbers of its specification, its properties.

mod decisions;
mod evidence;
mod formulas;
mod properties;
mod support;
