//! The server's side of TCP: each of its parts against something simpler, a connection against a peer that is played by
//! hand, and everything together against smoltcp's clients on a wire that loses.

mod checksum;
mod clients;
mod closing;
mod handshake;
mod reassembly;
mod segment;
mod server;
mod table;
mod talk;
mod transfer;
mod wheel;
mod wire;
