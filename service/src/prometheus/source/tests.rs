//! The source against servers that fail in every way, on real sockets.

mod credentials;
mod double;
mod google;
mod index;
mod limits;
mod signed;
mod tls;
mod tokens;
mod upstream;

use std::time::Duration;

use serinus_analysis::data::FaultCode;
use tokio::time::Instant;

use self::upstream::{Reply, Upstream, json, response};
use super::super::QuestionTime;
use super::super::config::BasicAuthConfig;
use super::super::{ReadingOf, Room};
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
    config.timeout_seconds = 3.0;
    config
}

/// Room without a limit.
fn share() -> Arc<Share> {
    Room::unlimited().begin(ReadingOf::Stage)
}

fn source(config: SourceConfig) -> Source {
    Source::new("main", config).unwrap()
}

/// Asks once, checks that the deadline was kept, and returns the fault.
async fn fault_of(source: &Source) -> SourceFault {
    let started = Instant::now();
    let fault = source.ask(&question(), &share()).await.unwrap_err();
    assert!(started.elapsed() < source.timeout + Duration::from_secs(1));
    assert!(fault.message.starts_with("source \"main\" "), "{fault}");
    assert!(!fault.message.contains(['\n', '\r']), "{fault}");
    fault
}

async fn fault_after(reply: Reply) -> SourceFault {
    let upstream = Upstream::start(vec![reply]).await;
    fault_of(&source(config(&upstream))).await
}

async fn code_after(reply: Reply) -> FaultCode {
    fault_after(reply).await.code
}

#[tokio::test]
async fn a_good_answer_is_read_and_sorted() {
    let upstream = Upstream::start(vec![json("200 OK", GOOD)]).await;
    let answer = source(config(&upstream))
        .ask(&question(), &share())
        .await
        .unwrap();
    assert_eq!(answer.bytes, GOOD.len() as u64);
    assert_eq!(answer.series[0].labels["pod"], "a");
    let second = &answer.series[1];
    let times = [1_700_000_000_000, 1_700_000_015_500, 1_700_000_030_000];
    assert_eq!(second.timestamps_ms, times);
    assert!(second.values[1].is_nan() && second.values[2] == f64::INFINITY);
    assert!(answer.annotations.is_empty());
}

#[tokio::test]
async fn warnings_and_infos_are_told_for_what_they_are() {
    let body = r#"{"status":"success","warnings":["store 1 is\ndown"],"infos":["metric might not
        be a counter"],"data":{"resultType":"vector","result":[{"metric":{"a":"b"},"value":
        [1,"1"]}]}}"#;
    let upstream = Upstream::start(vec![json("200 OK", &body.replace('\n', " "))]).await;
    let answer = source(config(&upstream))
        .ask(&question(), &share())
        .await
        .unwrap();
    assert_eq!(
        answer.annotations,
        [
            Annotation::Partial("store 1 is down".to_owned()),
            Annotation::Remark("metric might not be a counter".to_owned()),
        ]
    );
    assert_eq!(answer.series.len(), 1);
}

#[tokio::test]
async fn a_question_is_posted_as_a_form_with_a_timeout_of_its_own() {
    let upstream = Upstream::start(vec![json("200 OK", GOOD)]).await;
    source(config(&upstream))
        .ask(&question(), &share())
        .await
        .unwrap();
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
    assert!((1_000..=2_700).contains(&timeout_ms), "{timeout_ms}");
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
        .insert("X-Scope-OrgID".to_owned(), "team-a".into());
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
        source
            .ask(&Question { promql, at }, &share())
            .await
            .unwrap();
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
    assert_eq!(fault.code, FaultCode::SourceUnavailable);
    assert!(fault.message.contains("Connection refused"), "{fault}");

    let unknown = "http://no-such-host.invalid:9090".parse().unwrap();
    let mut unknown = SourceConfig::new(unknown);
    unknown.timeout_seconds = 2.0;
    let fault = fault_of(&source(unknown)).await;
    assert_eq!(fault.code, FaultCode::SourceUnavailable);
}

#[tokio::test]
async fn a_connection_that_closes_after_the_question_is_an_answer_cut() {
    for reply in [
        Reply::Bytes(Vec::new()),
        Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-ty".to_vec()),
        Reply::Reset,
    ] {
        let shown = format!("{reply:?}");
        let upstream = Upstream::start(vec![reply]).await;
        let fault = fault_of(&source(config(&upstream))).await;
        assert_eq!(fault.code, FaultCode::SourceAnswerCut, "{shown}: {fault}");
        assert_eq!(
            upstream.requests().len(),
            3,
            "a lost connection is tried again"
        );
    }
}

#[tokio::test]
async fn a_source_that_speaks_no_tls_is_unavailable() {
    let upstream = Upstream::start(vec![json("200 OK", GOOD)]).await;
    let mut config = config(&upstream);
    config.url = format!("https://{}", upstream.address()).parse().unwrap();
    config.timeout_seconds = 0.5;
    assert_eq!(
        fault_of(&source(config)).await.code,
        FaultCode::SourceUnavailable
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
        assert_eq!(fault.code, FaultCode::SourceSlow);
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
        assert_eq!(fault.code, FaultCode::SourceSlow, "{status}");
        assert!(fault.message.contains("query timed out"), "{fault}");
        assert_eq!(upstream.requests().len(), 1);
    }
}

/// The query is right: what cannot be read now must not count as never.
#[tokio::test]
async fn a_source_that_is_asked_too_much_is_slow_and_not_asked_at_once_again() {
    let limit = r#"{"status":"error","errorType":"bad_data","error":"too many requests"}"#;
    let of_a_proxy = response("429 Too Many Requests", "text/plain", b"too many requests");
    let status = "429 Too Many Requests";
    for reply in [json(status, limit), Reply::Bytes(of_a_proxy)] {
        let upstream = Upstream::start(vec![reply]).await;
        let fault = fault_of(&source(config(&upstream))).await;
        assert_eq!(fault.code, FaultCode::SourceSlow);
        let told = "is asked too much (HTTP 429): too many requests: lower max_concurrent";
        assert!(fault.message.contains(told), "{fault}");
        assert_eq!(upstream.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_bad_query_is_rejected_in_the_words_of_prometheus_and_not_repeated() {
    let body = r#"{"status":"error","errorType":"bad_data","error":"1:5: parse error:\nbad"}"#;
    for status in ["400 Bad Request", "200 OK"] {
        let upstream = Upstream::start(vec![json(status, body)]).await;
        let fault = fault_of(&source(config(&upstream))).await;
        assert_eq!(fault.code, FaultCode::SourceRejectedQuery);
        assert_eq!(
            fault.message,
            "source \"main\" refused the query: 1:5: parse error: bad"
        );
        assert_eq!(upstream.requests().len(), 1);
    }
    let body = r#"{"status":"error","errorType":"execution","error":"many-to-many matching"}"#;
    let reply = json("422 Unprocessable Entity", body);
    assert_eq!(code_after(reply).await, FaultCode::SourceRejectedQuery);
}

#[tokio::test]
async fn an_internal_error_is_a_failure_and_not_repeated() {
    let body = r#"{"status":"error","errorType":"internal","error":"disk"}"#;
    let upstream = Upstream::start(vec![json("500 Internal Server Error", body)]).await;
    let fault = fault_of(&source(config(&upstream))).await;
    assert_eq!(fault.code, FaultCode::SourceFailed);
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
    assert!(
        source(config(&upstream))
            .ask(&question(), &share())
            .await
            .is_ok()
    );
    assert_eq!(upstream.requests().len(), 2);
}

#[tokio::test]
async fn a_gateway_that_stays_bad_is_asked_three_times() {
    let page = response("502 Bad Gateway", "text/html", b"<html>nginx</html>");
    let upstream = Upstream::start(vec![Reply::Bytes(page)]).await;
    let fault = fault_of(&source(config(&upstream))).await;
    assert_eq!(fault.code, FaultCode::SourceFailed);
    assert_eq!(fault.message, "source \"main\" failed (HTTP 502)");
    assert_eq!(upstream.requests().len(), 3);
}

#[tokio::test]
async fn retries_end_with_the_deadline() {
    let page = response("504 Gateway Timeout", "text/plain", b"upstream");
    let late = Reply::Late(Duration::from_millis(200), page);
    let upstream = Upstream::start(vec![late]).await;
    let mut config = config(&upstream);
    config.timeout_seconds = 0.5;
    let fault = fault_of(&source(config)).await;
    assert_eq!(fault.code, FaultCode::SourceFailed);
    assert!(upstream.requests().len() <= 2, "no time for a third");
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
        assert_eq!(fault.code, FaultCode::SourceNotPrometheus, "{shown}");
        assert!(!fault.message.contains("token"), "{fault}");
    }
}

#[tokio::test]
async fn a_cut_answer_is_told_as_such() {
    let mut cut_body = response("200 OK", "application/json", GOOD.as_bytes());
    cut_body.truncate(cut_body.len() - 20);
    assert_eq!(
        code_after(Reply::Bytes(cut_body)).await,
        FaultCode::SourceAnswerCut
    );
    let cut_json = json("200 OK", &GOOD[..GOOD.len() - 20]);
    assert_eq!(code_after(cut_json).await, FaultCode::SourceAnswerCut);
}
