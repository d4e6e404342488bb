use proptest::prelude::*;

use super::*;

fn clear() -> Inputs {
    Inputs {
        requested: Mode::Live,
        stop_env: None,
        stop_file: StopFlag::Clear,
        stop_flag: StopFlag::Clear,
        access: None,
        cors: None,
        gate: Gate::Sealed,
        seal_key: true,
        limits: Vec::new(),
        switches: Switches {
            actually_send: true,
            shadow_mode_off: true,
            max_daily_sends: None,
            phase_sends: true,
            operator_enabled: true,
            provider_enabled: true,
        },
        contradictions: Vec::new(),
        sender_missing: Vec::new(),
        model_adopted: true,
        channel: ChannelState::DraftsFirst,
    }
}

type Edit = fn(&mut Inputs);

/// Everything that can stand against live, one at a time, with its layer and code.
const FAULTS: [(u8, &str, Edit); 23] = [
    (1, "safety.stop_env", |i| i.stop_env = Some("yes".into())),
    (1, "safety.stop_file", |i| i.stop_file = StopFlag::Set),
    (1, "safety.stop_file_unreadable", |i| {
        i.stop_file = StopFlag::Unreadable;
    }),
    (1, "safety.stop_flag", |i| i.stop_flag = StopFlag::Set),
    (1, "safety.stop_unreadable", |i| {
        i.stop_flag = StopFlag::Unreadable;
    }),
    (2, "safety.access", |i| i.access = Some("no token".into())),
    (3, "safety.cors", |i| i.cors = Some("any origin".into())),
    (4, "safety.no_seal_key", |i| i.seal_key = false),
    (4, "safety.no_batch", |i| i.gate = Gate::NoBatch),
    (4, "safety.batch_refused", |i| {
        i.gate = Gate::Refused("expired".into());
    }),
    (5, "safety.limits", |i| i.limits.push("day is full".into())),
    (6, "safety.max_daily_sends", |i| {
        i.switches.max_daily_sends = Some(0);
    }),
    (6, "safety.actually_send", |i| {
        i.switches.actually_send = false;
    }),
    (6, "safety.rollout_phase", |i| {
        i.switches.phase_sends = false;
    }),
    (6, "safety.operator_off", |i| {
        i.switches.operator_enabled = false;
    }),
    (6, "safety.provider_off", |i| {
        i.switches.provider_enabled = false;
    }),
    (6, "safety.model_not_adopted", |i| i.model_adopted = false),
    (6, "safety.contradiction", |i| {
        i.contradictions.push("two keys".into());
    }),
    (6, "safety.no_sender", |i| {
        i.sender_missing.push("sender.email".into());
    }),
    (7, "safety.no_channel", |i| {
        i.channel = ChannelState::Missing;
    }),
    (7, "safety.sends_at_once", |i| {
        i.channel = ChannelState::SendsAtOnce;
    }),
    (8, "safety.shadow_mode", |i| {
        i.switches.shadow_mode_off = false;
    }),
    (6, "safety.not_asked", |i| i.requested = Mode::DryRun),
];

fn found(verdict: &Verdict) -> Vec<(u8, &'static str)> {
    verdict
        .blocks()
        .map(|(layer, block)| (layer.number(), block.code))
        .collect()
}

#[test]
fn only_a_run_with_nothing_against_it_may_send() {
    let verdict = verdict(&clear());
    assert!(verdict.may_send());
    assert_eq!(verdict.findings.len(), 8);
}

#[test]
fn any_single_block_blocks_live_and_is_named_with_its_layer() {
    for (layer, code, edit) in FAULTS {
        let mut inputs = clear();
        edit(&mut inputs);
        let verdict = verdict(&inputs);
        assert!(!verdict.may_send(), "{code}");
        assert_eq!(found(&verdict), [(layer, code)]);
        if inputs.requested == Mode::Live {
            assert_eq!(verdict.mode, Permission::Blocked, "{code}");
        }
    }
}

#[test]
fn the_default_switches_say_no() {
    let inputs = Inputs {
        switches: Switches::default(),
        ..clear()
    };
    assert_eq!(verdict(&inputs).blocks().count(), 5);
}

#[test]
fn shadow_needs_what_guards_our_own_records_and_nothing_else() {
    for (layer, code, edit) in FAULTS {
        let mut inputs = clear();
        edit(&mut inputs);
        inputs.requested = Mode::Shadow;
        let blocked = verdict(&inputs).mode == Permission::Blocked;
        assert_eq!(blocked, [1, 2, 4, 5].contains(&layer), "{code}");
    }
}

#[test]
fn switches_that_forbid_sending_do_not_forbid_a_shadow_run() {
    let inputs = Inputs {
        requested: Mode::Shadow,
        switches: Switches {
            max_daily_sends: Some(0),
            ..Switches::default()
        },
        ..clear()
    };
    assert_eq!(verdict(&inputs).mode, Permission::Granted(Mode::Shadow));
}

#[test]
fn a_stop_that_nobody_understands_stops() {
    for stops in ["1", "true", " YES ", "on", "ture", "2", "stop"] {
        assert!(stop_is_on(Some(stops)), "{stops}");
    }
    for runs in [
        None,
        Some(""),
        Some("  "),
        Some("false"),
        Some("0"),
        Some("No"),
        Some("off"),
    ] {
        assert!(!stop_is_on(runs), "{runs:?}");
    }
    assert!(is_on(" On ") && !is_on("ture"));
}

#[test]
fn either_stop_variable_stops() {
    let given = |pairs: &[(&str, &str)]| {
        let variables = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        stop_value(&variables)
    };
    assert_eq!(given(&[]), None);
    assert_eq!(
        given(&[("EMERGENCY_STOP", "false"), ("KILL_SWITCH", "")]),
        None
    );
    assert_eq!(
        given(&[("EMERGENCY_STOP", "0"), ("KILL_SWITCH", "on")]).as_deref(),
        Some("on")
    );
    assert_eq!(
        given(&[("EMERGENCY_STOP", "true")]).as_deref(),
        Some("true")
    );
}

proptest! {
    #[test]
    fn the_truth_table_holds_for_every_combination(mask in 0_u32..(1 << 20), mode in 0_usize..3) {
        let mut inputs = clear();
        let mut layers_hit = std::collections::BTreeSet::new();
        for (bit, (layer, _, edit)) in FAULTS[..20].iter().enumerate() {
            if mask & (1 << bit) != 0 {
                edit(&mut inputs);
                layers_hit.insert(*layer);
            }
        }
        inputs.requested = Mode::ALL[mode];
        let verdict = verdict(&inputs);
        // Lowered to blocked or granted as asked: never another mode.
        if let Permission::Granted(granted) = verdict.mode { prop_assert_eq!(granted, inputs.requested); }
        match inputs.requested {
            Mode::DryRun => prop_assert_eq!(verdict.mode, Permission::Granted(Mode::DryRun)),
            Mode::Shadow => {
                let guarded = layers_hit.iter().any(|layer| [1, 2, 4, 5].contains(layer));
                prop_assert_eq!(verdict.mode == Permission::Blocked, guarded);
            }
            Mode::Live => prop_assert_eq!(verdict.may_send(), mask == 0),
        }
        // Every layer speaks, in order, and dry-run shows what live would have met.
        let numbers: Vec<u8> = verdict.findings.iter().map(|(layer, _)| layer.number()).collect();
        prop_assert!(numbers.is_sorted());
        let live = super::verdict(&Inputs { requested: Mode::Live, ..inputs.clone() });
        for block in found(&live) { prop_assert!(found(&verdict).contains(&block)); }
    }
}
