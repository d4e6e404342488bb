//! `CAIO_KILL_AT=after-claim:2`: where a test ends this process. No release has it.

use std::collections::BTreeMap;

use caio_dispatch::operator::kill;

/// Arms the point that the environment names, and how often it is reached before; a word that is none arms
/// nothing, and the test fails.
pub(crate) fn arm(environment: &BTreeMap<String, String>) {
    let asked = environment.get("CAIO_KILL_AT");
    let Some((point, nth)) = asked.and_then(|it| it.split_once(':')) else {
        return;
    };
    if let (Ok(point), Ok(nth)) = (point.parse(), nth.parse()) {
        kill::arm(point, nth);
    }
}
