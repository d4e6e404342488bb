//! Ramp and warm-up by the calendar.

use jiff::civil::Date;
use serde_json::Map;
use serde_json::Number;
use serde_json::Value;
use serde_json::json;

use super::CompatError;
use crate::pytext::dict_get;
use crate::pytext::is_truthy;
use crate::pytext::strptime_ymd;
use crate::pytext::type_name;

/// The ramp on a day, from the `operator` section of the configuration.
///
/// Members: `enabled`, `active`, `day`, `remaining_days`, `email_limit_override`, `tier_filter`,
/// values as the configuration holds them.
///
/// Keeps PR-6 (an enabled ramp with a missing or unreadable start is off: full volume), PR-7 (it
/// ends by the calendar, whatever was sent) and PR-9 (day 0 before the start). Corrected: the
/// ramp of the core, which fails closed and counts clean days.
pub fn ramp_status(operator_config: &Value, today: Date) -> Result<Value, CompatError> {
    let nothing = Value::Object(Map::new());
    let ramp = dict_get(operator_config, "ramp")?.unwrap_or(&nothing);
    let enabled = dict_get(ramp, "enabled")?.cloned().unwrap_or(json!(false));
    let off = |enabled: Value| {
        json!({
            "enabled": enabled, "active": false, "day": 0, "remaining_days": 0,
            "email_limit_override": null, "tier_filter": null,
        })
    };
    if !is_truthy(&enabled) {
        return Ok(off(enabled));
    }
    let Some(start) = start_date(dict_get(ramp, "start_date")?)? else {
        return Ok(off(enabled));
    };
    let ramp_days = dict_get(ramp, "ramp_days")?.cloned().unwrap_or(json!(3));
    let elapsed = days_between(start, today);
    let (day, remaining) = if elapsed < 0 {
        (0, ramp_days)
    } else if let Some(remaining) = days_left(&ramp_days, elapsed)? {
        (elapsed + 1, remaining)
    } else {
        return Ok(off(enabled));
    };
    Ok(json!({
        "enabled": enabled, "active": true, "day": day, "remaining_days": remaining,
        "email_limit_override": or_default(ramp, "email_daily_limit_override", json!(5)),
        "tier_filter": or_default(ramp, "tier_filter", json!("tier_1")),
    }))
}

/// The limits of a day, from the `operator` section of the configuration.
///
/// Members: `email_daily_limit`, `linkedin_daily_limit`, `linkedin_warmup_start`,
/// `linkedin_warmup_week`, `is_linkedin_warmup`, `revival_daily_limit`.
///
/// Keeps PR-6, PR-7 and that the ramp's limit may be higher than the ordinary one. Corrected: the
/// limits of the core, where a ramp only lowers.
pub fn warmup_schedule(operator_config: &Value, today: Date) -> Result<Value, CompatError> {
    let nothing = Value::Object(Map::new());
    let outbound = dict_get(operator_config, "outbound")?.unwrap_or(&nothing);
    let revival = dict_get(operator_config, "revival")?.unwrap_or(&nothing);
    let mut email_limit = dict_get(outbound, "email_daily_limit")?
        .cloned()
        .unwrap_or(json!(25));
    let ramp = ramp_status(operator_config, today)?;
    match ramp.get("email_limit_override") {
        Some(limit) if !limit.is_null() => {
            email_limit = limit.clone();
            // The old system adds up the ramp's length for its log, which only numbers allow.
            days_left(ramp.get("remaining_days").unwrap_or(&Value::Null), 0)?;
        }
        _ => {}
    }

    let start = dict_get(outbound, "linkedin_warmup_start")?;
    let (week, is_warmup) = match start_date(start)? {
        None => (0, true),
        Some(start) => {
            let week = days_between(start, today).div_euclid(7).max(0);
            let weeks = or_default(outbound, "linkedin_warmup_weeks", json!(4));
            (week, days_left(&weeks, week)?.is_some())
        }
    };
    let linkedin_limit = if is_warmup {
        or_default(outbound, "linkedin_warmup_daily_limit", json!(5))
    } else {
        or_default(outbound, "linkedin_full_daily_limit", json!(20))
    };
    Ok(json!({
        "email_daily_limit": email_limit,
        "linkedin_daily_limit": linkedin_limit,
        "linkedin_warmup_start": start.cloned().unwrap_or(json!("")),
        "linkedin_warmup_week": week,
        "is_linkedin_warmup": is_warmup,
        "revival_daily_limit": dict_get(revival, "daily_limit")?.cloned().unwrap_or(json!(5)),
    }))
}

fn or_default(section: &Value, key: &str, default: Value) -> Value {
    section.get(key).cloned().unwrap_or(default)
}

/// A date of the configuration: `None` where it is empty or no date, a `TypeError` for a value
/// that is no text.
fn start_date(value: Option<&Value>) -> Result<Option<Date>, CompatError> {
    match value {
        Some(Value::String(text)) => Ok(strptime_ymd(text)),
        Some(other) if is_truthy(other) => Err(CompatError::type_error(format!(
            "strptime() argument 1 must be str, not {}",
            type_name(other)
        ))),
        _ => Ok(None),
    }
}

fn days_between(start: Date, today: Date) -> i64 {
    start.duration_until(today).as_hours() / 24
}

/// `total - elapsed` where `elapsed < total`, else `None`; a `TypeError` unless `total` is a number.
fn days_left(total: &Value, elapsed: i64) -> Result<Option<Value>, CompatError> {
    let whole = match total {
        Value::Bool(flag) => Some(i128::from(*flag)),
        Value::Number(number) => number.as_i128(),
        other => {
            return Err(CompatError::type_error(format!(
                "'<' not supported between instances of 'int' and '{}'",
                type_name(other)
            )));
        }
    };
    if let Some(whole) = whole {
        let left = whole - i128::from(elapsed);
        return Ok((left > 0).then(|| Number::from_i128(left).map_or(Value::Null, Value::Number)));
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "days since the year 1 fit 53 bits"
    )]
    let left = total.as_f64().unwrap_or(0.0) - elapsed as f64;
    Ok((left > 0.0).then(|| json!(left)))
}
