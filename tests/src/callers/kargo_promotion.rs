//! A whole promotion of Kargo: its steps in their order, on one file of a repository.
//!
//! A step without `if` is skipped after a failure, one with `failure()` without one. An expression
//! that is the whole of a text and looks like a number becomes one, unless it is quoted.

use std::collections::BTreeMap;

use anyhow::{Context, bail, ensure};
use serde_json::{Map, Value, json};

use super::Pace;
use super::kargo::{Status, Step};

/// What a promotion did.
#[derive(Debug)]
pub struct Promoted {
    /// Whether every step that ran has succeeded.
    pub has_succeeded: bool,
    /// The file at each push, the first one first.
    pub pushed: Vec<Value>,
    /// How each gate ended, by the step's alias.
    pub gates: BTreeMap<String, Status>,
    /// What was written into metadata of a Stage or a Freight.
    pub metadata: Map<String, Value>,
}

/// A promotion that is played.
#[derive(Debug)]
pub struct Promotion {
    steps: Vec<Value>,
    known: BTreeMap<String, Value>,
    server: String,
    pace: Pace,
    /// The file in the repository, as it was pushed last.
    remote: Value,
    /// The same in the working folder, once it was cloned.
    local: Option<Value>,
    commits: usize,
    has_failed: bool,
    promoted: Promoted,
}

impl Promotion {
    /// Reads the template of a `Stage`. `known` are the values of expressions, such as
    /// `ctx.promotion`; `remote` is the file that the steps change.
    ///
    /// # Errors
    ///
    /// When the manifest has no steps, or a variable cannot be evaluated.
    pub fn read(
        stage: &Value,
        known: &[(&str, &str)],
        remote: Value,
        server: &str,
        pace: Pace,
    ) -> anyhow::Result<Self> {
        let spec = stage.pointer("/spec/promotionTemplate/spec");
        let spec = spec.context("no promotion template")?;
        let list = |name: &str| spec.get(name).and_then(Value::as_array).cloned();
        let mut promotion = Self {
            steps: list("steps").context("no steps")?,
            known: known
                .iter()
                .map(|(name, value)| ((*name).to_owned(), json!(value)))
                .collect(),
            server: server.to_owned(),
            pace,
            remote,
            local: None,
            commits: 0,
            has_failed: false,
            promoted: Promoted {
                has_succeeded: false,
                pushed: Vec::new(),
                gates: BTreeMap::new(),
                metadata: Map::new(),
            },
        };
        for variable in list("vars").unwrap_or_default() {
            let name = text_of(&variable, "name")?;
            let value = promotion.filled(variable.get("value").context("no value")?)?;
            promotion.known.insert(format!("vars.{name}"), value);
        }
        Ok(promotion)
    }

    /// Plays all steps.
    ///
    /// # Errors
    ///
    /// When a step is none that Kargo would run.
    pub async fn run(mut self) -> anyhow::Result<Promoted> {
        self.play(usize::MAX).await?;
        self.promoted.has_succeeded = !self.has_failed;
        Ok(self.promoted)
    }

    /// Plays some steps; then the controller is restarted, which loses the working folder: Kargo
    /// begins with the first step again.
    ///
    /// # Errors
    ///
    /// As [`Promotion::run`].
    pub async fn run_with_a_restart_after(mut self, steps: usize) -> anyhow::Result<Promoted> {
        self.play(steps).await?;
        self.local = None;
        self.has_failed = false;
        self.run().await
    }

    async fn play(&mut self, steps: usize) -> anyhow::Result<()> {
        for step in self.steps.clone().into_iter().take(steps) {
            let runs = match step.get("if").and_then(Value::as_str) {
                None => !self.has_failed,
                Some("${{ failure() }}") => self.has_failed,
                Some(other) => bail!("the simulator knows no condition {other}"),
            };
            if runs && !self.one(&step).await? {
                self.has_failed = true;
            }
        }
        Ok(())
    }

    /// Plays one step; whether it has succeeded.
    async fn one(&mut self, step: &Value) -> anyhow::Result<bool> {
        let kind = text_of(step, "uses")?;
        let alias = step.get("as").and_then(Value::as_str).unwrap_or(kind);
        // Evaluated only now: of steps that are skipped no output is there.
        let config = self.filled(step.get("config").context("no config")?)?;
        match kind {
            "git-clone" => self.local = Some(self.remote.clone()),
            "yaml-update" => self.update(&config)?,
            "yaml-parse" => self.parse(&config, alias)?,
            "git-commit" => {
                self.commits += 1;
                let id = format!("commit-{}", self.commits);
                self.output(alias, "commit", json!(id));
            }
            "git-push" => {
                self.remote = self.local.clone().context("nothing was cloned")?;
                self.promoted.pushed.push(self.remote.clone());
            }
            "argocd-update" => {
                let wanted = config.pointer("/apps/0/sources/0/desiredRevision");
                let newest = json!(format!("commit-{}", self.commits));
                ensure!(wanted == Some(&newest), "{newest} is waited for: {config}");
            }
            "set-metadata" => {
                let values = config.pointer("/updates/0/values");
                let values = values.and_then(Value::as_object).context("no values")?;
                self.promoted.metadata.extend(values.clone());
            }
            "http" => return self.gate(step, config, alias).await,
            other => bail!("the simulator knows no step {other}"),
        }
        Ok(true)
    }

    async fn gate(&mut self, step: &Value, config: Value, alias: &str) -> anyhow::Result<bool> {
        let mut step = step.clone();
        if let Some(fields) = step.as_object_mut() {
            fields.insert("config".to_owned(), config);
        }
        let ended = Step::read(&step, &[], &self.server)?.run(self.pace).await?;
        let has_succeeded = ended.status == Status::Succeeded;
        self.promoted.gates.insert(alias.to_owned(), ended.status);
        Ok(has_succeeded)
    }

    fn update(&mut self, config: &Value) -> anyhow::Result<()> {
        let updates = config.get("updates").and_then(Value::as_array);
        let file = self.local.as_mut().context("nothing was cloned")?;
        for update in updates.context("no updates")? {
            let pointer = format!("/{}", text_of(update, "key")?.replace('.', "/"));
            let place = file.pointer_mut(&pointer);
            let place = place.with_context(|| format!("the file has no {pointer}"))?;
            *place = update.get("value").context("no value")?.clone();
        }
        Ok(())
    }

    fn parse(&mut self, config: &Value, alias: &str) -> anyhow::Result<()> {
        let file = self.local.clone().context("nothing was cloned")?;
        let outputs = config.get("outputs").and_then(Value::as_array);
        for output in outputs.context("no outputs")? {
            let path = text_of(output, "fromExpression")?.replace('.', "/");
            let value = file.pointer(&format!("/{path}"));
            let value = value.with_context(|| format!("the file has no {path}"))?;
            self.output(alias, text_of(output, "name")?, value.clone());
        }
        Ok(())
    }

    fn output(&mut self, alias: &str, name: &str, value: Value) {
        let plain = format!("outputs.{alias}.{name}");
        self.known.insert(plain, value.clone());
        let in_brackets = format!("outputs['{alias}'].{name}");
        self.known.insert(in_brackets, value);
    }

    /// Evaluates what stands in `${{ }}`, in every text.
    fn filled(&self, value: &Value) -> anyhow::Result<Value> {
        Ok(match value {
            Value::String(text) => self.filled_text(text)?,
            Value::Array(items) => items
                .iter()
                .map(|item| self.filled(item))
                .collect::<anyhow::Result<Vec<_>>>()?
                .into(),
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| Ok((name.clone(), self.filled(value)?)))
                .collect::<anyhow::Result<Map<_, _>>>()?
                .into(),
            other => other.clone(),
        })
    }

    fn filled_text(&self, text: &str) -> anyhow::Result<Value> {
        let mut whole = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${{") {
            let (expression, after) = after.split_once("}}").context("no end of ${{")?;
            let expression = expression.trim();
            let quoted = expression
                .strip_prefix("quote(")
                .and_then(|inner| inner.strip_suffix(')'));
            let value = plain(self.value_of(quoted.unwrap_or(expression))?);
            if before.is_empty() && after.is_empty() && whole.is_empty() {
                let as_json = serde_json::from_str::<Value>(&value).ok();
                let is_text = quoted.is_some() || as_json.is_none();
                return Ok(as_json.filter(|_| !is_text).unwrap_or_else(|| json!(value)));
            }
            whole += before;
            whole += &value;
            rest = after;
        }
        Ok(json!(whole + rest))
    }

    fn value_of(&self, expression: &str) -> anyhow::Result<&Value> {
        let value = self.known.get(expression);
        value.with_context(|| format!("nothing is known of {expression}"))
    }
}

fn text_of<'a>(value: &'a Value, name: &str) -> anyhow::Result<&'a str> {
    let text = value.get(name).and_then(Value::as_str);
    text.with_context(|| format!("no {name} in {value}"))
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_number_becomes_one_unless_it_is_quoted() -> anyhow::Result<()> {
        let stage = json!({"spec": {"promotionTemplate": {"spec": {"steps": []}}}});
        let known = [("tag", "1.10"), ("name", "v2")];
        let promotion = Promotion::read(&stage, &known, json!({}), "", Pace::Virtual)?;
        for (text, value) in [
            ("${{ tag }}", json!(1.10)),
            ("${{ quote(tag) }}", json!("1.10")),
            ("${{ name }}", json!("v2")),
            ("tag ${{ tag }} of ${{name}}", json!("tag 1.10 of v2")),
        ] {
            assert_eq!(promotion.filled_text(text)?, value, "{text}");
        }
        Ok(())
    }
}
