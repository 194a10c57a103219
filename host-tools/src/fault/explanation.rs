//! What a fault record means: the fault, where it happened and who had called, for people and as JSON.

use std::fmt;
use std::path::Path;

use mayfly_abi::fault::FaultRecord;
use mayfly_abi::image::FunctionRecord;
use mayfly_core::fault::Fault;
use serde::{Serialize, Serializer};

use super::symbols::{Place, Symbols};
use crate::build::source_root;
use crate::image_file::{ImageFile, text};

/// The names of [`FaultRecord::registers`], in their order.
const REGISTERS: [&str; 15] =
    ["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"];
/// Registers on a line.
const ON_A_LINE: usize = 4;
/// Vectors after which the instruction is the one before RIP: `int3`, `into`, and a call.
const STOPS_BEHIND: [u64; 3] = [3, 4, 256];
/// The instruction with which a function begins that makes a frame, one byte long.
const PUSH_RBP: u8 = 0x55;
/// Widest name for which room is kept in front of the files.
const NAME_WIDTH: usize = 48;
/// Vectors of exceptions; others are interrupts, or no vectors at all.
const EXCEPTIONS: std::ops::Range<u64> = 0..32;

/// A fault in words. Addresses and registers are strings in JSON: not every reader of it has 64-bit integers.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// Number of the fault since boot.
    pub id: u64,
    /// Name of the function.
    pub function: String,
    /// Name of the fault, as the client got it.
    pub fault: String,
    /// What the function did, such as "read of 0x0 at 0x24109a".
    pub what: String,
    /// Number of the invocation since boot; 0 for the function's initialisation.
    pub invocation: u64,
    /// Where it was and who had called, innermost first.
    pub frames: Vec<Frame>,
    /// The processor's registers.
    #[serde(serialize_with = "as_map")]
    pub registers: Vec<(&'static str, u64)>,
    /// Why there are no names, if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A step of a backtrace.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Frame {
    /// Where it goes on, or would have. Frames inlined into another have its address.
    #[serde(serialize_with = "as_hexadecimal")]
    pub address: u64,
    /// Name of the function.
    pub function: Option<String>,
    /// Its file, relative to the source tree or the current folder if it lies there.
    pub file: Option<String>,
    /// The line, counted from 1.
    pub line: Option<u32>,
    /// Was inlined into the next one.
    pub inlined: bool,
}

impl Explanation {
    /// Explains a fault of a function of the image at `path`.
    pub fn new(fault: &FaultRecord, path: &Path, image: &ImageFile) -> Self {
        let record = usize::try_from(fault.function).ok().and_then(|at| image.functions.get(at));
        let (symbols, note) = match record.map(|record| Symbols::open(path, image, record)) {
            Some(Ok(symbols)) => (Some(symbols), None),
            Some(Err(error)) => (None, Some(error.to_string())),
            None => (None, Some("the image has no such function; is it the one that runs?".to_owned())),
        };
        Self {
            id: fault.id,
            function: function_name(fault, record),
            fault: text(&fault.name),
            what: describe(fault),
            invocation: fault.invocation,
            frames: frames(fault, symbols.as_ref()),
            registers: registers(fault),
            note,
        }
    }
}

/// What messages call the function of `fault`, whose record is `record`.
fn function_name(fault: &FaultRecord, record: Option<&FunctionRecord>) -> String {
    record.map_or_else(|| format!("function {}", fault.function), |record| text(&record.name))
}

/// What the function did, as the kernel's own message says it.
fn describe(fault: &FaultRecord) -> String {
    let mut what = String::new();
    let described = match u8::try_from(fault.vector) {
        Ok(vector) if EXCEPTIONS.contains(&fault.vector) => {
            Fault::classify(vector, fault.error, fault.address, fault.rip).describe(&mut what)
        }
        _ => fmt::write(&mut what, format_args!("stopped at {:#x}", fault.rip)),
    };
    // A string takes everything.
    debug_assert!(described.is_ok());
    what
}

fn frames(fault: &FaultRecord, symbols: Option<&Symbols>) -> Vec<Frame> {
    let callers = fault.callers.into_iter().take_while(|caller| *caller != 0);
    let callers = symbols.and_then(|symbols| frameless_caller(fault, symbols)).into_iter().chain(callers);
    // A caller goes on behind its call; what it is doing is the call.
    let callers = callers.map(|caller| (caller, caller - 1));
    let mut frames = Vec::new();
    let last = if STOPS_BEHIND.contains(&fault.vector) { fault.rip.wrapping_sub(1) } else { fault.rip };
    for (address, lookup) in [(fault.rip, last)].into_iter().chain(callers) {
        let places = symbols.map_or_else(|| vec![Place::default()], |symbols| symbols.places(lookup));
        let outermost = places.len() - 1;
        frames.extend(places.into_iter().enumerate().map(|(at, Place { function, file, line })| Frame {
            address,
            function,
            file: file.map(|file| shorten(&file)),
            line,
            inlined: at < outermost,
        }));
    }
    frames
}

/// The return address of what was called but had not made its frame, so that the chain of frames does not name who
/// called it: code outside the program, a function's first two instructions, or one that never makes a frame.
fn frameless_caller(fault: &FaultRecord, symbols: &Symbols) -> Option<u64> {
    let [first, second] = fault.top;
    let caller = match symbols.function_at(fault.rip) {
        Some(start) if symbols.code_at(start)? == PUSH_RBP => match fault.rip - start {
            0 => first,
            1 => second,
            _ => return None,
        },
        _ => first,
    };
    // Whatever lies there: it is a return address only if it leads into code.
    symbols.function_at(caller.checked_sub(1)?).map(|_| caller)
}

/// A file's name without the folders that everybody knows: the source tree's, the current one's, and those of Rust's
/// own libraries.
fn shorten(file: &str) -> String {
    let known = [source_root().ok(), std::env::current_dir().ok()];
    let inside =
        known.into_iter().flatten().find_map(|folder| Some(Path::new(file).strip_prefix(folder).ok()?.to_owned()));
    let library = || file.strip_prefix("/rustc/").and_then(|rest| rest.split_once('/')).map(|(_, rest)| rest.into());
    inside.or_else(library).map_or_else(|| file.to_owned(), |short| short.display().to_string())
}

fn registers(fault: &FaultRecord) -> Vec<(&'static str, u64)> {
    let special = [("rip", fault.rip), ("rsp", fault.rsp), ("flags", fault.flags)];
    REGISTERS.into_iter().zip(fault.registers).chain(special).collect()
}

fn as_map<S: Serializer>(registers: &[(&'static str, u64)], out: S) -> Result<S::Ok, S::Error> {
    out.collect_map(registers.iter().map(|(name, value)| (name, format!("{value:#x}"))))
}

fn as_hexadecimal<S: Serializer>(address: &u64, out: S) -> Result<S::Ok, S::Error> {
    out.collect_str(&format_args!("{address:#x}"))
}

/// Says that the last line of a backtrace stands for further ones.
fn write_repeated(out: &mut fmt::Formatter<'_>, repeated: &mut usize) -> fmt::Result {
    match std::mem::take(repeated) {
        0 => Ok(()),
        more => writeln!(out, "     and {more} more like this"),
    }
}

impl Frame {
    fn name(&self) -> &str {
        self.function.as_deref().unwrap_or("?")
    }

    /// Whether it is at the same place, as in a recursion.
    fn is_like(&self, other: &Self) -> bool {
        (&self.function, &self.file, self.line) == (&other.function, &other.file, other.line) && self.line.is_some()
    }

    /// The file and line, as compilers print them.
    fn place(&self) -> String {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => format!("{file}:{line}"),
            (Some(file), None) => file.clone(),
            _ => String::new(),
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, function, fault, what, invocation, .. } = self;
        write!(out, "fault {id}: {function}: {fault}: {what}, in ")?;
        match invocation {
            0 => writeln!(out, "its initialisation")?,
            number => writeln!(out, "invocation {number}")?,
        }
        let width = self.frames.iter().map(|frame| frame.name().len()).max().unwrap_or(0).min(NAME_WIDTH);
        let (mut last, mut repeated) = (None, 0);
        for frame in &self.frames {
            if last.is_some_and(|last| frame.is_like(last)) {
                repeated += 1;
                continue;
            }
            write_repeated(out, &mut repeated)?;
            let relation = match last {
                None => "at",
                Some(last) if last.inlined => "in",
                Some(_) => "by",
            };
            let address = if relation == "in" { String::new() } else { format!("{:#x}", frame.address) };
            let line = format!("  {relation} {address:<8}  {:<width$}  {}", frame.name(), frame.place());
            writeln!(out, "{}", line.trim_end())?;
            last = Some(frame);
        }
        write_repeated(out, &mut repeated)?;
        for line in self.registers.chunks(ON_A_LINE) {
            let shown: Vec<_> = line.iter().map(|(name, value)| format!("{name:<3} {value:016x}")).collect();
            writeln!(out, "  {}", shown.join("  "))?;
        }
        if let Some(note) = &self.note {
            writeln!(out, "  {note}")?;
        }
        Ok(())
    }
}
