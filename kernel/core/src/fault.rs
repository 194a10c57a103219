//! What went wrong in a function: its name for the client and the log, and where it happened.
//!
//! Names are part of the interface: the client reads them in the body of a 502. docs/abi.md lists them.

use core::fmt;

use mayfly_abi::PAGE;
use mayfly_abi::domain::{STACK_BASE, STACK_TOP};
use mayfly_abi::fault::FAULT_CALLERS;

/// First address that no domain has: where the lower half of the address space ends.
const USER_HALF_END: u64 = 1 << 47;
/// How far below the stack an access still counts as its overflow: a frame larger than the guard page steps over it.
const STACK_REACH: u64 = 64 << 10;

/// Bits of the error code of a page fault.
mod page_fault {
    /// The page is mapped; the rights were missing.
    pub(super) const PRESENT: u64 = 1 << 0;
    /// The access was a write.
    pub(super) const WRITE: u64 = 1 << 1;
    /// The access was an instruction fetch.
    pub(super) const FETCH: u64 = 1 << 4;
}

/// Why a function was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What kind of thing it did.
    pub kind: Kind,
    /// Address of the instruction; of the call, if the function gave up.
    pub rip: u64,
    /// The address it could not access, if it was an access.
    pub access: Option<Access>,
}

/// A memory access that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read at this address.
    Read(u64),
    /// Write at this address.
    Write(u64),
    /// Jump to this address.
    Jump(u64),
}

/// Kinds of fault, each with its name as the client sees it, and what the function did if the name does not say it.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal $(, $text:literal)?;)*) => {
        /// The kinds of fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// The name, as the client sees it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// What the function did, for kinds that are no memory access.
            fn text(self) -> &'static str {
                match self { $($(Self::$kind => $text,)?)* other => other.name() }
            }
        }
    };
}

kinds! {
    /// Read or write in the first page.
    NullAccess = "null-access";
    /// Access just below the stack.
    StackOverflow = "stack-overflow";
    /// Access to memory of the kernel.
    KernelAddress = "kernel-address";
    /// Write to text, constants or the request.
    WriteProtected = "write-protected";
    /// Jump to memory that holds no code.
    NoExecute = "no-execute";
    /// Jump to an address where nothing is mapped.
    WildJump = "wild-jump";
    /// Read or write at an address where nothing is mapped.
    Unmapped = "unmapped";
    /// An instruction that only a kernel may execute, or an address that is not canonical: the CPU does not say which.
    PrivilegedInstruction = "privileged-instruction", "privileged instruction or non-canonical address";
    /// A protection violation with an error code, such as a software interrupt.
    GeneralProtection = "general-protection", "protection violation";
    /// A stack access at an address that is not canonical.
    StackSegment = "stack-segment", "stack access at a non-canonical address";
    /// Bytes that are no instruction.
    IllegalInstruction = "illegal-instruction", "illegal instruction";
    /// An integer division by zero, or with a quotient that does not fit.
    DivideError = "divide-error", "division by zero or with too large a quotient";
    /// `int3`.
    Breakpoint = "breakpoint";
    /// A debug trap, such as single stepping.
    Debug = "debug", "debug trap";
    /// `into`.
    Overflow = "overflow", "overflow trap";
    /// `bound`.
    Bound = "bound", "bound trap";
    /// A misaligned access while alignment checks are on.
    Alignment = "alignment", "misaligned access";
    /// An unmasked SSE floating-point exception.
    Simd = "simd", "SSE floating-point exception";
    /// An unmasked x87 floating-point exception.
    X87 = "x87", "x87 floating-point exception";
    /// Any other trap of the CPU.
    UnknownTrap = "unknown-trap", "unknown trap";
    /// The function said that it panicked.
    Panic = "panic";
}

impl Fault {
    /// The fault that a trap taken in user mode means: its `vector`, the `error_code` the CPU pushed (0 if none), the
    /// faulting `address` (CR2; only read for page faults) and the instruction's address.
    pub fn classify(vector: u8, error_code: u64, address: u64, rip: u64) -> Self {
        if vector == 14 {
            return Self::page_fault(error_code, address, rip);
        }
        let kind = match vector {
            0 => Kind::DivideError,
            1 => Kind::Debug,
            3 => Kind::Breakpoint,
            4 => Kind::Overflow,
            5 => Kind::Bound,
            6 => Kind::IllegalInstruction,
            12 => Kind::StackSegment,
            13 if error_code == 0 => Kind::PrivilegedInstruction,
            13 => Kind::GeneralProtection,
            16 => Kind::X87,
            17 => Kind::Alignment,
            19 => Kind::Simd,
            _ => Kind::UnknownTrap,
        };
        Self::new(kind, rip)
    }

    /// A fault that is no memory access, such as [`Kind::Panic`].
    pub fn new(kind: Kind, rip: u64) -> Self {
        Self { kind, rip, access: None }
    }

    fn page_fault(error_code: u64, address: u64, rip: u64) -> Self {
        let present = error_code & page_fault::PRESENT != 0;
        let access = if error_code & page_fault::FETCH != 0 {
            Access::Jump(address)
        } else if error_code & page_fault::WRITE != 0 {
            Access::Write(address)
        } else {
            Access::Read(address)
        };
        let kind = match access {
            _ if address >= USER_HALF_END => Kind::KernelAddress,
            Access::Jump(_) if present => Kind::NoExecute,
            Access::Jump(_) => Kind::WildJump,
            Access::Write(_) if present => Kind::WriteProtected,
            // All of a domain's own pages can be read: this one is mapped for the kernel only.
            Access::Read(_) if present => Kind::KernelAddress,
            _ if address < PAGE => Kind::NullAccess,
            _ if (STACK_BASE - STACK_REACH..STACK_BASE).contains(&address) => Kind::StackOverflow,
            _ => Kind::Unmapped,
        };
        Self { kind, rip, access: Some(access) }
    }

    /// The kind's name, as the client sees it.
    pub fn name(&self) -> &'static str {
        self.kind.name()
    }

    /// Says what the function did and where, such as `write to 0x241000 at 0x24109a`.
    pub fn describe(&self, out: &mut impl fmt::Write) -> fmt::Result {
        let rip = self.rip;
        match self.access {
            Some(Access::Read(address)) => write!(out, "read of {address:#x} at {rip:#x}"),
            Some(Access::Write(address)) => write!(out, "write to {address:#x} at {rip:#x}"),
            Some(Access::Jump(address)) => write!(out, "jump to {address:#x}"),
            None => write!(out, "{} at {rip:#x}", self.kind.text()),
        }
    }
}

/// Who called whom, innermost first: the return addresses along the chain of frame pointers that starts at `rbp`.
///
/// `frame` reads the two words at an address of the domain. The chain is the function's claim: it ends where it leaves
/// the stack or does not lead upwards.
pub fn callers(mut rbp: u64, frame: impl Fn(u64) -> Option<[u64; 2]>) -> [u64; FAULT_CALLERS] {
    let mut callers = [0; FAULT_CALLERS];
    for caller in &mut callers {
        let Some([up, back]) = on_stack(rbp).then(|| frame(rbp)).flatten() else { break };
        *caller = back;
        if up <= rbp {
            break;
        }
        rbp = up;
    }
    callers
}

/// The two words at the stack pointer `rsp`, read by `frame` as in [`callers`]; zeros if it is not on the stack.
pub fn top(rsp: u64, frame: impl Fn(u64) -> Option<[u64; 2]>) -> [u64; 2] {
    on_stack(rsp).then(|| frame(rsp)).flatten().unwrap_or_default()
}

/// Whether two words at `address` lie on the stack.
fn on_stack(address: u64) -> bool {
    address.is_multiple_of(8) && (STACK_BASE..STACK_TOP - 8).contains(&address)
}
