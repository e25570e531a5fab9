//! A rollout as it is shown.

use serinus_openapi::Number;
use serinus_openapi::analysis::{Gate, timestamp};
use serinus_openapi::population::Population;
use serinus_openapi::rollout::{Rollout, RolloutStage, RolloutSummary};

use crate::rollouts::{Live, Present, Rollouts, StageRecord, Told};
use crate::store::StoredRollout;
use crate::time::UnixMillis;

/// A rollout with everything that is known of it.
pub(super) fn rollout(rollouts: &Rollouts, live: &Live, status_url: String) -> Rollout {
    let present = live.present();
    let told = rollouts.told_by(&present, live, None);
    let (true_verdict, true_reason) = told.truth.unzip();
    let stage = present.document.current().stage();
    let analysis = present
        .judgement
        .as_ref()
        .filter(|judgement| judgement.stage == *stage)
        .and_then(|judgement| judgement.answer.as_deref().cloned());
    Rollout {
        verdict: told.verdict,
        gate: Gate::new(told.verdict, &told.reason),
        dry_run: told.is_without_acting,
        true_verdict,
        true_reason,
        progress: told.progress,
        reason_code: told.reason_code,
        rollout: live.id.to_string(),
        status_url,
        pipeline: live.pipeline_name.clone(),
        key: live.key.to_string(),
        attempt: live.attempt,
        state: present.state.into(),
        ended_as: present.document.ended_as,
        advance: present.document.advance,
        stage: stage.to_string(),
        rollback_to_percent: Number::percent(live.rollback_to_percent(stage.as_str())),
        stages: stages(live, &present),
        control: Population::from(&live.populations.control),
        canary: Population::from(&live.populations.canary),
        created: timestamp(live.created_ms.get()),
        updated: timestamp(present.updated_ms.get()),
        analysis,
    }
}

fn stages(live: &Live, present: &Present) -> Vec<RolloutStage> {
    let at = |moment: UnixMillis| timestamp(moment.get());
    live.pipeline
        .stages
        .iter()
        .map(|stage| {
            let record = present.document.record_of(&stage.id);
            let found = record.and_then(StageRecord::found);
            RolloutStage {
                stage: stage.id.clone(),
                name: stage.name.clone(),
                state: present.stage_state(&live.pipeline, stage),
                traffic_percent: Number::percent(stage.traffic_percent),
                started: record.map(|record| at(record.started())),
                passed: record.and_then(StageRecord::passed).map(at),
                true_verdict: found.map(|found| found.verdict),
                true_reason: found.map(|found| found.reason.clone()),
                found: found.map(|found| at(found.at_ms)),
            }
        })
        .collect()
}

/// A rollout in a list. One that this version cannot read is listed all the same.
pub(super) fn summary(
    rollouts: &Rollouts,
    stored: &StoredRollout,
    status_url: String,
) -> RolloutSummary {
    let (told, stage) = match rollouts.listed(stored) {
        Ok(live) => {
            let present = live.present();
            let stage = present.document.current().stage().to_string();
            (rollouts.told_by(&present, &live, None), stage)
        }
        Err(error) => (Told::unrecorded(&error), String::new()),
    };
    RolloutSummary {
        verdict: told.verdict,
        reason_code: told.reason_code,
        reason: Gate::new(told.verdict, &told.reason).reason,
        rollout: stored.id.to_string(),
        status_url,
        pipeline: stored.pipeline.clone(),
        key: stored.key.to_string(),
        attempt: stored.attempt,
        state: stored.state.into(),
        stage,
        dry_run: told.is_without_acting,
        created: timestamp(stored.created_ms.get()),
        updated: timestamp(stored.updated_ms.get()),
    }
}
