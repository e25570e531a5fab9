//! The binary `serinus`.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// Gives back to the system what was freed, also when nothing is done any more; the C library's own
/// keeps it. Source: docs/design/memory.md, "Given back".
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    serinus::main(std::env::args_os())
}
