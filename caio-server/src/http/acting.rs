//! The functions that decide, in the name of whoever makes a request.

use std::sync::Arc;

use caio_dispatch::access::Tokens;
use caio_dispatch::batches::Batches;
use caio_dispatch::operator::Operator;
use caio_dispatch::review::Review;
use caio_dispatch::suppress::Suppress;

use super::access::Principal;
use super::problem::Result;
use super::service::Service;
use crate::wiring::executing::asking;

impl Service {
    /// An operator that asks and records, and sends nothing.
    pub(crate) async fn asking(&self) -> Result<Operator> {
        Ok(asking(&self.context, Arc::clone(&self.store)).await?)
    }

    pub(crate) fn review<'a>(&'a self, who: &'a Principal) -> Review<'a> {
        Review {
            store: &*self.store,
            clock: &*self.context.clock,
            ids: &*self.context.ids,
            by: &who.name,
        }
    }

    pub(crate) fn deciding<'a>(&'a self, who: &'a Principal) -> Batches<'a> {
        Batches {
            store: &*self.store,
            clock: &*self.context.clock,
            ids: &*self.context.ids,
            by: &who.name,
        }
    }

    pub(crate) fn suppress<'a>(&'a self, who: &'a Principal) -> Suppress<'a> {
        Suppress {
            store: &*self.store,
            clock: &*self.context.clock,
            ids: &*self.context.ids,
            by: &who.name,
        }
    }

    pub(crate) fn tokens<'a>(&'a self, who: &'a Principal) -> Tokens<'a> {
        Tokens {
            store: &*self.store,
            clock: &*self.context.clock,
            ids: &*self.context.ids,
            by: &who.name,
        }
    }
}
