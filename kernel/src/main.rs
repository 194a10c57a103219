//! The kernel of Mayfly: it boots, answers, and forgets. This file is the boot story; read it first.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

extern crate alloc;

mod catalog;
mod executor;
mod http;
#[expect(unsafe_code, reason = "the machine is in here, and nowhere else")]
mod hw;
mod invocation;
mod net;
mod summary;
mod template;
mod windows;

use bootloader_api::config::Mapping;
use bootloader_api::{BootInfo, BootloaderConfig};
use catalog::Catalog;
use executor::Executor;
use hw::console::say;
use hw::exit::refuse;
use mayfly_abi::boot::{DIRECT_MAP, KERNEL_STACK, KERNEL_STACK_TOP};
use mayfly_abi::ledger::Phase;
use mayfly_core::command_line::CommandLine;
use mayfly_core::image::Image;
use mayfly_mem as _;
use net::Net;

/// What the kernel asks of a loader.
static CONFIG: BootloaderConfig = {
    let mut config = BootloaderConfig::new_default();
    config.kernel_stack_size = KERNEL_STACK_TOP - KERNEL_STACK;
    config.mappings.physical_memory = Some(Mapping::FixedAddress(DIRECT_MAP));
    config
};

bootloader_api::entry_point!(main, config = &CONFIG);

/// The loader jumps here with paging on, interrupts off and one core running.
fn main(boot: &'static mut BootInfo) -> ! {
    hw::ledger::open();
    let traps = hw::traps::init();
    hw::ledger::stamp_once(Phase::Traps);
    let line = CommandLine::parse(hw::boot::command_line(), |notice| say!("mayfly: command line: {notice}"));
    let clocks = hw::clock::init(&line, &traps);
    let memory = hw::memory::init(boot, &line, &traps);
    hw::ledger::stamp_once(Phase::Memory);
    hw::screen::init(boot, &memory);

    let Some(bundle) = hw::boot::bundle(boot) else { refuse("the loader found no bundle; build the image again") };
    let image = Image::open(bundle).unwrap_or_else(|error| refuse(error));
    let isolation = hw::isolation::choose(image.isolation).unwrap_or_else(|why| refuse(why));
    if line.devices().is_empty() {
        hw::platform::init(boot);
    }
    let nic = hw::nic::init(line.devices(), &memory, &traps).unwrap_or_else(|why| refuse(why));
    hw::ledger::stamp_once(Phase::Nic);

    let clock = clocks.settle();
    let net = Net::listen(nic, &line, &clock);
    summary::show(&image, &line);
    let Some(catalog) = Catalog::new(bundle, image, isolation) else {
        refuse("too little memory for so many functions")
    };
    Executor::new(catalog, net, &line).serve()
}
