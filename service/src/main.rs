//! The binary `serinus`.

use std::process::ExitCode;

fn main() -> ExitCode {
    serinus::main(std::env::args_os())
}
