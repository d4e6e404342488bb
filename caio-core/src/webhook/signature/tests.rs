use ed25519_dalek::{Signer, SigningKey};
use proptest::prelude::*;
use sha2::Digest;

use super::*;
use crate::identity::hex;

const BODY: &[u8] = br#"{"type": "ContactDndUpdate", "timestamp": "2026-03-02T10:00:00Z"}"#;
const KEY: &str = "whk_0123456789abcdef";

fn now() -> Timestamp {
    "2026-03-02T10:00:00Z".parse().unwrap()
}

fn asked(
    source: Source,
    keys: &Keys,
    headers: &[(&str, &[u8])],
    url_key: Option<&str>,
) -> Result<Proof, SignatureFault> {
    let request = Request {
        headers,
        url_key,
        body: BODY,
    };
    verify(source, keys, &request, now())
}

fn mac(key: &str) -> String {
    let hmac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    hex(&hmac.chain_update(BODY).finalize().into_bytes())
}

fn keyed() -> Keys {
    let mut keys = Keys::default();
    keys.add_key(KEY).unwrap();
    keys
}

#[test]
fn a_provider_without_a_key_is_closed() {
    for source in Source::ALL {
        let keys = Keys::of(*source);
        let bearer = format!("Bearer {KEY}");
        let answer = asked(
            *source,
            &keys,
            &[("authorization", bearer.as_bytes())],
            Some(KEY),
        );
        assert!(answer.is_err(), "{source}");
        let expected = if *source == Source::Ghl {
            SignatureFault::Mismatch
        } else {
            SignatureFault::Unconfigured
        };
        assert_eq!(answer, Err(expected), "{source}");
    }
}

#[test]
fn a_key_counts_in_a_header_and_in_the_address_of_those_that_have_no_header() {
    let keys = keyed();
    let bearer = format!("bearer  {KEY}");
    for source in Source::ALL {
        for header in [
            ("Authorization", bearer.as_bytes()),
            ("X-Caio-Webhook-Key", KEY.as_bytes()),
        ] {
            assert_eq!(asked(*source, &keys, &[header], None), Ok(Proof::Header));
        }
        let by_url = asked(*source, &keys, &[], Some(KEY));
        let expected = match source {
            Source::HeyReach | Source::Rb2b => Ok(Proof::Url),
            _ => Err(SignatureFault::Missing),
        };
        assert_eq!(by_url, expected, "{source}");
        for wrong in ["", "whk_0123456789abcdeF", "whk_0123456789abcdef "] {
            let answer = asked(
                *source,
                &keys,
                &[("x-caio-webhook-key", wrong.as_bytes())],
                Some("x"),
            );
            let trimmed = wrong.ends_with(' ');
            assert_eq!(answer.is_ok(), trimmed, "{source} {wrong:?}");
        }
    }
}

#[test]
fn two_keys_are_valid_while_one_follows_the_other() {
    let mut keys = keyed();
    keys.add_key("whk_another_key_of_ours").unwrap();
    for key in [KEY, "whk_another_key_of_ours"] {
        assert_eq!(
            asked(Source::HeyReach, &keys, &[], Some(key)),
            Ok(Proof::Url)
        );
    }
    keys.add_hmac("first secret of two").unwrap();
    keys.add_hmac("second secret of two").unwrap();
    assert_eq!(keys.add_hmac("third secret of two"), Err(BadKey::TooMany));
    for secret in ["first secret of two", "second secret of two"] {
        let given = mac(secret);
        let header = [("X-Signature", given.as_bytes())];
        assert_eq!(asked(Source::Rb2b, &keys, &header, None), Ok(Proof::Hmac));
    }
    assert_eq!(keys.add_hmac("short"), Err(BadKey::TooShort));
    assert!(!format!("{keys:?}").contains("first"));
}

#[test]
fn hexadecimal_of_either_case_with_or_without_its_prefix() {
    let mut keys = Keys::default();
    keys.add_hmac("a secret of a relay").unwrap();
    let right = mac("a secret of a relay");
    for given in [
        right.clone(),
        right.to_uppercase(),
        format!("sha256={right}"),
        format!("SHA256={}", right.to_uppercase()),
        format!("hmac-sha256={right}"),
    ] {
        let header = [("x-instantly-signature", given.as_bytes())];
        assert_eq!(
            asked(Source::Instantly, &keys, &header, None),
            Ok(Proof::Hmac),
            "{given}"
        );
    }
    for given in [
        format!("sha256=sha256={right}"),
        right[1..].to_owned(),
        format!("{right}00"),
        "+".repeat(64),
        "é".repeat(32),
        String::from("☃"),
    ] {
        let header = [("x-instantly-signature", given.as_bytes())];
        let answer = asked(Source::Instantly, &keys, &header, None);
        assert_eq!(answer, Err(SignatureFault::Form), "{given}");
    }
    let other = mac("the secret of another");
    let header = [("x-instantly-signature", other.as_bytes())];
    assert_eq!(
        asked(Source::Instantly, &keys, &header, None),
        Err(SignatureFault::Mismatch)
    );
}

#[test]
fn a_wrong_signature_is_not_made_good_by_a_right_key_and_no_header_counts_twice() {
    let mut keys = keyed();
    keys.add_hmac("a secret of a relay").unwrap();
    let wrong = "0".repeat(64);
    let headers: [(&str, &[u8]); 2] = [
        ("x-signature", wrong.as_bytes()),
        ("x-caio-webhook-key", KEY.as_bytes()),
    ];
    assert_eq!(
        asked(Source::Rb2b, &keys, &headers, Some(KEY)),
        Err(SignatureFault::Mismatch)
    );
    let twice: [(&str, &[u8]); 2] = [
        ("x-caio-webhook-key", KEY.as_bytes()),
        ("X-CAIO-Webhook-Key", b"other"),
    ];
    assert_eq!(
        asked(Source::Rb2b, &keys, &twice, None),
        Err(SignatureFault::Form)
    );
    let basic: [(&str, &[u8]); 1] = [("authorization", b"Basic abc")];
    assert_eq!(
        asked(Source::Clay, &keys, &basic, None),
        Err(SignatureFault::Form)
    );
}

fn ghl() -> (Keys, SigningKey) {
    let signer = SigningKey::from_bytes(&[7; 32]);
    let mut keys = Keys::of(Source::Ghl);
    keys.trust_ed25519(&STANDARD.encode(signer.verifying_key().as_bytes()))
        .unwrap();
    (keys, signer)
}

fn ghl_asked(keys: &Keys, body: &[u8], signature: &str) -> Result<Proof, SignatureFault> {
    let request = Request {
        headers: &[("X-GHL-Signature", signature.as_bytes())],
        url_key: None,
        body,
    };
    verify(Source::Ghl, keys, &request, now())
}

#[test]
fn the_provider_signs_the_very_bytes_and_lately() {
    let (keys, signer) = ghl();
    let sign = |body: &[u8]| STANDARD.encode(signer.sign(body).to_bytes());
    assert_eq!(ghl_asked(&keys, BODY, &sign(BODY)), Ok(Proof::Ed25519));
    let again = serde_json::from_slice::<serde_json::Value>(BODY)
        .unwrap()
        .to_string();
    let expected = Err(SignatureFault::Mismatch);
    assert_eq!(ghl_asked(&keys, again.as_bytes(), &sign(BODY)), expected);
    assert_eq!(ghl_asked(&keys, BODY, "bm8="), Err(SignatureFault::Form));
    for (at, expected) in [
        ("2026-03-01T10:00:00Z", Ok(Proof::Ed25519)),
        ("2026-03-01T09:59:59Z", Err(SignatureFault::Stale)),
        ("2026-03-02T10:05:01Z", Err(SignatureFault::Stale)),
        ("no instant", Ok(Proof::Ed25519)),
    ] {
        let body = format!(r#"{{"timestamp": "{at}"}}"#);
        assert_eq!(
            ghl_asked(&keys, body.as_bytes(), &sign(body.as_bytes())),
            expected,
            "{at}"
        );
    }
    // The published key is a key, and it is not ours.
    let published = Keys::of(Source::Ghl);
    assert_eq!(published.ed25519.len(), 1);
    assert_eq!(ghl_asked(&published, BODY, &sign(BODY)), expected);
}

#[test]
fn standard_webhooks_agree_with_the_reference() {
    let secret = format!("whsec_{}", STANDARD.encode([9; 32]));
    let reference = standardwebhooks::Webhook::new(&secret).unwrap();
    let mut keys = Keys::default();
    keys.add_standard(&format!("whsec_{}", STANDARD.encode([8; 24])))
        .unwrap();
    keys.add_standard(&secret).unwrap();
    for (shift, expected) in [
        (0, Ok(Proof::Standard)),
        (300, Ok(Proof::Standard)),
        (-300, Ok(Proof::Standard)),
        (301, Err(SignatureFault::Stale)),
        (-301, Err(SignatureFault::Stale)),
    ] {
        let time = now().as_second() + shift;
        let signature = reference.sign("msg_1", time, BODY).unwrap();
        let both = format!("v1a,x v1,AAAA {signature}");
        let time = time.to_string();
        let headers: [(&str, &[u8]); 3] = [
            ("webhook-id", b"msg_1"),
            ("webhook-timestamp", time.as_bytes()),
            ("webhook-signature", both.as_bytes()),
        ];
        assert_eq!(
            asked(Source::Clay, &keys, &headers, None),
            expected,
            "{shift}"
        );
        let other: [(&str, &[u8]); 3] = [("webhook-id", b"msg_2"), headers[1], headers[2]];
        let answer = asked(Source::Clay, &keys, &other, None);
        assert_eq!(answer, Err(SignatureFault::Mismatch));
        assert_eq!(
            asked(Source::Clay, &keys, &headers[1..], None),
            Err(SignatureFault::Missing)
        );
    }
    for bad in ["", "whsec_", "whsec_AAAA", "AAAA", "whsec_é"] {
        assert_eq!(keys.add_standard(bad), Err(BadKey::Standard), "{bad}");
    }
}

#[test]
fn a_fresh_key_fits_a_header_and_an_address() {
    let key = fresh_key([255; 32]);
    assert_eq!(key.len(), 47);
    assert!(
        key.chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    );
    assert!(KeyDigest::of(&key).is_of(key.as_bytes()));
    let stored = serde_json::to_string(&KeyDigest::of(&key)).unwrap();
    assert!(!stored.contains(&key));
    assert_eq!(
        stored.trim_matches('"'),
        STANDARD.encode(Sha256::digest(&key))
    );
}

#[test]
fn keys_of_the_environment_are_named_when_they_cannot_be_used() {
    let set = |name: &'static str, value: &'static str| {
        move |asked: &str| (asked == name).then_some(value)
    };
    let two = set(
        "RB2B_WEBHOOK_SECRET",
        "first-secret-of-two second-secret-of-two",
    );
    let keys = Keys::configured(Source::Rb2b, two).unwrap();
    let given = mac("second-secret-of-two");
    let header = [("x-rb2b-signature", given.as_bytes())];
    assert_eq!(asked(Source::Rb2b, &keys, &header, None), Ok(Proof::Hmac));
    let bearer = set("WEBHOOK_BEARER_TOKEN", KEY);
    let keys = Keys::configured(Source::Clay, bearer).unwrap();
    let header = [("x-caio-webhook-key", KEY.as_bytes())];
    assert_eq!(asked(Source::Clay, &keys, &header, None), Ok(Proof::Header));
    assert!(
        Keys::configured(Source::Rb2b, bearer)
            .unwrap()
            .is_empty(Source::Rb2b)
    );
    for (source, name, value) in [
        (Source::Clay, "CLAY_WEBHOOK_SECRET", "short"),
        (Source::Ghl, "GHL_WEBHOOK_PUBLIC_KEY", "AAAA"),
        (Source::Instantly, "CAIO_WEBHOOK_SECRETS", "AAAA"),
    ] {
        let (named, _) = Keys::configured(source, set(name, value)).unwrap_err();
        assert_eq!(named, name);
    }
}

proptest! {
    #[test]
    fn any_header_ends_in_an_answer_and_none_but_the_right_one_in_yes(
        value in prop::collection::vec(any::<u8>(), 0..100),
        name in prop::sample::select(vec![
            "authorization", "x-ghl-signature", "x-signature", "webhook-signature", "x-caio-webhook-key",
        ]),
    ) {
        let mut keys = keyed();
        keys.add_hmac("a secret of a relay").unwrap();
        keys.add_standard(&format!("whsec_{}", STANDARD.encode([8; 24]))).unwrap();
        for source in Source::ALL {
            prop_assert!(asked(*source, &keys, &[(name, &value)], None).is_err());
        }
    }
}
