//! `serinus token`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};

use super::{Failure, output};
use crate::access::{Scopes, UnknownScope, digest_hex, is_name};

/// What tokens begin with: scanners for leaked secrets find them by it.
const PREFIX: &str = "serinus_";

/// Random bytes of a token: as many as its digest has.
const RANDOM_BYTES: usize = 32;

const AFTER_HELP: &str = "\
The first line is the token: give it to the caller now, it is kept nowhere. The second line is its
entry for the file that `serve --tokens` names; it holds only the digest.

Examples:
  serinus token --name argo --scopes gate
  serinus token --name ops --scopes read,operate
  serinus token --name ci --scopes all | (read -r token; cat >> tokens.yaml; echo \"$token\" | keep-secret)

A token made elsewhere: printf %s \"$TOKEN\" | sha256sum

Scopes: read looks, gate is for deployment systems, operate for people who override, cancel and
change pipelines. None implies another.

Exit codes: 0 printed, 1 the system gives no random bytes, 2 usage.";

/// Make a token and its entry for the file of tokens
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// Who will show it: a name for logs and the trail of a rollout
    #[arg(long, value_parser = checked_name)]
    name: String,
    /// What it is good for: read, gate, operate, or all
    #[arg(long, value_delimiter = ',', required = true, value_parser = checked_scope)]
    scopes: Vec<Scopes>,
}

fn checked_name(text: &str) -> Result<String, String> {
    if is_name(text) {
        return Ok(text.to_owned());
    }
    Err("a name has 1 to 64 letters, digits, dots, dashes and underscores".to_owned())
}

fn checked_scope(word: &str) -> Result<Scopes, UnknownScope> {
    word.parse()
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let mut random = [0; RANDOM_BYTES];
    getrandom::fill(&mut random)
        .map_err(|error| Failure(format!("cannot make a token without random bytes: {error}")))?;
    let token = SecretString::from(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random)));
    let scopes = arguments.scopes.iter().copied().collect();
    output::line(token.expose_secret());
    output::line(&entry(&arguments.name, token.expose_secret(), scopes));
    Ok(0)
}

fn entry(name: &str, token: &str, scopes: Scopes) -> String {
    let digest = digest_hex(token);
    format!("- {{name: {name:?}, sha256: \"{digest}\", scopes: [{scopes}]}}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Tokens;

    #[test]
    fn the_entry_is_one_that_the_server_reads() {
        // Names that YAML would take for something else.
        for name in ["argo", "1", "true", "1e3", "null", "..."] {
            let scopes = ["gate", "read"].map(|word| word.parse::<Scopes>().unwrap());
            let text = entry(name, "the token", scopes.into_iter().collect());
            let tokens = Tokens::parse(&text).unwrap();
            let principal = tokens.find("the token").unwrap();
            assert_eq!(principal.name(), name);
            assert_eq!(principal.scopes().to_string(), "read, gate");
        }
    }
}
