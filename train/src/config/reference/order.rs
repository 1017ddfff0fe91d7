//! The order in which types declare their fields: a JSON schema has them by the alphabet.

use crate::config::{CheckpointConfig, Config, DataConfig, LogDetSection, OptimConfig, RunConfig, TaskConfig};
use datasets::RandomCrop;
use residual_flows::{BaseConfig, ContextConfig, FixedPoint, LogDetConfig, PowerIteration, ResidualFlowConfig};
use serde::de::value::Error;
use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;

/// The fields of the section of this name.
pub(super) fn fields(section: &str) -> &'static [&'static str] {
    match section {
        "" => fields_of::<Config>(),
        "data" => fields_of::<DataConfig>(),
        "data.crop" => fields_of::<RandomCrop>(),
        "model" => fields_of::<ResidualFlowConfig>(),
        "model.power_iteration" => fields_of::<PowerIteration>(),
        "model.fixed_point" | "model.forward_fixed_point" => fields_of::<FixedPoint>(),
        "model.context" => fields_of::<ContextConfig>(),
        "model.base" => fields_of::<BaseConfig>(),
        "task" => fields_of::<TaskConfig>(),
        "log_det" => fields_of::<LogDetSection>(),
        "log_det.train" | "log_det.eval" => fields_of::<LogDetConfig>(),
        "optim" => fields_of::<OptimConfig>(),
        "run" => fields_of::<RunConfig>(),
        "checkpoint" => fields_of::<CheckpointConfig>(),
        _ => &[],
    }
}

fn fields_of<T: Deserialize<'static>>() -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    // It always fails, once the names are known.
    let _ = T::deserialize(Names(&mut fields));
    fields
}

/// What is told the names of a struct's fields, and gives no values.
struct Names<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Names<'_> {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        Err(Error::custom("only the names are wanted"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
        Err(Error::custom("not a struct"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
