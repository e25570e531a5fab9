//! What is told when the play is over: how it ended, what that has spared, and what to try.

use serinus_analysis::pipeline::Pipeline;
use serinus_fleet::{CATALOG, PAYMENTS};
use serinus_openapi::analysis::Verdict;
use serinus_openapi::examples;
use serinus_openapi::rollout::Event;

use super::caller::{CallError, Caller, Version};
use super::found::{self, Found};
use super::play::{Ending, Stageplay};
use super::screen::{BOLD, Screen, style_of};

/// What stays open to be tried on: a good version at a steady share, which nobody moves.
const LEFT_OPEN: Version = Version {
    service: CATALOG,
    revision: 2,
};

/// Where things are, as URLs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places<'a> {
    /// This program, as it was called: it need not be on the path.
    pub(super) program: &'a str,
    /// Serinus.
    pub(super) server: &'a str,
    /// The Prometheus of the fleet.
    pub(super) fleet: &'a str,
    /// The store.
    pub(super) store: &'a str,
}

/// Tells how each rollout ended.
pub(super) async fn tell_endings(
    screen: &mut Screen,
    play: &Stageplay,
    endings: &[Ending],
) -> Result<(), CallError> {
    screen.pause();
    for ending in endings {
        let events = match &ending.status_url {
            Some(url) => play.caller.trail(url).await?.events,
            None => Vec::new(),
        };
        let how = how(&play.pipeline, ending, &events);
        let (service, key) = (ending.version.service, ending.version.key());
        let head = format!("{service} {key}: {}", in_words(ending.verdict));
        screen.say_headed((style_of(ending.verdict), &head), &how, 2);
    }
    Ok(())
}

fn in_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Promote => "promoted",
        Verdict::Hold => "held",
        Verdict::Rollback => "rolled back",
    }
}

fn how(pipeline: &Pipeline, ending: &Ending, events: &[Event]) -> String {
    match ending.verdict {
        Verdict::Promote => {
            let took = events.first().zip(events.last()).map(|(first, last)| {
                let seconds = (last.at - first.at).num_seconds();
                format!(" in {}", found::time(seconds))
            });
            format!(
                " through all {} stages{}",
                pipeline.stages.len(),
                took.unwrap_or_default()
            )
        }
        Verdict::Rollback => Found::read(pipeline, events).map_or_else(
            || format!(": {}", ending.reason),
            |found| format!(", {}", found.sentence()),
        ),
        Verdict::Hold => format!(" until the last poll: {}", ending.reason),
    }
}

/// Starts the rollout that stays open, and tells where everything is.
pub(super) async fn tell_what_to_try(
    screen: &mut Screen,
    caller: &Caller,
    places: Places<'_>,
) -> Result<(), CallError> {
    caller.put_the_example().await?;
    caller.ask(&LEFT_OPEN, examples::OPEN_STAGE).await?;
    let (server, fleet, store) = (places.server, places.fleet, places.store);
    let program = places.program;
    let (bad, open) = (examples::ROLLOUT_ID, examples::OPEN_ROLLOUT_ID);
    screen.pause();
    screen.say_headed((BOLD, "It stays up, now in real time."), "", 0);
    screen.say(&format!("Swagger UI: {server}/docs/"), 0);
    screen.quote("every example of \"Try it out\" runs as it stands");
    let left_open = format!(
        "A third rollout stays open, of {CATALOG}: key {}, at {}. Try advance and override on it:",
        LEFT_OPEN.key(),
        examples::OPEN_STAGE
    );
    screen.say(&left_open, 2);
    screen.quote(&format!("id {open}"));
    let decided = format!("What was decided about {PAYMENTS}, when, why and from which data:");
    screen.say(&decided, 2);
    screen.quote(&format!("{server}/v1/rollouts/{bad}/events"));
    screen.say("These decisions, computed again:", 2);
    screen.quote(&format!("{program} replay {bad} \\"));
    screen.quote(&format!("  --store {store}"));
    screen.say(&format!("Prometheus API of the fleet: {fleet}"), 2);
    screen.pause();
    screen.say_headed((BOLD, "Ctrl-C ends the demo"), "", 0);
    Ok(())
}
