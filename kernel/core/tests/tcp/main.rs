//! The server's side of TCP: each of its parts against something simpler, a connection against a peer that is played by
//! hand, and everything together against smoltcp's clients on a wire that loses.

mod closing;
mod talk;
mod transfer;
