//! Images that are made for a benchmark, which differ in nothing but their functions.

use std::path::PathBuf;

use mayfly_qemu::Launch;
use mayfly_qemu::accelerator::Verdict;

use super::session::Common;
use crate::build::{Base, Function, Generated};
use crate::results::Image;
use crate::unfinished::Unfinished;

/// Memory of a machine beside its image, in MiB.
const SPARE_MIB: u32 = 64;

/// Makes images, in a folder that is gone when this is dropped.
pub(super) struct Images {
    base: Base,
    folder: Unfinished,
    made: u32,
}

/// An image, and the machine for it.
pub(super) struct Made {
    path: PathBuf,
    pub(super) image: Image,
    pub(super) memory_mib: u32,
}

impl Images {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self { base: Base::build()?, folder: Unfinished::folder(&std::env::temp_dir())?, made: 0 })
    }

    /// Makes the image of these functions. `name`: what results call it. Its machine has as much memory as it needs.
    pub(super) fn make(&mut self, name: String, functions: &[Function]) -> anyhow::Result<Made> {
        let path = self.folder.path().join(format!("{}.elf", self.made));
        self.made += 1;
        self.base.write_image(functions, &path)?;
        let image = Image { name, ..Image::of(&path)? };
        let memory_mib = SPARE_MIB + image.bytes.div_ceil(1 << 20) as u32;
        Ok(Made { path, image, memory_mib })
    }

    /// The same of generated functions.
    pub(super) fn generate(&mut self, name: String, functions: &[Generated]) -> anyhow::Result<Made> {
        self.make(name, &functions.iter().map(Generated::function).collect::<anyhow::Result<Vec<_>>>()?)
    }
}

impl Made {
    /// The same image for a machine with so much memory.
    pub(super) fn with_memory(self, memory_mib: u32) -> Self {
        Self { memory_mib, ..self }
    }

    /// The machine that the benchmark is about.
    pub(super) fn launch(&self, common: &Common, verdict: &Verdict) -> Launch {
        common.launch(&self.path, verdict).memory_mib(self.memory_mib)
    }

    /// The machine on which instructions are counted.
    pub(super) fn counted(&self) -> Launch {
        Launch::new(&self.path).memory_mib(self.memory_mib).icount()
    }

    /// How a result describes [`Made::launch`]: the image's place is another one in every run.
    pub(super) fn described(&self, common: &Common, verdict: &Verdict) -> Launch {
        common.launch("{image}", verdict).memory_mib(self.memory_mib)
    }
}
