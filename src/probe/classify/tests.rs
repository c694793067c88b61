#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![expect(clippy::print_stdout, reason = "figures for whoever runs them with --nocapture")]
//! Every signature's own examples, logs that hold more than one, logs that are cut, and texts that were written from the
//! descriptions of reports (facts/rdna.md) without a look at the patterns: what is found, and what is made up.

use super::*;
use crate::domain::{Limit, Signal};
use crate::facts::{Signature, signature, signatures};

const OWN: u32 = 4242;

fn exited(code: i32) -> Ended {
    Ended::Exited { code }
}

fn signaled(signal: i32) -> Ended {
    Ended::Signaled { signal: Signal(signal) }
}

fn hung() -> Ended {
    Ended::TimedOut { limit: Limit::Silence }
}

/// A death that left these texts.
fn died(ended: &Ended, stderr: &str, kernel: &str) -> Classified {
    let kernel = Reading::Value(kernel);
    let pids = Pids::Known(vec![OWN]);
    classify(&Remains { ended, answered: false, stderr: stderr.as_bytes(), stdout: b"", kernel, pids })
}

/// How a process that printed it ends.
fn typical(signature: &Signature) -> Ended {
    match (signature.signals.first(), signature.codes.first()) {
        (Some(signal), _) => signaled(*signal),
        (None, Some(code)) => exited(*code),
        (None, None) if [Class::HwsHang, Class::RingTimeout].contains(&signature.class) => hung(),
        (None, None) => signaled(6),
    }
}

/// The example as it would be of our own process.
fn of_ours(signature: &Signature, example: &str) -> String {
    let place = places(example, signature.stream).into_iter().find(|place| place.signature.id == signature.id);
    match place.and_then(|place| place.pid) {
        Some(pid) => example.replace(&pid.to_string(), &OWN.to_string()),
        None => example.to_owned(),
    }
}

fn of_example(signature: &Signature, text: &str, ended: &Ended) -> Classified {
    match signature.stream {
        Stream::Stderr | Stream::Stdout => died(ended, text, ""),
        Stream::Kernel => died(ended, "", text),
    }
}

/// The signature that decides where this one's example is printed: itself, but for the panic, which wraps another.
fn decides(signature: &'static Signature) -> &'static Signature {
    match signature.id.as_str() {
        "rust_panic_tch" => crate::facts::signature("hip_invalid_device_function").unwrap(),
        _ => signature,
    }
}

#[test]
fn every_example_of_every_signature_is_classified_as_it_should_be() {
    let mut examples = 0;
    for signature in signatures() {
        for example in &signature.examples {
            examples += 1;
            let found = of_example(signature, &of_ours(signature, example), &typical(signature));
            assert!(found.seen.iter().any(|seen| seen.signature == signature.id), "{}: {found:?}", signature.id);
            if signature.terminal {
                assert_eq!(found.signature.as_deref(), Some(decides(signature).id.as_str()), "{example}");
                assert_eq!(found.class, Some(decides(signature).class), "{example}");
            } else {
                assert_eq!(found.signature, None, "{}: {found:?}", signature.id);
            }
        }
    }
    assert!(examples > 85, "{examples}");
}

#[test]
fn of_two_signatures_the_cause_decides_and_both_are_reported() {
    let fault = signature("hsa_memory_access_fault").unwrap().examples[0].as_str();
    let reset = "amdgpu 0000:0d:00.0: amdgpu: GPU reset begin!";
    let own_fault = format!(
        "amdgpu 0000:0c:00.0: amdgpu: [gfxhub] page fault (src_id:0 ring:24 vmid:8 pasid:32863)\n\
         amdgpu 0000:0c:00.0: amdgpu:  in process probe pid {OWN} thread probe pid {OWN}"
    );
    let qcm = "amdgpu: qcm fence wait loop timeout expired";
    let hang = "HW Exception by GPU node-1 (Agent handle: 0x5e5c11a41ac0) reason :GPU Hang";
    let launch = "RuntimeError: HIP error: unspecified launch failure";
    for (ended, stderr, kernel, decides, beside) in [
        (signaled(6), fault, reset, "hsa_memory_access_fault", "k_gpu_reset_begin"),
        // A failure that was caught, then the death.
        (
            signaled(6),
            &*format!("RuntimeError: miopenStatusUnknownError\n{fault}"),
            "",
            "hsa_memory_access_fault",
            "miopen_status",
        ),
        (
            signaled(6),
            &*format!("{fault}\nRuntimeError: miopenStatusUnknownError"),
            "",
            "hsa_memory_access_fault",
            "miopen_status",
        ),
        // The exception is how the fault looks from Python.
        (exited(1), launch, &own_fault, "k_amdgpu_page_fault", "hip_launch_failure"),
        // What nobody caught wraps the cause.
        (
            exited(101),
            "thread 'main' panicked at src/main.rs:10:5:\ncalled `Result::unwrap()` on an `Err` value: Torch(\"HIP error: invalid device function\")",
            "",
            "hip_invalid_device_function",
            "rust_panic_tch",
        ),
        (
            signaled(6),
            "terminate called after throwing an instance of 'c10::OutOfMemoryError'\n  what():  HIP out of memory. Tried to allocate 2.00 GiB.",
            "",
            "torch_hip_oom",
            "cxx_terminate",
        ),
        // The ending decides between an error that was survived and the damage that was not.
        (
            signaled(6),
            "MIOpen Error: /MIOpen/src/x.cpp:286: Internal error\nfree(): invalid pointer",
            "",
            "glibc_abort",
            "miopen_error_line",
        ),
        (signaled(6), hang, &*format!("{qcm}\n{reset}"), "hsa_hw_exception", "k_hws_hang"),
        (hung(), "RuntimeError: miopenStatusUnknownError", qcm, "k_hws_hang", "miopen_status"),
        (
            signaled(9),
            launch,
            &*format!("Out of memory: Killed process {OWN} (probe) total-vm:1kB"),
            "k_oom_kill",
            "hip_launch_failure",
        ),
    ] {
        let found = died(&ended, stderr, kernel);
        assert_eq!(found.signature.as_deref(), Some(decides), "{stderr} / {kernel}");
        assert!(found.seen.iter().any(|seen| seen.signature == beside), "{stderr} / {kernel}: {found:?}");
    }
}

#[test]
fn any_two_deciding_signatures_of_a_process_give_the_class_of_one_of_them_whatever_their_order() {
    // The panic's example holds a third.
    let own: Vec<_> = signatures()
        .iter()
        .filter(|each| each.terminal && each.stream == Stream::Stderr && decides(each).id == each.id)
        .collect();
    for first in &own {
        for second in &own {
            let [one, two] = [first, second].map(|each| each.examples[0].as_str());
            let ended = typical(first);
            let found = died(&ended, &format!("{one}\n{two}\n"), "");
            assert!([Some(first.class), Some(second.class)].contains(&found.class), "{} {}", first.id, second.id);
            assert_eq!(found.class, died(&ended, &format!("{two}\n{one}\n"), "").class, "{} {}", first.id, second.id);
        }
    }
}

#[test]
fn an_ending_without_words_means_what_it_can_mean_and_no_more() {
    for (ended, stderr, class, id) in [
        (signaled(6), "", Class::AbortUnexplained, "abort-unexplained"),
        (signaled(11), "", Class::Segfault, "segfault"),
        (signaled(7), "", Class::HostFault, "host-fault"),
        (signaled(4), "", Class::HostIllegalInstruction, "host-illegal-instruction"),
        (signaled(9), "", Class::Killed, "killed"),
        (signaled(31), "", Class::Unknown, "unknown:signal 31"),
        (hung(), "", Class::Hang, "hang"),
        (Ended::TimedOut { limit: Limit::Output }, "", Class::OutputFlood, "output-flood"),
        (Ended::Unreaped, "", Class::Unkillable, "gpu-hang-unkillable"),
        (exited(127), "", Class::Setup, "setup"),
        (exited(101), "", Class::Unknown, "unknown:exit-101"),
        (exited(1), "", Class::Unknown, "unknown:exit-1"),
        // Exit code 0 without an answer is no success.
        (exited(0), "", Class::Unknown, "unknown:exit-0"),
        (exited(101), "thread 'main' panicked at src/x.rs:1:1:\nindex 3", Class::RustPanic, "rust-panic:index <n>"),
        (
            exited(1),
            "Traceback (most recent call last):\n  File \"/x/p.py\", line 3\nValueError: 3 is bad\n",
            Class::PythonException,
            "python-exception:ValueError: <n> is bad",
        ),
    ] {
        let found = died(&ended, stderr, "");
        assert_eq!((found.class, found.id.as_str()), (Some(class), id), "{ended:?} {stderr}");
    }
}

#[test]
fn what_nothing_matches_stays_unknown_and_is_kept_word_for_word() {
    let words = "frobnicate: node 7 at 0xdeadbeef of 0000:0c:00.0\n  gave up after 1.25 s\n";
    let found = died(&exited(3), words, "");
    assert_eq!((found.class, found.signature), (Some(Class::Unknown), None));
    assert_eq!(found.last_words, words);
    assert_eq!(found.id, "unknown:exit-3:gave up after <n> s");
    let long = "é".repeat(1 << 20);
    let found = died(&exited(3), &long, "");
    assert!(found.last_words.len() <= LAST_WORDS && long.ends_with(&found.last_words));
}

#[test]
fn an_id_is_the_same_whenever_the_same_thing_happens() {
    let fault = |node: u32, agent: u64, address: u64| {
        died(
            &signaled(6),
            &format!(
                "Memory access fault by GPU node-{node} (Agent handle: 0x{agent:x}) on address 0x{address:x}. \
                 Reason: Page not present or supervisor privilege."
            ),
            "",
        )
        .id
    };
    assert_eq!(fault(1, 0x5de9, 0x799b), "hsa_memory_access_fault:page-not-present-or-supervisor-privilege");
    assert_eq!(fault(1, 0x5de9, 0x799b), fault(9, 0x1_0000, 0xffff_0000));
    for (one, two) in [
        ("x: lost 0000:0c:00.0 (pid 12)", "x: lost 0001:4d:00.3 (pid 99999)"),
        ("x: at 0x12 in /tmp/a1/lib.so", "x: at 0xffffffff in /var/b/lib.so"),
    ] {
        assert_eq!(died(&exited(2), one, "").id, died(&exited(2), two, "").id);
    }
    for signature in signatures().iter().filter(|signature| signature.terminal) {
        let id = of_example(signature, &signature.examples[0], &typical(signature)).id;
        for odd in ["0x7", "0000:", "pid", "tid"] {
            assert!(!id.contains(odd), "{id}");
        }
    }
}

#[test]
fn a_reset_or_fault_in_the_window_changes_a_pass_and_old_noise_does_not() {
    let well = |stderr: &str, kernel: Reading<&str>| {
        let ended = exited(0);
        let pids = Pids::Known(vec![OWN]);
        classify(&Remains { ended: &ended, answered: true, stderr: stderr.as_bytes(), stdout: b"", kernel, pids })
    };
    for (kernel, class) in [
        ("", None),
        ("amdgpu: GPU reset begin!", Some(Class::GpuReset)),
        ("amdgpu: device lost from bus!", Some(Class::GpuLost)),
        ("mce: [Hardware Error]: CPU 9: Machine Check: 0 Bank 5: bea", Some(Class::MachineCheck)),
        ("amdgpu: sq_intr: error, detail 0x00000000, type 2", Some(Class::WaveException)),
        ("amdgpu: Freeing queue vital buffer 0x70db22c00000, queue evicted", None),
        ("amdgpu 0000:0d:00.0: ring gfx_0.0.0 timeout, but soft recovered", None),
        ("[drm] vm size is 262144 GB, 4 levels, block size is 9-bit, fragment size is 9-bit", None),
        ("Out of memory: Killed process 1 (other) total-vm:1kB", None),
        ("other[77]: segfault at 18 ip 0000 sp 0000 error 4 in libc.so[7ff+2]", None),
    ] {
        assert_eq!(well("", Reading::Value(kernel)).class, class, "{kernel}");
    }
    // What it printed it has dealt with.
    assert_eq!(well("RuntimeError: miopenStatusUnknownError", Reading::Value("")).class, None);
    let unread = well("", Reading::NotReported);
    assert_eq!((unread.class, unread.kernel_unread.is_some()), (None, true));
    assert_eq!(well("", Reading::Value("")).kernel_unread, None);
}

#[test]
fn what_another_process_did_is_collateral_and_not_ours() {
    let fault = |pid: u32| {
        format!(
            "amdgpu 0000:0c:00.0: amdgpu: [gfxhub] page fault (src_id:0 ring:24 vmid:8 pasid:32863)\n\
             amdgpu 0000:0c:00.0: amdgpu:  in process probe pid {pid} thread probe pid {pid}\n\
             amdgpu 0000:0c:00.0: amdgpu: GPU reset begin!\n"
        )
    };
    let hang = "HW Exception by GPU node-1 (Agent handle: 0x5e5c11a41ac0) reason :GPU Hang";
    for (stderr, kernel, class, collateral) in [
        (hang, fault(77), Class::GpuHang, Some(77)),
        ("", fault(77), Class::GpuReset, Some(77)),
        (hang, fault(OWN), Class::PageFault, None),
        // Its own fault as well: nobody else is to blame.
        (signature("hsa_memory_access_fault").unwrap().examples[0].as_str(), fault(77), Class::PageFault, None),
        // A ring's timeout names who waited.
        (
            hang,
            "[drm:amdgpu_job_timedout [amdgpu]] *ERROR* Process information: process gnome-shell pid 77 thread x pid 78"
                .to_owned(),
            Class::GpuHang,
            None,
        ),
    ] {
        let found = died(&signaled(6), stderr, &kernel);
        // The own words of the process come first where both are fatal.
        let class = if stderr == hang { Class::GpuHang } else { class };
        assert_eq!((found.class, found.collateral), (Some(class), collateral), "{stderr} / {kernel}");
    }
    // In a container the numbers cannot be compared, so nobody is blamed.
    let (ended, kernel) = (signaled(6), fault(77));
    let kernel = Reading::Value(kernel.as_str());
    let found = classify(&Remains {
        ended: &ended,
        answered: false,
        stderr: b"",
        stdout: b"",
        kernel,
        pids: Pids::Incomparable,
    });
    assert_eq!((found.class, found.collateral), (Some(Class::PageFault), None));
}

#[test]
fn a_lost_device_a_machine_check_and_an_unkillable_process_stop_the_run() {
    for (ended, kernel, stop) in [
        (signaled(6), "amdgpu: GPU Recovery Failed: -62", Some(Class::GpuLost)),
        (exited(1), "mce: [Hardware Error]: CPU 9: Machine Check: 0 Bank 5: bea", Some(Class::MachineCheck)),
        (Ended::Unreaped, "", Some(Class::Unkillable)),
        (signaled(6), "amdgpu: GPU reset begin!", None),
        (hung(), "", None),
    ] {
        assert_eq!(died(&ended, "", kernel).stop, stop, "{ended:?} {kernel}");
    }
    // Whatever else the process died of.
    let words = signature("hsa_memory_access_fault").unwrap().examples[0].as_str();
    let found = died(&signaled(6), words, "amdgpu: device lost from bus!");
    assert_eq!((found.class, found.stop), (Some(Class::PageFault), Some(Class::GpuLost)));
}

/// Texts written from the descriptions of reports, with what a person would say they are; `None` where nothing in the
/// table covers it. Not from the examples.
fn held_out() -> Vec<(Ended, &'static str, &'static str, Option<Class>)> {
    vec![
        // ROCm#2527, A1111#9283: gfx1010 spoofed as gfx1030 on 5.x.
        (
            signaled(6),
            ":0:rocdevice.cpp            :2614: 1184021455 us: 8123 : [tid:0x7f10c2bff640] Device::callbackQueue aborting with error : HSA_STATUS_ERROR_MEMORY_APERTURE_VIOLATION: The agent attempted to access memory beyond the largest legal address. code: 0x29\nAborted (core dumped)",
            "",
            Some(Class::ApertureViolation),
        ),
        // ROCm#3951, with a progress bar before it on the same line.
        (
            signaled(6),
            " 42%|####      | 21/50 [00:03<00:04]\r:0:rocdevice.cpp            :3006: 99 us: [pid:1 tid: 0x7f] Callback: Queue 0x7f00aa000000 aborting with error : HSA_STATUS_ERROR_MEMORY_APERTURE_VIOLATION: The agent attempted to access memory beyond the largest legal address. code: 0x29",
            "",
            Some(Class::ApertureViolation),
        ),
        // ROCm#5051 and MIOpen#3540.
        (
            signaled(6),
            "Epoch 1/10\nMemory access fault by GPU node-1 (Agent handle: 0x55d0a8f3c2b0) on address 0x7f1f2c600000. Reason: Write access to a read-only page.",
            "",
            Some(Class::PageFault),
        ),
        (
            signaled(6),
            "Memory access fault by GPU node-2 (Agent handle: 0x1) on address 0x2000. Reason: Unknown.",
            "",
            Some(Class::PageFault),
        ),
        // ROCm#4562: only the kernel says it.
        (
            signaled(6),
            "",
            "[ 8123.1] amdgpu 0000:2d:00.0: amdgpu: [gfxhub0] page fault (src_id:0 ring:40 vmid:8 pasid:32770, for process python3 pid 4242 thread python3 pid 4242)\n[ 8123.1] amdgpu 0000:2d:00.0: amdgpu:   in page starting at address 0x00007f3a40000000 from client 0x1b (UTCL2)\n[ 8123.1] amdgpu 0000:2d:00.0: amdgpu: GCVM_L2_PROTECTION_FAULT_STATUS:0x00801A31\n[ 8123.1] amdgpu 0000:2d:00.0: amdgpu:       Faulty UTCL2 client ID: TCP (0x8)",
            Some(Class::PageFault),
        ),
        // rocm_sdk_builder#98: the GPU hangs in fp16 training.
        (
            signaled(6),
            "HW Exception by GPU node-1 (Agent handle: 0x55f7) reason :GPU Hang",
            "amdgpu 0000:03:00.0: amdgpu: GPU reset begin!\namdgpu 0000:03:00.0: amdgpu: BACO reset\namdgpu 0000:03:00.0: amdgpu: GPU reset succeeded, trying to resume",
            Some(Class::GpuHang),
        ),
        // rocm-patch: 44 px and up just hang.
        (hung(), "conv2d 44x44 ...\n", "", Some(Class::Hang)),
        (
            hung(),
            "",
            "[ 512.0] amdgpu: qcm fence wait loop timeout expired\n[ 512.0] amdgpu: The cp might be in an unrecoverable state due to an unsuccessful queues preemption\n[ 512.0] amdgpu: Failed to evict process queues",
            Some(Class::HwsHang),
        ),
        // pytorch#132570: no kernels in the wheel.
        (
            exited(1),
            "Traceback (most recent call last):\n  File \"probe.py\", line 9, in <module>\n    y = x + 1\nRuntimeError: HIP error: invalid device function\nHIP kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be incorrect.",
            "",
            Some(Class::NoCodeForArch),
        ),
        (
            exited(1),
            "torch.AcceleratorError: HIP error: no kernel image is available for execution on the device\nSearch for `hipErrorNoBinaryForGpu'",
            "",
            Some(Class::NoCodeForArch),
        ),
        (
            signaled(6),
            "\"hipErrorNoBinaryForGpu: Unable to find code object for all current devices!\"\nAborted",
            "",
            Some(Class::NoCodeForArch),
        ),
        // ROCm#2527 c26, Tensile#1907.
        (
            signaled(6),
            "rocBLAS error: Cannot read /usr/lib64/rocblas/library/TensileLibrary.dat: No such file or directory for GPU arch : gfx1036\n List of available TensileLibrary Files :\n\"/usr/lib64/rocblas/library/TensileLibrary_lazy_gfx1030.dat\"\n",
            "",
            Some(Class::LibraryMissingArch),
        ),
        // InvokeAI#3967, ROCm#2270: segfault in the loading of code objects.
        (
            signaled(11),
            "",
            "python[4242]: segfault at 20 ip 00007f11a2c4f0a7 sp 00007ffd0 error 4 in libamdhip64.so.5.4.50402[7f11a2a00000+2d7000]",
            Some(Class::Segfault),
        ),
        (signaled(11), "", "", Some(Class::Segfault)),
        // pytorch#103973: a board without PCIe atomics.
        (
            exited(1),
            "Traceback (most recent call last):\nRuntimeError: HIP error: the operation cannot be performed in the present state",
            "",
            Some(Class::PcieAtomics),
        ),
        // Both faces of running out of memory.
        (
            exited(1),
            "torch.cuda.OutOfMemoryError: HIP out of memory. Tried to allocate 768.00 MiB (GPU 0; 5.98 GiB total capacity; 5.10 GiB already allocated; 0 bytes free)",
            "",
            Some(Class::GpuOom),
        ),
        (
            signaled(6),
            ":0:rocdevice.cpp            :2993: 7 us:  Callback: Queue 0x7f2301400000 Aborting with error : HSA_STATUS_ERROR_OUT_OF_RESOURCES: The runtime failed to allocate the necessary resources. Code: 0x1008 Available Free mem : 0 MB",
            "",
            Some(Class::ScratchOom),
        ),
        (
            signaled(9),
            "",
            "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=x\nMemory cgroup out of memory: Killed process 4242 (python) total-vm:9kB, anon-rss:8kB",
            Some(Class::HostOom),
        ),
        // MIOpen#3862, rocm-libraries#4070.
        (
            exited(1),
            "MIOpen(HIP): Error [Compile] 'hiprtcCompileProgram(prog.get(), c_options.size(), c_options.data())' MIOpenBatchNormFwdTrainSpatial.cpp: HIPRTC_ERROR_COMPILATION (6)\nRuntimeError: miopenStatusUnknownError",
            "",
            Some(Class::KernelBuildFailed),
        ),
        (exited(1), "RuntimeError: miopenStatusInternalError: gave up", "", Some(Class::MiopenError)),
        // ROCm#2773: the desktop's ring.
        (
            signaled(6),
            "",
            "[drm:amdgpu_job_timedout [amdgpu]] *ERROR* ring gfx_0.0.0 timeout, signaled seq=11, emitted seq=13\n[drm:amdgpu_job_timedout [amdgpu]] *ERROR* Process information: process Xwayland pid 901 thread Xwayland:cs0 pid 902",
            Some(Class::RingTimeout),
        ),
        // ROCm#2935: the host reboots.
        (
            exited(1),
            "",
            "mce: [Hardware Error]: Machine check events logged\nmce: [Hardware Error]: CPU 3: Machine Check: 0 Bank 5: bea0000001000108",
            Some(Class::MachineCheck),
        ),
        // ROCm#2527 c58, a libtorch that does not fit.
        (
            exited(127),
            "/x/validate-probe-torch: symbol lookup error: /x/libtorch_hip.so: undefined symbol: hsa_amd_vmem_handle_create, version ROCR_1",
            "",
            Some(Class::Setup),
        ),
        (exited(1), "RuntimeError: No HIP GPUs are available", "", Some(Class::NoDevice)),
        (exited(1), "corrupted double-linked list (not small)\n", "", Some(Class::HostHeapCorruption)),
        (
            signaled(6),
            "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc",
            "",
            Some(Class::UncaughtCxxException),
        ),
        // What a person would call these, and the table has no words for.
        (
            exited(1),
            "Traceback (most recent call last):\n  File \"probe.py\", line 3, in <module>\nModuleNotFoundError: No module named 'torch'",
            "",
            Some(Class::Setup),
        ),
        (exited(70), "hsa_init failed: the kernel driver refused to answer", "", None),
        (
            exited(3),
            "The GPU is not reset, and no memory access fault was seen. Out of memory is not an issue.",
            "",
            None,
        ),
        (exited(2), "usage: probe [--page-fault] [--segfault]", "", None),
        (exited(5), "checked: aperture ok, queue ok, scratch ok; test of HIP error strings skipped", "", None),
        (
            exited(9),
            "",
            "usb 1-1: reset high-speed USB device number 2 using xhci_hcd\nnvme0: controller is down; will reset",
            None,
        ),
        (exited(9), "", "i915 0000:00:02.0: [drm] GPU HANG: ecode 12:1:85dffdfb, in Xorg [1234]", None),
    ]
}

#[test]
fn precision_and_recall_are_counted_and_hold_their_floors() {
    // Correct, named wrongly, not named; where nothing is known the right answer is to name nothing.
    let mut examples = [0_u32; 3];
    for signature in signatures().iter().filter(|signature| signature.terminal) {
        for example in &signature.examples {
            let found = of_example(signature, &of_ours(signature, example), &typical(signature));
            examples[tally(&found, Some(decides(signature).class))] += 1;
        }
    }
    let mut held = [0_u32; 3];
    for (ended, stderr, kernel, class) in held_out() {
        let found = died(&ended, stderr, kernel);
        let at = tally(&found, class);
        held[at] += 1;
        assert!(at == 0, "{stderr} / {kernel}: {:?}, expected {class:?}", found.class);
    }
    for (name, [right, wrong, silent]) in [("the table's examples", examples), ("texts written from reports", held)] {
        let precision = f64::from(right) / f64::from(right + wrong);
        let recall = f64::from(right) / f64::from(right + wrong + silent);
        println!("{name}: {} texts, precision {precision:.3}, recall {recall:.3}", right + wrong + silent);
        assert!(precision >= 0.99 && recall >= 0.99, "{name}: precision {precision:.3}, recall {recall:.3}");
    }
}

/// 0 right, 1 wrong, 2 left unnamed.
fn tally(found: &Classified, class: Option<Class>) -> usize {
    let named = found.class.filter(|class| *class != Class::Unknown);
    match (named, class) {
        (named, class) if named == class => 0,
        (Some(_), _) => 1,
        (None, _) => 2,
    }
}

#[test]
fn a_line_that_was_cut_is_never_taken_for_something_else() {
    let (mut right, mut all) = (0_u32, 0_u32);
    for signature in signatures().iter().filter(|signature| signature.terminal && decides(signature).id == signature.id)
    {
        for example in &signature.examples {
            let text = of_ours(signature, example);
            for end in (1..text.len()).step_by(5).filter(|end| text.is_char_boundary(*end)) {
                let ended = typical(signature);
                let found = of_example(signature, &text[..end], &ended);
                let by_text = found.signature.as_deref().and_then(crate::facts::signature);
                assert!(
                    by_text.is_none_or(|by| by.class == signature.class || is_general(by.class)),
                    "{}: {:?} of {}",
                    signature.id,
                    found.signature,
                    &text[..end]
                );
                all += 1;
                right += u32::from(found.class == Some(signature.class));
            }
        }
    }
    println!("cut lines: {right} of {all} still have their class");
    assert!(right > 0 && right < all);
}

/// A cut line may still be of a wider class that holds it.
fn is_general(class: Class) -> bool {
    matches!(class, Class::QueueError | Class::LaunchFailure | Class::NoCodeForArch)
}
