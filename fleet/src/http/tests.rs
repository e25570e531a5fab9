use std::sync::Arc;

use axum::body::to_bytes;
use axum::http::Request as HttpRequest;
use tower::ServiceExt;

use super::super::clock::VirtualClock;
use super::super::services::{CHECKOUT, PAYMENTS};
use super::*;

/// 2027-01-15T08:00:00Z, on a scrape boundary.
const START_MS: i64 = 1_800_000_000_000;
const START: i64 = START_MS / 1000;

/// A fleet whose clock stands still.
fn fleet() -> Arc<Fleet> {
    Arc::new(Fleet::new(7, Arc::new(VirtualClock::new(START_MS, 0.0))).unwrap())
}

async fn ask(fleet: &Arc<Fleet>, request: HttpRequest<Body>) -> (u16, String) {
    let response = router(Arc::clone(fleet)).oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn get_path(fleet: &Arc<Fleet>, path: &str) -> (u16, String) {
    ask(fleet, HttpRequest::get(path).body(Body::empty()).unwrap()).await
}

async fn post(fleet: &Arc<Fleet>, path: &str, form: &[(&str, &str)]) -> (u16, String) {
    let body: Vec<String> = form
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)))
        .collect();
    let request = HttpRequest::post(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(body.join("&")))
        .unwrap();
    ask(fleet, request).await
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

#[tokio::test]
async fn instant_answers_have_the_shapes_of_prometheus() {
    let fleet = fleet();
    let at = START.to_string();
    let mut answers = Vec::new();
    for query in [
        "1.5",
        "\"text\"",
        "sum by (track) (up{service=\"checkout\"})",
        "vector(0/0)",
        "up{pod=\"checkout-stable-0\"}",
        "process_start_time_seconds{pod=\"checkout-stable-0\"}[31s]",
        "up{pod=\"nothing\"}",
    ] {
        let (status, body) =
            post(&fleet, "/api/v1/query", &[("query", query), ("time", &at)]).await;
        answers.push(format!("{query}\n  {status} {body}"));
    }
    insta::assert_snapshot!(answers.join("\n"));
}

#[tokio::test]
async fn range_answers_have_the_shape_of_prometheus() {
    let fleet = fleet();
    let mut answers = Vec::new();
    for query in [
        "time()",
        "count by (track) (up{service=\"catalog\"})",
        "up{pod=\"none\"}",
    ] {
        let path = format!(
            "/api/v1/query_range?query={}&start={}&end={}.5&step=10",
            encoded(query),
            START - 20,
            START
        );
        let (status, body) = get_path(&fleet, &path).await;
        answers.push(format!("{query}\n  {status} {body}"));
    }
    insta::assert_snapshot!(answers.join("\n"));
}

#[tokio::test]
async fn mistakes_are_told_as_prometheus_tells_them() {
    let fleet = fleet();
    let mut answers = Vec::new();
    for path in [
        "/api/v1/query",
        "/api/v1/query?query=sum(",
        "/api/v1/query?query=up&time=noon",
        "/api/v1/query?query=topk(1,up)",
        "/api/v1/query_range?query=up",
        "/api/v1/query_range?query=up&start=10&end=5&step=1",
        "/api/v1/query_range?query=up&start=5&end=10&step=0",
        "/api/v1/query_range?query=up&start=5&end=10&step=often",
        "/api/v1/query_range?query=up&start=0&end=11001&step=1",
        "/api/v1/query_range?query=up[1m]&start=5&end=10&step=1",
        "/api/v1/labels?match[]=sum(up)",
    ] {
        let (status, body) = get_path(&fleet, path).await;
        answers.push(format!("{path}\n  {status} {body}"));
    }
    insta::assert_snapshot!(answers.join("\n"));
    let allowed = "/api/v1/query_range?query=up&start=0&end=11000&step=1";
    assert_eq!(get_path(&fleet, allowed).await.0, 200);
}

#[tokio::test]
async fn labels_and_the_rest_have_their_shapes() {
    let fleet = fleet();
    let mut answers = Vec::new();
    for path in [
        "/api/v1/labels",
        "/api/v1/labels?match[]=up",
        "/api/v1/label/service/values",
        "/api/v1/label/code/values",
        "/api/v1/label/region/values?match[]=up{service=\"checkout\"}",
        "/api/v1/label/pod/values?match[]=up{service=\"billing\"}",
        "/api/v1/label/nothing/values",
        "/api/v1/label/__name__/values",
        "/api/v1/status/buildinfo",
        "/-/ready",
    ] {
        let (status, body) = get_path(&fleet, &path.replace('"', "%22")).await;
        answers.push(format!("{path}\n  {status} {body}"));
    }
    insta::assert_snapshot!(answers.join("\n"));
}

/// The queries that Serinus makes, and what is around them.
const RANGES: [&str; 4] = [
    "sum by (instance, pod, track) (http_requests_total{code=~\"5..\",service=\"payments\",\
     track=~\"stable|canary\"})",
    "sum by (instance, pod, le, vmrange, track) \
     (http_request_duration_seconds_bucket{service=\"payments\",track=~\"stable|canary\"})",
    "rate(process_cpu_seconds_total{service=\"payments\",track=\"canary\"}[1m])",
    "process_resident_memory_bytes{service=\"payments\",track=\"stable\"}",
];

#[tokio::test]
async fn the_same_seed_gives_the_same_bytes_in_any_order() {
    let start_ms = START_MS;
    let (one_clock, other_clock) = (
        Arc::new(VirtualClock::new(start_ms, 0.0)),
        Arc::new(VirtualClock::new(start_ms, 0.0)),
    );
    let one = Arc::new(Fleet::new(3, Arc::<VirtualClock>::clone(&one_clock)).unwrap());
    let other = Arc::new(Fleet::new(3, Arc::<VirtualClock>::clone(&other_clock)).unwrap());
    for fleet in [&one, &other] {
        fleet.set_share(PAYMENTS, 0.1).unwrap();
    }
    // Both clocks stand, so both fleets live through the same changes; one is asked on the way.
    let range = |query| {
        [
            ("query", query),
            ("start", "1799990000"),
            ("end", "1800000000"),
            ("step", "30"),
        ]
    };
    let mut forward = Vec::new();
    for query in RANGES {
        forward.push(post(&one, "/api/v1/query_range", &range(query)).await);
    }
    let mut backward = Vec::new();
    for query in RANGES.into_iter().rev() {
        backward.push(post(&other, "/api/v1/query_range", &range(query)).await);
    }
    backward.reverse();
    assert!(forward.iter().all(|(status, _)| *status == 200));
    assert_eq!(forward, backward);

    let another = Arc::new(Fleet::new(4, other_clock).unwrap());
    let (_, body) = post(&another, "/api/v1/query_range", &range(RANGES[0])).await;
    assert_ne!(body, forward[0].1);
}

#[tokio::test]
async fn the_driver_moves_traffic_and_is_told_its_mistakes() {
    let fleet = fleet();
    assert_eq!(
        fleet.set_share("chekout", 1.0).unwrap_err().to_string(),
        "cannot set the share of \"chekout\": the services are checkout, payments, catalog, billing"
    );
    assert_eq!(
        fleet.set_share(CHECKOUT, f64::NAN).unwrap_err().to_string(),
        "cannot set the share of \"checkout\" to NaN: give 0 to 100 percent"
    );
    fleet.set_share(CHECKOUT, 100.0).unwrap();
}

#[tokio::test]
async fn a_real_socket_answers_and_closes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let clock = Arc::new(VirtualClock::new(START_MS, 3_600.0));
    let fleet = Arc::new(Fleet::new(1, clock).unwrap());
    let cancel = CancellationToken::new();
    let client = async {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream
            .write_all(
                b"GET /api/v1/query?query=count(up) HTTP/1.1\r\nhost: fleet\r\nconnection: \
                  close\r\n\r\n",
            )
            .await
            .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        cancel.cancel();
        text
    };
    let (served, text) = tokio::join!(Arc::clone(&fleet).serve(listener, cancel.clone()), client);
    served.unwrap();
    assert!(text.starts_with("HTTP/1.1 200 OK"));
    // Three control pods of four services, and three canary pods of two.
    assert!(text.contains("\"18\""), "{text}");
}
