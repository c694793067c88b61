//! The embedded tables against `partitions.json`, the machine-readable twin of the research they come from, where it is
//! present; its essential numbers are asserted by the tables' own tests.

use std::path::Path;

use libtest_mimic::Trial;
use rocvet::domain::{Bytes, KernelRules, MemoryMode};
use rocvet::facts::{
    Firmware, Legality, TOLERANCES, auto_mode, combo, combos, kernel_allows, legality, memory_per_device, model,
    models, part, signature, xccs_per_device,
};
use rocvet::placement::Dtype;

use serde_json::Value;

use super::trial;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("tables_agree_with_the_research", "facts/partitions.json", tables_agree_with_the_research),
        trial("models_agree_with_the_research", "facts/partitions.json", models_agree_with_the_research),
        trial("signatures_agree_with_the_research", "facts/signatures.json", signatures_agree_with_the_research),
    ]
}

fn numbers(value: &Value) -> Vec<u64> {
    value.as_array().into_iter().flatten().filter_map(Value::as_u64).collect()
}

fn ids(value: &Value) -> Vec<u16> {
    let texts = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    texts.map(|text| u16::from_str_radix(&text[..4], 16).unwrap()).collect()
}

fn tables_agree_with_the_research(file: &Path) {
    let text = std::fs::read_to_string(file).unwrap();
    let facts: Value = serde_json::from_str(&text).unwrap();
    let mut pairs = 0;
    for row in facts["parts"].as_array().unwrap() {
        let id = row["id"].as_str().unwrap();
        let Some(combos) = row["combos"].as_array().filter(|combos| !combos.is_empty()) else { continue };
        let part = part(id).unwrap();
        assert_eq!(part.gfx, row["gfx"], "{id}");
        assert_eq!(part.marketing, row["marketing"], "{id}");
        assert_eq!(part.pci_ids, ids(&row["pci_ids"]), "{id}");
        assert_eq!(part.vf_pci_ids, ids(&row["vf_pci_ids"]), "{id}");
        assert_eq!(u64::from(part.xccs), row["xcds"], "{id}");
        assert_eq!(u64::from(part.iods), row["iods"], "{id}");
        assert_eq!(u64::from(part.cus_per_xcc), row["cus_per_xcd"], "{id}");
        assert_eq!(u64::from(part.xccs * part.cus_per_xcc), row["cus_total"], "{id}");
        assert_eq!(u64::from(part.nominal_gib), row["hbm_nominal_gib"], "{id}");
        assert_eq!(part.apu, row["apu"], "{id}");
        assert_eq!(part.driver_vram.map(|vram| vram.0), row["driver_vram_bytes"].as_u64(), "{id}");
        for pair in combos {
            pairs += 1;
            let compute = pair["compute"].as_str().unwrap().parse().unwrap();
            let memory = pair["memory"].as_str().unwrap().parse().unwrap();
            let name = format!("{id} {compute}/{memory}");
            let known = combo(id, compute, memory).unwrap();
            assert_eq!(known.source.confidence.to_string(), pair["legality_confidence"], "{name}");
            let allowed = kernel_allows(part, compute, memory, KernelRules::Latest).is_ok();
            assert_eq!(allowed, pair["kernel_allows"], "{name}");
            // NPS1 is what every machine starts in: no firmware lacks it.
            let legal = legality(part, compute, memory, KernelRules::Latest) == Legality::Legal;
            assert_eq!(legal, known.firmware == Firmware::Yes || memory == MemoryMode::Nps1, "{name}");
            assert_eq!(pair["firmware_offers"] == "yes", known.firmware == Firmware::Yes, "{name}");
            if !part.apu {
                let sizes = memory_per_device(part, compute, memory).unwrap();
                assert_eq!(
                    sizes.iter().map(|size| size.0).collect::<Vec<_>>(),
                    numbers(&pair["bytes_per_device"]),
                    "{name}"
                );
                assert_eq!(u64::try_from(sizes.len()).unwrap(), pair["logical_devices"], "{name}");
            }
            assert_eq!(u64::from(compute.devices(part.xccs)), pair["logical_devices"], "{name}");
            let cus = xccs_per_device(part, compute) * part.cus_per_xcc;
            assert_eq!(u64::from(cus), pair["cus_per_device"], "{name}");
        }
    }
    assert_eq!(pairs, combos().iter().filter(|each| each.firmware != Firmware::No).count());
    for (part_id, modes) in facts["auto_compute_mode_after_driver_load"].as_object().unwrap() {
        for (memory, compute) in modes.as_object().into_iter().flatten() {
            let found = auto_mode(part(part_id).unwrap(), memory.parse().unwrap(), KernelRules::Latest);
            assert_eq!(found.map(|mode| mode.name()), compute.as_str(), "{part_id} {memory}");
        }
    }
    let nominal = &facts["tolerance"]["kfd_total_vs_nominal"];
    assert_eq!(Bytes(nominal["abs_bytes"].as_u64().unwrap()), TOLERANCES.nominal);
}

fn models_agree_with_the_research(file: &Path) {
    let text = std::fs::read_to_string(file).unwrap();
    let facts: Value = serde_json::from_str(&text).unwrap();
    let rows = facts["models"].as_array().unwrap();
    assert_eq!(rows.len(), models().len());
    for row in rows {
        let id = row["id"].as_str().unwrap();
        let model = model(id).unwrap();
        for (key, found) in [
            ("params", model.params),
            ("layers", model.layers),
            ("hidden", model.hidden),
            ("intermediate", model.intermediate),
            ("heads", model.heads),
            ("kv_heads", model.kv_heads),
            ("head_dim", model.head_dim),
            ("vocab", model.vocab),
            ("experts", model.experts),
            ("experts_per_token", model.experts_per_token),
            ("kv_bytes_per_token_fp16", model.kv_bytes_per_token(2)),
        ] {
            assert_eq!(row[key].as_u64(), Some(found), "{id}: {key}");
        }
        assert_eq!(row["tied_embeddings"], model.tied_embeddings, "{id}");
        for (key, dtypes) in [
            ("fp16_bf16", [Dtype::Fp16, Dtype::Bf16]),
            ("fp8_int8", [Dtype::Fp8, Dtype::Int8]),
            ("int4_ideal", [Dtype::Int4, Dtype::Int4]),
        ] {
            for dtype in dtypes {
                assert_eq!(row["weight_bytes"][key].as_u64(), Some(dtype.ideal(model.params).0), "{id}: {dtype}");
            }
        }
    }
}

/// Signatures that say more than the research did, or otherwise: their texts were found since.
const AMENDED: [&str; 17] = [
    "hip_queue_abort_aperture",
    "hip_queue_abort_illegal_instruction",
    "hip_queue_abort_invalid_isa",
    "hip_queue_abort_exception",
    "hip_queue_abort_invalid_code_object",
    "hip_queue_abort_out_of_resources",
    "hip_queue_abort_other",
    "hip_illegal_state",
    "hip_illegal_address",
    "hip_launch_failure",
    "torch_no_gpu",
    "rocblas_tensile_init",
    "hipblaslt_tensile_missing",
    "miopen_kernel_build_failed",
    "k_page_fault_process",
    "k_reset_method",
    "k_mce",
];

fn signatures_agree_with_the_research(file: &Path) {
    let text = std::fs::read_to_string(file).unwrap();
    let facts: Value = serde_json::from_str(&text).unwrap();
    let rows = facts["signatures"].as_array().unwrap();
    for row in rows {
        let id = row["id"].as_str().unwrap();
        let signature = signature(id).unwrap();
        let amended = AMENDED.contains(&id);
        assert_eq!(row["regex"] != signature.pattern.as_str(), amended, "{id}");
        assert_eq!(row["class"].as_str().unwrap().replace('_', "-"), signature.class.name(), "{id}");
        assert_eq!(row["terminal"], signature.terminal, "{id}");
        assert_eq!(row["confidence"], signature.source.confidence.to_string(), "{id}");
        assert!(amended || serde_json::json!(signature.examples) == row["examples"], "{id}");
        let signal = row["typical_exit"]["signo"].as_i64();
        assert!(signal.is_none_or(|signal| signature.signals.contains(&i32::try_from(signal).unwrap())), "{id}");
    }
}
