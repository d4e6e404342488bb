//! A browser over its driver's protocol (W3C): as much of it as the tests use.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use ureq::Agent;

/// Looks at a page before something that should become true is given up, and the pause between two.
const LOOKS: usize = 1_200;
const PAUSE: Duration = Duration::from_millis(50);

pub(super) struct Browser {
    driver: Child,
    agent: Agent,
    session: String,
    site: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Headless Chromium, looking at nothing yet.
    pub(super) fn start(address: &str) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("chromedriver, of the package chromium-driver: {error}")
            });
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines
            .find_map(|line| {
                let line = line.unwrap();
                let (_, port) = line.split_once("successfully on port ")?;
                Some(port.trim_end_matches('.').to_owned())
            })
            .unwrap();
        // Whoever is not read from blocks.
        std::thread::spawn(move || lines.count());
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .new_agent();
        let data = format!("--user-data-dir={}", profile.path().display());
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &data,
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": { "args": arguments },
        } } });
        let mut browser = Self {
            driver,
            agent,
            session: format!("http://127.0.0.1:{port}/session"),
            site: format!("http://{address}"),
            _profile: profile,
        };
        let id = browser.ask("", &wanted)["sessionId"]
            .as_str()
            .unwrap()
            .to_owned();
        browser.session = format!("{}/{id}", browser.session);
        browser
    }

    fn ask(&self, path: &str, body: &Value) -> Value {
        let value = self.answer(path, body);
        assert!(value["error"].is_null(), "{path} {body}: {value:#}");
        value
    }

    /// The same, errors as well.
    fn answer(&self, path: &str, body: &Value) -> Value {
        let answer = self
            .agent
            .post(format!("{}{path}", self.session))
            .send_json(body);
        let mut answer: Value = answer.unwrap().body_mut().read_json().unwrap();
        answer["value"].take()
    }

    pub(super) fn open(&self, path: &str) {
        self.ask("/url", &json!({ "url": format!("{}{path}", self.site) }));
    }

    pub(super) fn address(&self) -> String {
        self.run("return location.href")
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// What a script answers.
    pub(super) fn run(&self, script: &str) -> Value {
        self.ask("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    pub(super) fn number(&self, script: &str) -> u64 {
        self.run(script).as_u64().unwrap()
    }

    /// Waits until a script answers true.
    pub(super) fn until(&self, script: &str) {
        for _ in 0..LOOKS {
            if self.run(script) == json!(true) {
                return;
            }
            std::thread::sleep(PAUSE);
        }
        let page = self.run("return document.body.innerText");
        panic!("never: {script}\n{}", page.as_str().unwrap_or(""));
    }

    pub(super) fn text(&self, selector: &str) -> String {
        let script = format!("return document.querySelector({selector:?}).innerText");
        self.run(&script).as_str().unwrap().to_owned()
    }

    fn element(&self, selector: &str) -> String {
        let found = self.ask(
            "/element",
            &json!({ "using": "css selector", "value": selector }),
        );
        let (_, id) = found.as_object().unwrap().iter().next().unwrap();
        id.as_str().unwrap().to_owned()
    }

    /// Types into a field.
    pub(super) fn write(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.ask(
            &format!("/element/{element}/value"),
            &json!({ "text": text }),
        );
    }

    pub(super) fn press(&self, selector: &str) {
        let element = self.element(selector);
        self.ask(&format!("/element/{element}/click"), &json!({}));
    }

    /// Presses the first of these that says `text`, once it can be pressed. News may replace it at
    /// any time; then its successor is pressed.
    pub(super) fn press_text(&self, selector: &str, text: &str) {
        let find = format!(
            "return [...document.querySelectorAll({selector:?})].find((it) => it.textContent === {text:?} && !it.disabled)"
        );
        for _ in 0..LOOKS {
            let found = self.answer("/execute/sync", &json!({ "script": find, "args": [] }));
            let id = found
                .as_object()
                .and_then(|it| it.values().next()?.as_str());
            if let Some(id) = id.filter(|_| found["error"].is_null()) {
                let pressed = self.answer(&format!("/element/{id}/click"), &json!({}));
                match pressed["error"].as_str() {
                    None => return,
                    Some("stale element reference" | "element click intercepted") => {}
                    Some(_) => panic!("{selector} {text}: {pressed:#}"),
                }
            }
            std::thread::sleep(PAUSE);
        }
        panic!("never there: {selector} {text}");
    }

    /// Presses keys where the focus is.
    pub(super) fn keys(&self, text: &str) {
        let presses = text.chars().flat_map(|key| {
            let key = key.to_string();
            [
                json!({ "type": "keyDown", "value": key }),
                json!({ "type": "keyUp", "value": key }),
            ]
        });
        let actions: Vec<Value> = presses.collect();
        self.ask(
            "/actions",
            &json!({ "actions": [{ "type": "key", "id": "k", "actions": actions }] }),
        );
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
