//! `serinus openapi`.

use std::fs;
use std::path::PathBuf;

use clap::Args;

use super::{FAILED, Failure, output};
use crate::http::document;

/// Where the document is checked in, from the root of the repository.
const CHECKED_IN: &str = "openapi/openapi.json";

const AFTER_HELP: &str = "\
Examples:
  serinus openapi > openapi.json
  serinus openapi --check      # is openapi/openapi.json what the code says?
  serinus openapi --write      # make it so

Exit codes: 0 printed, written or the same, 1 the file differs or cannot be used, 2 usage.";

/// Print the OpenAPI document, or hold a file against it
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// Compare the document with a file
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = CHECKED_IN)]
    check: Option<PathBuf>,

    /// Write the document to a file
    #[arg(
        long, value_name = "FILE", num_args = 0..=1, default_missing_value = CHECKED_IN,
        conflicts_with = "check"
    )]
    write: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let text = document(None).to_pretty_json()?;
    let in_file = |path: &PathBuf, error: std::io::Error| {
        Failure(format!("cannot use {}: {error}", path.display()))
    };
    if let Some(path) = &arguments.write {
        fs::write(path, format!("{text}\n")).map_err(|error| in_file(path, error))?;
    } else if let Some(path) = &arguments.check {
        let checked_in = fs::read_to_string(path).map_err(|error| in_file(path, error))?;
        if let Some(difference) = first_difference(checked_in.trim_end(), &text) {
            output::error(&format!(
                "{} is not what the code says: {difference}\nrun: serinus openapi --write {}",
                path.display(),
                path.display()
            ));
            return Ok(FAILED);
        }
    } else {
        output::line(&text);
    }
    Ok(0)
}

/// The first line that differs, from both sides.
fn first_difference(file: &str, code: &str) -> Option<String> {
    if file == code {
        return None;
    }
    let mut file_lines = file.lines();
    let mut code_lines = code.lines();
    for number in 1_u32.. {
        let (in_file, in_code) = (file_lines.next(), code_lines.next());
        if in_file == in_code && in_file.is_some() {
            continue;
        }
        let shown = |line: Option<&str>| line.map_or("the end", str::trim).to_owned();
        return Some(format!(
            "line {number} of the file is {:?}, and should be {:?}",
            shown(in_file),
            shown(in_code)
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_told() {
        assert_eq!(first_difference("a\nb", "a\nb"), None);
        assert_eq!(
            first_difference("a\nb", "a\nc").unwrap(),
            "line 2 of the file is \"b\", and should be \"c\""
        );
        assert_eq!(
            first_difference("a", "a\nc").unwrap(),
            "line 2 of the file is \"the end\", and should be \"c\""
        );
    }
}
