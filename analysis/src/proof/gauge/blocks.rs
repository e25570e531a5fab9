//! Blocks of samples that double in length, and how much their means vary.
//!
//! The block `[j L, (j + 1) L)` of samples, numbered from the rollout's first, is the same for every start. Of each
//! start the mean and the squares of those that lie wholly behind it are kept up to date as they are completed: in
//! the mean two blocks a sample.
//!
//! Source: docs/design/gauges.md, "3. Spread"; B. P. Welford, "Note on a method for calculating corrected sums of
//! squares and products", Technometrics 4 (1962).

/// A block that a sample has completed: `2^level` samples long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Block {
    pub(super) level: usize,
    /// Samples before it.
    pub(super) begin: usize,
    pub(super) mean: f64,
}

/// The blocks under way.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct OpenBlocks {
    samples: usize,
    /// The sum of the first half of a block of the next level.
    halves: Vec<f64>,
    completed: Vec<Block>,
}

impl OpenBlocks {
    /// Adds a value; returns the blocks that it completes.
    pub(super) fn push(&mut self, value: f64) -> &[Block] {
        self.samples += 1;
        self.completed.clear();
        let (mut sum, mut level) = (value, 0);
        loop {
            let length = 1_usize << level;
            self.completed.push(Block {
                level,
                begin: self.samples - length,
                mean: sum / length as f64,
            });
            if self.halves.len() <= level {
                self.halves.push(0.0);
            }
            let half = self.halves.get_mut(level);
            if (self.samples >> level) & 1 == 1 {
                if let Some(half) = half {
                    *half = sum;
                }
                return &self.completed;
            }
            sum += half.map_or(0.0, |half| *half);
            level += 1;
        }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.halves.capacity() * size_of::<f64>()
            + self.completed.capacity() * size_of::<Block>()
    }
}

/// Squares around the mean, and the degrees of freedom that they have.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Squares {
    pub(super) sum: f64,
    pub(super) degrees_of_freedom: usize,
}

/// Block means of one length.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Spreading {
    blocks: usize,
    mean: f64,
    squares: f64,
}

/// Block means since a begin, by level.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Levels {
    by_level: Vec<Spreading>,
}

impl Levels {
    /// Adds a block.
    pub(super) fn push(&mut self, block: &Block) {
        while self.by_level.len() <= block.level {
            self.by_level.push(Spreading::default());
        }
        if let Some(spreading) = self.by_level.get_mut(block.level) {
            spreading.blocks += 1;
            let before = block.mean - spreading.mean;
            spreading.mean += before / spreading.blocks as f64;
            spreading.squares += before * (block.mean - spreading.mean);
        }
    }

    /// The squares of a level.
    pub(super) fn at(&self, level: usize) -> Squares {
        let Some(found) = self.by_level.get(level).filter(|found| found.blocks > 1) else {
            return Squares::default();
        };
        Squares {
            sum: found.squares.max(0.0),
            degrees_of_freedom: found.blocks - 1,
        }
    }

    /// The squares of all levels, as they are now.
    pub(super) fn all(&self) -> Vec<Squares> {
        (0..self.by_level.len())
            .map(|level| self.at(level))
            .collect()
    }

    pub(super) fn bytes(&self) -> usize {
        self.by_level.capacity() * size_of::<Spreading>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_those_that_lie_behind_a_begin() {
        let values: Vec<f64> = (0..100_i32).map(|at| f64::from((at * 37) % 11)).collect();
        let begin = 13;
        let mut open = OpenBlocks::default();
        let mut levels = Levels::default();
        for value in &values {
            for block in open.push(*value) {
                if block.begin >= begin {
                    levels.push(block);
                }
            }
        }
        for level in 0..6 {
            let length = 1_usize << level;
            let first = begin.div_ceil(length);
            let means: Vec<f64> = (first..values.len() / length)
                .map(|at| {
                    values[at * length..(at + 1) * length].iter().sum::<f64>() / length as f64
                })
                .collect();
            let mean = means.iter().sum::<f64>() / means.len() as f64;
            let expected: f64 = means.iter().map(|one| (one - mean) * (one - mean)).sum();
            let found = levels.at(level);
            assert!(
                (found.sum - expected).abs() < 1e-9,
                "{level}: {found:?} {expected}"
            );
            assert_eq!(found.degrees_of_freedom, means.len() - 1, "{level}");
        }
    }
}
