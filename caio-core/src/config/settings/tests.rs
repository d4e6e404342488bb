use super::*;

fn provenance(layers: &[Layer], name: &str) -> (String, String) {
    Settings::resolve(layers)
        .provenance
        .into_iter()
        .find(|(key, ..)| *key == name)
        .map(|(_, value, source)| (value.to_string(), source.to_string()))
        .unwrap()
}

#[test]
fn the_template_holds_every_key_with_its_default() {
    let layer = Layer::toml("caio.toml", CaioToml::template()).unwrap();
    assert_eq!(layer.unknown, []);
    assert_eq!(layer.values.len(), KEYS.len());
    let from_file = Settings::resolve(&[layer]);
    assert_eq!(from_file.settings, Settings::resolve(&[]).settings);
    assert_eq!(from_file.settings.ramp, RampConfig::default());
    assert_eq!(from_file.settings.limits, LimitPolicy::default());
}

#[test]
fn each_value_knows_where_it_comes_from_and_the_last_layer_wins() {
    let file = Layer::toml(
        "caio.toml",
        "time_zone = \"Europe/Paris\"\n\n[limits]\nemail_per_day = 10\nemail_per_hour = 4\n",
    )
    .unwrap();
    let variables = BTreeMap::from([
        ("CAIO_LIMITS_EMAIL_PER_HOUR".to_owned(), "3".to_owned()),
        ("CAIO_SENDER_NAME".to_owned(), String::new()),
        ("PATH".to_owned(), "/bin".to_owned()),
    ]);
    let environment = Layer::environment(&variables).unwrap();
    let flags = Layer::flags([("ramp.enabled", "false")]).unwrap();
    let layers = [file, environment, flags];
    let is = |name, value: &str, source: &str| {
        assert_eq!(
            provenance(&layers, name),
            (value.to_owned(), source.to_owned())
        );
    };
    is("limits.email_per_day", "10", "caio.toml:4");
    is(
        "limits.email_per_hour",
        "3",
        "env CAIO_LIMITS_EMAIL_PER_HOUR",
    );
    is("ramp.enabled", "false", "flag ramp.enabled");
    is("sender.name", "", "default");
    is("time_zone", "Europe/Paris", "caio.toml:1");
    let settings = Settings::resolve(&layers).settings;
    assert_eq!(settings.limits.email_per_hour, Some(3));
    assert!(!settings.ramp.enabled);
}

#[test]
fn wrong_values_name_file_line_found_and_expected() {
    let text = "[limits]\nemail_per_day = \"ten\"\n[batch]\nexpiry_hours = 0\n[ramp]\ntier = \"best\"\nenabled = \"yes\"\ndays = -1\n";
    let errors = Layer::toml("caio.toml", text).unwrap_err();
    let mut shown: Vec<String> = errors.iter().map(ToString::to_string).collect();
    shown.sort();
    assert_eq!(
        shown,
        [
            "batch.expiry_hours (caio.toml:4) is 0; expected a whole number from 1 to 168",
            "limits.email_per_day (caio.toml:2) is \"ten\"; expected a whole number from 0",
            "ramp.days (caio.toml:8) is -1; expected a whole number from 1 to 365",
            "ramp.enabled (caio.toml:7) is \"yes\"; expected true or false",
            "ramp.tier (caio.toml:6) is \"best\"; expected one of: tier_1, tier_2, tier_3, tier_4",
        ]
    );
    let syntax = Layer::toml("caio.toml", "a = 1\nb = \n").unwrap_err();
    assert!(
        syntax[0].to_string().starts_with("caio.toml:2: "),
        "{}",
        syntax[0]
    );
    let variables = BTreeMap::from([("CAIO_RAMP_DAYS".to_owned(), "soon".to_owned())]);
    let error = Layer::environment(&variables).unwrap_err();
    assert!(
        error[0].to_string().contains("env CAIO_RAMP_DAYS"),
        "{}",
        error[0]
    );
    assert!(
        Layer::flags([("ramp.dayz", "3")]).unwrap_err()[0]
            .to_string()
            .contains("ramp.days")
    );
}

#[test]
fn unknown_keys_are_named_with_line_and_neighbour() {
    let layer = Layer::toml(
        "caio.toml",
        "[sender]\nemial = \"a@example.com\"\n[colour]\nx = 1\n",
    )
    .unwrap();
    let resolved = Settings::resolve(&[layer]);
    let shown: Vec<String> = resolved.unknown.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "caio.toml:2: unknown key sender.emial; did you mean sender.email?",
            "caio.toml:3: unknown key colour",
        ]
    );
}

#[test]
fn a_sender_says_what_it_lacks() {
    let mut sender = Sender::default();
    assert_eq!(sender.missing().len(), 5);
    sender.name = "Sam Example".into();
    sender.company = "Example".into();
    sender.email = "sam@example.com".into();
    sender.postal_address = " ".into();
    sender.opt_out_text = "Say stop.".into();
    assert_eq!(sender.missing(), ["sender.postal_address"]);
}
