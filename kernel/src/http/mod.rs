//! HTTP in front of the executor: nothing beyond this module knows that an event was a request.

pub(crate) mod connection;
pub(crate) mod incoming;
pub(crate) mod outgoing;
pub(crate) mod server;
