//! The fields of a process that only `/proc` tells.

use std::fs;

use peregrine_tests::Watch;

#[test]
fn memory_limits_and_descriptors_of_a_living_process() {
    let scratch = tempfile::tempdir().expect("a directory");
    let made = scratch.path().join("made");
    let shown = made.to_str().expect("UTF-8");
    let watch = Watch::start(
        &format!(
            "evt.type = mkdir and evt.arg.path = {shown} and proc.fdusage > 0 and proc.vmsize > 1000"
        ),
        &[
            "proc.vmsize",
            "proc.vmrss",
            "proc.vmswap",
            "proc.nthreads",
            "proc.nchilds",
            "proc.fdlimit",
            "proc.fdopencount",
            "proc.stdin.name",
            "thread.vmsize",
            "thread.pfminor",
            "thread.cgroups",
            "thread.cgroup.memory",
        ],
    );
    fs::create_dir(&made).expect("made");
    let stdin = fs::read_link("/proc/self/fd/0").expect("open");
    let cgroups = fs::read_to_string("/proc/self/cgroup").expect("read");
    let mut seen = watch.seen();
    let alert = seen.take(
        "mkdir",
        &[
            ("proc.stdin.name", stdin.to_str().expect("UTF-8")),
            // Tests run on a thread beside the main one, which has no memory of its own.
            ("thread.vmsize", "0"),
        ],
    );
    let number = |field: &str| alert.field(field).as_u64().expect("a number");
    assert!(number("proc.vmsize") >= number("proc.vmrss"));
    assert!(number("proc.vmrss") > 0);
    assert_eq!(number("proc.nthreads"), number("proc.nchilds") + 1);
    assert!(number("proc.fdopencount") > 2 && number("proc.fdlimit") > number("proc.fdopencount"));
    assert!(number("thread.pfminor") > 0);
    let memory = alert.text("thread.cgroup.memory");
    assert!(cgroups.contains(memory), "{memory}");
    assert!(
        alert
            .text("thread.cgroups")
            .contains(&format!("memory={memory}"))
    );
}
