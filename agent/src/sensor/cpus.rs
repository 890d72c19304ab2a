//! Which CPUs the machine may have.

use std::fs;

/// The ids of the CPUs that may ever be there, as ranges: `0-3,8`.
const POSSIBLE: &str = "/sys/devices/system/cpu/possible";

/// How many cells a table needs that has one for each CPU's id. Ids may have gaps, so it can be more than there are
/// CPUs; `None` if the kernel does not tell.
pub(super) fn cells() -> Option<u32> {
    cells_of(&fs::read_to_string(POSSIBLE).ok()?)
}

fn cells_of(ranges: &str) -> Option<u32> {
    ranges
        .trim_end()
        .split([',', '-'])
        .map(|id| id.parse::<u32>().ok())
        .try_fold(0, |highest, id| id.map(|id| highest.max(id)))?
        .checked_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_id_counts() {
        for (ranges, cells) in [
            ("0\n", Some(1)),
            ("0-3\n", Some(4)),
            ("0-1,8-9,4\n", Some(10)),
            ("0-3,64\n", Some(65)),
            ("\n", None),
            ("0-x\n", None),
            ("0-4294967295\n", None),
        ] {
            assert_eq!(cells_of(ranges), cells, "{ranges:?}");
        }
    }

    #[test]
    fn this_machine_tells() {
        let cpus = aya::util::nr_cpus().unwrap();
        assert!(cells().unwrap() as usize >= cpus);
    }
}
