//! One logical device as the tool sees it under a dialect.

use crate::domain::{ComputeMode, MemoryMode};
use crate::sim::render::amd_smi::Context;
use crate::sim::render::amd_smi::dialect::{Dialect, Secondaries};
use crate::sim::{Device, FileAnswer, Gpu, PartitionFiles};

use super::NA;

/// What came of reading a mode file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// A mode.
    Known(String),
    /// No such file for this device: N/A, without a complaint.
    Absent,
    /// The file answered an error or something that is no mode: the library throws.
    Failed,
}

impl Mode {
    /// The mode, or N/A.
    pub fn text(&self) -> &str {
        match self {
            Self::Known(mode) => mode,
            Self::Absent | Self::Failed => NA,
        }
    }
}

/// A device with its GPU and the rules that apply.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Its index in the tool's numbering.
    pub index: usize,
    /// The device.
    pub device: &'a Device,
    /// The GPU that it is a part of.
    pub gpu: &'a Gpu,
    /// The rules.
    pub dialect: Dialect,
    /// Whether DRM ioctls answer.
    pub drm: bool,
}

/// The chosen devices, in the order asked for.
pub fn chosen<'a>(ctx: &Context<'a>) -> Vec<Seen<'a>> {
    ctx.targets.iter().filter_map(|&index| seen(ctx, index)).collect()
}

/// Every device.
pub fn all<'a>(ctx: &Context<'a>) -> Vec<Seen<'a>> {
    (0..ctx.view.devices.len()).filter_map(|index| seen(ctx, index)).collect()
}

fn seen<'a>(ctx: &Context<'a>, index: usize) -> Option<Seen<'a>> {
    let device = ctx.view.devices.get(index)?;
    let gpu = ctx.view.gpus.get(device.gpu)?;
    Some(Seen { index, device, gpu, dialect: Dialect::of(ctx.tool).with(ctx.bugs), drm: ctx.view.drm })
}

impl<'a> Seen<'a> {
    /// The first partition of its GPU, or the whole of it.
    pub const fn primary(&self) -> bool {
        self.device.partition == 0
    }

    /// The partition files that the tool looks at for this device.
    pub fn files(&self) -> Option<&'a PartitionFiles> {
        let visible = self.primary() || self.dialect.secondaries == Secondaries::AsPrimary;
        self.gpu.partition.as_ref().filter(|_| visible)
    }

    /// `current_compute_partition`.
    pub fn compute(&self) -> Mode {
        self.files().map_or(Mode::Absent, |files| compute_mode(&files.current_compute))
    }

    /// `current_memory_partition`.
    pub fn memory(&self) -> Mode {
        self.files().map_or(Mode::Absent, |files| {
            mode(&files.current_memory, |text| text.parse::<MemoryMode>().is_ok_and(|mode| mode.name() == text))
        })
    }

    /// The PCI address that the tool prints.
    pub fn bdf(&self) -> String {
        if self.dialect.needs_drm_for_identity && !self.drm {
            return self.stray_bdf();
        }
        let mut bdf = self.gpu.bdf;
        if self.dialect.bdf_with_partition {
            bdf.function = self.device.partition;
        }
        bdf.to_string()
    }

    /// The UUID that the tool makes of the unique id, the device id and, from 27.0, the partition.
    pub fn uuid(&self) -> String {
        if self.dialect.needs_drm_for_identity && !self.drm {
            // Of memory that nobody filled; this value came in every run that was recorded.
            return "ffff0000-0000-1000-80ff-ffffffffffff".to_owned();
        }
        let id = self.gpu.unique_id;
        let second = if self.dialect.uuid_with_partition { self.device.partition } else { 0xff };
        format!(
            "{:02x}{second:02x}{:04x}-0000-1000-80{:02x}-{:012x}",
            id >> 56,
            self.gpu.device_id,
            (id >> 48) & 0xff,
            id & 0xffff_ffff_ffff
        )
    }

    /// An address from uninitialised memory: its shape is the tool's, its value is nothing. Spread over the devices,
    /// so that nobody takes two for one.
    fn stray_bdf(&self) -> String {
        let seed = (self.index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!("{:04x}:{:02x}:{:02x}.{:x}", seed >> 40, (seed >> 32) & 0xff, (seed >> 27) & 0x1f, (seed >> 24) & 7)
    }
}

/// A compute mode file.
pub fn compute_mode(answer: &FileAnswer) -> Mode {
    mode(answer, |text| text.parse::<ComputeMode>().is_ok_and(|mode| mode.name() == text))
}

fn mode(answer: &FileAnswer, known: impl Fn(&str) -> bool) -> Mode {
    match answer {
        Ok(text) if known(text) => Mode::Known(text.clone()),
        Err(crate::sim::Errno::ENOENT) => Mode::Absent,
        Ok(_) | Err(_) => Mode::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Errno;

    #[test]
    fn a_file_that_holds_no_mode_has_failed() {
        let cases = [
            (Ok("CPX".to_owned()), Mode::Known("CPX".to_owned())),
            (Ok("UNKNOWN".to_owned()), Mode::Failed),
            (Ok(String::new()), Mode::Failed),
            (Ok("cpx".to_owned()), Mode::Failed),
            (Err(Errno::ENOENT), Mode::Absent),
            (Err(Errno::EIO), Mode::Failed),
        ];
        for (answer, expected) in cases {
            assert_eq!(compute_mode(&answer), expected, "{answer:?}");
        }
        assert_eq!(Mode::Failed.text(), "N/A");
    }
}
