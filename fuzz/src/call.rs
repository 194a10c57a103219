//! Calls: registers are decoded as docs/abi.md says, and a pointer is granted exactly if its run lies in one area of the
//! domain with the rights asked for.

use arbitrary::{Arbitrary, Unstructured};
use mayfly_abi::PAGE;
use mayfly_abi::call::{Code, Reason};
use mayfly_abi::domain::{BODY_MAX, HEAD_MAX};
use mayfly_core::call::{Purpose, Registers, Request};
use mayfly_core::claim::{Access, Claimed};
use mayfly_core::domain::Space;

use crate::memory::{Area, Value, areas, holds};
use crate::program::Shape;

/// A domain, and calls that its function makes.
#[derive(Arbitrary, Debug)]
struct Input {
    shape: Shape,
    heap_pages: u16,
    request_len: u32,
    calls: Vec<Call>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct Call {
    number: Number,
    arguments: [Value; 3],
    init: bool,
}

/// Mostly a number that is a call.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Number {
    Near(u8),
    Any(u64),
}

/// Makes the calls that the bytes describe. None of them changes the domain.
pub fn run(data: &[u8]) -> bool {
    let Ok(Input { shape, heap_pages, request_len, calls }) = Input::arbitrary_take_rest(Unstructured::new(data))
    else {
        return false;
    };
    let program = shape.program();
    let plan = program.plan();
    let mut space = Space::new(plan, plan.heap_pages);
    let request_len = u64::from(request_len) % (BODY_MAX + HEAD_MAX);
    space.start(request_len);
    let grown = if space.grow(heap_pages.into()).is_ok() { heap_pages.into() } else { 0 };
    let areas = areas(&program.record, u64::from(plan.heap_pages) + grown, request_len);

    let limit = plan.limits.response;
    let mut accepted = false;
    for call in calls {
        let rax = match call.number {
            Number::Near(number) => u64::from(number % 10),
            Number::Any(number) => number,
        };
        let [rdi, rsi, rdx] = call.arguments.map(|value| value.of(&areas, limit));
        let registers = Registers { rax, rdi, rsi, rdx };
        let decoded = registers.decode(limit);
        assert_eq!(decoded, expected(registers, limit), "{registers:x?}");
        let Ok(request) = decoded else { continue };
        accepted = true;

        let purpose = if call.init { Purpose::Init } else { Purpose::Serve };
        // docs/abi.md: Respond, Clock and Random not in an initialisation; Ready only there.
        let now = if call.init { !matches!(rax, 1 | 4 | 5) } else { rax != 7 };
        assert_eq!(request.allowed(purpose), if now { Ok(request) } else { Err(Code::NotNow) });
        if let Request::Log { text: claimed } | Request::Fail { text: claimed, .. } | Request::Random { out: claimed } =
            request
        {
            claim(claimed, &space, &areas, Access::Read);
            claim(claimed, &space, &areas, Access::Write);
        }
        // Lengths that no call lets through must not get past the check either.
        for (address, len) in [(rdi, rsi), (rsi, rdx), (rdx, rdi)] {
            claim(Claimed { address, len }, &space, &areas, Access::Read);
            claim(Claimed { address, len }, &space, &areas, Access::Write);
        }
    }
    accepted
}

/// What docs/abi.md says of these registers.
fn expected(Registers { rax, rdi, rsi, rdx }: Registers, response_limit: u32) -> Result<Request, Code> {
    let text = |address, len| if len <= 1024 { Ok(Claimed { address, len }) } else { Err(Code::TooLong) };
    match rax {
        1 if !(200..600).contains(&rdi) => Err(Code::BadStatus),
        1 if rsi > 1024 || rdx > response_limit.into() => Err(Code::TooLong),
        1 => Ok(Request::Respond { status: rdi as u16, headers_len: rsi as u32, body_len: rdx as u32 }),
        2 => Ok(Request::Log { text: text(rdi, rsi)? }),
        3 if rdi > 512 << 20 => Err(Code::OutOfMemory),
        3 => Ok(Request::Grow { pages: (rdi / PAGE + u64::from(!rdi.is_multiple_of(PAGE))) as u32 }),
        4 => Ok(Request::Clock),
        5 if rsi > 256 => Err(Code::TooLong),
        5 => Ok(Request::Random { out: Claimed { address: rdi, len: rsi } }),
        6 => {
            let reason = match rdi {
                1 => Reason::Panic,
                2 => Reason::OutOfMemory,
                _ => return Err(Code::BadReason),
            };
            Ok(Request::Fail { reason, text: text(rsi, rdx)? })
        }
        7 => Ok(Request::Ready),
        _ => Err(Code::UnknownCall),
    }
}

fn claim(claimed: Claimed, space: &Space<'_>, areas: &[Area], access: Access) {
    let Claimed { address, len } = claimed;
    let right = len == 0 || holds(areas, address, len, access == Access::Write);
    match claimed.check(&space.regions(), access) {
        Ok(granted) => {
            assert!(right, "{address:#x}, {len} bytes: granted for {access:?}");
            assert_eq!((granted.address(), granted.len(), granted.is_empty()), (address, len, len == 0));
        }
        Err(code) => {
            assert_eq!(code, Code::BadPointer);
            assert!(!right, "{address:#x}, {len} bytes: refused for {access:?}");
        }
    }
}
