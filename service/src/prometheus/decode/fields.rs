//! The outer object of an answer: status, error, warnings, and the data within.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, Visitor};

use super::super::fault::one_line;
use super::series::{Data, DataVisitor, Exceeded, Limits};

/// Most warnings kept of one answer, and most infos. Prometheus itself sends ten of each at most.
const MAX_ANNOTATIONS: usize = 20;

/// What has been read of an answer so far.
pub(super) struct Envelope {
    pub(super) limits: Limits,
    pub(super) status: Option<String>,
    pub(super) error_type: Option<String>,
    pub(super) error: Option<String>,
    pub(super) warnings: Vec<String>,
    pub(super) infos: Vec<String>,
    pub(super) is_partial: bool,
    pub(super) data: Option<Data>,
    exceeded: Option<Exceeded>,
}

impl Envelope {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            status: None,
            error_type: None,
            error: None,
            warnings: Vec::new(),
            infos: Vec::new(),
            is_partial: false,
            data: None,
            exceeded: None,
        }
    }

    /// The limit at which reading stopped, if it did.
    pub(super) fn exceeded(&self) -> Option<Exceeded> {
        self.exceeded
    }
}

/// Keeps the first of some texts.
fn keep(kept: &mut Vec<String>, texts: Option<Vec<String>>) {
    let room = MAX_ANNOTATIONS.saturating_sub(kept.len());
    let texts = texts.unwrap_or_default();
    kept.extend(texts.iter().take(room).map(|text| one_line(text)));
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum EnvelopeField {
    Status,
    ErrorType,
    Error,
    Warnings,
    Infos,
    /// Of a `VictoriaMetrics` cluster.
    IsPartial,
    Data,
    #[serde(other)]
    Other,
}

/// Reads the outer object.
pub(super) struct EnvelopeVisitor<'a> {
    pub(super) envelope: &'a mut Envelope,
}

impl<'de> Visitor<'de> for EnvelopeVisitor<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an answer of the Prometheus API")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let envelope = self.envelope;
        while let Some(field) = map.next_key()? {
            match field {
                EnvelopeField::Status => envelope.status = Some(map.next_value()?),
                EnvelopeField::ErrorType => envelope.error_type = map.next_value()?,
                EnvelopeField::Error => envelope.error = map.next_value()?,
                EnvelopeField::Warnings => keep(&mut envelope.warnings, map.next_value()?),
                EnvelopeField::Infos => keep(&mut envelope.infos, map.next_value()?),
                EnvelopeField::IsPartial => envelope.is_partial |= map.next_value::<bool>()?,
                EnvelopeField::Data => {
                    if envelope.data.is_some() {
                        return Err(Error::duplicate_field("data"));
                    }
                    envelope.data = map.next_value_seed(DataSeed {
                        limits: envelope.limits,
                        exceeded: &mut envelope.exceeded,
                    })?;
                }
                EnvelopeField::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// Reads `data`, which an error leaves out or sets to null.
struct DataSeed<'a> {
    limits: Limits,
    exceeded: &'a mut Option<Exceeded>,
}

impl<'de> DeserializeSeed<'de> for DataSeed<'_> {
    type Value = Option<Data>;

    fn deserialize<D: serde::Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for DataSeed<'_> {
    type Value = Option<Data>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("data or null")
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: serde::Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Self::Value, D::Error> {
        deserializer
            .deserialize_map(DataVisitor {
                limits: self.limits,
                exceeded: self.exceeded,
            })
            .map(Some)
    }
}
