//! `serinus replay`: computes stored decisions again, from their stored inputs.

use clap::Args;
use comfy_table::Table;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serinus_analysis::judge::{self, judge_within};
use serinus_analysis::pipeline::Pipeline;
use serinus_openapi::analysis::{AnalysisAnswer, Inputs, Verdict};

use super::{FAILED, Failure, output};
use crate::boot;
use crate::config::DEFAULT_STORE;
use crate::engine::{self, Before};
use crate::packed::unpack;
use crate::rollouts::{Document, before_stage};
use crate::store::{MOST_EVENTS, RolloutId, Store, StoreUrl, StoredEvent, Use};
use crate::terminal::Progress;
use crate::wire;

const AFTER_HELP: &str = "\
Example:
  serinus replay 0198f0c2-7a54-7c3e-9d8a-0123456789ab --store sqlite:serinus.db

Every decision in the rollout's trail is computed again from the data that it was made from, by this
version of Serinus, and compared with what was recorded, to the byte. The server may run meanwhile.

Exit codes: 0 all the same, 1 one differs or cannot be computed again, 2 usage.";

/// Compute the decisions of a rollout again, from their stored inputs
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// The rollout's id
    rollout: RolloutId,

    /// Where rollouts are remembered
    #[arg(long, value_name = "URL", env = "SERINUS_STORE", default_value = DEFAULT_STORE)]
    store: StoreUrl,

    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    output: output::Format,
}

/// What came of one decision.
#[derive(Debug, Serialize)]
struct Replayed {
    sequence: i64,
    stage: String,
    verdict: Verdict,
    digest: String,
    is_same: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<String>,
}

/// The part of a stored event that a decision has.
#[derive(Debug, Deserialize)]
struct Decided<'a> {
    stage: String,
    #[serde(borrow)]
    analysis: Option<&'a RawValue>,
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let replayed = boot::runtime_of_a_command()?.block_on(replay(arguments))?;
    let is_same = replayed.iter().all(|one| one.is_same);
    match arguments.output {
        output::Format::Json => output::line(&serde_json::to_string_pretty(&replayed)?),
        output::Format::Text => tell(&replayed),
    }
    Ok(if is_same { 0 } else { FAILED })
}

fn tell(replayed: &[Replayed]) {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header([
        "event",
        "stage",
        "verdict",
        "computed again",
    ]);
    for one in replayed {
        table.add_row([
            one.sequence.to_string(),
            one.stage.clone(),
            judge::Verdict::from(one.verdict).name().to_owned(),
            one.difference
                .clone()
                .unwrap_or_else(|| "the same to the byte".to_owned()),
        ]);
    }
    output::line(&table.to_string());
    let same = replayed.iter().filter(|one| one.is_same).count();
    output::line(&format!(
        "{same} of {} decisions are the same",
        replayed.len()
    ));
}

async fn replay(arguments: &Arguments) -> Result<Vec<Replayed>, Failure> {
    if arguments.store.path().is_some_and(|path| !path.exists()) {
        return Err(Failure(format!(
            "there is no store at {}; give the server's own with --store",
            arguments.store
        )));
    }
    let store = Store::open(&arguments.store, Use::Look).await?;
    let id = arguments.rollout;
    let Some(stored) = store.rollout(id).await? else {
        return Err(Failure(format!("the store holds no rollout {id}")));
    };
    let document: Document = serde_json::from_str(&stored.document)?;
    let pipeline = document.pipeline(&stored.pipeline).map_err(|mistakes| {
        let first = mistakes.first().map(|mistake| mistake.message.as_str());
        Failure(format!(
            "this version cannot read the rollout's pipeline: {}",
            first.unwrap_or_default()
        ))
    })?;
    let mut replayed = Vec::new();
    let mut after = 0;
    let progress = Progress::new();
    loop {
        let events = store.events(id, after, MOST_EVENTS).await?;
        // More than one page is rare: each says how far it is.
        progress.begin("computing decisions again", events.len() as u64);
        for event in &events {
            after = event.sequence;
            if let Some(one) = replay_one(&store, (&document, &pipeline), event).await? {
                replayed.push(one);
            }
            progress.advance(1);
        }
        if events.len() < MOST_EVENTS {
            break;
        }
    }
    store.close().await;
    Ok(replayed)
}

/// Computes one decision again; nothing for an event that is none.
async fn replay_one(
    store: &Store,
    rollout: (&Document, &Pipeline),
    event: &StoredEvent,
) -> Result<Option<Replayed>, Failure> {
    let decided: Decided<'_> = serde_json::from_str(&event.document)?;
    let Some(recorded) = decided.analysis else {
        return Ok(None);
    };
    let answer: AnalysisAnswer = serde_json::from_str(recorded.get())?;
    let digest = answer.inputs.digest.clone();
    let verdict = answer.true_verdict.unwrap_or(answer.verdict);
    let mut one = Replayed {
        sequence: event.sequence,
        stage: decided.stage,
        verdict,
        digest,
        is_same: false,
        difference: None,
    };
    match computed_again(store, rollout, &answer).await? {
        Ok(text) if text == recorded.get() => one.is_same = true,
        Ok(_other) => one.difference = Some("another answer from the same inputs".to_owned()),
        Err(why) => one.difference = Some(why),
    }
    Ok(Some(one))
}

/// The text of the answer that the stored inputs give now, or why there is none.
async fn computed_again(
    store: &Store,
    (document, pipeline): (&Document, &Pipeline),
    recorded: &AnalysisAnswer,
) -> Result<Result<String, String>, Failure> {
    let Some(bytes) = store.inputs(&recorded.inputs.digest).await? else {
        return Ok(Err("its inputs were not kept".to_owned()));
    };
    let data = match unpack(&bytes) {
        Ok(data) => data,
        Err(error) => return Ok(Err(format!("its inputs cannot be read: {error}"))),
    };
    let found = pipeline
        .stages
        .iter()
        .find(|stage| stage.id == recorded.stage);
    let Some(stage) = found else {
        return Ok(Err("its stage is not in the pipeline".to_owned()));
    };
    let all = before_stage(store, document, pipeline, &stage.id).await?;
    let named = recorded.inputs.digest.as_str();
    let is_it = |before: &&Before| engine::digest(pipeline, stage, &data, &before.made_of) == named;
    let Some(before) = all.iter().find(is_it) else {
        return Ok(Err(
            "its inputs have another digest, or the data of a stage before it was not kept"
                .to_owned(),
        ));
    };
    let verdict = judge_within(&before.course, pipeline, stage, &data);
    let inputs = Inputs {
        queries: recorded.inputs.queries.clone(),
        digest: named.to_owned(),
    };
    let answer = wire::replayed((pipeline, stage), &data, &verdict, inputs);
    Ok(Ok(serde_json::to_string(&answer)?))
}
