//! The reference pages of docs/, written from the lists and the tables that the code has. A test holds
//! them; `make reference` writes them anew.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use clap::{Arg, Args, Command};
use serinus_analysis::pipeline::{PRESETS, Preset, Resources};
use serinus_openapi::analysis::{NoiseSource, ReasonCode, SpreadSource, WarningCode};
use serinus_openapi::pipeline::Method;
use serinus_openapi::{Explained, ProblemType};

use crate::config::{ConfigFile, ServeArguments};
use crate::prometheus::{GoogleConfig, OAuth2Config, SigV4Config, SourceConfig};

const WRITTEN: &str = "<!-- Written by `make reference` from the code: change it there. -->";

/// Holds a page against what the code says, or writes it where `UPDATE_DOCS` is set.
fn holds(name: &str, text: &str) {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(name);
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let page = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        page == text,
        "docs/{name} is not what the code says: run `make reference`, and look at what it changes"
    );
}

/// Holds the part of a page between two comments, as [`holds`] does with a whole page.
fn holds_part(name: &str, part: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(name);
    let page = fs::read_to_string(path).unwrap_or_default();
    let (begin, end) = (
        format!("<!-- {part} -->\n"),
        format!("<!-- end of {part} -->\n"),
    );
    let (before, rest) = page.split_once(&begin).unwrap_or((&page, ""));
    let (_, after) = rest.split_once(&end).unwrap_or(("", rest));
    let whole = format!("{before}{begin}\n{WRITTEN}\n\n{text}\n{end}{after}");
    holds(name, &whole);
}

/// A table with what each word means and what to do about it.
fn table<T: Explained>(head: &str, row: impl Fn(&T) -> String) -> String {
    let columns = head.matches('|').count() + 1;
    let mut text = format!(
        "| {head} | what it means | what to do |\n{}|\n",
        "|---".repeat(columns + 2)
    );
    for word in T::all() {
        let (row, meaning, advice) = (row(&word), word.meaning(), word.advice().to_owned());
        let _ = writeln!(text, "| {row} | {meaning} | {advice} |");
    }
    text
}

fn words<T: Explained>(head: &str) -> String {
    table::<T>(head, |word| format!("`{}`", word.word()))
}

#[test]
fn the_page_of_reason_codes_is_what_the_code_says() {
    let text = format!(
        "# Reason codes\n\n{WRITTEN}\n\n\
         `reason_code` says why a verdict or an outcome is what it is. The tokens are stable: a program \
         may compare\nthem. A later version may add some, so a program takes one that it does not know \
         for what its verdict\nsays.\n\n\
         {}\n## Warnings\n\n\
         `warnings` of an analysis: what there is to know beside the verdict.\n\n\
         {}\n## Methods\n\n\
         `method` of a check: which test decides it. See [statistics](statistics.md).\n\n\
         {}\n## Where the noise is from\n\n\
         `dispersion_from` of a check: what is believed about the noise before the rollout's own data \
         tells.\n\n{}\n## What is no evidence\n\n\
         `spread.source` of a check: what tells how much two good versions may be apart.\n\n{}",
        words::<ReasonCode>("`reason_code`"),
        words::<WarningCode>("`code`"),
        words::<Method>("`method`"),
        words::<NoiseSource>("`dispersion_from`"),
        words::<SpreadSource>("`spread.source`"),
    );
    holds("reason-codes.md", &text);
}

#[test]
fn the_page_of_problems_is_what_the_code_says() {
    let rows = table::<ProblemType>("`type` | status | `title`", |kind| {
        format!("`{}` | {} | {}", kind.uri(), kind.status(), kind.title())
    });
    let text = format!(
        "# Problems\n\n{WRITTEN}\n\n\
         What a caller has to change is told as a problem document (RFC 9457, \
         `application/problem+json`). `type` is\nstable, `detail` says what is wrong with this request \
         and what to change. What a Prometheus does wrong is\nno problem but a `hold`, see [reason \
         codes](reason-codes.md).\n\n{rows}"
    );
    holds("problems.md", &text);
}

#[test]
fn the_page_of_settings_is_what_the_code_says() {
    let command = ServeArguments::augment_args(Command::new("serve"));
    let mut rows = String::new();
    for argument in command.get_arguments() {
        rows += &setting(argument);
    }
    let sources = keys_table(&SOURCE_KEYS);
    let (sigv4, oauth2, google) = (
        keys_table(&SIGV4_KEYS),
        keys_table(&OAUTH2_KEYS),
        keys_table(&GOOGLE_KEYS),
    );
    let text = format!(
        "# Configuration\n\n{WRITTEN}\n\n\
         Every setting can be given as a flag of `serinus serve`, as a variable, or in a YAML file that \
         `--config` names.\nA flag counts before a variable, a variable before the file, the file before \
         the default. How tokens, limits\nand hosts work together is in [operations](operations.md).\n\n\
         | in the file | flag | variable | what it is | default |\n|---|---|---|---|---|\n{rows}\n\
         ## Sources in the file\n\n\
         `sources` is a mapping of names. A source that a flag or a variable gives takes the place of the \
         file's of the\nsame name, with all its settings.\n\n\
         ```yaml\nsources:\n  default: {{url: http://prometheus:9090}}\n  eu: {{url: \
         https://mimir.eu/prometheus, headers: {{X-Scope-OrgID: team}}, bearer_token_file: \
         /run/secrets/token}}\n```\n\n\
         {sources}\n\
         A source takes one kind of credentials: a user in its url, `basic_auth`, a bearer token, `sigv4`, \
         `oauth2` or\n`google`. Examples for AWS, Azure and Google are in \
         [operations](operations.md#a-prometheus-of-a-cloud). Every file is read\nagain when it changes; \
         one that cannot be used then leaves what was read last. An unknown key is refused.\n\n\
         ### `sigv4`\n\n{sigv4}\n\
         ### `oauth2`\n\n{oauth2}\n\
         ### `google`\n\n{google}"
    );
    for key in keys_of::<ConfigFile>("nonsense: 1") {
        assert!(text.contains(&format!("`{key}`")), "`{key}` is not told");
    }
    holds("configuration.md", &text);
}

fn keys_table(keys: &[(&str, &str, &str)]) -> String {
    let mut text = "| key | what it is | default |\n|---|---|---|\n".to_owned();
    for (key, about, default) in keys {
        let _ = writeln!(text, "| `{key}` | {about} | {default} |");
    }
    text
}

/// A bar within a cell is escaped.
fn cell(promql: &str) -> String {
    format!("`{}`", promql.replace('|', "\\|"))
}

fn rows_of_presets(row: impl Fn(&Preset) -> String) -> String {
    PRESETS.iter().map(row).collect()
}

/// One row for all presets that look at the same.
fn rows_of_resources() -> String {
    let mut rows: Vec<(Resources, Vec<String>)> = Vec::new();
    for Preset {
        name, resources, ..
    } in PRESETS
    {
        let name = format!("`{name}`");
        match rows.iter_mut().find(|(known, _)| known == resources) {
            Some((_, names)) => names.push(name),
            None => rows.push((*resources, vec![name])),
        }
    }
    let row = |(resources, names): (Resources, Vec<String>)| {
        let (cpu, memory) = (cell(resources.cpu), cell(resources.memory));
        let seconds = cell(resources.cpu_seconds);
        format!("| {} | {cpu} | {memory} | {seconds} |\n", names.join(", "))
    };
    rows.into_iter().map(row).collect()
}

#[test]
fn the_tables_of_presets_are_what_the_code_says() {
    let pairs = rows_of_presets(|preset| {
        let Preset {
            name,
            project,
            version,
            control,
            canary,
            about,
            ..
        } = preset;
        format!("| `{name}` | {project} | {version} | `{control}` | `{canary}` | {about} |\n")
    });
    let requests = rows_of_presets(|preset| {
        let durations = preset.requests.durations.map_or_else(
            || "none".to_owned(),
            |durations| {
                let unit = if durations.scale < 1.0 { " (ms)" } else { "" };
                format!("{}{unit}", cell(durations.histogram))
            },
        );
        format!(
            "| `{}` | {} | {} | {durations} |\n",
            preset.name,
            cell(preset.requests.errors),
            cell(preset.requests.total),
        )
    });
    let resources = rows_of_resources();
    let sources = rows_of_presets(|preset| {
        format!("| `{}` | {} |\n", preset.name, preset.read_in.join("; "))
    });
    let text = format!(
        "| preset | whose metrics | version | `control`, for example | `canary` | what tells them apart, what \
         has to be switched on |\n|---|---|---|---|---|---|\n{pairs}\n\
         | preset | failed requests | all requests | durations |\n|---|---|---|---|\n{requests}\n\
         | preset | `cpu_usage` | `memory_usage` | `cpu_usage_per_request`: the seconds |\n|---|---|---|---|\n{resources}\n\
         | preset | where the names were read |\n|---|---|\n{sources}"
    );
    holds_part("pipelines.md", "presets", &text);
}

/// One row: the help has the default at its end.
fn setting(argument: &Arg) -> String {
    let help = argument.get_help().map(ToString::to_string);
    let help = help.unwrap_or_default().replace('|', "\\|");
    let (about, default) = help
        .strip_suffix(']')
        .and_then(|help| help.rsplit_once(" [default: "))
        .map_or((help.as_str(), ""), |(about, default)| (about, default));
    let key = match argument.get_id().as_str() {
        // It names the file itself.
        "config" => String::new(),
        key => format!("`{key}`"),
    };
    let flag = argument.get_long().unwrap_or_default();
    let value = argument.get_value_names().unwrap_or_default().join(" ");
    let variable = argument.get_env().unwrap_or_default().to_string_lossy();
    let default = match default.trim_matches('`') {
        "" => String::new(),
        default => format!("`{default}`"),
    };
    let is_switch = argument
        .get_num_args()
        .is_some_and(|count| count.min_values() == 0);
    let value = if is_switch {
        String::new()
    } else {
        format!(" {value}")
    };
    format!("| {key} | `--{flag}{value}` | `{variable}` | {about} | {default} |\n")
}

/// What can be said of a source, with its default.
const SOURCE_KEYS: [(&str, &str, &str); 16] = [
    (
        "url",
        "where the API is, less `/api/v1`: `http://prometheus:9090`, with a path where there is one",
        "",
    ),
    (
        "timeout_seconds",
        "longest time for one query, retries and queueing included",
        "`6`",
    ),
    (
        "max_concurrent",
        "most queries that run at the same time",
        "`16`",
    ),
    (
        "max_bytes",
        "most bytes of one answer, after decompression",
        "`67108864`",
    ),
    ("max_series", "most series of one answer", "`20000`"),
    (
        "headers",
        "headers sent with every query, such as `X-Scope-OrgID`",
        "",
    ),
    (
        "header_files",
        "headers whose value is the content of a file, read again when it changes",
        "",
    ),
    (
        "basic_auth",
        "`username`, and `password` or `password_file`",
        "",
    ),
    ("bearer_token", "the token itself", ""),
    (
        "bearer_token_file",
        "a file with the token, read again when it changes",
        "",
    ),
    ("sigv4", "keys that sign each query for AWS, see below", ""),
    (
        "oauth2",
        "a client that gets tokens by itself, as for Azure, see below",
        "",
    ),
    ("google", "a service account of Google, see below", ""),
    (
        "ca_file",
        "certificate authorities to trust in place of the system's, as PEM",
        "",
    ),
    (
        "client_certificate_file",
        "the client's certificate with its chain, as PEM",
        "",
    ),
    ("client_key_file", "the client's private key, as PEM", ""),
];

/// What can be said of keys that sign for AWS.
const SIGV4_KEYS: [(&str, &str, &str); 8] = [
    (
        "region",
        "the region of the workspace, such as `eu-west-1`",
        "",
    ),
    ("access_key", "the access key itself", ""),
    ("access_key_file", "a file with the access key", ""),
    ("secret_key", "the secret key itself", ""),
    ("secret_key_file", "a file with the secret key", ""),
    ("session_token", "the token of temporary keys", ""),
    (
        "session_token_file",
        "a file with the token of temporary keys",
        "",
    ),
    ("service", "the service that is asked", "`aps`"),
];

/// What can be said of a client that gets tokens.
const OAUTH2_KEYS: [(&str, &str, &str); 9] = [
    (
        "token_url",
        "where tokens are given: `https://`, or `http://` on this host",
        "",
    ),
    ("client_id", "the name of the client", ""),
    ("client_secret", "the secret of the client itself", ""),
    (
        "client_secret_file",
        "a file with the secret of the client",
        "",
    ),
    (
        "client_assertion_file",
        "in place of a secret a file with a token of somebody whom the endpoint trusts, such as \
         Kubernetes (workload identity)",
        "",
    ),
    ("scopes", "what the token is asked for, as a list", ""),
    (
        "endpoint_params",
        "parameters that the endpoint wants beside, such as `audience`",
        "",
    ),
    (
        "send_secret_in",
        "where the secret is sent: `header` (basic authentication) or `body`",
        "`header`",
    ),
    (
        "ca_file",
        "certificate authorities to trust for `token_url` in place of the system's, as PEM",
        "",
    ),
];

/// What can be said of a service account of Google.
const GOOGLE_KEYS: [(&str, &str, &str); 2] = [
    (
        "credentials_file",
        "the JSON key of a service account; without it the metadata server is asked for the account of \
         the machine or pod",
        "",
    ),
    (
        "metadata_url",
        "where the metadata server is",
        "`http://metadata.google.internal`",
    ),
];

/// The keys that a part of the file may have, as the message for a wrong one names them.
fn keys_of<T: serde::de::DeserializeOwned>(wrong: &str) -> Vec<String> {
    let value: serde_json::Value = serde_saphyr::from_str(wrong).unwrap();
    let Err(error) = serde_json::from_value::<T>(value) else {
        panic!("{wrong} is right");
    };
    let message = error.to_string();
    let keys: Vec<String> = message
        .split('`')
        .skip(3)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    assert!(keys.len() > 1, "{message}");
    keys
}

#[test]
fn every_setting_of_a_cloud_is_told() {
    fn names(keys: &[(&'static str, &str, &str)]) -> Vec<&'static str> {
        keys.iter().map(|(key, ..)| *key).collect()
    }
    assert_eq!(keys_of::<SigV4Config>("nonsense: 1"), names(&SIGV4_KEYS));
    assert_eq!(keys_of::<OAuth2Config>("nonsense: 1"), names(&OAUTH2_KEYS));
    assert_eq!(keys_of::<GoogleConfig>("nonsense: 1"), names(&GOOGLE_KEYS));
}

#[test]
fn every_setting_of_a_source_is_told_with_its_default() {
    let told: Vec<&str> = SOURCE_KEYS.iter().map(|(key, ..)| *key).collect();
    assert_eq!(keys_of::<SourceConfig>("nonsense: 1"), told);
    let source = SourceConfig::new("http://a".parse().unwrap());
    let default = |key: &str| {
        let found = SOURCE_KEYS.iter().find(|(known, ..)| *known == key);
        found.unwrap().2.trim_matches('`').to_owned()
    };
    assert_eq!(
        default("timeout_seconds"),
        source.timeout_seconds.to_string()
    );
    assert_eq!(default("max_concurrent"), source.max_concurrent.to_string());
    assert_eq!(default("max_bytes"), source.max_bytes.to_string());
    assert_eq!(default("max_series"), source.max_series.to_string());
}
