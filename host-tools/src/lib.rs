//! What the `mayfly` command can do, one module per command; the whole-machine tests call it as a library.

pub mod bench;
pub mod build;
pub mod demo;
pub mod explain;
pub mod fault;
mod few;
pub mod flash;
pub mod image_file;
pub mod inspect;
pub mod invoke;
mod machine_choice;
pub mod new;
mod peer;
pub mod report;
pub mod results;
pub mod run;
mod split;
pub mod trace;
pub mod unfinished;
