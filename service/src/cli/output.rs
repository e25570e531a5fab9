//! Writing to the terminal or a pipe. `println!` panics when the reader has gone (`| head`);
//! here that is simply the end.

use std::io::{self, Write};

/// Writes a text and a line break to standard output.
pub(super) fn line(text: &str) {
    write(io::stdout().lock(), text);
}

/// Writes an error and a line break to standard error.
pub(super) fn error(text: &str) {
    write(io::stderr().lock(), &format!("error: {text}"));
}

/// Writes a note and a line break to standard error.
pub(super) fn note(text: &str) {
    write(io::stderr().lock(), text);
}

fn write(mut stream: impl Write, text: &str) {
    // Nobody is left to be told.
    let _ = stream
        .write_all(text.as_bytes())
        .and_then(|()| stream.write_all(b"\n"))
        .and_then(|()| stream.flush());
}

/// How a command writes its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(super) enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}
