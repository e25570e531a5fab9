//! What is guessed from the demo's fleet.

use serinus_analysis::series::Populations;
use serinus_fleet::{Fleet, VirtualClock};
use tokio_util::sync::CancellationToken;

use super::*;

/// An engine that asks the fleet, at the fleet's time.
async fn engine_on_the_fleet(tasks: &TaskTracker, cancel: &CancellationToken) -> Engine {
    install_crypto_provider();
    let fleet = Fleet::new(7, Arc::new(VirtualClock::new(START_MS, 0.0))).unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tasks.spawn(Arc::new(fleet).serve(listener, cancel.clone()));
    let config = SourceConfig::new(url.parse().unwrap());
    let sources = Sources::new([("default".to_owned(), config)].into(), None).unwrap();
    Engine::new(Arc::new(At(START_MS)), sources, Room::unlimited())
}

#[tokio::test]
async fn the_file_that_is_guessed_from_the_demo_lints_on_it() {
    let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
    let engine = engine_on_the_fleet(&tasks, &cancel).await;
    for (service, has_canary) in [("catalog", true), ("billing", true), ("checkout", false)] {
        let guess = engine.guess(None, Some(service)).await.unwrap();
        assert_eq!(guess.choice.service.name, service);
        assert_eq!(guess.canary.is_some(), has_canary);
        let file = guess.file();
        let expected = format!("canary: {{service: {service}, track: canary}}");
        assert!(file.contains(&expected), "{file}");
        let pipeline = parse(&file, "guess").unwrap();
        let populations = Populations {
            control: &pipeline.control,
            canary: &pipeline.canary,
        };
        let looking = engine.look_through(&pipeline, populations, None);
        let looked = looking.await.unwrap();
        assert!(looked.is_empty(), "{looked:?}\n{file}");
    }
    cancel.cancel();
}

#[tokio::test]
async fn a_service_that_is_not_there_is_told_with_those_that_are() {
    let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
    let engine = engine_on_the_fleet(&tasks, &cancel).await;
    let error = engine.guess(None, Some("chekout")).await.unwrap_err();
    let told = error.to_string();
    assert!(told.contains("did you mean \"checkout\""), "{told}");
    cancel.cancel();
}
