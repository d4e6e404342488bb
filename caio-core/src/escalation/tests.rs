use proptest::prelude::*;

use super::AlertChannel::{Email, Slack, Sms};
use super::*;

const ALL: Configured = Configured {
    slack: true,
    sms: true,
    email: true,
};

fn configured(bits: u8) -> Configured {
    Configured {
        slack: bits & 1 != 0,
        sms: bits & 2 != 0,
        email: bits & 4 != 0,
    }
}

/// Tries what is due until nothing is; `works` says which channels take it. The order of tries.
fn tried(plan: &Plan, works: Configured) -> (Vec<AlertChannel>, BTreeMap<AlertChannel, Ended>) {
    let (mut order, mut ended) = (Vec::new(), BTreeMap::new());
    while let Some(channel) = plan.due(&ended).first().copied() {
        order.push(channel);
        let how = match works.has(channel) {
            true => Ended::Sent,
            false => Ended::Failed,
        };
        assert_eq!(
            ended.insert(channel, how),
            None,
            "{channel} was tried twice"
        );
    }
    (order, ended)
}

#[test]
fn each_level_adds_a_channel() {
    assert_eq!(plan(Level::One, ALL).tell, [Slack]);
    assert_eq!(plan(Level::Two, ALL).tell, [Slack, Sms]);
    assert_eq!(plan(Level::Three, ALL).tell, [Slack, Sms, Email]);
    assert_eq!(plan(Level::One, ALL).fallback, [Email, Sms]);
}

#[test]
fn every_level_with_every_set_of_channels() {
    // Level, configured (slack 1, sms 2, email 4) and who is told when all of them work.
    let matrix: [(Level, u8, &[AlertChannel]); 24] = [
        (Level::One, 0, &[]),
        (Level::One, 1, &[Slack]),
        (Level::One, 2, &[Sms]),
        (Level::One, 3, &[Slack]),
        (Level::One, 4, &[Email]),
        (Level::One, 5, &[Slack]),
        (Level::One, 6, &[Email]),
        (Level::One, 7, &[Slack]),
        (Level::Two, 0, &[]),
        (Level::Two, 1, &[Slack]),
        (Level::Two, 2, &[Sms]),
        (Level::Two, 3, &[Slack, Sms]),
        (Level::Two, 4, &[Email]),
        (Level::Two, 5, &[Slack, Email]),
        (Level::Two, 6, &[Sms, Email]),
        (Level::Two, 7, &[Slack, Sms]),
        (Level::Three, 0, &[]),
        (Level::Three, 1, &[Slack]),
        (Level::Three, 2, &[Sms]),
        (Level::Three, 3, &[Slack, Sms]),
        (Level::Three, 4, &[Email]),
        (Level::Three, 5, &[Slack, Email]),
        (Level::Three, 6, &[Sms, Email]),
        (Level::Three, 7, &[Slack, Sms, Email]),
    ];
    for (level, bits, told) in matrix {
        let plan = plan(level, configured(bits));
        let (order, ended) = tried(&plan, ALL);
        assert_eq!(order, told, "{level:?} with {bits:03b}");
        assert_eq!(plan.reaches_nobody(), bits == 0);
        let results = plan.results(&ended);
        for channel in told {
            assert_eq!(results[channel], ChannelResult::Sent);
        }
        for channel in level.channels() {
            assert!(results.contains_key(channel), "{channel} is reported");
            let missing = results[channel] == ChannelResult::NotConfigured;
            assert_eq!(missing, !configured(bits).has(*channel));
        }
    }
}

#[test]
fn a_failing_channel_falls_back_to_the_next_and_says_so() {
    let without_slack = Configured {
        slack: false,
        ..ALL
    };
    let one = plan(Level::One, ALL);
    let (order, ended) = tried(&one, without_slack);
    assert_eq!(order, [Slack, Email]);
    let results = one.results(&ended);
    assert_eq!(
        results[&Slack],
        ChannelResult::FellBack,
        "not `sent` (D-44)"
    );
    assert_eq!(results[&Email], ChannelResult::Sent);

    let only_sms = Configured {
        sms: true,
        ..Configured::default()
    };
    let (order, ended) = tried(&one, only_sms);
    assert_eq!(order, [Slack, Email, Sms]);
    let results = one.results(&ended);
    assert_eq!(
        [results[&Slack], results[&Email], results[&Sms]],
        [
            ChannelResult::FellBack,
            ChannelResult::Failed,
            ChannelResult::Sent
        ],
        "one took the place of one"
    );
}

#[test]
fn level_2_with_slack_alone_configured_says_that_sms_is_missing() {
    let slack = Configured {
        slack: true,
        ..Configured::default()
    };
    let two = plan(Level::Two, slack);
    let (_, ended) = tried(&two, Configured::default());
    let results = two.results(&ended);
    assert_eq!(results[&Slack], ChannelResult::Failed);
    assert_eq!(results[&Sms], ChannelResult::NotConfigured);
}

#[test]
fn numbers_outside_are_the_nearest_level() {
    for (number, expected) in [(-3, 1), (0, 1), (1, 1), (2, 2), (3, 3), (99, 3)] {
        assert_eq!(Level::from_number(number).number(), expected);
    }
}

proptest! {
    #[test]
    fn no_channel_is_tried_twice_and_somebody_who_can_be_told_is(
        level in 1_i64..4, has in 0_u8..8, works in 0_u8..8,
    ) {
        let level = Level::from_number(level);
        let plan = plan(level, configured(has));
        let (order, ended) = tried(&plan, configured(works));
        prop_assert!(order.len() <= has.count_ones() as usize);
        let sent = ended.values().filter(|it| **it == Ended::Sent).count();
        let can = (has & works).count_ones() as usize;
        prop_assert!(sent >= can.min(usize::from(level.number())));
        prop_assert_eq!(sent == 0, can == 0);
        let results = plan.results(&ended);
        let fell_back = results.values().filter(|it| **it == ChannelResult::FellBack).count();
        prop_assert!(fell_back <= sent);
    }
}
