//! The `mayfly` command: reads the command line and hands over to the command's own module.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mayfly::{bench, build, demo, explain, flash, inspect, invoke, new, report, run, trace};

/// Builds, runs and measures Mayfly images: one kernel and your functions, booted in milliseconds.
#[derive(Parser)]
#[command(name = "mayfly", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    New(new::Args),
    Build(build::Args),
    Flash(flash::Args),
    Run(run::Args),
    Invoke(invoke::Args),
    Explain(explain::Args),
    Inspect(inspect::Args),
    Bench(bench::Args),
    Report(report::Args),
    Trace(trace::Args),
    Demo(demo::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::New(args) => new::main(args),
        Command::Build(args) => build::main(args),
        Command::Flash(args) => flash::main(args),
        Command::Run(args) => run::main(args),
        Command::Invoke(args) => invoke::main(args),
        Command::Explain(args) => explain::main(args),
        Command::Inspect(args) => inspect::main(args),
        Command::Bench(args) => bench::main(args),
        Command::Report(args) => report::main(args),
        Command::Trace(args) => trace::main(args),
        Command::Demo(args) => demo::main(args),
    };
    outcome.unwrap_or_else(|error| {
        // The chain on one line: what failed, then why.
        eprintln!("mayfly: {error:#}");
        ExitCode::FAILURE
    })
}
