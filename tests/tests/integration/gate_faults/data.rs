//! What Prometheus knows: a past, and a future that is found when its time has come.

use std::fmt::Write;

use anyhow::Context;

/// Seconds of samples before the beginning.
const PAST_SECONDS: i64 = 120;

/// Requests a second of each track.
const RATE: i64 = 4_000;

/// Failed requests a second: 1 %, and 30 % of a track that has turned bad.
const FAILURES: i64 = 40;
const FAILURES_WHEN_BAD: i64 = 1_200;

/// When the first track turns bad, and how long after it the next one does, in seconds.
const FIRST_TURN_SECONDS: i64 = 6;
const NEXT_TURN_SECONDS: i64 = 2;
const BAD_TRACKS: i64 = 50;

/// The track of the canary that stays good.
pub(super) const GOOD: &str = "good";

/// When what happens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Story {
    /// The beginning, in seconds since 1970.
    began_at: i64,
    /// How many seconds of the future there are.
    future_seconds: i64,
}

impl Story {
    /// A story from a time on that has data for `seconds` after its last turn.
    pub(super) fn new(began_at: i64, seconds: i64) -> Self {
        let last_turn = FIRST_TURN_SECONDS + BAD_TRACKS * NEXT_TURN_SECONDS;
        Self {
            began_at,
            future_seconds: last_turn + seconds,
        }
    }

    fn turns_at(self, track: i64) -> i64 {
        self.began_at + FIRST_TURN_SECONDS + track * NEXT_TURN_SECONDS
    }

    /// The track that is the next to turn bad at or after a time.
    pub(super) fn turning_after(self, at_seconds: i64) -> anyhow::Result<String> {
        (0..BAD_TRACKS)
            .find(|&track| self.turns_at(track) >= at_seconds)
            .map(|track| format!("bad-{track}"))
            .context("every track has turned bad already: this took too long")
    }

    /// One scrape a second of the control and all canaries, in the text format.
    pub(super) fn openmetrics(self) -> String {
        let never = i64::MAX;
        let mut tracks = vec![("stable".to_owned(), never), (GOOD.to_owned(), never)];
        tracks.extend((0..BAD_TRACKS).map(|track| (format!("bad-{track}"), self.turns_at(track))));
        let mut text = "# TYPE process_start_time_seconds gauge\n".to_owned();
        let (from, until) = (
            self.began_at - PAST_SECONDS,
            self.began_at + self.future_seconds,
        );
        for (track, _) in &tracks {
            for at in from..until {
                // Writing to a string cannot fail.
                let _ = writeln!(
                    text,
                    "process_start_time_seconds{{track=\"{track}\",instance=\"{track}\"}} {from} {at}"
                );
            }
        }
        text.push_str("# TYPE http_requests counter\n");
        for (track, turns_at) in &tracks {
            for code in ["200", "500"] {
                for at in from..until {
                    let bad_seconds = at.saturating_sub(*turns_at).max(0);
                    let failed =
                        (at - from - bad_seconds) * FAILURES + bad_seconds * FAILURES_WHEN_BAD;
                    let count = match code {
                        "500" => failed,
                        _ => (at - from) * RATE - failed,
                    };
                    let _ = writeln!(
                        text,
                        "http_requests_total{{track=\"{track}\",instance=\"{track}\",code=\"{code}\"}} \
                         {count} {at}"
                    );
                }
            }
        }
        text.push_str("# EOF\n");
        text
    }
}
