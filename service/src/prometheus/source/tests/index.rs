//! Questions to the index.

use super::super::super::{IndexOf, IndexQuestion};
use super::*;

const NAMES: &str = r#"{"status":"success","data":["pod","code","pod"],"infos":["a remark"]}"#;

fn of(of: IndexOf) -> IndexQuestion {
    IndexQuestion {
        of,
        selectors: vec!["{__name__=\"up\",pod!=\"\"}".to_owned()],
        start_ms: 1_700_000_000_000,
        end_ms: 1_700_000_030_500,
    }
}

async fn fault_of(reply: Reply) -> SourceFault {
    let upstream = Upstream::start(vec![reply]).await;
    let asked = source(config(&upstream));
    let names = of(IndexOf::LabelNames);
    asked.ask_index(&names, &share()).await.unwrap_err()
}

#[tokio::test]
async fn the_names_of_labels_are_asked_for_by_a_form() {
    let upstream = Upstream::start(vec![json("200 OK", NAMES)]).await;
    let mut config = config(&upstream);
    config.bearer_token = Some("hunter2".into());
    let source = source(config);
    let names = source.ask_index(&of(IndexOf::LabelNames), &share()).await;
    assert_eq!(names.unwrap(), ["code", "pod"]);
    let request = upstream.requests().remove(0);
    assert!(
        request.starts_with("POST /api/v1/labels HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(
        request.contains("authorization: Bearer hunter2"),
        "{request}"
    );
    let (_, form) = request.split_once("\r\n\r\n").unwrap();
    assert_eq!(
        form,
        "match%5B%5D=%7B__name__%3D%22up%22%2Cpod%21%3D%22%22%7D&start=1700000000&end=1700000030.500"
    );
}

#[tokio::test]
async fn the_values_of_a_label_are_asked_for_by_its_name() {
    let upstream = Upstream::start(vec![json("200 OK", NAMES)]).await;
    let source = source(config(&upstream));
    let mut all = of(IndexOf::ValuesOf("__name__".to_owned()));
    all.selectors = Vec::new();
    assert!(source.ask_index(&all, &share()).await.is_ok());
    let request = upstream.requests().remove(0);
    assert!(
        request.starts_with(
            "GET /api/v1/label/__name__/values?start=1700000000&end=1700000030.500 HTTP/1.1\r\n"
        ),
        "{request}"
    );
}

#[tokio::test]
async fn a_failure_of_the_index_has_the_code_of_a_query_that_fails_so() {
    let refused = r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#;
    let partial = r#"{"status":"success","data":["pod"],"warnings":["a store is down"]}"#;
    for (reply, code) in [
        (
            json("400 Bad Request", refused),
            FaultCode::SourceRejectedQuery,
        ),
        (
            Reply::Bytes(response("404 Not Found", "text/html", b"<html>")),
            FaultCode::SourceNotPrometheus,
        ),
        (
            json("200 OK", "{\"status\":\"succ"),
            FaultCode::SourceAnswerCut,
        ),
        (json("200 OK", partial), FaultCode::PartialData),
        (json("200 OK", GOOD), FaultCode::SourceNotPrometheus),
        (
            json("403 Forbidden", ""),
            FaultCode::SourceRefusedCredentials,
        ),
        (json("503 Service Unavailable", ""), FaultCode::SourceFailed),
    ] {
        assert_eq!(fault_of(reply.clone()).await.code, code, "{reply:?}");
    }
}

#[tokio::test]
async fn an_index_that_fails_for_a_moment_is_asked_again() {
    let bad = json("503 Service Unavailable", "");
    let upstream = Upstream::start(vec![bad, json("200 OK", NAMES)]).await;
    let source = source(config(&upstream));
    let names = source.ask_index(&of(IndexOf::LabelNames), &share()).await;
    assert_eq!(names.unwrap(), ["code", "pod"]);
}

#[tokio::test]
async fn an_index_that_hangs_or_has_too_much_to_say_is_given_up() {
    let upstream = Upstream::start(vec![Reply::Hang]).await;
    let mut slow = config(&upstream);
    slow.timeout_seconds = 0.2;
    let names = of(IndexOf::LabelNames);
    let fault = source(slow).ask_index(&names, &share()).await.unwrap_err();
    assert_eq!(fault.code, FaultCode::SourceSlow);
    let upstream = Upstream::start(vec![json("200 OK", NAMES)]).await;
    let mut small = config(&upstream);
    small.max_bytes = 10;
    let fault = source(small).ask_index(&names, &share()).await.unwrap_err();
    assert_eq!(fault.code, FaultCode::AnswerTooLarge);
}
