//! Digest and seal of a large batch, beside SHA-256 of the same bytes and a stable sort.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::hint::black_box;

use caio_core::EmailKey;
use caio_core::batch::{Approval, Batch, BatchItem, BatchLimits, NewBatch, SealKeys};
use caio_core::terms::{Medium, Motion, Provider, Step, Tier};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

const ITEMS: usize = 10_000;

fn batch() -> Batch {
    let item = |number: usize| BatchItem {
        draft: format!("dr_{:024x}", number * 7919 % ITEMS),
        recipient: EmailKey::parse(&format!("kim{number}@acorn.example.com")).unwrap(),
        medium: Medium::Email,
        provider: Provider::Instantly,
        pool: "default".to_owned(),
        tier: Tier::One,
        step: Step::FIRST,
        content: format!("{number:064x}"),
    };
    let created: Timestamp = "2026-03-02T12:00:00Z".parse().unwrap();
    Batch::create(NewBatch {
        id: "batch_0123456789ab".to_owned(),
        motion: Motion::Outbound,
        created,
        expires: "2026-03-03T12:00:00Z".parse().unwrap(),
        nonce: [7; 32],
        limits: BatchLimits {
            email_per_day: 25,
            linkedin_per_day: 5,
        },
        items: (0..ITEMS).map(item).collect(),
        preview_hash: String::new(),
    })
    .unwrap()
}

/// Median ratio of `ours` to `base` over 11 alternating pairs, in wall time.
#[expect(clippy::disallowed_methods, reason = "a benchmark looks at the clock")]
fn ratio(mut base: impl FnMut(), mut ours: impl FnMut()) -> f64 {
    let time = |work: &mut dyn FnMut()| {
        let start = std::time::Instant::now();
        work();
        start.elapsed().as_secs_f64()
    };
    let mut ratios: Vec<f64> = (0..11)
        .map(|_| {
            let base = time(&mut base);
            time(&mut ours) / base
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    ratios[5]
}

fn main() {
    let batch = batch();
    let keys = SealKeys::parse("k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=").unwrap();
    let now: Timestamp = "2026-03-02T13:00:00Z".parse().unwrap();
    // The bytes that are covered, item by item, as a plain program would gather them.
    let covered: Vec<String> = batch
        .items
        .iter()
        .map(|it| {
            let BatchItem {
                draft,
                recipient,
                medium,
                provider,
                pool,
                tier,
                step,
                content,
            } = it;
            format!("{draft}{recipient}{medium}{provider}{pool}{tier}{step}{content}")
        })
        .collect();
    let plain = || {
        let mut order: Vec<&BatchItem> = batch.items.iter().collect();
        order.sort_by(|a, b| a.draft.cmp(&b.draft));
        let mut hasher = Sha256::new();
        for text in &covered {
            hasher.update(text);
        }
        black_box((order, hasher.finalize()));
    };
    let digest = ratio(plain, || {
        black_box(batch.compute_digest());
    });
    println!("digest of {ITEMS} items: {digest:.2} x SHA-256 and a stable sort (bar: 3.00)");
    // An approval hashes twice, once for the digest and once for the seal.
    let twice = || {
        let mut order: Vec<&BatchItem> = batch.items.iter().collect();
        order.sort_by(|a, b| a.draft.cmp(&b.draft));
        for _ in 0..2 {
            let mut hasher = Sha256::new();
            for text in &covered {
                hasher.update(text);
            }
            black_box(hasher.finalize());
        }
        black_box(order);
    };
    let seen = batch.digest.clone();
    let approval = Approval {
        by: "kim",
        seen_digest: &seen,
        shown: None,
        keys: &keys,
    };
    let sealed = batch.approve(&approval, now).unwrap();
    let verify = ratio(twice, || {
        black_box(sealed.verify(&keys, now).is_ok());
    });
    println!(
        "digest and seal of {ITEMS} items, verified: {verify:.2} x both hashes and a stable sort (bar: 3.00)"
    );
}
