//! Follow-ups as the command line and the service keep and write them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use caio_core::copy::{TemplateError, TemplateSet};
use caio_core::terms::Motion;
use caio_dispatch::cadence::{Cadences, Written};
use caio_dispatch::coexist::followed::Watch;
use caio_dispatch::copywriter::TemplateCopywriter;
use caio_state::StateStore;
use jiff::SignedDuration;

use super::{Context, read};
use crate::exit::{Exit, Failure, Result};

/// How old the last look into the Python system's folder may be, where another process looks.
const FRESH: SignedDuration = SignedDuration::from_mins(5);

/// Follow-ups written on the way to a batch of them.
const WRITTEN: usize = 500;

impl Context {
    /// The follow-ups of the store, for whoever decides here.
    pub(crate) fn follow_ups<'a>(&'a self, store: &'a dyn StateStore) -> Result<Cadences<'a>> {
        self.follow_ups_of(store, self.by()?)
    }

    /// The same for whoever asks.
    pub(crate) fn follow_ups_of<'a>(
        &'a self,
        store: &'a dyn StateStore,
        by: &'a str,
    ) -> Result<Cadences<'a>> {
        Ok(Cadences {
            store,
            clock: &*self.clock,
            ids: &*self.ids,
            by,
            zone: self.zone()?,
            mirror: self.coexist()?.is_some(),
        })
    }

    /// Writes what is due, where a batch of this motion may hold follow-ups.
    pub(crate) async fn write_due(
        &self,
        store: &dyn StateStore,
        by: &str,
        motion: Motion,
    ) -> Result<Option<Written>> {
        match motion {
            Motion::All | Motion::Cadence => {
                Ok(Some(self.write_follow_ups(store, by, WRITTEN).await?))
            }
            Motion::Outbound | Motion::Revival => Ok(None),
        }
    }

    /// Writes what is due, up to `limit`.
    pub(crate) async fn write_follow_ups(
        &self,
        store: &dyn StateStore,
        by: &str,
        limit: usize,
    ) -> Result<Written> {
        let writer = self.writer()?;
        Ok(self.follow_ups_of(store, by)?.draft(&writer, limit).await?)
    }

    /// Who writes, with the templates and the sender of the settings.
    pub(crate) fn writer(&self) -> Result<TemplateCopywriter> {
        let sender = self.settings().sender.clone();
        Ok(TemplateCopywriter::new(self.templates()?, sender))
    }

    /// The built-in templates, with those in the configured folder in the place of theirs.
    pub(crate) fn templates(&self) -> Result<TemplateSet> {
        let folder = &self.settings().templates_folder;
        let mut own = BTreeMap::new();
        if !folder.is_empty() {
            let failed = |error| Failure::new("template.folder", format!("{folder}: {error}"));
            for entry in std::fs::read_dir(folder).map_err(failed)? {
                let path = entry.map_err(failed)?.path();
                let name = path
                    .file_name()
                    .and_then(|name| name.to_str())
                    .unwrap_or("");
                if let Some(campaign) = name.strip_suffix(".txt.j2") {
                    own.insert(campaign.to_owned(), read(&path)?);
                }
            }
        }
        TemplateSet::with_own(&own)
            .map_err(|error| Failure::new(TemplateError::CODE, error.to_string()))
    }

    /// Whether the Python system runs beside us: on Redis it does, unless `CAIO_COEXIST` says `off`.
    pub(crate) fn coexist(&self) -> Result<Option<Watch>> {
        let given = self.environment.get("CAIO_COEXIST").map(String::as_str);
        match given.unwrap_or("") {
            "" if self.is_shared() => Ok(Some(Watch::elsewhere(FRESH))),
            "" | "off" => Ok(None),
            "on" => Ok(Some(Watch::elsewhere(FRESH))),
            other => match other.strip_prefix("hive:").filter(|path| !path.is_empty()) {
                Some(path) => Ok(Some(Watch::folder(PathBuf::from(path)))),
                None => Err(Failure::new(
                    "dispatch.config",
                    format!("CAIO_COEXIST: `{other}` is none of on, off, hive:PATH"),
                )
                .exit(Exit::Usage)),
            },
        }
    }
}
