//! Pipeline files: what they say, what is said of their mistakes, and that nothing gets past.

mod checks;
mod diagnostics;
mod meaning;
mod presets;
mod properties;
mod sections;
mod shipped;
mod stages;
mod support;
