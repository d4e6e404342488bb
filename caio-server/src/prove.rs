//! What proves a deployment from outside, with a token.

pub(crate) mod smoke;
