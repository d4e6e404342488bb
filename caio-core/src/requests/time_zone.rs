//! Time zones that Instantly accepts: 102 names, and many of the usual ones are not among them.
//!
//! A stand-in has the same offset all year. Where there is none (the Pacific coast of America), the
//! answer is none: an hour off would write to people at another time than was approved.

/// Names that the vendor's API accepts, as its published description lists them.
const ACCEPTED: &str = "Etc/GMT+12 Etc/GMT+11 Etc/GMT+10 America/Anchorage America/Dawson \
    America/Creston America/Chihuahua America/Boise America/Belize America/Chicago \
    America/Bahia_Banderas America/Regina America/Bogota America/Detroit America/Indiana/Marengo \
    America/Caracas America/Asuncion America/Glace_Bay America/Campo_Grande America/Anguilla \
    America/Santiago America/St_Johns America/Sao_Paulo America/Argentina/La_Rioja \
    America/Araguaina America/Godthab America/Montevideo America/Bahia America/Noronha \
    America/Scoresbysund Atlantic/Cape_Verde Africa/Casablanca America/Danmarkshavn \
    Europe/Isle_of_Man Atlantic/Canary Africa/Abidjan Arctic/Longyearbyen Europe/Belgrade \
    Africa/Ceuta Europe/Sarajevo Africa/Algiers Africa/Windhoek Asia/Nicosia Asia/Beirut \
    Africa/Cairo Asia/Damascus Europe/Bucharest Africa/Blantyre Europe/Helsinki Europe/Istanbul \
    Asia/Jerusalem Africa/Tripoli Asia/Amman Asia/Baghdad Europe/Kaliningrad Asia/Aden \
    Africa/Addis_Ababa Europe/Kirov Europe/Astrakhan Asia/Tehran Asia/Dubai Asia/Baku Indian/Mahe \
    Asia/Tbilisi Asia/Yerevan Asia/Kabul Antarctica/Mawson Asia/Yekaterinburg Asia/Karachi \
    Asia/Kolkata Asia/Colombo Asia/Kathmandu Antarctica/Vostok Asia/Dhaka Asia/Rangoon \
    Antarctica/Davis Asia/Novokuznetsk Asia/Hong_Kong Asia/Krasnoyarsk Asia/Brunei Australia/Perth \
    Asia/Taipei Asia/Choibalsan Asia/Irkutsk Asia/Dili Asia/Pyongyang Australia/Adelaide \
    Australia/Darwin Australia/Brisbane Australia/Melbourne Antarctica/DumontDUrville \
    Australia/Currie Asia/Chita Antarctica/Macquarie Asia/Sakhalin Pacific/Auckland Etc/GMT-12 \
    Pacific/Fiji Asia/Anadyr Asia/Kamchatka Etc/GMT-13 Pacific/Apia";

/// What is sent for a zone that is not accepted: the same offset all year.
const STAND_INS: &[(&str, &str)] = &[
    ("Africa/Johannesburg", "Africa/Blantyre"),
    ("Africa/Lagos", "Africa/Algiers"),
    ("America/Denver", "America/Boise"),
    ("America/Halifax", "America/Glace_Bay"),
    ("America/Mexico_City", "America/Chihuahua"),
    ("America/New_York", "America/Detroit"),
    ("America/Phoenix", "America/Creston"),
    ("America/Toronto", "America/Detroit"),
    ("Asia/Bangkok", "Asia/Krasnoyarsk"),
    ("Asia/Manila", "Asia/Hong_Kong"),
    ("Asia/Seoul", "Asia/Chita"),
    ("Asia/Shanghai", "Asia/Hong_Kong"),
    ("Asia/Singapore", "Asia/Hong_Kong"),
    ("Asia/Tokyo", "Asia/Chita"),
    ("Australia/Sydney", "Australia/Melbourne"),
    ("Etc/UTC", "Africa/Abidjan"),
    ("Europe/Amsterdam", "Europe/Belgrade"),
    ("Europe/Athens", "Europe/Bucharest"),
    ("Europe/Berlin", "Europe/Belgrade"),
    ("Europe/Dublin", "Europe/Isle_of_Man"),
    ("Europe/London", "Europe/Isle_of_Man"),
    ("Europe/Madrid", "Europe/Belgrade"),
    ("Europe/Paris", "Europe/Belgrade"),
    ("Pacific/Honolulu", "Etc/GMT+10"),
    ("UTC", "Africa/Abidjan"),
];

/// The name to send for `zone`, with the same offset at every hour of the year; `None` where the
/// provider has none.
///
/// ```
/// use caio_core::requests::instantly_time_zone;
/// assert_eq!(instantly_time_zone("America/New_York"), Some("America/Detroit"));
/// assert_eq!(instantly_time_zone("America/Los_Angeles"), None);
/// ```
pub fn instantly_time_zone(zone: &str) -> Option<&'static str> {
    let accepted = ACCEPTED.split_ascii_whitespace().find(|it| *it == zone);
    accepted.or_else(|| {
        let stand_in = STAND_INS.iter().find(|(name, _)| *name == zone);
        stand_in.map(|(_, stand_in)| *stand_in)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use jiff::tz::TimeZone;
    use jiff::{SignedDuration, Timestamp};

    #[test]
    fn a_stand_in_has_the_same_offset_all_year() {
        let start = date(2026, 1, 1)
            .to_zoned(TimeZone::UTC)
            .unwrap()
            .timestamp();
        let offset = |zone: &str, at: Timestamp| {
            let zone = TimeZone::get(zone).unwrap();
            zone.to_offset(at).seconds()
        };
        for (zone, stand_in) in STAND_INS {
            assert_eq!(instantly_time_zone(stand_in), Some(*stand_in));
            for day in 0..730 {
                let at = start + SignedDuration::from_hours(24 * day);
                assert_eq!(offset(zone, at), offset(stand_in, at), "{zone} {at}");
            }
        }
    }

    #[test]
    fn there_are_as_many_as_the_vendor_lists() {
        assert_eq!(ACCEPTED.split_ascii_whitespace().count(), 102);
    }
}
