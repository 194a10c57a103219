//! The server's side of TCP: what to do about segments and times. Who sends and who stores is decided elsewhere.
//!
//! smoltcp's `wire` reads and writes the headers. What RFC 9293 asks of a passive opener is in [`connection`], with the
//! timers of RFC 6298 in [`rtt`], the congestion control of RFC 5681 in [`congestion`], and the defences of RFC 5961. A
//! connection costs memory while it is idle, and nothing else.

pub mod checksum;
mod congestion;
pub mod connection;
pub mod handshake;
pub mod reassembly;
mod rtt;
pub mod segment;
mod seq;
pub mod table;
pub mod wheel;

pub use connection::{Connection, State};
pub use segment::{Flags, Frame, Header, Local, Remote, Segment};
pub use seq::Seq;
