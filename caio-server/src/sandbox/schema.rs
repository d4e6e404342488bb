//! Shapes of bodies, and the words with which Ajv refuses one.

use serde_json::{Map, Value};

/// What a value has to be.
#[derive(Debug)]
pub(super) enum Shape {
    /// `YYYY-MM-DD`.
    Date,
    /// At least one property, each a flag.
    Days,
    Flag,
    /// Properties of one level: text, number, flag or null.
    Flat,
    Integer(i64, i64),
    List(&'static Shape, usize, usize),
    Nullable(&'static Shape),
    Number,
    /// Closed: nothing but these.
    Object(&'static [Field]),
    OneOf(&'static [&'static str]),
    Text,
    /// `HH:MM`.
    Time,
    Uuid,
}

/// A property.
#[derive(Debug)]
pub(super) struct Field {
    name: &'static str,
    shape: Shape,
    required: bool,
}

pub(super) const fn need(name: &'static str, shape: Shape) -> Field {
    let required = true;
    Field {
        name,
        shape,
        required,
    }
}

pub(super) const fn may(name: &'static str, shape: Shape) -> Field {
    let required = false;
    Field {
        name,
        shape,
        required,
    }
}

impl Shape {
    /// The first thing that is wrong with a body; `Partly` leaves out what is required of the whole.
    pub(super) fn check(&self, body: &Value, all: Whole) -> Result<(), String> {
        self.at("body", body, all)
    }

    fn at(&self, path: &str, value: &Value, all: Whole) -> Result<(), String> {
        let demand = |right: bool, what: &str| {
            if right {
                Ok(())
            } else {
                Err(format!("{path} must {what}"))
            }
        };
        match self {
            Self::Date => demand(is_date(value), "match format \"date\""),
            Self::Days => {
                let days = object(path, value)?;
                demand(!days.is_empty(), "NOT have fewer than 1 properties")?;
                days.iter()
                    .try_for_each(|(day, flag)| Self::Flag.at(&format!("{path}/{day}"), flag, all))
            }
            Self::Flag => demand(value.is_boolean(), "be boolean"),
            Self::Flat => object(path, value)?.iter().try_for_each(|(name, value)| {
                if value.is_object() || value.is_array() {
                    return Err(format!("{path}/{name} must be string,number,boolean,null"));
                }
                Ok(())
            }),
            Self::Integer(low, high) => {
                let number = value.as_i64();
                demand(number.is_some(), "be integer")?;
                demand(number >= Some(*low), &format!("be >= {low}"))?;
                demand(number <= Some(*high), &format!("be <= {high}"))
            }
            Self::List(shape, low, high) => {
                let items = value.as_array().ok_or(format!("{path} must be array"))?;
                demand(
                    items.len() <= *high,
                    &format!("NOT have more than {high} items"),
                )?;
                demand(
                    items.len() >= *low,
                    &format!("NOT have fewer than {low} items"),
                )?;
                let mut numbered = items.iter().enumerate();
                numbered
                    .try_for_each(|(at, item)| shape.at(&format!("{path}/{at}"), item, Whole::Yes))
            }
            Self::Nullable(shape) => match value {
                Value::Null => Ok(()),
                value => shape.at(path, value, all),
            },
            Self::Number => demand(value.is_number(), "be number"),
            Self::Object(fields) => closed(path, fields, object(path, value)?, all),
            Self::OneOf(allowed) => {
                let known = value.as_str().is_some_and(|value| allowed.contains(&value));
                demand(known, "be equal to one of the allowed values")
            }
            Self::Text => demand(value.is_string(), "be string"),
            Self::Time => demand(
                is_time(value),
                "match pattern \"^([01][0-9]|2[0-3]):([0-5][0-9])$\"",
            ),
            Self::Uuid => {
                let uuid = value
                    .as_str()
                    .and_then(|text| uuid::Uuid::try_parse(text).ok());
                demand(uuid.is_some(), "match format \"uuid\"")
            }
        }
    }
}

/// Whether what is required has to be there; a change may leave it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whole {
    No,
    Yes,
}

fn object<'v>(path: &str, value: &'v Value) -> Result<&'v Map<String, Value>, String> {
    value.as_object().ok_or(format!("{path} must be object"))
}

fn closed(
    path: &str,
    fields: &[Field],
    properties: &Map<String, Value>,
    all: Whole,
) -> Result<(), String> {
    let mut required = fields
        .iter()
        .filter(|field| field.required && all == Whole::Yes);
    if let Some(Field { name, .. }) = required.find(|field| !properties.contains_key(field.name)) {
        return Err(format!("{path} must have required property '{name}'"));
    }
    let find = |name: &String| fields.iter().find(|field| field.name == name);
    if properties.keys().any(|name| find(name).is_none()) {
        return Err(format!("{path} must NOT have additional properties"));
    }
    properties
        .iter()
        .try_for_each(|(name, value)| match find(name) {
            Some(field) => field.shape.at(&format!("{path}/{name}"), value, Whole::Yes),
            None => Ok(()),
        })
}

fn is_date(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|text| text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok())
}

fn is_time(value: &Value) -> bool {
    let Some((hours, minutes)) = value.as_str().and_then(|text| text.split_once(':')) else {
        return false;
    };
    let within = |text: &str, high: u8| {
        text.len() == 2
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && text.parse::<u8>().is_ok_and(|number| number <= high)
    };
    within(hours, 23) && within(minutes, 59)
}
