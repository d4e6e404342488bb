//! Scores one lead and writes its first e-mail, with `caio-core` alone.
//!
//! `cargo run -p caio-core --example score_a_lead`
#![allow(clippy::print_stdout)]

use caio_core::config::settings::Sender;
use caio_core::copy::TemplateSet;
use caio_core::icp::Model;
use caio_core::record::{FieldMap, lead_of_json};
use caio_core::route;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let row = r#"{"name": "Kim Doe", "title": "COO", "source_type": "event_attendee",
                  "company": {"name": "Acorn Partners", "employee_count": 120, "industry": "Consulting"},
                  "contact": {"work_email": "kim@acorn.example.com"}}"#;
    let mapped = lead_of_json(row, &FieldMap::default()).map_err(|_| "not a lead")?;
    let model = Model::builtin("default")?;
    let score = model.explain(&mapped.lead);
    for reason in &score.reasons {
        println!("{reason}");
    }
    if let Some(tier) = score.tier {
        let campaign = route::campaign(&mapped.lead, tier);
        let rendered =
            TemplateSet::builtin()?.first_touch(campaign, &mapped.lead, &Sender::default())?;
        println!(
            "\n{tier}, {campaign}\nSubject: {}\n\n{}",
            rendered.subject, rendered.body
        );
    }
    Ok(())
}
