//! Render nodes, driver, kernel, KFD's processes and device files.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use super::{link, write};
use crate::domain::{Bytes, Reading};
use crate::witness::access::{Asker, read_access};
use crate::witness::driver::read_driver;
use crate::witness::drm::read_render;
use crate::witness::kernel::read_kernel;
use crate::witness::processes::read_processes;
use crate::witness::{Access, ModuleState, RenderNode, RenderParent};

/// A folder with these files; a content that begins with `->` is a link.
fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, content) in files {
        match content.strip_prefix("->") {
            Some(target) => link(root.path(), path, target),
            None => write(root.path(), path, content),
        }
    }
    root
}

#[test]
fn a_render_node_hangs_on_a_gpu_a_partition_or_something_else() {
    let root = tree(&[
        ("devices/pci0000:00/0000:05:00.0/vendor", "0x1002\n"),
        ("devices/pci0000:00/0000:05:00.0/drm/renderD128/device", "->../../../0000:05:00.0"),
        ("class/drm/renderD128", "->../../devices/pci0000:00/0000:05:00.0/drm/renderD128"),
        ("devices/platform/amdgpu_xcp_6/drm/renderD135/device", "->../../../amdgpu_xcp_6"),
        ("class/drm/renderD135", "->../../devices/platform/amdgpu_xcp_6/drm/renderD135"),
        ("devices/pci10000:e0/10000:e1:00.0/vendor", "rubbish"),
        ("class/drm/renderD129/device", "->../../../devices/pci10000:e0/10000:e1:00.0"),
        ("devices/platform/vgem/x", ""),
        ("class/drm/renderD130/device", "->../../../devices/platform/vgem"),
        ("class/drm/renderD131/device", "->/etc"),
        ("class/drm/renderD132/x", ""),
        ("class/drm/renderD99999999999/x", ""),
        ("class/drm/renderD", ""),
        ("class/drm/card0", ""),
    ]);
    let nodes = read_render(root.path()).unwrap();
    let parent = |minor: u32| nodes.iter().find(|node| node.minor == minor).map(|node| node.parent.clone()).unwrap();
    assert_eq!(nodes.iter().map(|node| node.minor).collect::<Vec<_>>(), [128, 129, 130, 131, 132, 135]);
    let gpu = RenderParent::Pci { bdf: "0000:05:00.0".parse().unwrap(), vendor: Reading::Value(0x1002) };
    assert_eq!(parent(128), gpu);
    assert_eq!(parent(135), RenderParent::Partition { number: 6 });
    let RenderParent::Pci { bdf, vendor } = parent(129) else { panic!("{:?}", parent(129)) };
    assert_eq!((bdf.to_string().as_str(), vendor.value()), ("10000:e1:00.0", None));
    assert_eq!(parent(130), RenderParent::Other("platform/vgem".to_owned()));
    for (minor, words) in [(131, "leads out"), (132, "no such file")] {
        let RenderParent::Other(why) = parent(minor) else { panic!("{minor}") };
        assert!(why.contains(words), "{minor}: {why}");
    }
    assert_eq!(read_render(&root.path().join("none")), None);
    assert_eq!(read_render(tree(&[("class/net/x", "")]).path()), None);
}

#[test]
fn the_module_is_live_changing_built_in_absent_or_unreadable() {
    let unreadable = ModuleState::Unreadable("cannot be read: not a regular file".to_owned());
    for (files, state) in [
        (&[("module/amdgpu/initstate", "live\n")][..], ModuleState::Live),
        (&[("module/amdgpu/initstate", "going\n")], ModuleState::Changing("going".to_owned())),
        (&[("module/amdgpu/parameters/noretry", "0")], ModuleState::BuiltIn),
        (&[("module/ttm/version", "")], ModuleState::NotLoaded),
        (&[("module/amdgpu/initstate/x", "")], unreadable),
    ] {
        assert_eq!(read_driver(tree(files).path()).module, state, "{files:?}");
    }
    let escaping = read_driver(tree(&[("module/amdgpu", "->/etc")]).path()).module;
    assert!(matches!(&escaping, ModuleState::Unreadable(why) if why.contains("leads out")), "{escaping:?}");
    let partly = read_driver(tree(&[("class/kfd/kfd/topology/generation_id", "2")]).path()).module;
    assert_eq!(partly, ModuleState::Unreadable("/sys/module: no such file".to_owned()));
    assert!(matches!(read_driver("/no/such/root".as_ref()).module, ModuleState::Unreadable(_)));
}

#[test]
fn version_and_limits_are_read_as_far_as_they_can_be() {
    let root = tree(&[
        ("module/amdgpu/initstate", "live"),
        ("module/amdgpu/version", "6.16.6\n"),
        ("module/ttm/parameters/pages_limit", "111"),
        ("module/amdttm/parameters/pages_limit", "24594731"),
        ("devices/system/node/online", "0-1,3\n"),
    ]);
    let driver = read_driver(root.path());
    assert_eq!(driver.version, Reading::Value("6.16.6".to_owned()));
    assert_eq!(driver.pages_limit, Reading::Value(24_594_731), "the out-of-tree driver has its own limit");
    assert_eq!(driver.numa_nodes, Reading::Value(3));
    for list in ["", "1-0", "0-4294967295", "0,x", "0-1-2"] {
        let driver = read_driver(tree(&[("devices/system/node/online", list)]).path());
        assert!(matches!(driver.numa_nodes, Reading::Malformed { .. }), "{list:?}");
    }
    let limit = |text| read_driver(tree(&[("module/ttm/parameters/pages_limit", text)]).path()).pages_limit;
    assert_eq!(limit("5"), Reading::Value(5));
    assert!(matches!(limit("-5"), Reading::Malformed { .. }));
}

#[test]
fn the_kernel_says_its_release_and_whether_it_is_a_guest() {
    let hypervisor = |cpuinfo: &str| read_kernel(tree(&[("cpuinfo", cpuinfo)]).path()).hypervisor;
    let guest = "processor\t: 0\nflags\t\t: fpu hypervisor lm\n";
    for (cpuinfo, flag) in [
        (guest.to_owned(), Some(true)),
        (format!("{guest}{}", "processor\t: 1\n".repeat(100_000)), Some(true)),
        ("processor\t: 0\nmodel name : hypervisor\nflags\t\t: fpu hypervisors\n".to_owned(), Some(false)),
        ("processor\t: 0\nFeatures\t: fp asimd\n".to_owned(), None),
    ] {
        assert_eq!(hypervisor(&cpuinfo).value().copied(), flag, "{}", &cpuinfo[..20]);
    }
    let root = tree(&[
        ("sys/kernel/osrelease", "6.8.0-60-generic\n"),
        ("sys/kernel/random/boot_id", "0d2e\n"),
        ("cmdline", "->/proc/cmdline"),
    ]);
    let kernel = read_kernel(root.path());
    assert_eq!(kernel.release, Reading::Value("6.8.0-60-generic".to_owned()));
    assert_eq!(kernel.boot_id, Reading::Value("0d2e".to_owned()));
    assert!(matches!(kernel.cmdline, Reading::Malformed { .. }));
    assert_eq!(read_kernel("/no/such/root".as_ref()).release, Reading::NotReported);
}

#[test]
fn a_process_has_a_name_a_unit_and_memory_on_each_gpu_as_far_as_they_can_be_read() {
    let container = "a".repeat(64);
    let groups: [(&str, Option<&str>); 8] = [
        ("0::/system.slice/jupyter.service\n", Some("jupyter.service")),
        ("0::/system.slice/docker-abc.scope/init\n", Some("docker-abc.scope")),
        (&format!("12:pids:/docker/{container}\n"), Some(&container)),
        ("4:memory:/\n1:name=systemd:/user.slice/session-3.scope\n", Some("session-3.scope")),
        ("0::/user.slice/a.service/app.slice/\x1b[2Jevil.service\n", Some("?[2Jevil.service")),
        ("0::/\n", None),
        ("", None),
        ("rubbish.service", None),
    ];
    for (pid, (group, unit)) in (1..).zip(groups) {
        let path = format!("{pid}/cgroup");
        let proc = tree(&[(&path, group)]);
        let sys = tree(&[(&format!("class/kfd/kfd/proc/{pid}/vram_1"), "0")]);
        let found = read_processes(sys.path(), proc.path());
        assert_eq!(found.value().unwrap()[0].unit.value().map(String::as_str), unit, "{group:?}");
    }
    let sys = tree(&[
        ("class/kfd/kfd/proc/4242/vram_19946", "2147483648\n"),
        ("class/kfd/kfd/proc/4242/vram_29919", "lots"),
        ("class/kfd/kfd/proc/4242/vram_x", "1"),
        ("class/kfd/kfd/proc/4242/pasid", "32770"),
        ("class/kfd/kfd/proc/977/stats", ""),
        ("class/kfd/kfd/proc/self/vram_1", "1"),
    ]);
    let proc = tree(&[("4242/comm", "py\x1b]0;thon\n"), ("977/comm/x", "")]);
    let found = read_processes(sys.path(), proc.path());
    let [first, second] = &found.value().unwrap()[..] else { panic!("{found:?}") };
    assert_eq!((first.pid, second.pid), (977, 4242));
    assert!(matches!(first.name, Reading::Malformed { .. }));
    assert_eq!(second.name, Reading::Value("py?]0;thon".to_owned()));
    assert_eq!(second.vram[&19946], Reading::Value(Bytes(2 << 30)));
    assert!(matches!(second.vram[&29919], Reading::Malformed { .. }));
    assert_eq!(second.vram.len(), 2);
    assert_eq!(read_processes(proc.path(), proc.path()), Reading::NotReported);
    let escaping = tree(&[("class/kfd/kfd/proc", "->/proc")]);
    assert!(matches!(read_processes(escaping.path(), proc.path()), Reading::Malformed { .. }));
}

#[test]
fn a_device_file_is_granted_denied_or_missing() {
    let dev = tree(&[("kfd", ""), ("dri/renderD128", ""), ("dri/card0", ""), ("dri/renderD130", "->/dev/null")]);
    for (file, mode) in [("kfd", 0o666), ("dri/renderD128", 0o660)] {
        std::fs::set_permissions(dev.path().join(file), Permissions::from_mode(mode)).unwrap();
    }
    let render = [128, 129].map(|minor| RenderNode { minor, parent: RenderParent::Other(String::new()) });
    let found = read_access(dev.path(), &render, Asker::Described).unwrap();
    let shown: Vec<_> = found.iter().map(|device| (device.path.as_str(), &device.access)).collect();
    let link = Access::Unreadable("a link, and no device".to_owned());
    assert_eq!(
        shown,
        [
            ("/dev/kfd", &Access::Granted),
            ("/dev/dri/renderD128", &Access::Denied { mode: 0o660, uid: 0, gid: 0 }),
            ("/dev/dri/renderD129", &Access::Missing),
            ("/dev/dri/renderD130", &link),
        ]
    );
    let asked = read_access(dev.path(), &[], Asker::ThisProcess).unwrap();
    assert_eq!(asked[0].access, Access::Granted);
    let nothing = tree(&[("x", "")]);
    let found = read_access(nothing.path(), &[], Asker::ThisProcess).unwrap();
    assert_eq!(found.iter().map(|device| &device.access).collect::<Vec<_>>(), [&Access::Missing]);
    assert_eq!(read_access(&nothing.path().join("none"), &[], Asker::ThisProcess), None);
}
