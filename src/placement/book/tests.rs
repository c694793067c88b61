//! What a ledger takes, gives back and refuses.

use proptest::prelude::*;

use super::super::samples::{cpx_nps4, look};
use super::super::{Selector, Shape, Used, devices};
use super::*;
use crate::facts::model;

const STYLE: Style = Style { by: Selector::Best, prefix: None };

fn wish(name: &str, copies: u32) -> Wish {
    let shape = Shape::of(name, model(name).unwrap()).unwrap();
    Wish { shape, dtype: Dtype::Bf16, kv: KvDtype::Auto, tokens: 8192, copies }
}

fn present(devices: &[Device]) -> Present<'_> {
    Present { machine: "a machine", boot_id: Some("boot-1"), devices }
}

fn eight() -> Vec<Device> {
    devices(&cpx_nps4(1)).usable
}

/// Places on any device; the devices that were given.
fn place(book: &mut Book, devices: &[Device], wish: Wish, whole: bool) -> Result<Vec<u8>, NotPlaced> {
    let on: Vec<Bdf> = devices.iter().map(|device| device.bdf).collect();
    let terms = Terms { on: &on, ceiling: Share::DEFAULT, whole, since: "2026-01-01T00:00:00Z", style: &STYLE };
    let placed = book.place(present(devices), &[wish], terms)?;
    Ok(placed.iter().map(|(_, instance)| instance.device.function).collect())
}

#[test]
fn placed_models_hold_their_share_until_they_are_released() {
    let devices = eight();
    let mut book = Book::new(present(&devices));
    assert_eq!(place(&mut book, &devices, wish("meta-llama/Llama-3.1-8B", 6), false), Ok(vec![6, 7, 1, 2, 3, 4]));
    assert_eq!(place(&mut book, &devices, wish("meta-llama/Llama-3.1-8B", 2), false), Ok(vec![5, 0]));
    let full = place(&mut book, &devices, wish("meta-llama/Llama-3.1-8B", 1), false).unwrap_err();
    // 22.1 GiB of share, 18.0 GiB held and 18.0 GiB wanted.
    let NotPlaced::NoRoom(lacking) = full else { panic!("{full}") };
    assert_eq!(lacking.len(), 1);
    assert!(lacking[0].lacks > Bytes(13 << 30) && lacking[0].lacks < Bytes(14 << 30), "{lacking:?}");
    let small = place(&mut book, &devices, wish("Qwen/Qwen2.5-0.5B", 1), false);
    assert_eq!(small, Ok(vec![6]), "what is left is given away");

    let gone = book.release(&[3, 5]).unwrap();
    assert_eq!(gone.iter().map(|held| held.device.function).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(place(&mut book, &devices, wish("meta-llama/Llama-3.1-8B", 2), false), Ok(vec![1, 3]));
    assert_eq!(book.held().iter().map(|held| held.id).max(), Some(11), "numbers are not used again");
    assert_eq!(book.release_all().len(), 9);
    assert!(book.held().is_empty());
}

#[test]
fn all_instances_are_placed_or_none() {
    let devices = eight();
    let mut book = Book::new(present(&devices));
    let before = book.clone();
    assert!(place(&mut book, &devices, wish("meta-llama/Llama-3.1-8B", 9), false).is_err());
    assert_eq!(book, before);
}

#[test]
fn a_whole_device_leaves_no_room_for_another() {
    let devices = eight();
    let mut book = Book::new(present(&devices));
    assert_eq!(place(&mut book, &devices, wish("Qwen/Qwen2.5-0.5B", 8), true).map(|placed| placed.len()), Ok(8));
    assert!(book.held().iter().all(|held| held.share == Share::DEFAULT));
    assert!(matches!(place(&mut book, &devices, wish("Qwen/Qwen2.5-0.5B", 1), false), Err(NotPlaced::NoRoom(_))));
}

#[test]
fn memory_in_use_beyond_what_is_held_is_not_given_away() {
    let mut devices = eight();
    devices.truncate(1);
    let mut book = Book::new(present(&devices));
    place(&mut book, &devices, wish("Qwen/Qwen2.5-0.5B", 1), false).unwrap();
    let held = book.held_on(devices[0].bdf, devices[0].total);
    let budget = Share::DEFAULT.budget(devices[0].total);
    for (used, left) in [
        (0, budget.0 - held.0),
        (held.0, budget.0 - held.0),
        (23 << 30, devices[0].total.0 - (23 << 30)),
        (u64::MAX, 0),
    ] {
        devices[0].used = Used::Kernel(Bytes(used));
        assert_eq!(book.left_on(&devices[0], Share::DEFAULT), Bytes(left), "{used}");
    }
    assert!(place(&mut book, &devices, wish("Qwen/Qwen2.5-0.5B", 1), false).is_err());
}

#[test]
fn another_boot_or_other_modes_are_refused_until_the_models_are_released() {
    let then = eight();
    let now = devices(&look("mi300x", 1, ComputeMode::Spx, MemoryMode::Nps1)).usable;
    let mut book = Book::new(present(&then));
    place(&mut book, &then, wish("Qwen/Qwen2.5-0.5B", 1), false).unwrap();
    let rebooted = Present { boot_id: Some("boot-2"), ..present(&then) };
    let changed = |book: &Book, present| book.changes(present).join("; ");
    assert_eq!(changed(&book, rebooted), "it was booted since, so none of the models in the ledger runs any more");
    assert_eq!(
        changed(&book, present(&now)),
        "it had 8 logical devices and has 1; 0000:05:00.0 was CPX/NPS4 with 24576 MiB and is SPX/NPS1 with 196592 MiB"
    );
    let gone = changed(&book, present(&then[1..]));
    assert!(gone.contains("was CPX/NPS4 with 24576 MiB and is not there"), "{gone}");
    assert_eq!(changed(&book, Present { boot_id: None, ..present(&then) }), "", "an unknown boot is no other");
    assert!(matches!(place(&mut book, &now, wish("Qwen/Qwen2.5-0.5B", 1), false), Err(NotPlaced::Changed(_))));
    book.release_all();
    assert_eq!(place(&mut book, &now, wish("Qwen/Qwen2.5-0.5B", 1), false), Ok(vec![0]));
    assert_eq!(changed(&book, present(&now)), "");
}

#[test]
fn a_number_that_is_not_there_releases_nothing() {
    let devices = eight();
    let mut book = Book::new(present(&devices));
    assert_eq!(book.release(&[1]).unwrap_err().to_string(), "nothing is placed under the number 1; nothing is");
    place(&mut book, &devices, wish("Qwen/Qwen2.5-0.5B", 2), false).unwrap();
    let error = book.release(&[1, 7]).unwrap_err().to_string();
    assert_eq!(error, "nothing is placed under the number 7; there are 1, 2");
    assert_eq!(book.held().len(), 2);
}

#[test]
fn every_server_has_a_port_of_its_own() {
    let devices = eight();
    let mut book = Book::new(present(&devices));
    place(&mut book, &devices, wish("Qwen/Qwen2.5-0.5B", 3), false).unwrap();
    book.release(&[2]).unwrap();
    place(&mut book, &devices, wish("Qwen/Qwen2.5-0.5B", 2), false).unwrap();
    let ports: Vec<u16> = book.held().iter().map(|held| held.port).collect();
    assert_eq!(ports, [8000, 8002, 8001, 8003]);
}

#[test]
fn a_ledger_reads_back_and_what_no_ledger_can_say_is_refused() {
    let devices = eight();
    let mut book = Book::new(present(&devices));
    place(&mut book, &devices, wish("meta-llama/Llama-3.1-8B", 2), false).unwrap();
    let text = book.to_text().unwrap();
    assert_eq!(Book::parse(&text), Ok(book));
    let changed = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
        change(&mut value);
        Book::parse(&value.to_string()).unwrap_err().to_string()
    };
    for (error, part) in [
        (Book::parse("").unwrap_err().to_string(), "EOF"),
        (Book::parse("{}").unwrap_err().to_string(), "missing field `schema`"),
        (changed(&|v| v["schema"] = 2.into()), "version 2 is not one that this program reads"),
        (changed(&|v| v["extra"] = 2.into()), "unknown field `extra`"),
        (changed(&|v| v["next"] = 0.into()), "key `next`"),
        (changed(&|v| v["next"] = u64::MAX.into()), "key `next`"),
        (changed(&|v| v["held"][0]["id"] = 2.into()), "number 2 or its port"),
        (changed(&|v| v["held"][0]["id"] = 0.into()), "number 0"),
        (changed(&|v| v["held"][0]["port"] = 8001.into()), "or its port"),
        (changed(&|v| v["held"][0]["device"] = "0000:ff:00.0".into()), "which is no device"),
        (changed(&|v| v["held"][0]["share"] = "1.5".into()), "is not a fraction"),
        (changed(&|v| v["held"][0]["model"] = "\u{1b}[2J".into()), "control characters: \"\\u{1b}[2J\""),
        (changed(&|v| v["devices"][1] = v["devices"][0].clone()), "is there twice"),
        (
            changed(&|v| {
                v["held"][0]["share"] = "0.9".into();
                v["held"][1]["share"] = "0.9".into();
                v["held"][1]["device"] = v["held"][0]["device"].clone();
            }),
            "is overcommitted",
        ),
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

proptest! {
    #[test]
    fn no_text_breaks_the_reader(text in ".{0,300}") {
        let _ = Book::parse(&text);
    }

    #[test]
    fn whatever_is_placed_and_released_is_a_ledger_that_reads_back(
        steps in proptest::collection::vec((0..3_usize, 1..4_u32, any::<bool>(), 0..12_u64), 0..12),
    ) {
        let devices = eight();
        let mut book = Book::new(present(&devices));
        for (model, copies, whole, id) in steps {
            let name = ["meta-llama/Llama-3.1-8B", "Qwen/Qwen2.5-0.5B", "Qwen/Qwen2.5-7B"][model];
            let _ = place(&mut book, &devices, wish(name, copies), whole);
            let _ = book.release(&[id]);
            for device in &devices {
                prop_assert!(book.held_on(device.bdf, device.total) <= Share::DEFAULT.budget(device.total));
            }
            prop_assert_eq!(Book::parse(&book.to_text().unwrap()), Ok(book.clone()));
        }
    }
}
