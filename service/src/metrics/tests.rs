use super::*;

fn rendered(metrics: &Metrics, scrape: &Scrape) -> String {
    metrics.render(scrape).unwrap()
}

#[test]
fn what_happened_is_counted_where_it_belongs() {
    let metrics = Metrics::new();
    let route: Arc<str> = "/v1/pipelines/{pipeline}".into();
    metrics.request(&route, "GET", 200, Duration::from_millis(3));
    metrics.request(&route, "GET", 200, Duration::from_mins(1));
    metrics.request(&route, "GET", 404, Duration::ZERO);
    metrics.verdict(Verdict::Rollback);
    metrics.source_asked(
        "eu",
        Duration::from_secs(1),
        AskOutcome::Answered { bytes: 70 },
    );
    metrics.source_asked(
        "eu",
        Duration::from_secs(1),
        AskOutcome::Answered { bytes: 7 },
    );
    let fault = AskOutcome::Failed(FaultCode::SourceSlow);
    metrics.source_asked("eu", Duration::from_secs(10), fault);
    metrics.source_asked("eu", Duration::from_secs(8), AskOutcome::Abandoned);
    metrics.store_took("record", Duration::from_millis(1), true);
    metrics.store_took("record", Duration::from_millis(1), false);
    metrics.evaluation_lag(Duration::from_secs(4));
    let text = rendered(&metrics, &Scrape::default());
    for line in [
        "serinus_http_requests_total{route=\"/v1/pipelines/{pipeline}\",method=\"GET\",status=\"200\"} 2",
        "serinus_http_requests_total{route=\"/v1/pipelines/{pipeline}\",method=\"GET\",status=\"404\"} 1",
        "serinus_http_request_duration_seconds_bucket{le=\"0.005\",route=\"/v1/pipelines/{pipeline}\",method=\"GET\"} 2",
        "serinus_http_request_duration_seconds_count{route=\"/v1/pipelines/{pipeline}\",method=\"GET\"} 3",
        "serinus_verdicts_total{verdict=\"rollback\"} 1",
        "serinus_source_queries_total{source=\"eu\",outcome=\"ok\"} 2",
        "serinus_source_queries_total{source=\"eu\",outcome=\"source_slow\"} 1",
        "serinus_source_queries_total{source=\"eu\",outcome=\"abandoned\"} 1",
        "serinus_source_query_duration_seconds_sum{source=\"eu\"} 20.0",
        "serinus_source_answer_bytes_total{source=\"eu\"} 77",
        "serinus_store_calls_total{operation=\"record\",outcome=\"failed\"} 1",
        "serinus_store_call_duration_seconds_count{operation=\"record\"} 2",
        "serinus_evaluation_lag_seconds_bucket{le=\"5.0\"} 1",
        "serinus_ready 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(text.contains("serinus_build_info{version=\""), "{text}");
    assert!(text.contains("process_resident_memory_bytes "), "{text}");
    assert!(text.contains("process_cpu_seconds_total "), "{text}");
    assert!(text.ends_with("# EOF\n"));
}

fn gate(key: &str, verdict: Verdict) -> GateGauge {
    GateGauge {
        pipeline: "checkout".to_owned(),
        stage: "stage_2".to_owned(),
        key: key.to_owned(),
        verdict,
        evaluated_at_seconds: 1_793_606_400.5,
    }
}

#[test]
fn pg01_a_verdict_is_1_0_or_minus_1() {
    let scrape = Scrape {
        gates: vec![
            gate("a", Verdict::Promote),
            gate("b", Verdict::Hold),
            gate("c", Verdict::Rollback),
        ],
        ..Scrape::default()
    };
    let text = rendered(&Metrics::new(), &scrape);
    for (key, value) in [("a", "1"), ("b", "0"), ("c", "-1")] {
        let labels = format!("{{pipeline=\"checkout\",stage=\"stage_2\",key=\"{key}\"}}");
        let line = format!("serinus_verdict{labels} {value}");
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        let line = format!("serinus_evaluated_timestamp_seconds{labels} 1793606400.5");
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn pg05_label_values_with_quotes_newlines_and_backslashes_are_escaped() {
    let scrape = Scrape {
        gates: vec![gate("a\"b\\c\nd", Verdict::Hold)],
        ..Scrape::default()
    };
    let text = rendered(&Metrics::new(), &scrape);
    assert!(text.contains(r#",key="a\"b\\c\nd"} 0"#), "{text}");
    let routes: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("serinus_verdict{"))
        .collect();
    assert_eq!(routes.len(), 1, "{text}");
}

#[test]
fn each_server_has_its_own_figures() {
    let (one, other) = (Metrics::new(), Metrics::new());
    one.verdict(Verdict::Hold);
    assert!(rendered(&one, &Scrape::default()).contains("verdict=\"hold\"} 1"));
    assert!(!rendered(&other, &Scrape::default()).contains("verdict=\"hold\""));
}
