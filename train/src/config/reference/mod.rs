//! All settings there are, from the types that hold them: documentation, defaults, units and ranges are those of the fields'
//! doc comments and attributes, and nowhere else.
//!
//! Attributes beyond JSON Schema's own are `x-unit`, `x-default` (a default that is no value, in words) and `x-infinite` (whether
//! `inf` is accepted).

mod order;
mod pages;
mod range;
mod suggestions;

pub use pages::{default_toml, explanation, markdown};
pub use range::{Range, number};

use super::Config;
use schemars::generate::SchemaSettings;
use serde_json::Value;
use std::sync::LazyLock;

/// A key of a configuration, or a section of keys.
#[derive(Clone, Debug)]
pub struct Setting {
    /// `section.key`
    pub key: String,
    /// What it does.
    pub text: String,
    /// What kind of value it has, in words.
    pub kind: String,
    /// The value that it has when it is left out, if that is a value.
    pub default: Option<Value>,
    /// What holds when it is left out and that is not a value.
    pub default_words: Option<String>,
    /// What it counts or measures.
    pub unit: Option<String>,
    /// The numbers that it accepts.
    pub range: Option<Range>,
    /// The names that it accepts, each with what it means.
    pub choices: Vec<(String, String)>,
}

/// A section of a configuration; the keys outside of any are in the first.
#[derive(Clone, Debug)]
pub struct Section {
    /// As in `[log_det.train]`; empty for the keys at the top.
    pub name: String,
    /// What it is for.
    pub text: String,
    /// Its keys.
    pub settings: Vec<Setting>,
    /// What holds where the whole section is left out, if that is another thing than its defaults.
    pub absent: Option<String>,
}

struct Reference {
    schema: Value,
    sections: Vec<Section>,
    settings: Vec<Setting>,
}

static REFERENCE: LazyLock<Reference> = LazyLock::new(|| {
    let generator = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true).into_generator();
    let mut schema = generator.into_root_schema_for::<Config>().to_value();
    without_null(&mut schema);
    let mut sections = vec![Section { name: String::new(), text: text_of(&schema), settings: Vec::new(), absent: None }];
    gather(&mut sections, "", &schema, None);
    let settings = sections.iter().flat_map(|section| section.settings.clone()).collect();
    Reference { schema, sections, settings }
});

/// The JSON schema of configurations, for editors.
pub fn schema() -> &'static Value {
    &REFERENCE.schema
}

/// The same as text, as `configs/schema.json` has it.
pub fn schema_text() -> String {
    format!("{:#}\n", REFERENCE.schema)
}

/// The sections in the order of the types.
pub fn sections() -> &'static [Section] {
    &REFERENCE.sections
}

/// All keys.
pub fn settings() -> &'static [Setting] {
    &REFERENCE.settings
}

impl Setting {
    /// Its value in a configuration, if it is set there or has a default that is written out.
    pub fn value_in<'a>(&self, config: &'a toml::Value) -> Option<&'a toml::Value> {
        self.key.split('.').try_fold(config, |value, part| value.get(part))
    }

    /// What holds when it is left out, as it would be written.
    pub fn default_text(&self) -> Option<String> {
        self.default.as_ref().map(written)
    }

    fn of(key: String, schema: &Value, default: Option<&Value>) -> Self {
        let word = |name: &str| schema.get(name).and_then(Value::as_str).map(str::to_string);
        Self {
            key,
            text: text_of(schema),
            kind: kind_of(schema),
            default: default.or_else(|| schema.get("default")).cloned(),
            default_words: word("x-default"),
            unit: word("x-unit"),
            range: Range::of(schema),
            choices: choices_of(schema),
        }
    }
}

/// Adds the keys of an object. What its own property states as a default goes before what its type does.
fn gather(sections: &mut Vec<Section>, path: &str, schema: &Value, defaults: Option<&Value>) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    let place = |name: &str| order::fields(path).iter().position(|field| *field == name);
    let mut ordered: Vec<(&String, &Value)> = properties.iter().collect();
    ordered.sort_by_key(|(name, _)| place(name).unwrap_or(usize::MAX));
    let mut inner = Vec::new();
    for (name, property) in ordered {
        let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let default = defaults.and_then(|defaults| defaults.get(name));
        if property.get("properties").is_some() {
            inner.push((key, property, default.or_else(|| property.get("default"))));
        } else if let Some(section) = sections.iter_mut().find(|section| section.name == path) {
            section.settings.push(Setting::of(key, property, default));
        }
    }
    for (key, property, default) in inner {
        let absent = property.get("x-default").and_then(Value::as_str).map(str::to_string);
        sections.push(Section { name: key.clone(), text: text_of(property), settings: Vec::new(), absent });
        gather(sections, &key, property, default);
    }
    sections.retain(|section| section.name.is_empty() || section.name != path || !section.settings.is_empty());
}

/// TOML has no `null`: what an optional key accepts is what it accepts when it is set.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Array(parts) => parts.iter_mut().for_each(without_null),
        Value::Object(object) => {
            if let Some(Value::Array(kinds)) = object.get_mut("type") {
                kinds.retain(|kind| kind != "null");
                if let [kind] = kinds.as_slice() {
                    let kind = kind.clone();
                    object.insert("type".into(), kind);
                }
            }
            if let Some(Value::Array(mut parts)) = object.remove("anyOf") {
                parts.retain(|part| part.get("type").is_none_or(|kind| kind != "null"));
                match parts.as_mut_slice() {
                    [Value::Object(only)] => {
                        for (key, value) in std::mem::take(only) {
                            object.entry(key).or_insert(value);
                        }
                    }
                    _ => drop(object.insert("anyOf".into(), Value::Array(parts))),
                }
            }
            object.values_mut().for_each(without_null);
        }
        _ => {}
    }
}

/// A doc comment as one paragraph a paragraph, without the links of Rust.
fn text_of(schema: &Value) -> String {
    let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    let paragraphs = text.split("\n\n").map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
    paragraphs.collect::<Vec<_>>().join("\n\n").replace("[`", "`").replace("`]", "`")
}

fn kind_of(schema: &Value) -> String {
    let plural = |kind: &str| match kind {
        "whole number" => "whole numbers".into(),
        "number" => "numbers".into(),
        "text" => "texts".into(),
        other => format!("values ({other})"),
    };
    if let Some(parts) = schema.get("anyOf").and_then(Value::as_array) {
        return parts.iter().map(kind_of).collect::<Vec<_>>().join(", or ");
    }
    if !choices_of(schema).is_empty() {
        return "name".into();
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("integer") => "whole number".into(),
        Some("number") => "number".into(),
        Some("boolean") => "true or false".into(),
        Some("array") => {
            let items = plural(&schema.get("items").map(kind_of).unwrap_or_default());
            match schema.get("minItems").and_then(Value::as_u64) {
                Some(n) => format!("list of {n} {items}"),
                None => format!("list of {items}"),
            }
        }
        _ => "text".into(),
    }
}

/// The names of an enumeration.
fn choices_of(schema: &Value) -> Vec<(String, String)> {
    let name = |value: &Value| value.as_str().map(str::to_string);
    if let Some(names) = schema.get("enum").and_then(Value::as_array) {
        return names.iter().filter_map(name).map(|name| (name, String::new())).collect();
    }
    let parts = schema.get("oneOf").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let choice = |part: &Value| match part.get("const").and_then(name) {
        Some(name) => vec![(name, text_of(part))],
        None => choices_of(part),
    };
    parts.iter().flat_map(choice).collect()
}

/// A value as TOML.
fn written(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text:?}"),
        Value::Number(number) if number.is_f64() => range::number(number.as_f64().unwrap_or(f64::NAN), false),
        Value::Array(values) => format!("[{}]", values.iter().map(written).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}
