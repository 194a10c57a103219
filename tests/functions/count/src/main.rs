//! Counts for as many milliseconds of the machine's time as the body says, and answers how far it came.
#![no_std]
#![no_main]

use core::hint::black_box;
use core::time::Duration;

use mayfly_sdk::{Request, Response, clock};

mayfly_sdk::function!(count);

/// Steps between two looks at the clock.
const STEPS: u64 = 10_000;

fn count(request: &Request) -> Response {
    let Some(millis) = request.text().and_then(|text| text.parse::<u64>().ok()) else {
        return Response::text("the body is a number of milliseconds\n").with_status(400);
    };
    let end = clock::now() + Duration::from_millis(millis);
    let mut count = 0;
    while clock::now() < end {
        for _ in 0..STEPS {
            count = black_box(count + 1);
        }
    }
    Response::text(format_args!("{count}\n"))
}
