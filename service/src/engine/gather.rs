//! Gathers the data of a window: what is kept of its chunks, and the rest from the source.

use serinus_analysis::data::{DataFault, StageData};
use serinus_analysis::questions::{Answered, Chunk, ChunkData, Form, StageQuestions};
use serinus_analysis::series::Grid;
use tokio::time::Instant;

use crate::aside::aside;

use super::asked::Asked;
use super::chunks::{Counted, Packed, Subject};
use super::reading::{LONG_CHUNKS, Reader};
use super::{AnalysisError, QueryRecord};

/// Most chunks that are read at once: an hour, whose samples are some tens of megabytes of hundreds of
/// pods.
const MOST_CHUNKS_AT_ONCE: usize = 6;

/// Chunks that were read.
struct Run {
    chunks: Vec<Gathered>,
    /// Why not all of it was read.
    fault: Option<DataFault>,
}

/// What one chunk counted.
struct Gathered {
    data: ChunkData,
    /// The same to be kept, where nobody would count otherwise.
    settled: Option<Packed>,
}

impl Reader {
    /// Gathers the data of a window, and the queries by which its newest chunk is read.
    pub(super) async fn gather(
        &self,
        asked: Asked<'_>,
        window: Grid,
    ) -> Result<(StageData, Vec<QueryRecord>), AnalysisError> {
        let chunks = Chunk::of_window(&window);
        let Some(newest) = chunks.last() else {
            let nothing = self.plan(asked, window, Form::Samples)?;
            return Ok((nothing.assemble(&[]), Vec::new()));
        };
        let newest = self.plan(asked, newest.counted(), Form::Samples)?;
        let subject = Subject::new(
            asked.sources.map(|source| source.name()),
            asked.part,
            &window,
        );
        let kept = self.chunks.of(subject);
        let waited_from = Instant::now();
        let mut kept = kept.lock_owned().await;
        let (mut counted, kept_again) = {
            let chunks = chunks.clone();
            aside(move || {
                let counted: Vec<_> = chunks.iter().map(|chunk| kept.get(chunk)).collect();
                (counted, kept)
            })
            .await
        };
        kept = kept_again;
        let mut fault = kept.failed_since(waited_from);
        for run in missing(&counted) {
            let Some(wanted) = chunks.get(run.clone()) else {
                continue;
            };
            let read = match &fault {
                // A source that has just failed is not asked for more.
                Some(fault) => unread(&newest, wanted.len(), fault),
                None => self.read_run(asked, wanted).await?,
            };
            for (gathered, (slot, chunk)) in read
                .chunks
                .into_iter()
                .zip(counted.iter_mut().skip(run.start).zip(wanted))
            {
                if let Some(settled) = gathered.settled {
                    kept.keep(chunk, settled);
                }
                *slot = Some(gathered.data);
            }
            if let Some(failed) = read.fault {
                kept.fail(&failed);
                fault = Some(failed);
            }
        }
        self.note(subject, &kept);
        drop(kept);
        let joined = aside(move || {
            let counted = chunks.into_iter().zip(counted.into_iter().flatten());
            let counted: Vec<(Chunk, ChunkData)> = counted.collect();
            (newest.join(window, &counted), queries(&newest, &counted))
        });
        Ok(joined.await)
    }

    fn note(&self, subject: Subject, counted: &Counted) {
        self.chunks.note(subject, counted);
    }

    /// Reads consecutive chunks by the same queries, and counts each from its own samples.
    async fn read_run(&self, asked: Asked<'_>, chunks: &[Chunk]) -> Result<Run, AnalysisError> {
        let (Some(first), Some(last)) = (chunks.first(), chunks.last()) else {
            return Ok(Run {
                chunks: Vec::new(),
                fault: None,
            });
        };
        let _turn = if chunks.len() > LONG_CHUNKS {
            self.long_reads.next(asked.sources.canary.name()).await
        } else {
            None
        };
        let (first, last) = (first.counted(), last.counted());
        let grid = Grid::covering(first.start_ms(), last.end_ms(), first.interval_ms());
        let reading = self.read(asked, grid).await?;
        let form = reading.plan.form();
        let plans: Vec<StageQuestions> = chunks
            .iter()
            .map(|chunk| self.plan(asked, chunk.counted(), form))
            .collect::<Result<_, _>>()?;
        let read = aside(move || {
            let mut faults = reading.answers.iter().filter_map(|one| one.as_ref().err());
            let fault = faults.next().cloned();
            let mut chunks = Vec::with_capacity(plans.len());
            if let Some((last, earlier)) = plans.split_last() {
                let cut = |plan| reading.plan.cut(&reading.answers, plan);
                chunks.extend(earlier.iter().map(|plan| count(plan, &cut(plan))));
                chunks.push(count(last, &reading.plan.cut_last(reading.answers, last)));
            }
            Run { chunks, fault }
        });
        Ok(read.await)
    }
}

/// Counts a chunk from the answers that were cut for it.
fn count(plan: &StageQuestions, answers: &[Answered]) -> Gathered {
    let data = plan.assemble_chunk(answers);
    let settled = ChunkData::is_settled(answers).then(|| Packed::new(&data));
    Gathered {
        data,
        settled: settled.flatten(),
    }
}

/// Stretches of chunks that are not there, each to be read at once.
fn missing(counted: &[Option<ChunkData>]) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for (index, found) in counted.iter().enumerate() {
        if found.is_some() {
            continue;
        }
        match runs.last_mut() {
            Some(run) if run.end == index && run.len() < MOST_CHUNKS_AT_ONCE => run.end += 1,
            _ => runs.push(index..index + 1),
        }
    }
    runs
}

/// What is known of chunks that were not asked for.
fn unread(plan: &StageQuestions, chunks: usize, fault: &DataFault) -> Run {
    let answers: Vec<Answered> = plan
        .questions()
        .iter()
        .map(|_| Err(fault.clone()))
        .collect();
    let nothing = || Gathered {
        data: plan.assemble_chunk(&answers),
        settled: None,
    };
    Run {
        chunks: (0..chunks).map(|_| nothing()).collect(),
        fault: None,
    }
}

/// The queries by which the newest chunk is read, with the samples that all chunks were counted
/// from: the same whether or not they were kept.
fn queries(newest: &StageQuestions, counted: &[(Chunk, ChunkData)]) -> Vec<QueryRecord> {
    let questions = newest.questions().iter().enumerate();
    let record = questions.map(|(index, question)| {
        let answered = counted
            .iter()
            .filter_map(|(_, data)| data.answered().get(index));
        let metrics: Vec<String> = question.metrics.iter().cloned().collect();
        QueryRecord {
            metric: metrics.join(", "),
            promql: question.promql.clone(),
            series: answered
                .clone()
                .map(|(series, _)| *series)
                .max()
                .unwrap_or(0),
            samples: answered.map(|(_, samples)| samples).sum(),
        }
    });
    record.collect()
}
