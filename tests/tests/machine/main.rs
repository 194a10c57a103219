//! Whole-machine tests, one module per behaviour: each boots images in QEMU and asks them over HTTP.
//!
//! They are one program, so that the images are built and the program is linked once.

mod abuse;
mod backends;
mod bochs;
mod boots;
mod budgets;
mod cards;
mod clients;
mod connections;
mod costs;
mod elsewhere;
mod escape;
mod exhaustion;
mod explains;
mod firmware;
mod framing;
mod fresh;
mod http;
mod idle;
mod initialisation;
mod isolation;
mod load;
mod machines;
mod many;
mod measures;
mod memory;
mod network;
mod packets;
mod planted;
mod protections;
mod randomness;
mod refuses;
mod rejects;
mod reports;
mod screen;
mod share;
mod sharing;
mod smuggling;
mod split;
mod stamps;
mod traces;
mod unread;
mod vanishing;
mod wire;
