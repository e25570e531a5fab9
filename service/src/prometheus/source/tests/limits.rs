//! Bytes, series and queries at a time are bounded.

use super::*;

#[tokio::test]
async fn too_many_series_and_bytes_are_refused() {
    let upstream = Upstream::start(vec![json("200 OK", GOOD)]).await;
    let mut few_series = config(&upstream);
    few_series.max_series = 1;
    let fault = fault_of(&source(few_series)).await;
    assert_eq!(fault.code, FaultCode::TooManySeries);
    assert!(fault.message.contains("more than 1 series"), "{fault}");

    let mut few_bytes = config(&upstream);
    few_bytes.max_bytes = GOOD.len() as u64 - 1;
    assert_eq!(
        fault_of(&source(few_bytes)).await.code,
        FaultCode::AnswerTooLarge
    );
    let mut just_enough = config(&upstream);
    just_enough.max_bytes = GOOD.len() as u64;
    assert!(source(just_enough).ask(&question(), &share()).await.is_ok());
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
        FaultCode::AnswerTooLarge
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
        FaultCode::AnswerTooLarge
    );
    let answer = source(SourceConfig::new(url))
        .ask(&question(), &share())
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
    assert!(body.len() > crate::prometheus::arriving::PIECE_BYTES);
    let upstream = Upstream::start(vec![json("200 OK", &body)]).await;
    let answer = source(config(&upstream))
        .ask(&question(), &share())
        .await
        .unwrap();
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
    let share = share();
    let answers = tokio::join!(
        source.ask(first, &share),
        source.ask(second, &share),
        source.ask(third, &share),
        source.ask(fourth, &share),
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
    let share = share();
    let (first, second) = tokio::join!(source.ask(&asked, &share), source.ask(&other, &share));
    assert_eq!(first.unwrap_err().code, FaultCode::SourceSlow);
    let fault = second.unwrap_err();
    assert_eq!(fault.code, FaultCode::SourceSlow);
    assert!(fault.message.contains("max_concurrent"), "{fault}");
}

#[tokio::test]
async fn the_same_question_at_once_is_asked_once() {
    let reply = response("200 OK", "application/json", GOOD.as_bytes());
    let late = Reply::Late(Duration::from_millis(30), reply);
    let upstream = Upstream::start(vec![late]).await;
    let source = source(config(&upstream));
    let asked = question();
    let share = share();
    let (first, second) = tokio::join!(source.ask(&asked, &share), source.ask(&asked, &share));
    assert_eq!(first.unwrap().bytes, second.unwrap().bytes);
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test]
async fn who_waits_for_room_in_vain_is_told_so_and_keeps_nobody_from_asking() {
    let samples: Vec<String> = (0..40_000_u32)
        .map(|index| format!(r#"[{},"{index}"]"#, 1_700_000_000 + index))
        .collect();
    let body = format!(
        r#"{{"status":"success","data":{{"resultType":"matrix","result":[{{"metric":{{}},"values":[{}]}}]}}}}"#,
        samples.join(",")
    );
    let upstream = Upstream::start(vec![json("200 OK", &body)]).await;
    let mut config = config(&upstream);
    config.max_concurrent = 1;
    config.timeout_seconds = 0.5;
    let source = source(config);
    let room = Room::new(4 * body.len() as u64);
    // Another has the turn, and what is common is taken.
    let others = [(); 2].map(|()| room.begin(ReadingOf::Stage).part());
    let [mut large, mut small] = others;
    assert_eq!(large.try_grow_to(2 * body.len() as u64), Ok(true));
    assert_eq!(small.try_grow_to(body.len() as u64 / 2), Ok(true));
    let (asked, other) = (
        question(),
        Question {
            promql: "down".to_owned(),
            ..question()
        },
    );
    let [waits, free] =
        [Arc::clone(&room), Room::unlimited()].map(|room| room.begin(ReadingOf::Stage));
    let (waited, answered) = tokio::join!(source.ask(&asked, &waits), source.ask(&other, &free));
    let fault = waited.unwrap_err();
    assert_eq!(fault.code, FaultCode::StillCollecting);
    assert!(fault.message.contains("max_memory_bytes"), "{fault}");
    assert_eq!(answered.unwrap().series[0].values.len(), 40_000);
    // What it had taken is free again.
    drop((large, small));
    assert!(source.ask(&asked, &waits).await.is_ok());
    let taken = room.taken_bytes();
    assert!((640_000..700_000).contains(&taken), "{taken}");
    drop(waits);
    assert_eq!(room.taken_bytes(), 0);
}

#[tokio::test]
async fn an_answer_that_would_not_fit_alone_is_refused() {
    let body = GOOD.replace(
        "]}]}}",
        &format!(r#"]}}],"stats":"{}"}}}}"#, "x".repeat(200_000)),
    );
    let upstream = Upstream::start(vec![json("200 OK", &body)]).await;
    let share = Room::new(200_000).begin(ReadingOf::Stage);
    let fault = source(config(&upstream))
        .ask(&question(), &share)
        .await
        .unwrap_err();
    assert_eq!(fault.code, FaultCode::AnswerTooLarge);
    assert!(fault.message.contains("100000 bytes of memory"), "{fault}");
}
