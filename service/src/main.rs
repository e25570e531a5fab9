//! The binary `serinus`.

fn main() {}
