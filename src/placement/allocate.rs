//! Several models over several devices, without overcommit.

use crate::domain::Bytes;

use super::Share;

/// One device, as an allocation sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Total memory, of which a share is a fraction.
    pub total: Bytes,
    /// What may still be given away of it.
    pub left: Bytes,
    /// Whether a model is on it already.
    pub taken: bool,
    /// Whether it is used only where no other will do.
    pub last: bool,
}

/// One model on one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// Position in the list of needs.
    pub model: usize,
    /// Position in the list of slots.
    pub slot: usize,
    /// What it may use of the device.
    pub share: Share,
}

/// A model that found no device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Position in the list of needs.
    pub model: usize,
    /// Bytes that it lacks on the device that came closest.
    pub lacks: Bytes,
}

/// Every model, placed or refused; each list in the order of the needs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Allocation {
    /// Models with their devices.
    pub placed: Vec<Placed>,
    /// Models without one.
    pub refused: Vec<Refused>,
}

/// Gives each model the smallest device that holds it, the largest model first: a device of its own while there is one,
/// else one that it shares. Where that leaves a model out, all of them are packed as tightly as can be instead (best fit,
/// decreasing), if that leaves out fewer. Equal ones go by position, so that the same lists give the same allocation.
pub fn allocate(needs: &[Bytes], slots: &[Slot]) -> Allocation {
    let mut order: Vec<usize> = (0..needs.len()).collect();
    order.sort_by_key(|&model| (std::cmp::Reverse(needs[model]), model));
    let spread = filled(needs, &order, slots, true);
    let mut allocation = match spread.refused.len() {
        0 => spread,
        left_out => {
            let packed = filled(needs, &order, slots, false);
            if packed.refused.len() < left_out { packed } else { spread }
        }
    };
    allocation.placed.sort_by_key(|placed| placed.model);
    allocation.refused.sort_by_key(|refused| refused.model);
    allocation
}

/// One model after the other on the fullest device that holds it; `spread`: on an empty one first.
fn filled(needs: &[Bytes], order: &[usize], slots: &[Slot], spread: bool) -> Allocation {
    let mut slots = slots.to_vec();
    let mut allocation = Allocation::default();
    for &model in order {
        let best = slots
            .iter()
            .enumerate()
            .filter_map(|(at, slot)| {
                Some((spread && slot.taken, slot.last, slot.left, at, share_in(needs[model], slot)?))
            })
            .min_by_key(|&(shared, last, left, at, _)| (shared, last, left, at));
        match best {
            Some((.., slot, share)) => {
                slots[slot].left.0 -= share.budget(slots[slot].total).0;
                slots[slot].taken = true;
                allocation.placed.push(Placed { model, slot, share });
            }
            None => allocation.refused.push(refused(model, needs[model], &slots)),
        }
    }
    allocation
}

/// The share that a model takes of a device, where what is left there holds it.
fn share_in(need: Bytes, slot: &Slot) -> Option<Share> {
    Share::smallest(slot.total, need).filter(|share| share.budget(slot.total) <= slot.left)
}

/// A share is a step of 1/10000, so a need that would fit to the byte may lack nothing but its rounding: then one byte.
fn refused(model: usize, need: Bytes, slots: &[Slot]) -> Refused {
    let most = slots.iter().map(|slot| slot.left).max().unwrap_or(Bytes(0));
    Refused { model, lacks: Bytes(need.0.saturating_sub(most.0).max(1)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GIB: u64 = 1 << 30;

    fn slot(total: u64, left: u64) -> Slot {
        Slot { total: Bytes(total), left: Bytes(left), taken: false, last: false }
    }

    /// Which slot each model got; `None` for a refused one.
    fn places(needs: &[u64], slots: &[Slot]) -> Vec<Option<usize>> {
        let needs: Vec<Bytes> = needs.iter().map(|&need| Bytes(need)).collect();
        let allocation = allocate(&needs, slots);
        let of = |model| allocation.placed.iter().find(|placed| placed.model == model).map(|placed| placed.slot);
        (0..needs.len()).map(of).collect()
    }

    #[test]
    fn models_get_devices_of_their_own_while_there_are_enough_and_share_them_otherwise() {
        let slots = [slot(24 * GIB, 22 * GIB); 3];
        for (needs, expected) in [
            (vec![4, 4], vec![Some(0), Some(1)]),
            (vec![4, 20, 4], vec![Some(1), Some(0), Some(2)]),
            (vec![4, 20, 4, 4, 4], vec![Some(1), Some(0), Some(2), Some(1), Some(1)]),
            (vec![30, 4], vec![None, Some(0)]),
            (vec![20, 20, 20, 20], vec![Some(0), Some(1), Some(2), None]),
            (vec![40, 4, 4, 4, 4], vec![None, Some(0), Some(1), Some(2), Some(0)]),
        ] {
            let needs: Vec<u64> = needs.iter().map(|need| need * GIB).collect();
            assert_eq!(places(&needs, &slots), expected, "{needs:?}");
        }
    }

    #[test]
    fn models_are_packed_when_spreading_them_leaves_one_out() {
        // Spread, 5 + 4 and 5 + 4 leave no room for 2; packed, 5 + 5 and 4 + 4 + 2 do. A share is rounded up.
        let slots = [slot(24 * GIB, 10 * GIB + GIB / 10); 2];
        let needs = [5, 5, 4, 4, 2].map(|need| need * GIB);
        assert_eq!(places(&needs, &slots), [Some(0), Some(0), Some(1), Some(1), Some(1)]);
    }

    #[test]
    fn a_model_takes_the_smallest_device_that_holds_it() {
        let slots = [slot(192 * GIB, 176 * GIB), slot(24 * GIB, 22 * GIB), slot(48 * GIB, 44 * GIB)];
        assert_eq!(places(&[30 * GIB, 10 * GIB], &slots), [Some(2), Some(1)]);
    }

    #[test]
    fn a_device_with_a_model_on_it_comes_last() {
        let slots = [Slot { taken: true, ..slot(24 * GIB, 5 * GIB) }, slot(24 * GIB, 22 * GIB)];
        assert_eq!(places(&[4 * GIB], &slots), [Some(1)]);
        assert_eq!(places(&[4 * GIB; 2], &slots), [Some(1), Some(0)]);
    }

    #[test]
    fn a_device_that_is_used_last_is_used_when_no_other_will_do() {
        let slots = [Slot { last: true, ..slot(24 * GIB, 20 * GIB) }, slot(24 * GIB, 22 * GIB)];
        assert_eq!(places(&[4 * GIB], &slots), [Some(1)]);
        assert_eq!(places(&[21 * GIB, 4 * GIB], &slots), [Some(1), Some(0)]);
    }

    #[test]
    fn what_a_refused_model_lacks_is_counted_in_bytes() {
        let lacks = |need, slots: &[Slot]| allocate(&[Bytes(need)], slots).refused[0].lacks.0;
        assert_eq!(lacks(100, &[slot(90, 80), slot(90, 70)]), 20);
        assert_eq!(lacks(100, &[]), 100);
    }

    fn any_slots() -> impl Strategy<Value = Vec<Slot>> {
        let one = (0..300 * GIB, 0..=100_u64, any::<bool>(), any::<bool>())
            .prop_map(|(total, percent, taken, last)| Slot { taken, last, ..slot(total, total / 100 * percent) });
        proptest::collection::vec(one, 0..20)
    }

    proptest! {
        #[test]
        fn nothing_is_overcommitted_and_no_model_is_lost(
            needs in proptest::collection::vec(prop_oneof![0..400 * GIB, any::<u64>()], 0..40),
            slots in any_slots(),
        ) {
            let needs: Vec<Bytes> = needs.into_iter().map(Bytes).collect();
            let allocation = allocate(&needs, &slots);
            for (at, slot) in slots.iter().enumerate() {
                let given = allocation.placed.iter().filter(|placed| placed.slot == at);
                let given: u128 = given.map(|placed| u128::from(placed.share.budget(slot.total).0)).sum();
                prop_assert!(given <= u128::from(slot.left.0), "slot {at}: {given} of {}", slot.left.0);
            }
            for placed in &allocation.placed {
                prop_assert!(placed.share.budget(slots[placed.slot].total) >= needs[placed.model]);
            }
            let mut seen: Vec<usize> = allocation.placed.iter().map(|placed| placed.model).collect();
            seen.extend(allocation.refused.iter().map(|refused| refused.model));
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..needs.len()).collect::<Vec<_>>());
            prop_assert_eq!(&allocate(&needs, &slots), &allocation, "the same lists give the same allocation");
        }

        #[test]
        fn a_model_that_some_empty_device_holds_is_never_refused_when_it_comes_alone(
            need in 1..300 * GIB, slots in any_slots(),
        ) {
            let fits = slots.iter().any(|slot| share_in(Bytes(need), slot).is_some());
            prop_assert_eq!(allocate(&[Bytes(need)], &slots).placed.len() == 1, fits);
        }
    }
}
