//! Plans of simulated machines.

use super::super::samples::{cpx_nps4, look};
use super::super::{Selector, Shape};
use super::*;
use crate::domain::Reading;
use crate::facts::model;

const STYLE: Style = Style { by: Selector::Best, prefix: None };

fn wish(name: &str, dtype: Dtype, copies: u32) -> Wish {
    let shape = Shape::of(name, model(name).unwrap()).unwrap();
    Wish { shape, dtype, kv: KvDtype::Auto, tokens: 8192, copies }
}

fn planned(look: &Snapshot, wishes: &[Wish]) -> ModelPlan {
    let all = sockets(look);
    plan_models(look, &all.iter().collect::<Vec<_>>(), wishes, Share::DEFAULT, &STYLE).unwrap()
}

#[test]
fn a_model_alone_on_its_device_gets_all_of_the_share() {
    let plan = planned(&cpx_nps4(1), &[wish("meta-llama/Llama-3.1-8B", Dtype::Fp16, 1)]);
    assert_eq!(plan.outcome, Outcome::Now);
    let instance = &plan.placed[0];
    // The devices of the last memory partition are the smallest that hold it.
    assert_eq!((instance.device.function, instance.share), (6, Share::DEFAULT));
    assert_eq!(instance.budget, Share::DEFAULT.budget(Bytes(24_568 << 20)));
    assert_eq!(instance.recipe.serve.last().map(String::as_str), Some("8000"));
}

#[test]
fn models_that_share_a_device_get_what_they_need_and_a_port_each() {
    let plan = planned(&cpx_nps4(1), &[wish("Qwen/Qwen2.5-0.5B", Dtype::Bf16, 20)]);
    assert_eq!((plan.placed.len(), plan.refused.len()), (20, 0));
    let mut ports: Vec<&String> = plan.placed.iter().filter_map(|each| each.recipe.serve.last()).collect();
    ports.dedup();
    assert_eq!(ports.len(), 20);
    for device in plan.placed.iter().map(|each| each.device) {
        let on_it = plan.placed.iter().filter(|each| each.device == device);
        let given: u64 = on_it.map(|each| each.budget.0).sum();
        assert!(given <= Share::DEFAULT.budget(Bytes(24_576 << 20)).0, "{device}: {given}");
    }
}

#[test]
fn what_fits_only_in_other_modes_names_them_and_what_fits_nowhere_its_bytes() {
    let plan = planned(&cpx_nps4(1), &[wish("Qwen/Qwen2.5-32B", Dtype::Bf16, 1)]);
    assert_eq!(plan.outcome, Outcome::InOtherModes { modes: vec!["SPX/NPS1".into(), "DPX/NPS1".into()] });
    // 65527752704 of weights, 2 GiB of reserve and of cache, in 0.92 of 24576 MiB.
    let lacks = 65_527_752_704 + (4 << 30) - Share::DEFAULT.budget(Bytes(24_576 << 20)).0;
    assert_eq!(plan.refused, [Lacking { model: "Qwen/Qwen2.5-32B".into(), instances: 1, lacks: Bytes(lacks) }]);
    assert!(plan.placed.is_empty());

    let plan = planned(&cpx_nps4(1), &[wish("meta-llama/Llama-3.1-405B", Dtype::Bf16, 1)]);
    let lacks = plan.models[0].total.0 - Share::DEFAULT.budget(Bytes(206_141_652_992)).0;
    let closest = Closest { model: "meta-llama/Llama-3.1-405B".into(), mode: "SPX/NPS1".into(), lacks: Bytes(lacks) };
    assert_eq!(plan.outcome, Outcome::Nowhere { closest });
}

#[test]
fn only_the_chosen_gpus_are_used() {
    let look = cpx_nps4(2);
    let all = sockets(&look);
    let wishes = [wish("meta-llama/Llama-3.1-8B", Dtype::Fp16, 8)];
    let plan = plan_models(&look, &[&all[1]], &wishes, Share::DEFAULT, &STYLE).unwrap();
    assert_eq!((plan.placed.len(), plan.modes[0].devices), (8, 8));
    assert!(plan.placed.iter().all(|each| each.device.socket() == all[1].bdf));
}

#[test]
fn what_a_reader_must_know_is_noted() {
    let small = [wish("Qwen/Qwen2.5-0.5B", Dtype::Bf16, 1)];
    let mut seen = look("mi300x", 1, ComputeMode::Cpx, MemoryMode::Nps4);
    let all = |look: &Snapshot| planned(look, &small).notes.join("\n");
    seen.processes = Some(Reading::Value(Vec::new()));
    assert!(all(&seen).starts_with("a container with one render node") && all(&seen).lines().count() == 1);
    seen.sysfs.as_mut().unwrap()[0].alloc_mode = Reading::Value(AllocMode::All);
    assert!(all(&seen).contains("policy is ALL"));
    seen.processes = Some(Reading::NotReported);
    assert!(all(&seen).contains("not reported for 8 of 8 devices"));
    seen.kfd.as_mut().unwrap()[3].memory = Reading::NotReported;
    assert!(all(&seen).contains("not used: KFD node"));
    seen.sysfs.as_mut().unwrap()[0].device_id = Reading::Value(0x74b5);
    assert!(all(&seen).contains("virtual functions"));
    let sockets = sockets(&seen);
    let whole = plan_models(&seen, &[&sockets[0]], &small, "0.98".parse().unwrap(), &STYLE).unwrap();
    assert!(whole.notes.concat().contains("0.98 fails at the start"));
}

#[test]
fn a_machine_without_devices_holds_nothing() {
    let mut look = cpx_nps4(1);
    look.kfd = None;
    let plan = planned(&look, &[wish("Qwen/Qwen2.5-0.5B", Dtype::Bf16, 1)]);
    assert!(plan.placed.is_empty() && plan.refused.len() == 1 && !plan.modes[0].fits, "{plan:?}");
}
