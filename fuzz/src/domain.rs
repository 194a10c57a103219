//! A domain's memory: whatever sequence of accesses, calls, faults and resets a function goes through, it sees what a
//! naive model says, and every invocation starts with what the initialisation has left.

mod machine;
mod model;

use arbitrary::{Arbitrary, Unstructured};
use mayfly_abi::PAGE;
use mayfly_abi::call::Reason;
use mayfly_core::call::{Purpose, Registers};

use crate::memory::Value;
use crate::program::Shape;
use machine::Machine;
use model::Model;

/// Most bytes of a request window.
const REQUEST_MAX: u64 = 3 * PAGE;

/// A function, and what happens to it.
#[derive(Arbitrary, Debug)]
struct Input {
    shape: Shape,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Step {
    /// An instruction reads, writes or is fetched.
    Access { address: Value, what: Access },
    /// It makes a call.
    Call { number: u8, arguments: [Value; 3] },
    /// Its time is over. The next request has so many bytes.
    Deadline { request_len: u16 },
}

/// What an instruction does to a byte.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Access {
    Read,
    Write(u8),
    Jump,
}

/// What a call does, if it is not refused.
#[derive(Debug, PartialEq, Eq)]
enum Effect {
    /// The function goes on with this value.
    Value(u64),
    /// The console shows these bytes.
    Said(Vec<u8>),
    /// The function gave up, saying these bytes.
    Failed(Reason, Vec<u8>),
    /// It answered with this body.
    Answered(Vec<u8>),
    /// The initialisation is over.
    Ready,
}

impl Effect {
    /// Whether the function runs no further.
    fn ends(&self) -> bool {
        matches!(self, Self::Failed(..) | Self::Answered(_) | Self::Ready)
    }
}

/// Random bytes that a call is given, and what a page of a request is full of: never zero, and different in each
/// invocation.
fn sample(invocation: u64, at: u64) -> u8 {
    1 + ((invocation * 31 + at * 7) % 255) as u8
}

/// Takes machine and model through the steps, and compares them.
pub fn run(data: &[u8]) -> bool {
    let Ok(Input { shape, steps }) = Input::arbitrary_take_rest(Unstructured::new(data)) else { return false };
    let program = shape.program();
    let plan = program.plan();
    let purpose = if plan.init.is_some() { Purpose::Init } else { Purpose::Serve };
    let mut machine = Machine::new(&program.bundle, plan, purpose);
    let mut model = Model::new(&program, purpose);
    let mut request_len = 0;

    for step in &steps {
        let over = match *step {
            Step::Access { address, what } => {
                let address = address.of(&model.areas(), plan.limits.response);
                let seen = machine.access(address, what);
                assert_eq!(seen, model.access(address, what), "{what:?} at {address:#x}");
                seen.is_none()
            }
            Step::Call { number, arguments } => {
                let [rdi, rsi, rdx] = arguments.map(|value| value.of(&model.areas(), plan.limits.response));
                let registers = Registers { rax: u64::from(number % 8), rdi, rsi, rdx };
                let done = machine.call(registers);
                assert_eq!(done, model.call(registers), "{registers:x?}");
                done.is_ok_and(|effect| effect.ends())
            }
            Step::Deadline { request_len: len } => {
                request_len = u64::from(len) % REQUEST_MAX;
                true
            }
        };
        if over {
            restart(&mut machine, &mut model, request_len);
        }
    }
    restart(&mut machine, &mut model, request_len);
    !steps.is_empty()
}

/// Ends the invocation and starts the next.
fn restart(machine: &mut Machine<'_>, model: &mut Model<'_>, request_len: u64) {
    compare(machine, model);
    machine.restart(request_len);
    model.restart(request_len);
    compare(machine, model);
}

/// Every page that the machine has holds what the model says, and none is missing that was written.
fn compare(machine: &Machine<'_>, model: &Model<'_>) {
    for (address, bytes) in machine.pages() {
        assert!(bytes == model.bytes(address, PAGE), "the page at {address:#x} is not what it should be");
    }
    assert!(model.written_pages().all(|page| machine.has(page)), "a page that was written is gone");
    assert!(machine.private_pages() <= model.memory_pages(), "the function has more memory than its limit");
}
