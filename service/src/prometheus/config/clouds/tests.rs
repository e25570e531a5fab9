//! What can be written of the credentials of a cloud, and what each mistake is told as.

use std::collections::BTreeMap;

use super::super::SourceConfig;

fn told(yaml: &str) -> String {
    let read: Result<SourceConfig, _> = serde_saphyr::from_str(yaml);
    match read.map(|config| config.check()) {
        Ok(Ok(_)) => "good".to_owned(),
        Ok(Err(detail)) => detail,
        // The place is told in lines below.
        Err(error) => error.to_string().lines().next().unwrap().to_owned(),
    }
}

#[test]
fn each_kind_can_be_set() {
    for kind in [
        "sigv4: {region: eu-west-1, access_key: A, secret_key: B}",
        "sigv4: {region: eu-west-1, access_key_file: /a, secret_key_file: /b, \
         session_token_file: /c, service: execute-api}",
        "oauth2: {token_url: 'https://l/t', client_id: a, client_secret: b}",
        "oauth2: {token_url: 'http://localhost:1/t', client_id: a, client_secret_file: /b, \
         scopes: [c], endpoint_params: {audience: d}, send_secret_in: body, ca_file: /e}",
        "oauth2: {token_url: 'https://l/t', client_id: a, client_assertion_file: /b}",
        "google: {credentials_file: /a}",
        "google: {metadata_url: 'http://metadata.test'}",
        "google: {}",
        "google:",
    ] {
        assert_eq!(told(&format!("url: https://h\n{kind}")), "good", "{kind}");
    }
}

#[test]
fn each_mistake_has_a_sentence_that_says_what_to_change() {
    let mut all = String::new();
    for kind in [
        "sigv4: {region: eu-west-1, access_key: A, secret_key: hunter2, profile: p}",
        "sigv4: {access_key: A, secret_key: hunter2}",
        "sigv4: {region: '', access_key: A, secret_key: hunter2}",
        "sigv4: {region: 'eu/west', access_key: A, secret_key: hunter2}",
        "sigv4: {region: eu-west-1, access_key: A}",
        "sigv4: {region: eu-west-1, access_key: A, secret_key: ''}",
        "sigv4: {region: eu-west-1, access_key: A, secret_key: hunter2, secret_key_file: /b}",
        "oauth2: {token_url: 'https://l/t', client_id: a, client_secret: hunter2, tls: 1}",
        "oauth2: {client_id: a, client_secret: hunter2}",
        "oauth2: {token_url: 'l/t', client_id: a, client_secret: hunter2}",
        "oauth2: {token_url: 'ftp://l/t', client_id: a, client_secret: hunter2}",
        "oauth2: {token_url: 'http://login.example/t', client_id: a, client_secret: hunter2}",
        "oauth2: {token_url: 'https://u:hunter2@l/t', client_id: a, client_secret: hunter2}",
        "oauth2: {token_url: 'https://l/t', client_id: '', client_secret: hunter2}",
        "oauth2: {token_url: 'https://l/t', client_id: a}",
        "oauth2: {token_url: 'https://l/t', client_id: a, client_secret: ''}",
        "oauth2: {token_url: 'https://l/t', client_id: a, client_secret: hunter2, \
         client_assertion_file: /b}",
        "oauth2: {token_url: 'https://l/t', client_id: a, client_secret: hunter2, \
         endpoint_params: {grant_type: password}}",
        "oauth2: {token_url: 'https://l/t', client_id: a, client_secret: hunter2, \
         send_secret_in: query}",
        "google: {key: a}",
        "google: {credentials_file: /a, metadata_url: 'http://metadata.test'}",
        "google: {}\nbearer_token: hunter2",
        "google: {}\nsigv4: {region: a, access_key: b, secret_key: hunter2}\n\
         basic_auth: {username: u}",
    ] {
        let told = told(&format!("url: https://h\n{kind}"));
        assert!(
            !told.contains("hunter2") && told != "good",
            "{kind}: {told}"
        );
        all += &told;
        all.push('\n');
    }
    insta::assert_snapshot!(all);
}

/// The examples of `docs/operations.md` can be used as they stand.
#[test]
fn the_examples_of_the_page_are_good() {
    let page = include_str!("../../../../../docs/operations.md");
    let (_, section) = page.split_once("## A Prometheus of a cloud\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let mut kinds = Vec::new();
    for block in section.split("```yaml\n").skip(1) {
        let (example, _) = block.split_once("```").unwrap();
        let read: BTreeMap<String, BTreeMap<String, SourceConfig>> =
            serde_saphyr::from_str(example).unwrap();
        let source = &read["sources"]["default"];
        source.check().unwrap();
        kinds.push((
            source.sigv4.is_some(),
            source.oauth2.is_some(),
            source.google.is_some(),
        ));
    }
    kinds.sort_unstable();
    kinds.dedup();
    let (none, sigv4) = ((false, false, false), (true, false, false));
    let (oauth2, google) = ((false, true, false), (false, false, true));
    assert_eq!(kinds, [none, google, oauth2, sigv4]);
}
