//! The source against servers that fail in every way, on real sockets.

mod tls;
mod upstream;

use std::time::Duration;

use serinus_analysis::judge::ReasonCode;
use tokio::time::Instant;

use self::upstream::{Reply, Upstream, json, response};
use super::super::decode::NATIVE_HISTOGRAM_WARNING;
use super::super::{BasicAuthConfig, QuestionTime, Secret};
use super::*;

const GOOD: &str = r#"{"status":"success","data":{"resultType":"matrix","result":[
    {"metric":{"pod":"b"},"values":[[1700000000,"1"],[1700000015.5,"NaN"],[1700000030,"+Inf"]]},
    {"metric":{"pod":"a"},"values":[[1700000000,"2.5"]]}]}}"#;

fn question() -> Question {
    Question {
        promql: "sum by (pod) (up{a=\"\\\"\"})".to_owned(),
        at: QuestionTime::Range {
            start_ms: 1_700_000_000_000,
            end_ms: 1_700_000_030_000,
            step_ms: 15_000,
        },
    }
}

fn config(upstream: &Upstream) -> SourceConfig {
    let mut config = SourceConfig::new(format!("http://{}", upstream.address()).parse().unwrap());
    config.timeout_seconds = 1.0;
    config
}

fn source(config: SourceConfig) -> Source {
    Source::new("main", config).unwrap()
}

/// Asks once, checks that the deadline was kept, and returns the fault.
async fn fault_of(source: &Source) -> SourceFault {
    let started = Instant::now();
    let fault = source.ask(&question()).await.unwrap_err();
    assert!(started.elapsed() < source.timeout() + Duration::from_millis(300));
    assert!(fault.message.starts_with("source \"main\" "), "{fault}");
    assert!(!fault.message.contains(['\n', '\r']), "{fault}");
    fault
}

async fn fault_after(reply: Reply) -> SourceFault {
    let upstream = Upstream::start(vec![reply]).await;
    fault_of(&source(config(&upstream))).await
}

async fn code_after(reply: Reply) -> ReasonCode {
    fault_after(reply).await.code
}

#[tokio::test]
async fn a_good_answer_is_read_and_sorted() {
    let upstream = Upstream::start(vec![json("200 OK", GOOD)]).await;
    let answer = source(config(&upstream)).ask(&question()).await.unwrap();
    assert_eq!(answer.bytes, GOOD.len() as u64);
    assert_eq!(answer.series[0].labels["pod"], "a");
    let second = &answer.series[1];
    let times = [1_700_000_000_000, 1_700_000_015_500, 1_700_000_030_000];
    assert_eq!(second.timestamps_ms, times);
    assert!(second.values[1].is_nan() && second.values[2] == f64::INFINITY);
    assert!(answer.warnings.is_empty());
}

#[tokio::test]
async fn warnings_infos_and_histograms_are_told() {
    let body = r#"{"status":"success","warnings":["store 1 is\ndown"],"infos":["metric might not
        be a counter"],"data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{"count":
        "3","buckets":[[0,"1","2","3"]]}]},{"metric":{"a":"b"},"value":[1,"1"]}]}}"#;
    let upstream = Upstream::start(vec![json("200 OK", &body.replace('\n', " "))]).await;
    let answer = source(config(&upstream)).ask(&question()).await.unwrap();
    assert_eq!(
        answer.warnings,
        [
            "store 1 is down",
            "metric might not be a counter",
            NATIVE_HISTOGRAM_WARNING
        ]
    );
    assert_eq!(answer.series.len(), 1);
}

#[tokio::test]
async fn a_question_is_posted_as_a_form_with_a_timeout_of_its_own() {
    let upstream = Upstream::start(vec![json("200 OK", GOOD)]).await;
    source(config(&upstream)).ask(&question()).await.unwrap();
    let request = upstream.requests().remove(0);
    assert!(
        request.starts_with("POST /api/v1/query_range HTTP/1.1\r\n"),
        "{request}"
    );
    let form = request.split_once("\r\n\r\n").unwrap().1;
    assert!(
        form.contains("query=sum+by+%28pod%29+%28up%7Ba%3D%22%5C%22%22%7D%29"),
        "{form}"
    );
    assert!(
        form.contains("&start=1700000000&end=1700000030&step=15&timeout="),
        "{form}"
    );
    let timeout_ms: u64 = form
        .rsplit_once("timeout=")
        .and_then(|(_, text)| text.strip_suffix("ms")?.parse().ok())
        .unwrap();
    assert!((500..=900).contains(&timeout_ms), "{timeout_ms}");
}

#[tokio::test]
async fn times_between_seconds_are_sent_exactly() {
    let upstream = Upstream::start(vec![json("200 OK", GOOD)]).await;
    let mut config = config(&upstream);
    config.url = format!("http://{}/prom/", upstream.address())
        .parse()
        .unwrap();
    config
        .headers
        .insert("X-Scope-OrgID".to_owned(), Secret::new("team-a"));
    let source = source(config);
    for at in [
        QuestionTime::Instant {
            at_ms: 1_700_000_000_250,
        },
        QuestionTime::Range {
            start_ms: 1_700_000_000_250,
            end_ms: 1_700_000_001_000,
            step_ms: 250,
        },
        QuestionTime::Range {
            start_ms: 1_700_000_000_000,
            end_ms: 1_700_000_001_000,
            step_ms: 250,
        },
    ] {
        let promql = "up".to_owned();
        source.ask(&Question { promql, at }).await.unwrap();
    }
    let requests = upstream.requests();
    for (request, path, form) in [
        (&requests[0], "/prom/api/v1/query ", "&time=1700000000.250"),
        (
            &requests[1],
            "/prom/api/v1/query_range ",
            "&start=1700000000.250&end=1700000001&step=0.250&timeout=",
        ),
        (
            &requests[2],
            "/prom/api/v1/query_range ",
            "&start=1700000000&end=1700000001&step=0.25&timeout=",
        ),
    ] {
        assert!(request.starts_with(&format!("POST {path}")), "{request}");
        assert!(request.contains(form), "{request}");
        assert!(request.contains("x-scope-orgid: team-a\r\n"), "{request}");
    }
}

#[tokio::test]
async fn an_unreachable_source_is_unavailable() {
    let refusing = {
        let upstream = Upstream::start(vec![Reply::Hang]).await;
        config(&upstream)
    };
    let fault = fault_of(&source(refusing)).await;
    assert_eq!(fault.code, ReasonCode::SourceUnavailable);
    assert!(fault.message.contains("Connection refused"), "{fault}");

    let unknown = "http://no-such-host.invalid:9090".parse().unwrap();
    let mut unknown = SourceConfig::new(unknown);
    unknown.timeout_seconds = 2.0;
    let fault = fault_of(&source(unknown)).await;
    assert_eq!(fault.code, ReasonCode::SourceUnavailable);

    let upstream = Upstream::start(vec![Reply::Bytes(Vec::new())]).await;
    let fault = fault_of(&source(config(&upstream))).await;
    assert_eq!(fault.code, ReasonCode::SourceUnavailable);
    assert_eq!(
        upstream.requests().len(),
        3,
        "a lost connection is tried again"
    );
}

#[tokio::test]
async fn a_source_that_speaks_no_tls_is_unavailable() {
    let upstream = Upstream::start(vec![json("200 OK", GOOD)]).await;
    let mut config = config(&upstream);
    config.url = format!("https://{}", upstream.address()).parse().unwrap();
    config.timeout_seconds = 0.5;
    assert_eq!(
        fault_of(&source(config)).await.code,
        ReasonCode::SourceUnavailable
    );
}

#[tokio::test]
async fn a_silent_source_is_slow() {
    let mut head = response("200 OK", "application/json", GOOD.as_bytes());
    head.truncate(head.len() - 20);
    for reply in [Reply::Hang, Reply::Stall(head)] {
        let upstream = Upstream::start(vec![reply]).await;
        let mut config = config(&upstream);
        config.timeout_seconds = 0.2;
        let fault = fault_of(&source(config)).await;
        assert_eq!(fault.code, ReasonCode::SourceSlow);
        assert!(fault.message.contains("within 0.2 s"), "{fault}");
        assert_eq!(upstream.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_query_that_the_source_gives_up_is_slow_and_not_repeated() {
    for (status, kind) in [
        ("503 Service Unavailable", "timeout"),
        ("422 Unprocessable Entity", "canceled"),
        ("200 OK", "timeout"),
    ] {
        let body =
            format!(r#"{{"status":"error","errorType":"{kind}","error":"query timed out"}}"#);
        let upstream = Upstream::start(vec![json(status, &body)]).await;
        let fault = fault_of(&source(config(&upstream))).await;
        assert_eq!(fault.code, ReasonCode::SourceSlow, "{status}");
        assert!(fault.message.contains("query timed out"), "{fault}");
        assert_eq!(upstream.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_bad_query_is_rejected_in_the_words_of_prometheus_and_not_repeated() {
    let body = r#"{"status":"error","errorType":"bad_data","error":"1:5: parse error:\nbad"}"#;
    for status in ["400 Bad Request", "200 OK"] {
        let upstream = Upstream::start(vec![json(status, body)]).await;
        let fault = fault_of(&source(config(&upstream))).await;
        assert_eq!(fault.code, ReasonCode::SourceRejectedQuery);
        assert_eq!(
            fault.message,
            "source \"main\" refused the query: 1:5: parse error: bad"
        );
        assert_eq!(upstream.requests().len(), 1);
    }
    let body = r#"{"status":"error","errorType":"execution","error":"many-to-many matching"}"#;
    let reply = json("422 Unprocessable Entity", body);
    assert_eq!(code_after(reply).await, ReasonCode::SourceRejectedQuery);
}

#[tokio::test]
async fn refused_credentials_are_told_as_such() {
    let page = response("401 Unauthorized", "text/html", b"<html>log in</html>");
    let fault = fault_after(Reply::Bytes(page)).await;
    assert_eq!(fault.code, ReasonCode::SourceRejectedQuery);
    assert!(fault.message.contains("credentials (HTTP 401)"), "{fault}");
}

#[tokio::test]
async fn an_internal_error_is_a_failure_and_not_repeated() {
    let body = r#"{"status":"error","errorType":"internal","error":"disk"}"#;
    let upstream = Upstream::start(vec![json("500 Internal Server Error", body)]).await;
    let fault = fault_of(&source(config(&upstream))).await;
    assert_eq!(fault.code, ReasonCode::SourceFailed);
    assert_eq!(fault.message, "source \"main\" failed (HTTP 500): disk");
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn a_gateway_that_recovers_is_asked_again() {
    let starting = response(
        "503 Service Unavailable",
        "text/plain",
        b"Service Unavailable",
    );
    let replies = vec![Reply::Bytes(starting), json("200 OK", GOOD)];
    let upstream = Upstream::start(replies).await;
    assert!(source(config(&upstream)).ask(&question()).await.is_ok());
    assert_eq!(upstream.requests().len(), 2);
}

#[tokio::test]
async fn a_gateway_that_stays_bad_is_asked_three_times() {
    let page = response("502 Bad Gateway", "text/html", b"<html>nginx</html>");
    let upstream = Upstream::start(vec![Reply::Bytes(page)]).await;
    let fault = fault_of(&source(config(&upstream))).await;
    assert_eq!(fault.code, ReasonCode::SourceFailed);
    assert_eq!(fault.message, "source \"main\" failed (HTTP 502)");
    assert_eq!(upstream.requests().len(), 3);
}

#[tokio::test]
async fn retries_end_with_the_deadline() {
    let page = response("504 Gateway Timeout", "text/plain", b"upstream");
    let late = Reply::Late(Duration::from_millis(150), page);
    let upstream = Upstream::start(vec![late]).await;
    let mut config = config(&upstream);
    config.timeout_seconds = 0.2;
    let fault = fault_of(&source(config)).await;
    assert_eq!(fault.code, ReasonCode::SourceFailed);
    assert!(upstream.requests().len() <= 2);
}

#[tokio::test]
async fn what_is_no_prometheus_is_told_as_such() {
    let html = |status| {
        response(
            status,
            "text/html",
            b"\n<!doctype html><title>Login</title>",
        )
    };
    for reply in [
        Reply::Bytes(html("200 OK")),
        Reply::Bytes(html("404 Not Found")),
        Reply::Bytes(response("204 No Content", "text/plain", b"")),
        Reply::Bytes(response("200 OK", "text/plain", b"OK")),
        Reply::Bytes(
            b"HTTP/1.1 302 Found\r\nlocation: https://sso.example/?token=x\r\n\
              content-length: 0\r\nconnection: close\r\n\r\n"
                .to_vec(),
        ),
        json("200 OK", "{}"),
        json("200 OK", "[1,2]"),
        json("200 OK", r#"{"status":"success"}"#),
        json(
            "200 OK",
            r#"{"status":"success","data":{"resultType":"streams","result":[]}}"#,
        ),
    ] {
        let shown = format!("{reply:?}");
        let fault = fault_after(reply).await;
        assert_eq!(fault.code, ReasonCode::SourceNotPrometheus, "{shown}");
        assert!(!fault.message.contains("token"), "{fault}");
    }
}

#[tokio::test]
async fn a_cut_answer_is_told_as_such() {
    let mut cut_body = response("200 OK", "application/json", GOOD.as_bytes());
    cut_body.truncate(cut_body.len() - 20);
    assert_eq!(
        code_after(Reply::Bytes(cut_body)).await,
        ReasonCode::SourceAnswerCut
    );
    let cut_json = json("200 OK", &GOOD[..GOOD.len() - 20]);
    assert_eq!(code_after(cut_json).await, ReasonCode::SourceAnswerCut);
}

#[tokio::test]
async fn too_many_series_and_bytes_are_refused() {
    let upstream = Upstream::start(vec![json("200 OK", GOOD)]).await;
    let mut few_series = config(&upstream);
    few_series.max_series = 1;
    let fault = fault_of(&source(few_series)).await;
    assert_eq!(fault.code, ReasonCode::TooManySeries);
    assert!(fault.message.contains("more than 1 series"), "{fault}");

    let mut few_bytes = config(&upstream);
    few_bytes.max_bytes = GOOD.len() as u64 - 1;
    assert_eq!(
        fault_of(&source(few_bytes)).await.code,
        ReasonCode::AnswerTooLarge
    );
    let mut just_enough = config(&upstream);
    just_enough.max_bytes = GOOD.len() as u64;
    assert!(source(just_enough).ask(&question()).await.is_ok());
}

#[tokio::test]
async fn an_endless_answer_is_left_early() {
    let mut endless = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n".to_vec();
    endless.resize(endless.len() + 4 * 1024 * 1024, b' ');
    let upstream = Upstream::start(vec![Reply::Stall(endless)]).await;
    let mut config = config(&upstream);
    config.max_bytes = 100_000;
    assert_eq!(
        fault_of(&source(config)).await.code,
        ReasonCode::AnswerTooLarge
    );
}

#[tokio::test]
async fn the_bytes_of_a_compressed_answer_are_counted_after_decompression() {
    use axum::Router;
    use axum::http::header::CONTENT_TYPE;
    use axum::routing::post;

    let spaces = " ".repeat(8 * 1024 * 1024);
    let body = format!("{GOOD}{spaces}");
    let bytes = body.len() as u64;
    let answer = || async move { ([(CONTENT_TYPE, "application/json")], body) };
    let router = Router::new()
        .route("/api/v1/query_range", post(answer))
        .layer(tower_http::compression::CompressionLayer::new());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url: SourceUrl = format!("http://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let mut server = tokio::task::JoinSet::new();
    server.spawn(async move { axum::serve(listener, router).await });

    let mut bounded = SourceConfig::new(url.clone());
    bounded.max_bytes = 1024 * 1024;
    assert_eq!(
        fault_of(&source(bounded)).await.code,
        ReasonCode::AnswerTooLarge
    );
    let answer = source(SourceConfig::new(url))
        .ask(&question())
        .await
        .unwrap();
    assert_eq!(answer.bytes, bytes);
}

#[tokio::test]
async fn a_large_answer_is_decoded_aside() {
    let values: Vec<String> = (0..40_000_u32)
        .map(|index| format!(r#"[{},"{index}"]"#, 1_700_000_000 + index))
        .collect();
    let body = format!(
        r#"{{"status":"success","data":{{"resultType":"matrix","result":[{{"metric":{{}},"values":[{}]}}]}}}}"#,
        values.join(",")
    );
    assert!(body.len() > OFFLOAD_BYTES);
    let upstream = Upstream::start(vec![json("200 OK", &body)]).await;
    let answer = source(config(&upstream)).ask(&question()).await.unwrap();
    assert_eq!(answer.series[0].values.len(), 40_000);
}

#[tokio::test]
async fn the_number_of_queries_at_once_is_bounded() {
    let reply = response("200 OK", "application/json", GOOD.as_bytes());
    let late = Reply::Late(Duration::from_millis(50), reply);
    let upstream = Upstream::start(vec![late]).await;
    let mut config = config(&upstream);
    config.max_concurrent = 2;
    let source = source(config);
    let questions: Vec<Question> = (0..4)
        .map(|index| Question {
            promql: format!("up == {index}"),
            ..question()
        })
        .collect();
    let [first, second, third, fourth] = &questions[..] else {
        panic!("four questions")
    };
    let answers = tokio::join!(
        source.ask(first),
        source.ask(second),
        source.ask(third),
        source.ask(fourth),
    );
    assert!(answers.0.is_ok() && answers.1.is_ok() && answers.2.is_ok() && answers.3.is_ok());
    assert_eq!(upstream.most_at_once(), 2);
    assert_eq!(upstream.requests().len(), 4);
}

#[tokio::test]
async fn who_waits_for_a_slot_in_vain_is_told_so() {
    let upstream = Upstream::start(vec![Reply::Hang]).await;
    let mut config = config(&upstream);
    config.max_concurrent = 1;
    config.timeout_seconds = 0.2;
    let source = source(config);
    let other = Question {
        promql: "down".to_owned(),
        ..question()
    };
    let asked = question();
    let (first, second) = tokio::join!(source.ask(&asked), source.ask(&other));
    assert_eq!(first.unwrap_err().code, ReasonCode::SourceSlow);
    let fault = second.unwrap_err();
    assert_eq!(fault.code, ReasonCode::SourceSlow);
    assert!(fault.message.contains("max_concurrent"), "{fault}");
}

#[tokio::test]
async fn the_same_question_at_once_is_asked_once() {
    let reply = response("200 OK", "application/json", GOOD.as_bytes());
    let late = Reply::Late(Duration::from_millis(30), reply);
    let upstream = Upstream::start(vec![late]).await;
    let source = source(config(&upstream));
    let asked = question();
    let (first, second) = tokio::join!(source.ask(&asked), source.ask(&asked));
    assert_eq!(first.unwrap().bytes, second.unwrap().bytes);
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn credentials_are_sent_and_never_shown() {
    // The server repeats what it was sent, as a debugging proxy does.
    let echo = |secret: &str| {
        json(
            "400 Bad Request",
            &format!(r#"{{"status":"error","errorType":"bad_data","error":"got {secret} there"}}"#),
        )
    };
    let address = |upstream: &Upstream, user: &str| {
        format!("http://{user}{}/prefix/", upstream.address())
            .parse()
            .unwrap()
    };
    // base64 of reader:hunter2
    let encoded = "cmVhZGVyOmh1bnRlcjI=";

    for (secret, header) in [
        ("hunter2", format!("authorization: Basic {encoded}\r\n")),
        (encoded, format!("authorization: Basic {encoded}\r\n")),
    ] {
        let upstream = Upstream::start(vec![echo(secret)]).await;
        let in_url = SourceConfig::new(address(&upstream, "reader:hunter%32@"));
        let mut in_field = SourceConfig::new(address(&upstream, ""));
        in_field.basic_auth = Some(BasicAuthConfig {
            username: "reader".to_owned(),
            password: Some(Secret::new("hunter2")),
            password_file: None,
        });
        for config in [in_url, in_field] {
            let shown = format!("{config:?}");
            let source = source(config);
            let fault = fault_of(&source).await;
            assert!(fault.message.contains("got [redacted] there"), "{fault}");
            for text in [shown, format!("{source:?} {fault} {fault:?}")] {
                assert!(
                    !text.contains("hunter") && !text.contains(encoded),
                    "{text}"
                );
            }
        }
        for request in upstream.requests() {
            assert!(request.contains(&header), "{request}");
            assert!(
                request.starts_with("POST /prefix/api/v1/query_range "),
                "{request}"
            );
        }
    }

    let upstream = Upstream::start(vec![echo("t0ken")]).await;
    let mut bearer = config(&upstream);
    bearer.bearer_token = Some(Secret::new("t0ken"));
    let fault = fault_of(&source(bearer)).await;
    assert!(!fault.message.contains("t0ken"), "{fault}");
    assert!(upstream.requests()[0].contains("authorization: Bearer t0ken\r\n"));
}

#[tokio::test]
async fn credentials_in_files_are_read_again_when_they_change() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "first\n").unwrap();
    let upstream = Upstream::start(vec![json("200 OK", GOOD)]).await;
    let mut config = config(&upstream);
    config.bearer_token_file = Some(file.clone());
    config.header_files.insert("X-Key".to_owned(), file.clone());
    let source = source(config);
    source.ask(&question()).await.unwrap();
    std::fs::write(&file, "the second").unwrap();
    source.ask(&question()).await.unwrap();
    std::fs::remove_file(&file).unwrap();
    source.ask(&question()).await.unwrap();

    let requests = upstream.requests();
    assert!(requests[0].contains("authorization: Bearer first\r\n"));
    assert!(requests[1].contains("authorization: Bearer the second\r\n"));
    assert!(requests[1].contains("x-key: the second\r\n"));
    assert!(
        requests[2].contains("Bearer the second\r\n"),
        "the last good one is kept"
    );
}

#[test]
fn what_cannot_be_used_is_refused_with_the_name_of_the_source() {
    let good = SourceConfig::new("https://localhost".parse().unwrap());
    let missing = Some("/no/such/file".into());
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty");
    std::fs::write(&empty, "\n").unwrap();
    let header = |name: &str, value: &str| SourceConfig {
        headers: [(name.to_owned(), Secret::new(value))].into(),
        ..good.clone()
    };
    for (config, expected) in [
        (
            SourceConfig {
                timeout_seconds: -1.0,
                ..good.clone()
            },
            "timeout_seconds",
        ),
        (
            SourceConfig {
                bearer_token_file: missing.clone(),
                ..good.clone()
            },
            "/no/such/file",
        ),
        (
            SourceConfig {
                ca_file: missing,
                ..good.clone()
            },
            "/no/such/file",
        ),
        (
            SourceConfig {
                ca_file: Some(empty.clone()),
                ..good.clone()
            },
            "no PEM certificate",
        ),
        (
            SourceConfig {
                bearer_token_file: Some(empty.clone()),
                ..good.clone()
            },
            "is empty",
        ),
        (
            SourceConfig {
                client_certificate_file: Some(empty.clone()),
                client_key_file: Some(empty),
                ..good.clone()
            },
            "write PEM",
        ),
        (header("not a name", "x"), "not the name of a header"),
        (header("Content-Length", "1"), "belongs to the transport"),
        (header("X-Key", "hunter2\n"), "x-key"),
    ] {
        let error = Source::new("main", config).unwrap_err();
        let message = error.to_string();
        assert!(
            message.starts_with("cannot use source \"main\": "),
            "{message}"
        );
        assert!(message.contains(expected), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
}
