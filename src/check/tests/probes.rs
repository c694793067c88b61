//! `probe.outcome`, `probe.numbers`, `fallback.taken` and `fallback.works`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{case, evaluate, healthy, judge};
use crate::check::{Judged, Verdict, about};
use crate::domain::{CheckId, CheckSpec, DeviceKind, Ended, Expect, Limit, Provenance, Reading, Signal};
use crate::facts::Class;
use crate::witness::tuning::WorkerEnvironment;
use crate::witness::{
    Observations, ProbeCame, ProbeDone, ProbeEnd, ProbeNumbers, ProbePlace, ProbeProcess, ProbeRaised, WhyCpu,
    WrongNumbers,
};

const ABORTED: Ended = Ended::Signaled { signal: Signal(6) };

/// One probe on the GPU and the same on the CPU, each in one process that did as it should.
pub(super) fn well() -> Vec<ProbeDone> {
    [DeviceKind::Gpu, DeviceKind::Cpu].map(done).to_vec()
}

fn done(on: DeviceKind) -> ProbeDone {
    ProbeDone {
        probe: "matmul/f32/8x16x8".to_owned(),
        computes: true,
        spec: "{}".to_owned(),
        on,
        engine: Some("torch"),
        env: BTreeMap::new(),
        again: String::new(),
        came: ProbeCame::Ran(vec![lived(on)]),
    }
}

fn lived(on: DeviceKind) -> ProbeProcess {
    let (place, took) = match on {
        DeviceKind::Gpu => (ProbePlace::Gpu, 2),
        DeviceKind::Cpu => (ProbePlace::Cpu(WhyCpu::Elsewhere), 30),
    };
    ProbeProcess {
        end: ProbeEnd::Reported,
        class: None,
        signature: String::new(),
        collateral: None,
        stop: None,
        before: None,
        kernel_unread: None,
        raised: None,
        place: Some(place),
        counted: None,
        numbers: vec![ProbeNumbers::Right("RMS error 0".to_owned())],
        memory: Vec::new(),
        libraries: BTreeMap::new(),
        mapped: Vec::new(),
        environment: Reading::Value(WorkerEnvironment::default()),
        device: None,
        took: Duration::from_secs(took),
        device_time: None,
        stderr: Vec::new(),
        kernel: None,
    }
}

/// The processes of the probe on this device.
fn processes(seen: &mut Observations, on: DeviceKind) -> &mut Vec<ProbeProcess> {
    let probe = seen.probes.iter_mut().find(|probe| probe.on == on).unwrap();
    let ProbeCame::Ran(processes) = &mut probe.came else { panic!("it was not run") };
    processes
}

fn on_gpu(seen: &mut Observations) -> &mut ProbeProcess {
    &mut processes(seen, DeviceKind::Gpu)[0]
}

fn on_cpu(seen: &mut Observations) -> &mut ProbeProcess {
    &mut processes(seen, DeviceKind::Cpu)[0]
}

/// The process ended so, before it had an answer.
fn died(process: &mut ProbeProcess, ended: Ended, class: Class) {
    (process.end, process.class) = (ProbeEnd::Died(ended), Some(class));
    (process.place, process.numbers) = (None, Vec::new());
}

/// Two more processes of the probe on the GPU, the last of which this was done to.
fn thrice(seen: &mut Observations, wrong: fn(&mut ProbeProcess)) {
    let all = processes(seen, DeviceKind::Gpu);
    all.extend([lived(DeviceKind::Gpu), lived(DeviceKind::Gpu)]);
    wrong(&mut all[2]);
}

fn not_run(seen: &mut Observations) {
    for probe in &mut seen.probes {
        probe.came = ProbeCame::NotRun { why: "no worker".to_owned() };
    }
}

fn wrong(how: WrongNumbers) -> Vec<ProbeNumbers> {
    vec![ProbeNumbers::Wrong { how, text: "numbers are wrong".to_owned() }]
}

#[test]
fn every_end_of_a_process_is_its_own_finding_or_a_gap() {
    judge(
        &CheckSpec::ProbeOutcome,
        &[
            case(
                "an abort that nothing explains",
                |seen| died(on_gpu(seen), ABORTED, Class::AbortUnexplained),
                &["unmet abort-unexplained matmul/f32/8x16x8 on the GPU"],
            ),
            case(
                "a page fault",
                |seen| died(on_gpu(seen), ABORTED, Class::PageFault),
                &["unmet page-fault matmul/f32/8x16x8 on the GPU"],
            ),
            case(
                "a hang",
                |seen| died(on_gpu(seen), Ended::TimedOut { limit: Limit::Silence }, Class::Hang),
                &["unmet hang matmul/f32/8x16x8 on the GPU"],
            ),
            case(
                "a process that cannot be killed",
                |seen| died(on_gpu(seen), Ended::Unreaped, Class::Unkillable),
                &["unmet gpu-hang-unkillable matmul/f32/8x16x8 on the GPU"],
            ),
            case(
                "an exception of Python",
                |seen| died(on_gpu(seen), Ended::Exited { code: 1 }, Class::PythonException),
                &["unmet python-exception matmul/f32/8x16x8 on the GPU"],
            ),
            case(
                "another one's reset",
                |seen| {
                    died(on_gpu(seen), ABORTED, Class::GpuHang);
                    on_gpu(seen).collateral = Some(7);
                },
                &["unmet collateral matmul/f32/8x16x8 on the GPU"],
            ),
            case(
                "a reset while it lived",
                |seen| on_gpu(seen).class = Some(Class::GpuReset),
                &["unmet gpu-reset matmul/f32/8x16x8 on the GPU"],
            ),
            case(
                "a reset while it lived on the CPU",
                |seen| on_cpu(seen).class = Some(Class::GpuReset),
                &["unmet gpu-reset matmul/f32/8x16x8 on the CPU"],
            ),
            case(
                "want of memory, raised",
                |seen| on_gpu(seen).raised = Some(ProbeRaised::OutOfMemory("HIP out of memory".to_owned())),
                &["unmet gpu-oom matmul/f32/8x16x8 on the GPU"],
            ),
            case(
                "anything else, raised",
                |seen| on_gpu(seen).raised = Some(ProbeRaised::Other("no".to_owned())),
                &["unmet raised matmul/f32/8x16x8 on the GPU"],
            ),
            case(
                "what the engine does not have",
                |seen| on_gpu(seen).raised = Some(ProbeRaised::Unsupported("no conv3d".to_owned())),
                &["gap not applicable matmul/f32/8x16x8 on the GPU"],
            ),
            case(
                "no kernel log",
                |seen| on_gpu(seen).kernel_unread = Some("not permitted".to_owned()),
                &["gap not reported matmul/f32/8x16x8 on the GPU"],
            ),
            case("no kernel log on the CPU", |seen| on_cpu(seen).kernel_unread = Some("no".to_owned()), &[]),
            case(
                "a library that is missing",
                |seen| died(on_gpu(seen), Ended::Exited { code: 127 }, Class::Setup),
                &["gap tool failed matmul/f32/8x16x8 on the GPU"],
            ),
            case(
                "no worker",
                |seen| died(on_gpu(seen), Ended::NotStarted { reason: "no such file".to_owned() }, Class::Setup),
                &["gap tool failed matmul/f32/8x16x8 on the GPU"],
            ),
            case(
                "a run that was stopped",
                |seen| died(on_gpu(seen), Ended::Cancelled, Class::Killed),
                &["gap tool failed matmul/f32/8x16x8 on the GPU"],
            ),
            case(
                "a worker without a word",
                |seen| on_gpu(seen).end = ProbeEnd::BrokeProtocol("it said nothing".to_owned()),
                &["gap tool failed matmul/f32/8x16x8 on the GPU"],
            ),
            case(
                "nothing that computes",
                not_run,
                &["gap no worker matmul/f32/8x16x8 on the GPU", "gap no worker matmul/f32/8x16x8 on the CPU"],
            ),
            case(
                "one of three hangs",
                |seen| {
                    thrice(seen, |process| died(process, Ended::TimedOut { limit: Limit::Deadline }, Class::Hang));
                },
                &["unmet flaky matmul/f32/8x16x8 on the GPU"],
            ),
            case(
                "one of three says nothing",
                |seen| {
                    thrice(seen, |process| process.kernel_unread = Some("no".to_owned()));
                },
                &["gap not reported matmul/f32/8x16x8 on the GPU"],
            ),
            case(
                "all crash, and not alike",
                |seen| {
                    died(on_gpu(seen), ABORTED, Class::PageFault);
                    let second = Ended::Signaled { signal: Signal(11) };
                    processes(seen, DeviceKind::Gpu).push(lived(DeviceKind::Gpu));
                    died(&mut processes(seen, DeviceKind::Gpu)[1], second, Class::PageFault);
                },
                &["unmet flaky matmul/f32/8x16x8 on the GPU"],
            ),
        ],
    );
}

#[test]
fn numbers_are_right_wrong_in_one_of_four_ways_or_not_there() {
    judge(
        &CheckSpec::ProbeNumbers,
        &[
            case(
                "off",
                |seen| on_gpu(seen).numbers = wrong(WrongNumbers::Off),
                &["unmet numbers-off matmul/f32/8x16x8 on the GPU"],
            ),
            case(
                "not finite",
                |seen| on_gpu(seen).numbers = wrong(WrongNumbers::NotFinite),
                &["unmet not-finite matmul/f32/8x16x8 on the GPU"],
            ),
            case(
                "zeros, on the CPU",
                |seen| on_cpu(seen).numbers = wrong(WrongNumbers::AllZero),
                &["unmet all-zero matmul/f32/8x16x8 on the CPU"],
            ),
            case(
                "not written",
                |seen| on_gpu(seen).numbers = wrong(WrongNumbers::NotWritten),
                &["unmet not-written matmul/f32/8x16x8 on the GPU"],
            ),
            case(
                "wrong and then dead",
                |seen| {
                    on_gpu(seen).numbers = wrong(WrongNumbers::Off);
                    on_gpu(seen).end = ProbeEnd::Died(ABORTED);
                },
                &["unmet numbers-off matmul/f32/8x16x8 on the GPU"],
            ),
            case(
                "right and then dead",
                |seen| on_gpu(seen).end = ProbeEnd::Died(ABORTED),
                &["gap not reported matmul/f32/8x16x8 on the GPU"],
            ),
            case(
                "of the CPU",
                |seen| on_gpu(seen).place = Some(ProbePlace::Cpu(WhyCpu::NoDevice)),
                &["gap not reported matmul/f32/8x16x8 on the GPU"],
            ),
            case(
                "none, said well",
                |seen| on_gpu(seen).numbers.clear(),
                &["gap not reported matmul/f32/8x16x8 on the GPU"],
            ),
            case(
                "none, raised",
                |seen| {
                    on_gpu(seen).numbers.clear();
                    on_gpu(seen).raised = Some(ProbeRaised::Other("no".to_owned()));
                },
                &["gap not reported matmul/f32/8x16x8 on the GPU"],
            ),
            case(
                "none, dead",
                |seen| died(on_gpu(seen), ABORTED, Class::PageFault),
                &["gap not reported matmul/f32/8x16x8 on the GPU"],
            ),
            case(
                "of a probe of memory",
                |seen| seen.probes.iter_mut().for_each(|probe| probe.computes = false),
                &["gap not applicable probes"],
            ),
            case(
                "wrong in one of three",
                |seen| {
                    thrice(seen, |process| process.numbers = wrong(WrongNumbers::Off));
                },
                &["unmet flaky matmul/f32/8x16x8 on the GPU"],
            ),
            case(
                "nothing that computes",
                not_run,
                &["gap no worker matmul/f32/8x16x8 on the GPU", "gap no worker matmul/f32/8x16x8 on the CPU"],
            ),
        ],
    );
}

#[test]
fn each_way_to_the_cpu_is_its_own_finding_and_a_claim_is_no_proof() {
    judge(
        &CheckSpec::FallbackTaken,
        &[
            case(
                "no backend",
                |seen| on_gpu(seen).place = Some(ProbePlace::Cpu(WhyCpu::NoBackend)),
                &["unmet no-backend matmul/f32/8x16x8 on the GPU"],
            ),
            case(
                "no device",
                |seen| on_gpu(seen).place = Some(ProbePlace::Cpu(WhyCpu::NoDevice)),
                &["unmet no-device matmul/f32/8x16x8 on the GPU"],
            ),
            case(
                "elsewhere",
                |seen| on_gpu(seen).place = Some(ProbePlace::Cpu(WhyCpu::Elsewhere)),
                &["unmet elsewhere matmul/f32/8x16x8 on the GPU"],
            ),
            case(
                "unproven",
                |seen| on_gpu(seen).place = Some(ProbePlace::UnprovenGpu),
                &["gap not reported matmul/f32/8x16x8 on the GPU"],
            ),
            case(
                "dead",
                |seen| died(on_gpu(seen), ABORTED, Class::PageFault),
                &["gap not reported matmul/f32/8x16x8 on the GPU"],
            ),
            case(
                "in one of three",
                |seen| {
                    thrice(seen, |process| process.place = Some(ProbePlace::Cpu(WhyCpu::NoDevice)));
                },
                &["unmet flaky matmul/f32/8x16x8 on the GPU"],
            ),
            case(
                "only the CPU is asked",
                |seen| seen.probes.retain(|probe| probe.on == DeviceKind::Cpu),
                &["gap not applicable probes"],
            ),
        ],
    );
}

#[test]
fn falling_back_works_where_the_cpu_computes_what_it_was_asked() {
    judge(
        &CheckSpec::FallbackWorks,
        &[
            case(
                "on the GPU all the same",
                |seen| on_cpu(seen).place = Some(ProbePlace::Gpu),
                &["unmet not-taken matmul/f32/8x16x8 on the CPU"],
            ),
            case(
                "wrong there",
                |seen| on_cpu(seen).numbers = wrong(WrongNumbers::Off),
                &["unmet broken matmul/f32/8x16x8 on the CPU"],
            ),
            case(
                "dead there",
                |seen| died(on_cpu(seen), ABORTED, Class::HostHeapCorruption),
                &["unmet broken matmul/f32/8x16x8 on the CPU"],
            ),
            case(
                "not set up there",
                |seen| died(on_cpu(seen), Ended::Exited { code: 127 }, Class::Setup),
                &["gap tool failed matmul/f32/8x16x8 on the CPU"],
            ),
            case("no numbers", |seen| on_cpu(seen).numbers.clear(), &["gap not reported matmul/f32/8x16x8 on the CPU"]),
            case(
                "only the GPU is asked",
                |seen| seen.probes.retain(|probe| probe.on == DeviceKind::Gpu),
                &["gap not applicable probes"],
            ),
        ],
    );
}

#[test]
fn what_falling_back_costs_is_measured_and_not_quoted() {
    let observed = |seen: &Observations| evaluate(&CheckSpec::FallbackWorks, seen).findings()[0].observed().to_owned();
    assert_eq!(
        observed(&healthy()),
        "it ran on the CPU: 30.00 s on the CPU, 2.00 s on the GPU, 15.0 times as long (whole processes, loading included)"
    );
    let mut seen = healthy();
    died(on_gpu(&mut seen), ABORTED, Class::PageFault);
    assert_eq!(observed(&seen), "it ran on the CPU, and no run on the GPU is there to compare it with");
    seen.probes.retain(|probe| probe.on == DeviceKind::Cpu);
    assert_eq!(observed(&seen), "it ran on the CPU");
}

#[test]
fn a_case_has_the_word_of_what_happened_to_its_probe() {
    let hung = Ended::TimedOut { limit: Limit::Deadline };
    let table: [(&str, &dyn Fn(&mut ProbeProcess)); 9] = [
        ("pass", &|_| ()),
        ("crash(SIGABRT)", &|process| died(process, ABORTED, Class::PageFault)),
        ("hang", &|process| died(process, hung.clone(), Class::Hang)),
        ("fail", &|process| died(process, Ended::Exited { code: 1 }, Class::MiopenError)),
        ("fail", &|process| died(process, Ended::TimedOut { limit: Limit::Output }, Class::OutputFlood)),
        ("kernel-fault", &|process| process.class = Some(Class::GpuReset)),
        ("numeric-error", &|process| process.numbers = wrong(WrongNumbers::Off)),
        ("cpu-fallback", &|process| process.place = Some(ProbePlace::Cpu(WhyCpu::NoBackend))),
        ("collateral", &|process| {
            died(process, ABORTED, Class::GpuHang);
            process.collateral = Some(7);
        }),
    ];
    for (word, wrong) in table {
        let mut seen = healthy();
        seen.probes.retain(|probe| probe.on == DeviceKind::Gpu);
        wrong(on_gpu(&mut seen));
        let checks = [CheckSpec::ProbeOutcome, CheckSpec::ProbeNumbers, CheckSpec::FallbackTaken];
        let judged =
            checks.map(|spec| Judged { check: spec.id(), expect: Expect::Met, evaluation: evaluate(&spec, &seen) });
        assert_eq!(Verdict::of(Provenance::Hardware, judged.to_vec()).status().to_string(), word);
    }
}

#[test]
fn every_class_that_can_decide_is_a_finding() {
    let findings = about(CheckId::ProbeOutcome).findings;
    for class in Class::ALL {
        let detail = class.name().ends_with("-detail");
        let is_gap = matches!(class, Class::Setup | Class::NoDevice);
        let is_no_cause = matches!(class, Class::Artifact | Class::PerfWarning | Class::BenignTeardown | Class::Info);
        let listed = findings.iter().any(|finding| finding.id == class.name());
        assert_eq!(listed, !detail && !is_gap && !is_no_cause, "{class}");
    }
}
