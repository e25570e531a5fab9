//! Why a PromQL text or a matcher cannot be used, in words that say what to change.

/// The most characters of a user's text that a message quotes.
const EXCERPT_CHARACTERS: usize = 120;

/// Why a PromQL text, or a matcher to be added to it, cannot be used.
///
/// Every message is one line, lower case, without a full stop, and says what to change. The
/// fields hold the values unshortened; the messages quote at most 120 characters of each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The text is empty, or only spaces and comments.
    #[error("the query is empty: give a PromQL expression such as http_requests_total")]
    Empty,
    /// The text is longer than is parsed.
    #[error(
        "the query has {bytes} bytes, the limit is {limit}: shorten it or record a rule for it"
    )]
    TooLong {
        /// Bytes of the text.
        bytes: usize,
        /// Most bytes of a text.
        limit: usize,
    },
    /// The text with the matchers added is longer than is sent.
    #[error(
        "the query has {bytes} bytes once the matchers are added to each of its selectors, \
         the limit is {limit}: use fewer selectors or shorter matchers"
    )]
    WrittenTooLong {
        /// Bytes of the text with the matchers.
        bytes: usize,
        /// Most bytes of a text that is sent.
        limit: usize,
    },
    /// Parentheses, operators and functions are nested deeper than is parsed.
    #[error(
        "the query is nested {depth} levels deep, the limit is {limit}: use fewer parentheses \
         and operators, or record a rule for a part of it"
    )]
    TooDeep {
        /// Levels of the text, counted from its operators and brackets: an upper bound.
        depth: usize,
        /// Most levels of a text.
        limit: usize,
    },
    /// The regular expressions of the text cost too much to compile.
    #[error(
        "{} of the label {label} makes the regular expressions of the query too costly: use \
         shorter repetitions and fewer classes such as \\w, or = for plain values",
        quote(.pattern)
    )]
    RegexCost {
        /// The label of the pattern that went beyond the limit.
        label: String,
        /// That pattern.
        pattern: String,
    },
    /// A duration is not a number, below 1 ms, not whole milliseconds, or above 100 years.
    #[error(
        "the duration {} is not usable: give whole milliseconds up to 100 years, such as 5m",
        quote(.text)
    )]
    Duration {
        /// The duration as written.
        text: String,
    },
    /// The parser refused the text.
    #[error("the query does not parse: {}", excerpt(.message))]
    Syntax {
        /// What the parser said, on one line.
        message: String,
    },
    /// The text is a number, without series.
    #[error(
        "{} is a scalar, which is the same for control and canary: give an expression over \
         series, such as memory_usage_bytes",
        excerpt(.promql)
    )]
    Scalar {
        /// The text.
        promql: String,
    },
    /// The text is a string.
    #[error("{} is a string: give an expression over series, without quotes around it", excerpt(.promql))]
    StringLiteral {
        /// The text.
        promql: String,
    },
    /// The text is a range vector.
    #[error(
        "{} is a range vector: remove the range in square brackets, or apply a function such as \
         avg_over_time() to it",
        excerpt(.promql)
    )]
    RangeVector {
        /// The text.
        promql: String,
    },
    /// A counter is given with a range.
    #[error(
        "{} is a range vector: give the counter itself, without the range in square brackets",
        excerpt(.promql)
    )]
    CounterWithRange {
        /// The text.
        promql: String,
    },
    /// A function, an aggregation or an operator where the counter itself is needed.
    #[error(
        "{} is {found}, not a counter: Serinus sums and differences counters by itself, so give \
         the counter alone, such as http_requests_total{{code=~\"5..\"}}",
        excerpt(.promql)
    )]
    NotACounter {
        /// The text.
        promql: String,
        /// What it is instead.
        found: String,
    },
    /// A selector of a counter does not name its metric.
    #[error(
        "{} does not name its metric: write the name before the braces, such as \
         http_requests_total{{job=\"api\"}}",
        excerpt(.selector)
    )]
    NoMetricName {
        /// The selector.
        selector: String,
    },
    /// An expression reads no series at all.
    #[error(
        "{} has no selector, so it is the same for control and canary: give an expression over \
         series, such as memory_usage_bytes",
        excerpt(.promql)
    )]
    NoSelector {
        /// The text.
        promql: String,
    },
    /// A part of an expression has a value where a population has no series.
    #[error(
        "{} has a value where the population has no series, so a version that was never seen would \
         look like a good one: leave it out, no data holds here, it does not fail",
        excerpt(.branch)
    )]
    ConstantBranch {
        /// The part.
        branch: String,
    },
    /// The matcher that stands where the populations' matchers belong is written otherwise.
    #[error(
        "{} is not where the populations' matchers belong: write {{__population__=\"\"}}",
        excerpt(.matcher)
    )]
    PopulationMark {
        /// The matcher.
        matcher: String,
    },
    /// A matcher of a population has the label of that mark.
    #[error(
        "the label __population__ stands in a query for the populations' matchers: tell the \
         populations apart by another label"
    )]
    PopulationMarkMatcher,
    /// Matchers are joined by `or`.
    #[error(
        "{} joins matchers with or, which not every Prometheus knows: write one matcher with =~ \
         and a | between the values",
        excerpt(.selector)
    )]
    OrMatchers {
        /// The selector.
        selector: String,
    },
    /// A counter is read at another time.
    #[error(
        "{} reads the counter at another time: remove {}, the stage's window is added by Serinus",
        excerpt(.selector), quote(.modifier)
    )]
    TimeModifier {
        /// The selector.
        selector: String,
        /// The modifier: `offset 5m` or `@ 1700000000.000`.
        modifier: String,
    },
    /// A histogram is given with a matcher of its bucket bounds.
    #[error(
        "{} selects only some buckets: remove the matcher of the label le, quantiles need all \
         of them",
        excerpt(.selector)
    )]
    BucketMatcher {
        /// The selector.
        selector: String,
    },
    /// A native histogram is given by the name of the buckets of a classic one.
    #[error(
        "{} names the buckets of a classic histogram: leave out _bucket, a native histogram is one \
         series, or leave out native to read the buckets",
        excerpt(.selector)
    )]
    NativeBucketName {
        /// The selector.
        selector: String,
    },
    /// A native histogram is given with a matcher of the bounds of classic buckets.
    #[error(
        "{} selects by the label le, which only the buckets of classic histograms have: remove \
         the matcher, or leave out native to read the buckets",
        excerpt(.selector)
    )]
    NativeBucketMatcher {
        /// The selector.
        selector: String,
    },
    /// A matcher that must be added excludes what the query itself asks for.
    #[error(
        "the query asks for {}, which leaves out {} of the population or region: remove the \
         matcher of the label {label} from the query",
        excerpt(.present), excerpt(.wanted)
    )]
    PinnedLabel {
        /// The label.
        label: String,
        /// The matcher in the query.
        present: String,
        /// The matcher to be added.
        wanted: String,
    },
    /// One population asks for two values of one label.
    #[error(
        "the matchers ask for {} and for {}, and no series is both: remove one of them",
        excerpt(.first), excerpt(.second)
    )]
    Contradiction {
        /// One matcher.
        first: String,
        /// The other.
        second: String,
    },
    /// The name of a label is not one.
    #[error(
        "{} is not a label's name: use letters, digits and underscores, and no digit at the start",
        quote(.label)
    )]
    LabelName {
        /// The name.
        label: String,
    },
    /// A matcher of a population names the metric.
    #[error(
        "the label __name__ is the metric's name, which each metric of the pipeline has: tell \
         the populations apart by another label"
    )]
    MetricNameMatcher,
    /// A value, a pattern or a string holds a control character.
    #[error(
        "{place} holds a control character such as a line break: remove it from {}",
        quote(.value)
    )]
    ControlCharacter {
        /// Where it was found: `the value of the label version`.
        place: String,
        /// The value.
        value: String,
    },
    /// A value is longer than a label's value reasonably is.
    #[error("the value of the label {label} has {bytes} bytes, the limit is {limit}: shorten it")]
    ValueTooLong {
        /// The label.
        label: String,
        /// Bytes of the value.
        bytes: usize,
        /// Most bytes of a value.
        limit: usize,
    },
    /// A pattern is not a regular expression.
    #[error(
        "{} of the label {label} is not a regular expression ({reason}): correct it, or use = \
         for a plain value",
        quote(.pattern)
    )]
    Regex {
        /// The label.
        label: String,
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The range of a query is not positive, or longer than 100 years.
    #[error("a range of {seconds} seconds is not usable: give 1 second to 100 years")]
    Range {
        /// Seconds asked for.
        seconds: i64,
    },
    /// The syntax tree does not come back the same after it is written: sent, it could ask
    /// something else than was meant.
    #[error(
        "{} cannot be written back unchanged: simplify the query, or record a rule for it",
        excerpt(.promql)
    )]
    Unfaithful {
        /// The text as it was written back.
        promql: String,
    },
}

/// The text on one line, cut after 120 characters.
fn excerpt(text: &str) -> String {
    let line = one_line(text);
    match line.char_indices().nth(EXCERPT_CHARACTERS) {
        Some((end, _)) => format!("{}...", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

/// The text in quotes, with control characters escaped, cut after 120 characters.
fn quote(text: &str) -> String {
    match text.char_indices().nth(EXCERPT_CHARACTERS) {
        Some((end, _)) => format!("{:?}...", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

/// The text with every run of white space and control characters made one space.
pub(super) fn one_line(text: &str) -> String {
    text.split(|character: char| character.is_whitespace() || character.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}
