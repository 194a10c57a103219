//! Faults explain themselves: `mayfly run` names function, file, line and callers, and writes a core that says the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use mayfly_tests::{Run, elsewhere, images};
use object::LittleEndian;
use object::elf::{FileHeader64, NT_PRSTATUS, ProgramHeader64};
use object::read::elf::{FileHeader, ProgramHeader};

const ENDIAN: LittleEndian = LittleEndian;
/// How long the kernel holds a stopped domain if the host says nothing.
const PATIENCE: Duration = Duration::from_secs(2);
/// Where the functions are that break on purpose.
const HOSTILE: &str = "functions/hostile";

/// The line of a hostile function's file in which `what` stands behind `start`, as a compiler names it.
fn place(file: &str, start: &str, what: &str) -> String {
    let path = format!("{HOSTILE}/{file}");
    let source = fs::read_to_string(images::source_root().join(&path)).expect("it is there");
    let mut lines = source.lines().enumerate().skip_while(|(_, line)| !line.contains(start));
    let (line, _) = lines.find(|(_, line)| line.contains(what)).expect("it is there");
    format!("{path}:{}\n", line + 1)
}

fn image() -> &'static str {
    static IMAGE: LazyLock<PathBuf> = LazyLock::new(|| images::for_machine(images::all(), elsewhere::usual()));
    IMAGE.to_str().expect("a path in UTF-8")
}

/// An empty folder for cores.
fn cores(name: &str) -> PathBuf {
    let folder = images::place(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("it is ours");
    }
    folder
}

#[test]
fn a_fault_is_explained_as_it_happens_and_later() {
    let run = Run::start(&[image()]);
    run.expect_status("/fault/null", 502);
    let shown = run.until("  rsp");
    let called = place("fault/src/main.rs", "fn fault(", "break_down()");
    for part in [
        "\nfault 1: fault: null-access: read of 0x0 at 0x",
        "fault::memory::read_null",
        &place("fault/src/memory.rs", "fn read_null", "read_volatile"),
        "fault::fault",
        &called,
        "_start",
    ] {
        assert!(shown.contains(part), "{part:?} is not in\n{shown}");
    }
    let panicked = place("fault/src/main.rs", "fn panic", "days[2]");
    let executed = place("fault/src/memory.rs", "fn execute(", "transmute");
    let taken = place("hog/src/main.rs", "fn take(", "with_capacity");
    let spun = place("spin/src/main.rs", "fn idle", "loop {}");
    for (path, status, start, places) in [
        ("/fault/panic", 502, "fault 2: fault: panic: ", vec![panicked, called.clone()]),
        ("/fault/wild-jump", 502, "fault 3: fault: wild-jump: jump to 0x12345678", vec![called.clone()]),
        ("/fault/execute-stack", 502, "fault 4: fault: no-execute: ", vec![executed, called]),
        ("/spin", 504, "fault 5: spin: deadline: ", vec![spun]),
        ("/hog", 507, "fault 6: hog: out-of-memory: ", vec![taken]),
    ] {
        run.expect_status(path, status);
        let shown = run.until("  rsp");
        for part in places.iter().map(String::as_str).chain([start]) {
            assert!(shown.contains(part), "{part:?} is not in\n{shown}");
        }
    }
    drop(run);

    let later = images::mayfly().args(["explain", "1", "--image", image()]).output().expect("it runs");
    let later = String::from_utf8_lossy(&later.stdout).into_owned();
    let explanation = &shown[shown.find("\nfault 1: ").expect("on a line of its own") + 1..];
    assert!(later.starts_with(explanation), "{later}\nis not\n{explanation}");
}

#[test]
fn a_core_holds_the_registers_and_the_memory_of_the_domain() {
    let folder = cores("cores");
    let run = Run::start(&[image(), "--core", folder.to_str().expect("a path in UTF-8")]);
    run.expect_status("/hello", 200);
    let asked = Instant::now();
    run.expect_status("/fault/null", 502);
    assert!(asked.elapsed() < PATIENCE, "the machine waits for the core, and no longer");
    let shown = run.until("  gdb ");
    run.expect_status("/fault/recursion", 502);
    run.until("  gdb ");
    run.expect_status("/hello", 200);
    drop(run);

    let core = Core::read(&folder.join("fault-1.core"));
    let [rbp, rip, rsp] = [4, 16, 19].map(|at| core.register(at));
    assert!(shown.contains(&format!("null-access: read of 0x0 at {rip:#x}")), "{shown}");
    assert!(shown.contains(&format!("rsp {rsp:016x}")), "{shown}");
    let back = core.word(rbp + 8);
    assert!(shown.contains(&format!("  by {back:#x} ")), "{back:#x} is not in\n{shown}");
    let writable = |address| core.find(address).map(|page| page.p_flags(ENDIAN).0 & 2 != 0);
    assert_eq!((writable(rip), writable(rsp), writable(0)), (Some(false), Some(true), None));
    // The path of the request, behind its head.
    let request =
        core.find(0x1000_0000).expect("the request window").data(ENDIAN, core.bytes.as_slice()).expect("there");
    assert!(request.windows(5).any(|window| window == b"/null"));

    let recursion = Core::read(&folder.join("fault-2.core"));
    let is_there = |address| recursion.find(address).is_some();
    assert!(is_there(0x20_1000) && !is_there(0x20_0ff8), "all of the stack, but not the guard page below it");
}

/// A core file.
struct Core {
    bytes: Vec<u8>,
}

impl Core {
    fn read(path: &Path) -> Self {
        Self { bytes: fs::read(path).expect("a core") }
    }

    fn segments(&self) -> &[ProgramHeader64<LittleEndian>] {
        let header = FileHeader64::<LittleEndian>::parse(self.bytes.as_slice()).expect("an ELF file");
        header.program_headers(ENDIAN, self.bytes.as_slice()).expect("its segments")
    }

    /// A register by its position in Linux's `user_regs_struct`.
    fn register(&self, at: usize) -> u64 {
        let mut notes = self.segments().iter().find_map(|it| it.notes(ENDIAN, self.bytes.as_slice()).transpose());
        let notes = notes.as_mut().expect("notes").as_mut().expect("notes");
        let status = notes.next().expect("notes").expect("a note");
        assert_eq!(status.n_type(ENDIAN), NT_PRSTATUS);
        word(&status.desc()[112 + 8 * at..])
    }

    /// The segment that holds an address.
    fn find(&self, address: u64) -> Option<&ProgramHeader64<LittleEndian>> {
        let is_in = |segment: &&ProgramHeader64<LittleEndian>| {
            address.wrapping_sub(segment.p_vaddr(ENDIAN)) < segment.p_filesz(ENDIAN)
        };
        self.segments().iter().skip(1).find(is_in)
    }

    fn word(&self, address: u64) -> u64 {
        let segment = self.find(address).expect("mapped");
        let data = segment.data(ENDIAN, self.bytes.as_slice()).expect("there");
        word(&data[(address - segment.p_vaddr(ENDIAN)) as usize..])
    }
}

fn word(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(*bytes.first_chunk().expect("eight bytes"))
}
