//! A body that anybody may send: no panic, an event of bounded size, the same one each time, and none
//! that changes anything while nobody knows who sent it.

use caio_core::webhook::{Effects, Source, Trust, effects, parse};
use jiff::Timestamp;

pub(crate) fn check(source: Source, body: &[u8]) {
    let now = Timestamp::from_second(1_772_445_600).expect("an instant");
    for hint in [None, Some("reply"), Some("unsubscribe")] {
        let Ok(event) = parse(source, hint, body, now) else {
            continue;
        };
        assert_eq!(event.key.len(), 32);
        assert!(event.name.chars().count() <= 64 && event.text.chars().count() <= 200);
        assert_eq!(parse(source, hint, body, now).as_ref(), Ok(&event));
        let unsigned = effects(&event, Trust::Unsigned);
        let hold = Effects { hold: unsigned.hold, ..Effects::default() };
        assert_eq!(unsigned, hold);
    }
}
