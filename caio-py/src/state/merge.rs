//! Two runs that changed one day's record since both had read it.

use serde_json::Value;

/// Unites what was read, what is to be saved and what stands there now.
pub(crate) type Merge = fn(base: &Value, mine: &Value, theirs: &Value) -> Value;

/// The daily record: counts are added up, people united, the later time holds (ST-6).
pub(crate) fn daily(base: &Value, mine: &Value, theirs: &Value) -> Value {
    let mut merged = mine.clone();
    let (Some(members), Some(now)) = (merged.as_object_mut(), theirs.as_object()) else {
        return merged;
    };
    for (name, there) in now {
        match members.get_mut(name) {
            None => {
                members.insert(name.clone(), there.clone());
            }
            Some(here) => unite(here, base.get(name), there),
        }
    }
    merged
}

fn unite(here: &mut Value, base: Option<&Value>, there: &Value) {
    if let (Some(mine), Some(now)) = (here.as_i64(), there.as_i64()) {
        let before = base.and_then(Value::as_i64).unwrap_or(0);
        *here = Value::from(now.saturating_add(mine.saturating_sub(before)).max(0));
    } else if let (Some(mine), Some(now)) = (here.as_array(), there.as_array()) {
        let new = mine.iter().filter(|entry| !now.contains(entry));
        *here = now.iter().chain(new).cloned().collect();
    } else if let (Some(mine), Some(now)) = (here.as_str(), there.as_str())
        && now > mine
    {
        *here = there.clone();
    } else if here.is_null() {
        *here = there.clone();
    }
}
