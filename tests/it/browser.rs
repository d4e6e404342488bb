//! The pages in a real browser: a reviewer logs in, reads, decides, stops.

mod driver;

use serde_json::json;

use crate::service::Service;
use crate::support::Place;
use driver::Browser;

/// Three leads whose every field tries to become markup, and an honest one.
fn queue(place: &Place) {
    let evil = "<img src=x onerror=window.pwned=1>";
    place.write(
        "leads.csv",
        format!(
            "name,email,title,company,employees,industry,technologies,demo_requested,website_visits\n\
             Kim Doe,kim@acme.example.com,CEO,Acme,120,Marketing Agency,HubSpot; Salesforce,yes,9\n\
             {evil} Lee,lee@beta.example.com,CEO,Beta {evil},120,Marketing Agency,HubSpot; Salesforce,yes,9\n\
             Ann \"\"'><script>window.pwned=2</script>,ann@gamma.example.com,CEO,Gamma,120,Marketing Agency,HubSpot; Salesforce,yes,9\n"
        ),
    );
    let answer = place.run(&["run", "leads.csv"]);
    assert!(matches!(answer.code, 0 | 3), "{}", answer.err);
    place.write(
        ".caio/caio.toml",
        "[sender]\nname = \"Ann Moss\"\ncompany = \"Acorn\"\nemail = \"ann@acorn.example.com\"\n\
         postal_address = \"1 Oak Street, Springfield\"\nopt_out_text = \"Reply no and I stop.\"\n[ramp]\nenabled = false\n",
    );
}

fn service() -> (Service, Browser) {
    let place = Place::new();
    std::fs::create_dir(place.path(".caio")).unwrap();
    queue(&place);
    let made = place.json(0, &["token", "create", "kim", "--role", "admin"]);
    let service = Service::over(place);
    let browser = Browser::start(&service.address);
    browser.open("/sales");
    assert!(browser.address().contains("/login?next=%2Fsales"));
    browser.write("#token", made["secret"].as_str().unwrap());
    browser.press("button[type=submit]");
    browser.until("return location.pathname === '/sales'");
    browser.until("return document.querySelectorAll('#queue tbody tr').length > 0");
    (service, browser)
}

#[test]
fn a_reviewer_reads_decides_and_seals_under_their_own_name() {
    let (service, browser) = service();
    let waiting = browser.number("return document.querySelectorAll('#queue tbody tr').length");
    browser.press_text("#queue button", "Review");
    browser.until("return !!document.querySelector('dialog[open] #draft-body')");
    let before = browser.text("dialog h2");
    browser.press_text("dialog[open] button", "Approve");
    browser.until("return document.getElementById('said').textContent.includes('approved')");
    browser.until(&format!(
        "return document.querySelectorAll('#queue tbody tr').length === {}",
        waiting - 1
    ));
    let approved = service
        .place
        .json(0, &["drafts", "list", "--status", "approved"]);
    let draft = &approved["drafts"][0];
    assert!(
        before.contains(draft["to"].as_str().unwrap()),
        "{before}: {draft}"
    );
    assert_eq!(
        draft["decisions"].as_array().unwrap().last().unwrap()["by"],
        "kim"
    );

    browser.press_text("#queue button", "Review");
    browser.until("return !!document.querySelector('dialog[open] #draft-tag')");
    browser.press_text("dialog[open] button", "Reject");
    browser.until("return document.querySelector('dialog [role=alert]').textContent !== ''");
    browser.run("document.getElementById('draft-tag').value = 'tone_style_issue'");
    browser.write("#draft-reason", "too loud");
    browser.press_text("dialog[open] button", "Reject");
    browser
        .until("return document.getElementById('said').textContent.includes('tone style issue')");

    browser.press_text("#batches button", "Make a batch of what is approved");
    browser.until("return !!document.querySelector('dialog[open] .digest')");
    let digest = browser.text("dialog[open] .digest");
    browser.press_text("dialog[open] button", "Approve exactly this");
    browser.until("return document.getElementById('said').textContent.includes('sealed')");
    let batches = service.place.json(0, &["batch", "list"]);
    let batch = &batches["batches"][0];
    assert_eq!(batch["status"], "approved");
    assert_eq!(batch["seal"]["approved_by"], "kim");
    assert!(digest.contains(batch["digest"].as_str().unwrap()));
}

#[test]
fn what_a_lead_is_called_never_becomes_markup() {
    let (_service, browser) = service();
    for page in ["/sales", "/leads", "/", "/scorecard"] {
        browser.open(page);
        browser.until("return document.getElementById('stop').children.length > 0");
        browser.until("return document.querySelectorAll('main section').length > 0");
    }
    browser.open("/leads");
    browser.until("return document.querySelectorAll('#leads tbody tr').length > 1");
    assert!(
        browser.text("#leads").contains("onerror=window.pwned"),
        "shown as it is written"
    );
    browser.press_text("#leads button", "Timeline");
    browser.until("return !!document.querySelector('dialog[open]')");
    assert_eq!(
        browser.run("return document.querySelectorAll('main img, main script, dialog img').length"),
        json!(0)
    );
    assert_eq!(browser.run("return window.pwned ?? null"), json!(null));
    assert_eq!(
        browser.run("return localStorage.length + sessionStorage.length"),
        json!(0)
    );
    assert_eq!(
        browser.run("return document.cookie"),
        json!(""),
        "no script can read the session"
    );
}

#[test]
fn the_keyboard_is_enough_and_the_stop_button_stops() {
    let (service, browser) = service();
    browser.run("document.querySelector('#queue button').focus()");
    browser.keys("\u{e007}");
    browser.until("return !!document.querySelector('dialog[open]')");
    assert_eq!(
        browser
            .run("return document.querySelector('dialog[open]').contains(document.activeElement)"),
        json!(true)
    );
    browser.keys("\u{e00c}");
    browser.until("return !document.querySelector('dialog')");

    browser.press_text("#stop button", "Stop all sending");
    browser.until("return !!document.querySelector('dialog[open] #asked-text')");
    browser.keys("lunch");
    browser.keys("\u{e007}");
    browser.until("return !document.getElementById('stopped').hidden");
    assert!(browser.text("#stopped").contains("kim: lunch"));
    let status = service.place.json(0, &["status"]);
    assert!(status.to_string().contains("lunch"), "{status}");
}

#[test]
fn what_happens_elsewhere_shows_at_once_and_not_only_when_the_page_asks_again() {
    let (service, browser) = service();
    // It is told how much waits when it comes in, and once more after the server's first look. When it shows
    // that and nothing is under way, the page's own half-minute is taken away: news alone can change it.
    browser.until(
        "if (!(Number(document.documentElement.dataset.shown) >= 2)) return false;\
         for (let timer = 0; timer < 10000; timer += 1) clearInterval(timer);\
         return true",
    );
    let count = "return document.querySelectorAll('#queue tbody tr').length";
    let waiting = browser.number(count);
    let drafts = service.place.json(0, &["drafts", "list"]);
    let id = drafts["drafts"][0]["id"].as_str().unwrap();
    service.place.expect(0, &["drafts", "approve", id, "--yes"]);
    browser.until(&format!("{count} === {}", waiting - 1));
    service
        .place
        .expect(0, &["stop", "--reason", "from elsewhere"]);
    browser
        .until("return document.getElementById('stopped').textContent.includes('from elsewhere')");
}

#[test]
fn the_reference_names_every_route_and_what_it_takes() {
    let (service, browser) = service();
    browser.open("/api/docs");
    browser.until("return document.querySelectorAll('#routes details').length > 0");
    let document = service.place.expect(0, &["openapi"]).out;
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    let paths = document["paths"].as_object().unwrap().values();
    let operations: usize = paths.map(|it| it.as_object().unwrap().len()).sum();
    let shown = browser.number("return document.querySelectorAll('#routes details').length");
    assert_eq!(usize::try_from(shown).unwrap(), operations);
    let stop = "[...document.querySelectorAll('#routes details')].find((it) => it.id === 'post /api/stop')";
    let text = browser.run(&format!("return {stop}.textContent"));
    let text = text.as_str().unwrap();
    for word in ["approver", "Idempotency-Key", "reason", "207"] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn every_page_is_delivered_with_the_strict_policy_and_no_inline_script() {
    let service = Service::start();
    for page in ["/login", "/sales", "/", "/leads", "/scorecard", "/api/docs"] {
        let headers = [("X-Dashboard-Token", crate::service::TOKEN)];
        let reply = service.send("GET", page, &headers, "");
        assert_eq!(reply.status, 200, "{page}");
        assert_eq!(
            reply.header("content-security-policy"),
            "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
             frame-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
        );
        let body = reply.body.to_lowercase();
        assert!(
            !body.contains(" onclick") && !body.contains("<script>") && !body.contains("style="),
            "{page}"
        );
        assert!(!reply.body.contains(crate::service::TOKEN));
    }
}
