//! What the demo shows: a table of verdicts that grows as it plays, and what is told after it. Laid
//! out for the terminal's width, so that no row breaks.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;

use anstyle::{AnsiColor, Style};
use chrono::DateTime;
use serinus_analysis::pipeline::Stage;
use serinus_openapi::analysis::{ReasonCode, Verdict};

use crate::terminal::wrapped;

/// Between two columns of the table.
const GAP: &str = "  ";

const TIME_COLUMNS: usize = 9;
const SERVICE_COLUMNS: usize = 8;
const STAGE_COLUMNS: usize = 9;
const TRAFFIC_COLUMNS: usize = 7;
const VERDICT_COLUMNS: usize = 8;

/// Of heads.
pub(super) const BOLD: Style = Style::new().bold();
/// Of all else.
const PLAIN: Style = Style::new();

/// What a gate has answered.
pub(super) struct Row<'a> {
    /// When, on the fleet's clock.
    pub(super) at_ms: i64,
    /// Whose canary.
    pub(super) service: &'static str,
    /// Which gate was asked.
    pub(super) stage: &'a Stage,
    /// Its verdict.
    pub(super) verdict: Verdict,
    /// Why, as a token.
    pub(super) reason_code: ReasonCode,
    /// Why, in words.
    pub(super) reason: String,
}

/// What is news when it changes: the stage, the verdict, the kind of the reason.
type News = (String, Verdict, ReasonCode);

impl Row<'_> {
    fn news(&self) -> News {
        let stage = self.stage.id.clone();
        (stage, self.verdict, self.reason_code.clone())
    }
}

/// Where the demo is told.
pub(crate) struct Screen {
    out: Box<dyn Write + Send>,
    columns: usize,
    last: BTreeMap<&'static str, News>,
}

impl Screen {
    /// Writes to `out`, which has so many columns.
    pub(crate) fn new(out: Box<dyn Write + Send>, columns: u16) -> Self {
        Self {
            out,
            columns: usize::from(columns),
            last: BTreeMap::new(),
        }
    }

    /// Tells a paragraph. Its further lines begin with so many spaces.
    pub(super) fn say(&mut self, text: &str, indented_by: usize) {
        self.say_headed((PLAIN, ""), text, indented_by);
    }

    /// Tells a paragraph whose first words have a style.
    pub(super) fn say_headed(
        &mut self,
        (style, head): (Style, &str),
        rest: &str,
        indented_by: usize,
    ) {
        let text = format!("{head}{rest}");
        let lines = wrapped(&text, self.columns.saturating_sub(indented_by));
        let indent = format!("\n{:indented_by$}", "");
        let told = lines.join(&indent);
        let told = match told.strip_prefix(head) {
            Some(rest) if !head.is_empty() => format!("{}{rest}", styled(style, head)),
            _ => told,
        };
        self.write(&format!("{told}\n"));
    }

    /// Tells what is copied from the terminal: addresses and commands, which no line break may part.
    pub(super) fn quote(&mut self, text: &str) {
        self.write(&format!("  {text}\n"));
    }

    /// Leaves a line free.
    pub(super) fn pause(&mut self) {
        self.write("\n");
    }

    /// Writes the head of the table.
    pub(super) fn head(&mut self) {
        let cells = ["time", "rollout", "stage", "traffic", "verdict"].map(str::to_owned);
        let row = self.row(&cells, "why", |_, cell| styled(BOLD, cell));
        self.write(&row);
    }

    /// Whether an answer says something new: another stage, another verdict or another kind of
    /// reason.
    pub(super) fn is_news(&self, row: &Row<'_>) -> bool {
        self.last.get(row.service) != Some(&row.news())
    }

    /// Tells an answer.
    pub(super) fn tell(&mut self, told: &Row<'_>) {
        let Row {
            stage,
            verdict,
            service,
            ..
        } = *told;
        self.last.insert(service, told.news());
        let name = match verdict {
            Verdict::Promote => "promote",
            Verdict::Hold => "hold",
            Verdict::Rollback => "rollback",
        };
        let cells = [
            time(told.at_ms),
            service.to_owned(),
            stage.id.clone(),
            format!("{} %", stage.traffic_percent),
            name.to_owned(),
        ];
        // What holds is told in short: it goes on to change, and Serinus tells all of it.
        let why = match verdict {
            Verdict::Hold => told.reason.split("; ").next().unwrap_or_default(),
            Verdict::Promote | Verdict::Rollback => &told.reason,
        };
        let row = self.row(&cells, why, |column, cell| {
            if column == "verdict" {
                styled(style_of(verdict), cell)
            } else {
                cell.to_owned()
            }
        });
        self.write(&row);
    }

    /// A row of the table, whose last cell goes on in its column.
    fn row(
        &self,
        cells: &[String; 5],
        why: &str,
        style: impl Fn(&'static str, &str) -> String,
    ) -> String {
        let columns = [
            ("time", TIME_COLUMNS),
            ("rollout", SERVICE_COLUMNS),
            ("stage", STAGE_COLUMNS),
            ("traffic", TRAFFIC_COLUMNS),
            ("verdict", VERDICT_COLUMNS),
        ];
        let mut row = String::new();
        let mut before = 0;
        for ((column, width), cell) in columns.into_iter().zip(cells) {
            // The spaces count what is seen: a style is written around the text.
            let padding = width.saturating_sub(cell.chars().count());
            let _ = write!(row, "{}{:padding$}{GAP}", style(column, cell), "");
            before += width + GAP.len();
        }
        let lines = wrapped(why, self.columns.saturating_sub(before));
        let indent = format!("\n{:before$}", "");
        let _ = writeln!(row, "{}", lines.join(&indent));
        row
    }

    fn write(&mut self, text: &str) {
        // A reader that went away (`| head`) is no reason to stop the play.
        let _ = self
            .out
            .write_all(text.as_bytes())
            .and_then(|()| self.out.flush());
    }
}

/// The colour of a verdict.
pub(super) fn style_of(verdict: Verdict) -> Style {
    let colour = match verdict {
        Verdict::Promote => AnsiColor::Green,
        Verdict::Hold => AnsiColor::Yellow,
        Verdict::Rollback => AnsiColor::Red,
    };
    colour.on_default().bold()
}

/// `Mon 09:01`, on the fleet's clock.
pub(super) fn time(at_ms: i64) -> String {
    DateTime::from_timestamp_millis(at_ms)
        .map_or_else(String::new, |at| at.format("%a %H:%M").to_string())
}

fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::super::folder::played_pipeline;
    use super::*;

    const NINE_ON_MONDAY_MS: i64 = 1_793_610_060_000;
    const LONG_REASON: &str = "error_rate below 1.1 times the control: broken, canary 0.0499 % \
                               [0.0428 %, 0.0581 %], control 0.015 % [0.0148 %, 0.0151 %]; \
                               latency_p99 below 1.2 times the control: undecided";

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn shown(columns: u16, tell: impl Fn(&mut Screen)) -> String {
        let written = Written::default();
        let mut screen = Screen::new(Box::new(written.clone()), columns);
        tell(&mut screen);
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn table(screen: &mut Screen) {
        let pipeline = played_pipeline().unwrap();
        screen.head();
        for (stage, service, verdict, reason) in [
            (0, "payments", Verdict::Promote, "all 3 checks passed"),
            (1, "payments", Verdict::Rollback, LONG_REASON),
            (8, "checkout", Verdict::Hold, "collecting"),
        ] {
            screen.tell(&Row {
                at_ms: NINE_ON_MONDAY_MS,
                service,
                stage: &pipeline.stages[stage],
                verdict,
                reason_code: ReasonCode::Other(reason.to_owned()),
                reason: reason.to_owned(),
            });
        }
    }

    fn without_colours(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn the_table_fits_80_columns() {
        let shown = without_colours(&shown(80, table));
        assert!(shown.lines().all(|line| line.chars().count() <= 80));
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn the_table_is_wider_at_120_columns() {
        let shown = without_colours(&shown(120, table));
        assert!(shown.lines().all(|line| line.chars().count() <= 120));
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn a_verdict_has_its_colour() {
        let shown = shown(80, table);
        for coloured in [
            "\x1b[1m\x1b[32mpromote\x1b[0m",
            "\x1b[1m\x1b[31mrollback\x1b[0m",
        ] {
            assert!(shown.contains(coloured), "{shown:?}");
        }
    }

    #[test]
    fn the_same_with_other_numbers_is_no_news() {
        let pipeline = played_pipeline().unwrap();
        let row = |reason: &str, reason_code: ReasonCode| Row {
            at_ms: NINE_ON_MONDAY_MS,
            service: "checkout",
            stage: &pipeline.stages[0],
            verdict: Verdict::Hold,
            reason_code,
            reason: reason.to_owned(),
        };
        let undecided = || ReasonCode::Other("undecided".to_owned());
        let mut screen = Screen::new(Box::new(Written::default()), 80);
        let first = row("1 of 9", undecided());
        assert!(screen.is_news(&first));
        screen.tell(&first);
        assert!(!screen.is_news(&row("2 of 9", undecided())));
        let other = ReasonCode::Other("no_data".to_owned());
        assert!(screen.is_news(&row("3 of 9", other)));
    }

    #[test]
    fn a_paragraph_goes_on_below_its_first_line() {
        let said = shown(60, |screen| {
            screen.say(&"word ".repeat(13), 2);
            screen.quote(&"x".repeat(70));
        });
        let eleven = ["word"; 11].join(" ");
        assert_eq!(
            said,
            format!("{eleven}\n  word word\n  {}\n", "x".repeat(70))
        );
    }
}
