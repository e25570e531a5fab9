//! The binary `serinus`.

use std::process::ExitCode;

fn main() -> ExitCode {
    serinus::cli::main(std::env::args_os())
}
