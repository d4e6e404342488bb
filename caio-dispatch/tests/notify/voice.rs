//! A notifier that remembers what it was told, and answers as its script says.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use caio_core::escalation::{AlertChannel, Told};
use caio_dispatch::notify::{Notice, Notifier};
use tokio::sync::Notify;

#[derive(Debug)]
pub(crate) struct Voice {
    channel: AlertChannel,
    script: Mutex<VecDeque<Option<Told>>>,
    heard: Mutex<Vec<Notice>>,
    /// Told when a call begins that never ends.
    pub(crate) hangs: Notify,
}

impl Voice {
    pub(crate) fn new(channel: AlertChannel) -> Arc<Self> {
        Arc::new(Self {
            channel,
            script: Mutex::default(),
            heard: Mutex::default(),
            hangs: Notify::new(),
        })
    }

    /// Answers of the next calls; what comes after them is taken.
    pub(crate) fn script(&self, answers: impl IntoIterator<Item = Told>) {
        let answers = answers.into_iter().map(Some);
        self.script.lock().unwrap().extend(answers);
    }

    /// The next call takes the message and never answers.
    pub(crate) fn hang(&self) {
        self.script.lock().unwrap().push_back(None);
    }

    pub(crate) fn heard(&self) -> Vec<Notice> {
        self.heard.lock().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.heard.lock().unwrap().len()
    }
}

pub(crate) fn refused() -> Told {
    Told::Refused {
        reason: "no_active_hooks".to_owned(),
    }
}

pub(crate) fn later(seconds: Option<u64>) -> Told {
    Told::Later {
        reason: "asks for fewer".to_owned(),
        after: seconds.map(std::time::Duration::from_secs),
    }
}

pub(crate) fn unknown() -> Told {
    Told::Unknown {
        reason: "no answer".to_owned(),
    }
}

impl fmt::Display for Voice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "voice {}", self.channel)
    }
}

#[async_trait]
impl Notifier for Voice {
    fn channel(&self) -> AlertChannel {
        self.channel
    }

    async fn notify(&self, notice: &Notice) -> Told {
        self.heard.lock().unwrap().push(notice.clone());
        let next = self.script.lock().unwrap().pop_front();
        match next {
            Some(Some(told)) => told,
            Some(None) => {
                self.hangs.notify_one();
                std::future::pending().await
            }
            None => Told::Sent {
                receipt: "taken".to_owned(),
            },
        }
    }
}
