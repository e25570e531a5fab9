use std::fs;

use clap::Parser;
use secrecy::{ExposeSecret as _, SecretString};

use super::*;

#[derive(Debug, Parser)]
struct Command {
    #[command(flatten)]
    arguments: ServeArguments,
}

fn load(flags: &[&str], file: Option<&str>) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("serinus.yaml");
    let mut all = vec!["serinus".to_owned()];
    all.extend(flags.iter().map(|&flag| flag.to_owned()));
    if let Some(text) = file {
        fs::write(&path, text).unwrap();
        all.push(format!("--config={}", path.display()));
    }
    let command = Command::try_parse_from(all).map_err(|error| error.to_string())?;
    Config::load(command.arguments).map_err(|error| error.to_string())
}

/// All that a configuration says, with the secrets that no print shows.
fn told(config: &Config) -> String {
    let mut secrets: Vec<Option<&str>> = Vec::new();
    for source in config.sources.values() {
        let of_headers = source.headers.values().map(Some);
        let of_users = [source.basic_auth.as_ref(), source.url.user()]
            .map(|user| user.and_then(|user| user.password.as_ref()));
        let all = of_headers
            .chain([source.bearer_token.as_ref()])
            .chain(of_users);
        secrets.extend(all.map(|secret| secret.map(SecretString::expose_secret)));
    }
    format!("{config:#?}\n{secrets:?}")
}

fn url(config: &Config, name: &str) -> String {
    config.sources[name].url.to_string()
}

#[test]
fn everything_has_a_default() {
    let config = load(&[], None).unwrap();
    assert_eq!(config.settings.listen.to_string(), DEFAULT_LISTEN);
    assert_eq!(url(&config, "default"), DEFAULT_PROMETHEUS);
    assert_eq!(config.store.to_string(), DEFAULT_STORE);
    assert_eq!(config.settings.pipelines, None);
    assert_eq!(config.settings.max_body_bytes, 1024 * 1024);
    assert_eq!(config.settings.max_memory_bytes, 512 * 1024 * 1024);
    assert_eq!(config.settings.drain_seconds, 10);
    assert_eq!(config.settings.log_format, LogFormat::Text);
}

const FILE: &str = "\
listen: 0.0.0.0:9000
tokens_file: /etc/serinus/tokens.yaml
allowed_hosts: [serinus.example, 10.0.0.5]
sources:
  default: {url: 'http://file:9090', bearer_token: secret}
  eu: {url: 'http://eu:9090'}
default_source: eu
pipelines: /etc/serinus
max_body_bytes: 5
max_memory_bytes: 20000000
max_connections: 6
max_requests_in_flight: 7
rate_limit_per_second: 8
rate_limit_burst: 9
public_url: https://serinus.example/
drain_seconds: 3
log_format: json
log: debug
";

#[test]
fn the_file_says_everything_that_flags_say() {
    let config = load(&[], Some(FILE)).unwrap();
    let flags = [
        "--listen=0.0.0.0:9000",
        "--prometheus=http://file:9090",
        "--sources=eu=http://eu:9090",
        "--default-source=eu",
        "--pipelines=/etc/serinus",
        "--tokens=/etc/serinus/tokens.yaml",
        "--allowed-hosts=serinus.example,10.0.0.5",
        "--max-body-bytes=5",
        "--max-memory-bytes=20000000",
        "--max-connections=6",
        "--max-requests-in-flight=7",
        "--rate-limit-per-second=8",
        "--rate-limit-burst=9",
        "--public-url=https://serinus.example/",
        "--drain-seconds=3",
        "--log-format=json",
        "--log=debug",
    ];
    let mut by_flags = load(&flags, None).unwrap();
    // The one thing that only a file says.
    by_flags.sources.get_mut("default").unwrap().bearer_token =
        config.sources["default"].bearer_token.clone();
    assert_eq!(told(&config), told(&by_flags));
    assert_eq!(
        config.settings.public_url.as_deref(),
        Some("https://serinus.example")
    );
}

#[test]
fn a_flag_counts_before_the_file() {
    let flags = ["--listen=127.0.0.1:1", "--prometheus=http://flag:9090"];
    let config = load(&flags, Some(FILE)).unwrap();
    assert_eq!(config.settings.listen.to_string(), "127.0.0.1:1");
    assert_eq!(url(&config, "default"), "http://flag:9090");
    assert_eq!(url(&config, "eu"), "http://eu:9090");
    assert_eq!(config.settings.max_body_bytes, 5);
}

#[test]
fn credentials_of_the_file_do_not_go_to_the_address_of_a_flag() {
    let config = load(&["--prometheus=http://flag:9090"], Some(FILE)).unwrap();
    assert!(config.sources["default"].bearer_token.is_none());
}

#[test]
fn an_open_server_listens_beyond_this_machine_only_when_it_is_meant() {
    let everywhere = "--listen=0.0.0.0:8080";
    let error = load(&[everywhere], None).unwrap_err();
    assert!(
        error.contains("--tokens") && error.contains("--insecure"),
        "{error}"
    );
    assert!(load(&[everywhere, "--tokens=/a/file"], None).is_ok());
    for meant in ["--insecure", "--insecure=true"] {
        let error = load(&[everywhere, meant], None).unwrap_err();
        assert!(error.contains("--allowed-hosts"), "{error}");
        for hosts in ["--allowed-hosts=serinus", "--allowed-hosts=*"] {
            assert!(load(&[everywhere, meant, hosts], None).is_ok(), "{meant}");
        }
    }
    let file = "listen: 0.0.0.0:8080\ninsecure: true\nallowed_hosts: ['*']\n";
    assert!(load(&[], Some(file)).is_ok());
    assert!(load(&["--insecure=false"], Some(file)).is_err());
}

#[test]
fn an_open_server_is_known_by_its_address_and_the_names_that_were_given() {
    let flags = [
        "--listen=127.0.0.1:1",
        "--public-url=https://public.example:8443/serinus",
    ];
    let flags = [&flags[..], &["--allowed-hosts=a.example,b"]].concat();
    let known = load(&flags, None).unwrap().known_hosts();
    let knows = |host: &str| known.contains(&Host::read(host).unwrap(), None);
    for host in [
        "127.0.0.1:1",
        "localhost:9",
        "public.example",
        "a.example:8080",
        "b",
    ] {
        assert!(knows(host), "{host}");
    }
    assert!(!knows("c"));
}

#[test]
fn the_burst_is_twice_the_rate_unless_it_is_given() {
    let config = load(&["--rate-limit-per-second=50"], None).unwrap();
    assert_eq!(config.settings.burst_requests(), 100);
    assert_eq!(load(&[], None).unwrap().settings.burst_requests(), 400);
}

#[test]
fn an_empty_file_says_nothing() {
    let said = |file| told(&load(&[], file).unwrap());
    assert_eq!(said(Some("# nothing\n\n")), said(None));
}

/// A comparison that took one secret for another would hold nothing.
#[test]
fn two_configurations_with_other_secrets_are_not_the_same() {
    let said = |source: &str, secret: &str| {
        let source = source.replace("SECRET", secret);
        told(&load(&[], Some(&format!("sources: {{eu: {{{source}}}}}"))).unwrap())
    };
    for source in [
        "url: 'http://eu', bearer_token: SECRET",
        "url: 'http://eu', headers: {X-Scope-OrgID: SECRET}",
        "url: 'http://eu', basic_auth: {username: me, password: SECRET}",
        "url: 'http://me:SECRET@eu'",
    ] {
        assert_eq!(said(source, "one"), said(source, "one"), "{source}");
        assert_ne!(said(source, "one"), said(source, "two"), "{source}");
    }
}

/// A flag gives the same user and password as the file.
#[test]
fn a_password_in_an_address_is_the_same_by_flag_and_by_file() {
    let by_flag = load(&["--prometheus=http://me:one@eu"], None).unwrap();
    let by_file = |text| load(&[], Some(text)).unwrap();
    let same = by_file("prometheus: 'http://me:one@eu'");
    assert_eq!(told(&by_flag), told(&same));
    let other = by_file("prometheus: 'http://me:two@eu'");
    assert_ne!(told(&by_flag), told(&other));
}

#[test]
fn mistakes_are_told_with_what_to_change() {
    for (flags, file, expected) in [
        (vec![], Some("listen: nowhere"), "listen"),
        (vec![], Some("listen: [1"), "serinus.yaml"),
        (
            vec![],
            Some("prometheus: 'http://a'\nsources: {default: {url: 'http://b'}}"),
            "twice",
        ),
        (vec![], Some("sources: {eu: {url: 'ftp://b'}}"), "http://"),
        (vec!["--config=/no/such/file"], None, "/no/such/file"),
        (vec!["--listen=8080"], None, "--listen"),
        (vec!["--max-body-bytes=0"], None, "max_body_bytes"),
        (vec!["--max-memory-bytes=1000000"], None, "16777216"),
        (vec!["--max-connections=0"], None, "max_connections"),
        (
            vec!["--max-requests-in-flight=0"],
            None,
            "max_requests_in_flight",
        ),
        (vec!["--insecure=maybe"], None, "--insecure"),
        (
            vec!["--allowed-hosts=http://a"],
            None,
            "without a scheme or a port",
        ),
        (
            vec![],
            Some("allowed_hosts: ['a:80']"),
            "without a scheme or a port",
        ),
        (vec![], Some("allowed_hosts: []"), "no host is named"),
        (
            vec!["--public-url=serinus.example"],
            None,
            "https://serinus.example",
        ),
        (
            vec!["--public-url=https://a/?b"],
            None,
            "nothing but a path",
        ),
        (vec!["--sources=http://eu:9090"], None, "eu=http://"),
        (vec!["--log-format=xml"], None, "json"),
    ] {
        let error = load(&flags, file).unwrap_err();
        assert!(error.contains(expected), "{flags:?} {file:?}: {error}");
    }
}

/// The rows of `docs/operations.md` that name a setting say its default.
#[test]
fn the_limits_are_told_as_they_are() {
    let command = <ServeArguments as clap::Args>::augment_args(clap::Command::new("serve"));
    let limits = include_str!("../../../docs/operations.md")
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let flag = cells.get(3)?.strip_prefix("`--")?.split('`').next()?;
            Some((cells[2], flag))
        });
    let mut count = 0;
    for (told, flag) in limits {
        count += 1;
        let argument = command
            .get_arguments()
            .find(|argument| argument.get_long() == Some(flag))
            .unwrap_or_else(|| panic!("--{flag} is no setting"));
        let help = argument.get_help().unwrap().to_string();
        let words: Vec<&str> = told.split(&[' ', ','][..]).collect();
        let default = match words[..] {
            [number, "MiB", ..] => (number.parse::<u64>().unwrap() << 20).to_string(),
            ["twice", ..] => "twice the rate".to_owned(),
            [number, ..] => number.to_owned(),
            [] => panic!("no default of --{flag}"),
        };
        assert!(
            help.ends_with(&format!("[default: {default}]")),
            "{help}: {told}"
        );
    }
    assert_eq!(count, 6);
}
