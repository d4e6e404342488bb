//! The ideal customer profile: models as data, checked when loaded, explained when used.
//!
//! ```
//! use caio_core::icp::Model;
//! let model = Model::builtin("default").unwrap();
//! assert_eq!(model.name(), "realigned");
//! ```

mod compare;
mod keywords;
mod model;
mod score;
mod scorer;

pub(crate) use keywords::{Keywords, Matching};

pub use compare::{Change, compare, reachable_tiers};
pub use model::{Model, ModelError};
pub use score::{Breakdown, Explanation, Points};
pub use scorer::Scorer;
