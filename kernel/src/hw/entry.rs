//! Into ring 3 and out of it: the few dozen instructions through which every invocation goes.
//!
//! `enter` behaves like a function: it loads a domain's registers and returns when the CPU comes back to ring 0,
//! whatever the reason, with the domain's registers saved in its [`Context`]. There is one kernel stack per core.

use super::traps::{DEBUG, Tables, VECTORS};
use super::way_back;
use core::arch::{asm, global_asm};
use core::fmt;
use core::mem::offset_of;
use core::ptr::{addr_of, addr_of_mut};
use mayfly_abi::domain::{USER_END, WAY_BACK};

/// Selector of the kernel code segment.
pub(super) const KERNEL_CODE: u16 = 0x08;
/// Selector of the kernel data segment.
pub(super) const KERNEL_DATA: u16 = 0x10;
/// Selector of the user code segment, with its ring.
pub(super) const USER_CODE: u16 = 0x20 | 3;
/// Selector of the user data segment, with its ring.
pub(super) const USER_DATA: u16 = 0x18 | 3;
/// Bytes from one trap stub to the next.
pub(super) const STUB_LEN: u64 = 16;
/// What `Context::vector` says after a `syscall`.
pub(super) const CALL: u64 = 256;
/// Flags of ring 3: interrupts on, nothing else.
const USER_FLAGS: u64 = 0x202;

/// What one core owns. GS points here while the kernel runs.
#[repr(C)]
pub(crate) struct Core {
    kernel_stack: u64,
    current: *mut Context,
    scratch: u64,
    pub(super) tables: Tables,
}

/// The first core's.
pub(super) static mut CORE: Core =
    Core { kernel_stack: 0, current: core::ptr::null_mut(), scratch: 0, tables: Tables::new() };

/// SSE and x87 registers as FXSAVE lays them out (SDM 1 10.5.1).
#[repr(C, align(16))]
struct FloatState([u8; 512]);

/// Cleared registers, default control words: x87 0x37f, MXCSR 0x1f80 (all exceptions masked).
static CLEAN: FloatState = {
    let mut state = [0; 512];
    state[0] = 0x7f;
    state[1] = 0x03;
    state[24] = 0x80;
    state[25] = 0x1f;
    FloatState(state)
};

/// A domain's registers while it does not run.
#[repr(C, align(16))]
pub(crate) struct Context {
    /// Valid only if `interrupted`.
    float: FloatState,
    pub(crate) rax: u64,
    rbx: u64,
    pub(super) rcx: u64,
    pub(crate) rdx: u64,
    pub(crate) rsi: u64,
    pub(crate) rdi: u64,
    pub(super) rbp: u64,
    r8: u64,
    r9: u64,
    r10: u64,
    pub(super) r11: u64,
    r12: u64,
    r13: u64,
    r14: u64,
    r15: u64,
    pub(crate) rip: u64,
    pub(super) flags: u64,
    pub(super) rsp: u64,
    /// Why it stopped: an exception or interrupt vector, or [`CALL`].
    pub(super) vector: u64,
    /// The exception's error code.
    pub(super) error: u64,
    /// Stopped between two instructions, so every register comes back. After a call, SSE and x87 are cleared.
    interrupted: u64,
    /// Selectors of its code and data segments: of ring 3, unless the image goes without isolation.
    code: u64,
    data: u64,
    /// Number of the invocation, for a panic's last words.
    pub(super) invocation: u64,
}

impl Context {
    /// Registers of a domain that has not run, and that will run in one ring or the other.
    pub(super) fn new(in_ring_0: bool) -> Self {
        // SAFETY: it is made of integers, for all of which zero is a value.
        let zeroed: Self = unsafe { core::mem::zeroed() };
        let (code, data) = if in_ring_0 { (KERNEL_CODE, KERNEL_DATA) } else { (USER_CODE, USER_DATA) };
        Self { code: code.into(), data: data.into(), ..zeroed }
    }

    /// Clears every register for a fresh invocation that starts at `entry` with one argument.
    pub(super) fn start(&mut self, entry: u64, stack: u64, argument: u64, invocation: u64) {
        (self.rax, self.rbx, self.rcx, self.rdx, self.rsi, self.rbp) = (0, 0, 0, 0, 0, 0);
        (self.r8, self.r9, self.r10, self.r11) = (0, 0, 0, 0);
        (self.r12, self.r13, self.r14, self.r15) = (0, 0, 0, 0);
        self.rdi = argument;
        self.rip = entry;
        self.rsp = stack;
        self.flags = USER_FLAGS;
        self.interrupted = 0;
        self.invocation = invocation;
    }

    /// The registers, for a fault record. After a call, RCX and R11 are what the CPU has left in them.
    pub(super) fn registers(&self) -> [u64; 15] {
        let (rcx, r11) = if self.vector == CALL { (self.rip, self.flags) } else { (self.rcx, self.r11) };
        [
            self.rax, self.rbx, rcx, self.rdx, self.rsi, self.rdi, self.rbp, self.r8, self.r9, self.r10, r11, self.r12,
            self.r13, self.r14, self.r15,
        ]
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "invocation {} rip {:#x} rsp {:#x} flags {:#x} vector {} error {:#x} rax {:#x} rdi {:#x} rsi {:#x} rdx {:#x}",
            self.invocation,
            self.rip,
            self.rsp,
            self.flags,
            self.vector,
            self.error,
            self.rax,
            self.rdi,
            self.rsi,
            self.rdx
        )
    }
}

/// The context that ran last on this core, for a panic's report.
pub(crate) fn running() -> Option<&'static Context> {
    // SAFETY: reads a word of the only core's data; the context is kept by its domain, and the machine is ending.
    unsafe { (*addr_of!(CORE)).current.as_ref() }
}

/// A domain goes: a panic must not report it any more.
pub(super) fn forget(context: &Context) {
    // SAFETY: the only core's data, which nobody refers to outside an entry path.
    let current = unsafe { &mut *addr_of_mut!(CORE.current) };
    if core::ptr::eq(*current, context) {
        *current = core::ptr::null_mut();
    }
}

/// Runs the domain whose page table is in use until the CPU comes back to ring 0.
///
/// # Safety
/// The page table in use maps the domain, and `context` holds nothing but registers of ring 3: an address below
/// `USER_END` in `rip`, and flags that ring 3 could have set itself.
pub(super) unsafe fn run(context: &mut Context) {
    // SAFETY: `enter` keeps what a function must keep; the caller vouches for the context.
    unsafe {
        asm!("call {}", sym enter, in("rdi") context as *mut Context, clobber_abi("sysv64"));
    }
    way_back::rewind(context);
}

/// Address of the first trap stub.
pub(super) fn trap_stubs() -> u64 {
    addr_of!(mayfly_trap_stubs) as u64
}

/// Address at which `syscall` arrives.
pub(super) fn call_entry() -> u64 {
    addr_of!(mayfly_call_entry) as u64
}

unsafe extern "C" {
    static mayfly_trap_stubs: u8;
    static mayfly_call_entry: u8;
    #[link_name = "mayfly_enter"]
    fn enter(context: *mut Context);
}

global_asm!(
    // Saves what both ways out of ring 3 save in the same place. RAX points to the context; its own value is elsewhere.
    ".macro save_most",
    "mov [rax + {rbx}], rbx",
    "mov [rax + {rdx}], rdx",
    "mov [rax + {rsi}], rsi",
    "mov [rax + {rdi}], rdi",
    "mov [rax + {rbp}], rbp",
    "mov [rax + {r8}], r8",
    "mov [rax + {r9}], r9",
    "mov [rax + {r10}], r10",
    "mov [rax + {r12}], r12",
    "mov [rax + {r13}], r13",
    "mov [rax + {r14}], r14",
    "mov [rax + {r15}], r15",
    ".endm",
    // Back to whoever called `enter`.
    ".macro leave_to_kernel",
    "mov rsp, gs:[{kernel_stack}]",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbp",
    "pop rbx",
    "ret",
    ".endm",
    // mayfly_enter(rdi: *mut Context): ring 0, interrupts off, the domain's page table in use.
    ".balign 16",
    "mayfly_enter:",
    "push rbx",
    "push rbp",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "mov gs:[{kernel_stack}], rsp",
    "mov gs:[{current}], rdi",
    "swapgs",
    // Selectors a function may have loaded must not reach the next one.
    "xor eax, eax",
    "mov ds, eax",
    "mov es, eax",
    "mov fs, eax",
    "mov gs, eax",
    // Nor what the one before went back with.
    "mov [rip + {page} + {back_rcx}], rax",
    "mov [rip + {page} + {back_r11}], rax",
    "mov [rip + {page} + {back_rip}], rax",
    "mov rax, [rdi + {rax}]",
    "mov rbx, [rdi + {rbx}]",
    "mov rdx, [rdi + {rdx}]",
    "mov rsi, [rdi + {rsi}]",
    "mov rbp, [rdi + {rbp}]",
    "mov r8, [rdi + {r8}]",
    "mov r9, [rdi + {r9}]",
    "mov r10, [rdi + {r10}]",
    "mov r12, [rdi + {r12}]",
    "mov r13, [rdi + {r13}]",
    "mov r14, [rdi + {r14}]",
    "mov r15, [rdi + {r15}]",
    // AMD's FXRSTOR leaves the x87 instruction and data pointers alone unless an exception is pending (APM 5).
    "fninit",
    "cmp qword ptr [rdi + {interrupted}], 0",
    "jne 2f",
    // Fresh, or after a call: the fast way. RCX and R11 carry address and flags, which are the function's own.
    "fxrstor64 [rip + {clean}]",
    "test byte ptr [rdi + {code}], 3",
    "jz 3f",
    "mov rcx, [rdi + {rip}]",
    "mov r11, [rdi + {flags}]",
    "mov rsp, [rdi + {rsp}]",
    "mov rdi, [rdi + {rdi}]",
    "sysretq",
    // After an interrupt every register comes back, the last three by the way back.
    "2:",
    "fxrstor64 [rdi]",
    "test byte ptr [rdi + {code}], 3",
    "jz 3f",
    "mov rcx, [rdi + {rcx}]",
    "mov [rip + {page} + {back_rcx}], rcx",
    "mov rcx, [rdi + {r11}]",
    "mov [rip + {page} + {back_r11}], rcx",
    "mov rcx, [rdi + {rip}]",
    "mov [rip + {page} + {back_rip}], rcx",
    "mov ecx, {way_back}",
    "mov r11, [rdi + {flags}]",
    "mov rsp, [rdi + {rsp}]",
    "mov rdi, [rdi + {rdi}]",
    "sysretq",
    // Every way into a function in ring 0: `sysretq` leads to ring 3 only.
    "3:",
    "push [rdi + {data}]",
    "push [rdi + {rsp}]",
    "push [rdi + {flags}]",
    "push [rdi + {code}]",
    "push [rdi + {rip}]",
    "mov rcx, [rdi + {rcx}]",
    "mov r11, [rdi + {r11}]",
    "mov rdi, [rdi + {rdi}]",
    "iretq",
    // `syscall` arrives here: ring 0, all flags cleared, but still on the function's stack and GS.
    ".balign 16",
    "mayfly_call_entry:",
    "swapgs",
    "mov gs:[{scratch}], rax",
    "mov rax, gs:[{current}]",
    "save_most",
    "mov [rax + {rip}], rcx",
    "mov [rax + {flags}], r11",
    "mov [rax + {rsp}], rsp",
    "mov rcx, gs:[{scratch}]",
    "mov [rax + {rax}], rcx",
    "mov qword ptr [rax + {vector}], {call}",
    "mov qword ptr [rax + {interrupted}], 0",
    "leave_to_kernel",
    // Exceptions and interrupts arrive here on an IST stack, interrupts off. One stub a vector, all of one length.
    ".balign 16",
    "mayfly_trap_stubs:",
    ".set mayfly_vector, 0",
    ".rept {vectors}",
    ".balign 16",
    // These push an error code themselves (SDM 3A 6.13).
    ".if (mayfly_vector == 8) || (mayfly_vector >= 10 && mayfly_vector <= 14) || (mayfly_vector == 17) || (mayfly_vector == 21) || (mayfly_vector == 29) || (mayfly_vector == 30)",
    ".else",
    "push 0",
    ".endif",
    "push mayfly_vector",
    "jmp 3f",
    ".set mayfly_vector, mayfly_vector + 1",
    ".endr",
    // On the stack, from here up: vector, error code, rip, cs, flags, rsp, ss. In ring 0, the address tells a function
    // without isolation from the kernel.
    "3:",
    "test byte ptr [rsp + 24], 3",
    "jnz 5f",
    "cmp qword ptr [rsp + 16], {user_end}",
    "jae 4f",
    "5:",
    "swapgs",
    "mov gs:[{scratch}], rax",
    "mov rax, gs:[{current}]",
    "save_most",
    "mov [rax + {rcx}], rcx",
    "mov [rax + {r11}], r11",
    "pop qword ptr [rax + {vector}]",
    "pop qword ptr [rax + {error}]",
    "pop qword ptr [rax + {rip}]",
    "pop rcx",
    "pop qword ptr [rax + {flags}]",
    "pop qword ptr [rax + {rsp}]",
    "mov rcx, gs:[{scratch}]",
    "mov [rax + {rax}], rcx",
    "mov qword ptr [rax + {interrupted}], 1",
    "fxsave64 [rax]",
    // AC would lift SMAP, DF would turn string instructions around.
    "push 2",
    "popfq",
    // The CPU left SS null. As after a call, it becomes the kernel's again: emulators keep translated code apart by it.
    "mov eax, {kernel_data}",
    "mov ss, eax",
    "leave_to_kernel",
    // From ring 0. A function's step into a call is its own fault: a CPU takes none, for it looks at the flags as `syscall`
    // leaves them, but Bochs does, at the first instruction. RCX and R11 are the function's address and flags.
    "4:",
    "cmp qword ptr [rsp], {debug}",
    "jne 6f",
    "push rax",
    "lea rax, [rip + mayfly_call_entry]",
    "cmp [rsp + 24], rax",
    "pop rax",
    "jne 6f",
    "mov [rsp + 16], rcx",
    "mov [rsp + 32], r11",
    "jmp 5b",
    "6:",
    "push r11",
    "push r10",
    "push r9",
    "push r8",
    "push rdi",
    "push rsi",
    "push rdx",
    "push rcx",
    "push rax",
    "cld",
    "mov rdi, rsp",
    // Nine registers and seven words of frame: the call site is 16-byte aligned.
    "call {kernel_trap}",
    "pop rax",
    "pop rcx",
    "pop rdx",
    "pop rsi",
    "pop rdi",
    "pop r8",
    "pop r9",
    "pop r10",
    "pop r11",
    "add rsp, 16",
    "iretq",
    page = sym way_back::PAGE,
    back_rcx = const offset_of!(way_back::Page, rcx),
    back_r11 = const offset_of!(way_back::Page, r11),
    back_rip = const offset_of!(way_back::Page, rip),
    way_back = const WAY_BACK,
    kernel_stack = const offset_of!(Core, kernel_stack),
    current = const offset_of!(Core, current),
    scratch = const offset_of!(Core, scratch),
    rax = const offset_of!(Context, rax),
    rbx = const offset_of!(Context, rbx),
    rcx = const offset_of!(Context, rcx),
    rdx = const offset_of!(Context, rdx),
    rsi = const offset_of!(Context, rsi),
    rdi = const offset_of!(Context, rdi),
    rbp = const offset_of!(Context, rbp),
    r8 = const offset_of!(Context, r8),
    r9 = const offset_of!(Context, r9),
    r10 = const offset_of!(Context, r10),
    r11 = const offset_of!(Context, r11),
    r12 = const offset_of!(Context, r12),
    r13 = const offset_of!(Context, r13),
    r14 = const offset_of!(Context, r14),
    r15 = const offset_of!(Context, r15),
    rip = const offset_of!(Context, rip),
    flags = const offset_of!(Context, flags),
    rsp = const offset_of!(Context, rsp),
    vector = const offset_of!(Context, vector),
    error = const offset_of!(Context, error),
    interrupted = const offset_of!(Context, interrupted),
    kernel_data = const KERNEL_DATA,
    code = const offset_of!(Context, code),
    data = const offset_of!(Context, data),
    user_end = const USER_END,
    call = const CALL,
    debug = const DEBUG,
    vectors = const VECTORS,
    clean = sym CLEAN,
    kernel_trap = sym super::traps::kernel_trap,
);
