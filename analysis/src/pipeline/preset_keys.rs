//! The keys `preset` and `presets`: where the usual metrics come from.

use std::collections::BTreeMap;

use super::cursor::{Cursor, Fields, Problems, shortened};
use super::definition::Definition;
use super::given::read_own;
use super::model::Own;
use super::names::suggestion;
use super::presets::{About, DEFAULT_PRESET, PRESET_NAMES, preset_definitions};
use super::yaml::Value;
use crate::series::Populations;

/// The most presets of a file.
const MAX_PRESETS: usize = 8;

/// What is expected in a list of presets.
const ENTRY: &str =
    "the name of a preset, or a mapping such as {preset: istio, control: {..}, canary: {..}}";

type Definitions = BTreeMap<String, Definition>;

/// A preset that a file names.
struct Named {
    name: String,
    definitions: Definitions,
}

/// The metrics of the file's presets. After a mistake those of the default, so that the checks can
/// still be read.
pub(super) fn read_presets(fields: &Fields<'_>, problems: &mut Problems) -> Definitions {
    let of_default = || preset_definitions(DEFAULT_PRESET).unwrap_or_default();
    match (fields.get("preset"), fields.get("presets")) {
        (_, Some(list)) => {
            if fields.get("preset").is_some() {
                list.problem(
                    problems,
                    "\"preset\" and \"presets\" cannot stand together: keep the list",
                );
            }
            let named = read_list(list, problems);
            if named.is_empty() {
                return of_default();
            }
            put_together(named)
        }
        (Some(value), None) => {
            let found = read_name(value, problems);
            found.map_or_else(of_default, |named| named.definitions)
        }
        (None, None) => of_default(),
    }
}

fn read_list(list: &Cursor<'_>, problems: &mut Problems) -> Vec<Named> {
    let Some(items) = list.items("a list of presets such as [istio, kubernetes]", problems) else {
        return Vec::new();
    };
    if items.is_empty() || items.len() > MAX_PRESETS {
        let message = format!("expected 1 to {MAX_PRESETS} presets, found {}", items.len());
        list.problem(problems, message);
    }
    let mut named: Vec<Named> = Vec::new();
    for item in items.iter().take(MAX_PRESETS) {
        let Some(found) = read_entry(item, problems) else {
            continue;
        };
        if named.iter().any(|known| known.name == found.name) {
            item.problem(problems, format!("{:?} stands here twice", found.name));
            continue;
        }
        named.push(found);
    }
    named
}

/// One entry: a name, or a name with matchers of its own.
fn read_entry(item: &Cursor<'_>, problems: &mut Problems) -> Option<Named> {
    if !matches!(item.value(), Value::Mapping(_)) {
        return read_name(item, problems);
    }
    let fields = item.fields(ENTRY, &["preset", "control", "canary"], problems)?;
    if fields.lacks("preset") {
        item.problem(problems, format!("no \"preset\": give {ENTRY}"));
    }
    let named = read_name(fields.get("preset")?, problems);
    let mut own = |population| {
        let section = fields.get(population)?;
        Some(read_own(section, problems))
    };
    let own: Populations<Own> = Populations {
        control: own("control").unwrap_or_default(),
        canary: own("canary").unwrap_or_default(),
    };
    let mut named = named?;
    for definition in named.definitions.values_mut() {
        definition.own = own.clone();
    }
    Some(named)
}

fn read_name(value: &Cursor<'_>, problems: &mut Problems) -> Option<Named> {
    let name = value.text("the name of a preset", problems)?;
    if let Some(definitions) = preset_definitions(name) {
        return Some(Named {
            name: name.to_owned(),
            definitions,
        });
    }
    let hint = suggestion(name, PRESET_NAMES.iter().copied());
    let hint = if hint.is_empty() {
        format!(": there are {}", PRESET_NAMES.join(", "))
    } else {
        hint
    };
    value.problem(
        problems,
        format!("unknown preset {:?}{hint}", shortened(name)),
    );
    None
}

/// Each name is that of the first preset that is about it, else of the first that has it.
fn put_together(named: Vec<Named>) -> Definitions {
    let mut known = Definitions::new();
    let (about, beside): (Vec<_>, Vec<_>) = named
        .into_iter()
        .flat_map(|preset| {
            let of = About::of_preset(&preset.name);
            preset
                .definitions
                .into_iter()
                .map(move |(name, one)| (of, name, one))
        })
        .partition(|(of, name, _)| *of == About::of_metric(name));
    for (_, name, definition) in about.into_iter().chain(beside) {
        known.entry(name).or_insert(definition);
    }
    known
}
