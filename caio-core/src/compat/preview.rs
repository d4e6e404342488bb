//! The preview hash of a batch record as it comes, whatever its members hold.

use std::borrow::Cow;

use serde_json::Value;

use super::CompatError;
use super::normalize_email;
use crate::preview_hash::PreviewHash;
use crate::preview_hash::push_action_fields;
use crate::preview_hash::push_sorted_strings;
use crate::pytext::PyInt;
use crate::pytext::dict_get;
use crate::pytext::int_of;
use crate::pytext::is_truthy;
use crate::pytext::iterate;
use crate::pytext::push_ascii_json;
use crate::pytext::sorted;
use crate::pytext::str_of;

/// The preview hash of a batch record; other members than the five that it covers are ignored.
///
/// An absent list counts as empty, a null one is a `TypeError` (a null list of actions counts as
/// empty), so are items of mixed types; a step or day that is no number is a `ValueError`; an
/// action that is no object, or whose e-mail is no text, an `AttributeError`.
///
/// Keeps PR-3 and PR-4. Typed: [`crate::preview_hash()`]; what an approval rests on is
/// the seal of the batch.
pub fn compute_preview_hash(batch: &Value) -> Result<PreviewHash, CompatError> {
    let Value::Object(batch) = batch else {
        return Err(CompatError::attribute(batch, "approved_cadence_actions"));
    };
    let mut out = String::with_capacity(4096);
    out.push_str("{\"approved_cadence_actions\":");
    push_actions(&mut out, batch.get("approved_cadence_actions"))?;
    for key in [
        "approved_linkedin_shadow_ids",
        "approved_revival_emails",
        "approved_shadow_email_ids",
    ] {
        out.push_str(",\"");
        out.push_str(key);
        out.push_str("\":");
        push_sorted_ids(&mut out, batch.get(key))?;
    }
    out.push_str(",\"motion\":");
    push_ascii_json(&mut out, batch.get("motion").unwrap_or(&Value::Null));
    out.push('}');
    Ok(PreviewHash::of_canonical(&out))
}

fn push_sorted_ids(out: &mut String, ids: Option<&Value>) -> Result<(), CompatError> {
    let Some(ids) = ids else {
        out.push_str("[]");
        return Ok(());
    };
    if let Some(texts) = all_texts(ids) {
        push_sorted_strings(out, texts.into_iter());
        return Ok(());
    }
    let ids = sorted(iterate(ids)?)?;
    out.push('[');
    for (index, id) in ids.iter().enumerate() {
        out.push_str(if index == 0 { "" } else { "," });
        push_ascii_json(out, id);
    }
    out.push(']');
    Ok(())
}

/// The items of a list that holds nothing but texts.
fn all_texts(ids: &Value) -> Option<Vec<&str>> {
    ids.as_array()?.iter().map(Value::as_str).collect()
}

/// One action, reduced to what is hashed.
struct Action<'a> {
    id: Cow<'a, str>,
    email: String,
    channel: Cow<'a, str>,
    step: PyInt,
    day: PyInt,
}

fn push_actions(out: &mut String, actions: Option<&Value>) -> Result<(), CompatError> {
    let mut reduced = match actions {
        Some(Value::Array(items)) => items.iter().map(reduce).collect::<Result<Vec<_>, _>>()?,
        Some(other) if is_truthy(other) => {
            // No member of any other type has the `get` that every item is asked for.
            return Err(match iterate(other)?.first() {
                Some(item) => CompatError::attribute(item, "get"),
                None => CompatError::attribute(other, "get"),
            });
        }
        _ => Vec::new(),
    };
    reduced.sort_by(|a, b| a.id.cmp(&b.id));
    out.push('[');
    for (index, action) in reduced.iter().enumerate() {
        out.push_str(if index == 0 { "" } else { "," });
        push_action_fields(
            out,
            &action.id,
            &action.channel,
            &action.day,
            &action.email,
            &action.step,
        );
    }
    out.push(']');
    Ok(())
}

fn reduce(action: &Value) -> Result<Action<'_>, CompatError> {
    let text = |key| Ok::<_, CompatError>(dict_get(action, key)?.map_or(Cow::Borrowed(""), str_of));
    let number = |key| match dict_get(action, key)? {
        Some(value) if is_truthy(value) => int_of(value),
        _ => Ok(PyInt::Small(0)),
    };
    Ok(Action {
        id: text("action_id")?,
        email: normalize_email(dict_get(action, "email")?.unwrap_or(&Value::Null))?,
        channel: text("channel")?,
        step: number("step")?,
        day: number("day")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preview_hash::PreviewAction;
    use crate::preview_hash::PreviewScope;
    use crate::preview_hash::preview_hash;
    use proptest::prelude::*;
    use serde_json::json;

    fn texts(strings: &[String]) -> Vec<&str> {
        strings.iter().map(String::as_str).collect()
    }

    proptest! {
        #[test]
        fn typed_and_untyped_agree_on_what_both_can_say(
            motion in prop::option::of("\\PC{0,8}"),
            lists in prop::array::uniform3(prop::collection::vec("[a-c_é😀\"]{0,6}", 0..6)),
            actions in prop::collection::vec(
                (("[ab|]{0,3}", " ?[A-Cé@.]{0,5}"), "\\PC{0,5}", any::<i64>(), any::<i64>()), 0..5),
        ) {
            let [shadow, linkedin, revival] = lists;
            let typed: Vec<_> = actions
                .iter()
                .map(|((action_id, email), channel, step, day)| PreviewAction {
                    action_id, email, channel, step: *step, day: *day,
                })
                .collect();
            let untyped: Vec<_> = typed
                .iter()
                .map(|a| json!({
                    "action_id": a.action_id, "email": a.email, "channel": a.channel,
                    "step": a.step, "day": a.day.to_string(), "cadence_id": "not covered",
                }))
                .collect();
            let scope = PreviewScope {
                motion: motion.as_deref(),
                shadow_email_ids: &texts(&shadow),
                linkedin_shadow_ids: &texts(&linkedin),
                revival_emails: &texts(&revival),
                cadence_actions: &typed,
            };
            let record = json!({
                "motion": motion, "approved_shadow_email_ids": shadow,
                "approved_linkedin_shadow_ids": linkedin, "approved_revival_emails": revival,
                "approved_cadence_actions": untyped, "status": "not covered",
            });
            prop_assert_eq!(compute_preview_hash(&record), Ok(preview_hash(&scope)));
        }
    }
}
