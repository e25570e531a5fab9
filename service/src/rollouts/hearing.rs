//! What a caller tells without asking: its events, and that its rollout is over.
//! Source: docs/design/callers.md, "Flagger".

use std::sync::Arc;

use super::live::Live;
use super::steps::{Family, StepTold};
use super::telling::Told;
use super::transition::End;
use super::{RolloutError, Rollouts, weight};
use crate::store::{Filter, MOST_ON_A_PAGE, Page, RolloutKey, RolloutState};

/// Something that a caller tells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event<'a> {
    /// The pipeline's name.
    pub pipeline: &'a str,
    /// The rollout's key.
    pub key: &'a RolloutKey,
    /// What its canary's keys begin with.
    pub family: Family<'a>,
    /// The canary's share of the traffic, in percent, if it tells that.
    pub weight_percent: Option<f64>,
    /// Whether a new revision takes the place of what is rolled out, this key's own included.
    pub is_new_revision: bool,
    /// Who tells it.
    pub caller: &'a str,
}

impl Rollouts {
    /// Hears of an event. It opens no rollout.
    pub(crate) async fn hears(self: &Arc<Self>, event: &Event<'_>) -> StepTold {
        match self.took_in(event).await {
            Ok(Some(live)) => {
                let told = self.told(&live, None);
                StepTold::at_its_stage(live, told)
            }
            Ok(None) => StepTold::of_none("", Told::nothing_known(event.pipeline)),
            Err(error) => {
                tracing::error!(error = %error, "an event changes nothing: {error}");
                StepTold::of_none("", Told::unclosed(&error))
            }
        }
    }

    async fn took_in(
        self: &Arc<Self>,
        event: &Event<'_>,
    ) -> Result<Option<Arc<Live>>, RolloutError> {
        let known = self.current(event.pipeline, event.key).await?;
        let is_late = known.is_some_and(|live| live.present().state == RolloutState::Superseded);
        if is_late && !event.is_new_revision {
            // Of a revision whose place was taken: it takes the place of none.
            return self.current(event.pipeline, event.key).await;
        }
        let spared = (!event.is_new_revision).then_some(event.key);
        self.supersede(
            event.pipeline,
            event.family,
            spared,
            event.key,
            event.caller,
        )
        .await?;
        let Some(live) = self.current(event.pipeline, event.key).await? else {
            return Ok(None);
        };
        let going = self.going_on(event.caller);
        self.change(&live, |present| {
            let is_open = present.state == RolloutState::Open;
            Ok(is_open
                .then(|| {
                    let document = &present.document;
                    weight::told_event(document, &live.pipeline, event.weight_percent, going)
                })
                .flatten())
        })
        .await?;
        Ok(Some(live))
    }

    /// Ends what is open of a caller's canary, and what was promoted, but for one key: another
    /// revision has taken its place.
    pub(super) async fn supersede(
        &self,
        pipeline: &str,
        family: Family<'_>,
        spared: Option<&RolloutKey>,
        by: &RolloutKey,
        caller: &str,
    ) -> Result<(), RolloutError> {
        let reason = format!("another revision began: {by}");
        for live in self.of_family(pipeline, family).await? {
            if spared == Some(&live.key) {
                continue;
            }
            let end = match live.present().state {
                RolloutState::Open => End::Superseded,
                // When its version comes again it is another attempt.
                RolloutState::Promoted => End::Closed,
                RolloutState::RolledBack
                | RolloutState::Cancelled
                | RolloutState::Superseded
                | RolloutState::Closed => continue,
            };
            self.end(&live, end, Some(&reason), caller).await?;
        }
        Ok(())
    }

    /// The rollouts of a caller's canary that are in memory, with all that are open.
    async fn of_family(
        &self,
        pipeline: &str,
        family: Family<'_>,
    ) -> Result<Vec<Arc<Live>>, RolloutError> {
        if self.settings.is_store_shared {
            self.adopt_open_of(pipeline, family).await?;
        }
        let all = self.memory.all().into_iter();
        let of_family = all.filter(|live| {
            live.pipeline_name == pipeline && live.key.as_str().starts_with(family.0)
        });
        Ok(of_family.collect())
    }

    /// Those that another process has begun within the last seconds are not in memory yet.
    async fn adopt_open_of(&self, pipeline: &str, family: Family<'_>) -> Result<(), RolloutError> {
        let filter = Filter {
            pipeline: Some(pipeline.to_owned()),
            state: Some(RolloutState::Open),
            ..Filter::default()
        };
        let mut after = None;
        loop {
            let page = Page {
                limit: MOST_ON_A_PAGE,
                after,
            };
            let found = self.store.list(&filter, page).await?;
            let of_family = found.rollouts.iter();
            for stored in of_family.filter(|one| one.key.as_str().starts_with(family.0)) {
                self.memory.adopt(stored)?;
            }
            after = found.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// A caller says that its rollout is over: it is closed, so that the same key can be rolled out
    /// again.
    pub(crate) async fn finished(
        &self,
        pipeline: &str,
        key: &RolloutKey,
        reason: &str,
        caller: &str,
    ) -> StepTold {
        let closed = async {
            let live = self.current(pipeline, key).await?;
            if let Some(live) = &live {
                self.end(live, End::Closed, Some(reason), caller).await?;
            }
            Ok::<_, RolloutError>(live)
        };
        match closed.await {
            Ok(Some(live)) => {
                let told = self.told(&live, None);
                StepTold::at_its_stage(live, told)
            }
            Ok(None) => StepTold::of_none("", Told::nothing_known(pipeline)),
            Err(error) => {
                tracing::error!(error = %error, "a post-rollout hook closes nothing: {error}");
                StepTold::of_none("", Told::unclosed(&error))
            }
        }
    }
}
