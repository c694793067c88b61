//! What a compute partition profile shares out.

use crate::domain::ComputeMode;

use super::{Model, Profile, Resource, ResourceKind, modes};

/// The profiles of a part in index order, as the driver's `compute_partition_config` shows them.
pub fn profiles(model: &Model) -> Vec<Profile> {
    let profile = |&mode: &ComputeMode| Profile {
        mode,
        memory_caps: modes::list(&modes::memory_caps(model, mode)),
        resources: resources(model, mode),
    };
    model.compute_modes().iter().map(profile).collect()
}

/// Instances on the whole GPU: XCC, decoder, DMA, JPEG.
///
/// MI300X: profile capture in ROCm/amdsmi#132 [C]. MI308X: sysfs capture of an 8x MI308X host, 4 / 4 / 8 / 32 [C].
/// The others are derived from MI300X by XCC (DMA: 2 for each) and are unverified.
fn totals(model: &Model) -> [(ResourceKind, u32); 4] {
    let (decoders, jpegs) = if model.apu { (3, 24) } else { (4, 32) };
    [
        (ResourceKind::Xcc, model.xccs),
        (ResourceKind::Decoder, decoders),
        (ResourceKind::Dma, model.xccs * 2),
        (ResourceKind::Jpeg, jpegs),
    ]
}

fn resources(model: &Model, mode: ComputeMode) -> Vec<Resource> {
    let devices = mode.devices(model.xccs);
    let all = totals(model);
    let decoders = all[1].1;
    let share = |(kind, total): (ResourceKind, u32)| {
        // JPEG engines belong to a decoder: devices that share a decoder share its JPEG engines.
        let shared = match kind {
            ResourceKind::Decoder | ResourceKind::Jpeg => devices.div_ceil(decoders),
            ResourceKind::Xcc | ResourceKind::Dma => 1,
        };
        Resource { kind, instances: (total * shared / devices).max(1), shared }
    };
    all.map(share).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::part;

    #[test]
    fn the_profiles_of_an_mi300x_are_those_that_were_captured() {
        let expected = [
            ("SPX", "NPS1", [(8, 1), (4, 1), (16, 1), (32, 1)]),
            ("DPX", "NPS1", [(4, 1), (2, 1), (8, 1), (16, 1)]),
            ("QPX", "NPS1, NPS4", [(2, 1), (1, 1), (4, 1), (8, 1)]),
            ("CPX", "NPS1, NPS4", [(1, 1), (1, 2), (2, 1), (8, 2)]),
        ];
        let found = profiles(part("mi300x").unwrap());
        assert_eq!(found.len(), expected.len());
        for (profile, (mode, caps, resources)) in found.iter().zip(expected) {
            assert_eq!((profile.mode.name(), profile.memory_caps.as_str()), (mode, caps));
            let pairs: Vec<_> = profile.resources.iter().map(|each| (each.instances, each.shared)).collect();
            assert_eq!(pairs, resources, "{mode}");
        }
    }
}
