//! Compiles the eBPF programs of `agent-ebpf` and leaves the object in `$OUT_DIR/peregrine-ebpf`,
//! where the agent embeds it; and beside it the same for kernels without `bpf_loop`.
//!
//! It runs a second cargo, since the programs are for another target, with `core` built from source
//! and flags that must not reach the agent. That needs `rust-src` and `bpf-linker`: where one of them
//! is missing the build fails with the command that gets them.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// The binary of `agent-ebpf` that holds every program, and the name of the embedded object.
const OBJECT: &str = "peregrine-ebpf";
/// The objects: their names, and the features that they are compiled with.
const OBJECTS: [(&str, &str); 2] = [
    (OBJECT, "programs"),
    ("peregrine-ebpf-bounded", "programs,bounded"),
];

/// Why there is no object.
enum BuildError {
    /// A tool is missing that `cargo xtask setup` installs.
    SetupNeeded(&'static str),
    /// Cargo did not tell what it tells every build script, or a file could not be read or written.
    Environment(String),
    /// The inner cargo failed; it has printed why.
    Compile,
}

impl fmt::Display for BuildError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetupNeeded(what) => write!(
                formatter,
                "{what} is missing, which the eBPF programs need to build: run `cargo xtask setup`"
            ),
            Self::Environment(problem) => formatter.write_str(problem),
            Self::Compile => formatter.write_str("the eBPF programs do not compile, see above"),
        }
    }
}

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("cargo::error={error}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), BuildError> {
    let manifest_dir = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out_dir = PathBuf::from(variable("OUT_DIR")?);
    let rustc = variable("RUSTC")?;
    let workspace = manifest_dir.parent().ok_or_else(|| {
        BuildError::Environment(format!("{} has no parent folder", manifest_dir.display()))
    })?;
    for input in [
        "agent-ebpf/src",
        "agent-ebpf/Cargo.toml",
        "Cargo.toml",
        "Cargo.lock",
    ] {
        println!(
            "cargo::rerun-if-changed={}",
            workspace.join(input).display()
        );
    }
    println!("cargo::rerun-if-changed=build.rs");

    let search_path = search_path(workspace)?;
    require_rust_src(&rustc)?;
    require_linker(&search_path)?;

    let target = match variable("CARGO_CFG_TARGET_ENDIAN")?.to_str() {
        Some("big") => "bpfeb-unknown-none",
        _ => "bpfel-unknown-none",
    };
    let target_dir = out_dir.join("ebpf-target");
    for (name, features) in OBJECTS {
        compile(
            workspace,
            target,
            &target_dir,
            &search_path,
            &rustc,
            features,
        )?;
        let built = target_dir.join(target).join("release").join(OBJECT);
        let failed = |error: &dyn fmt::Display| {
            BuildError::Environment(format!("{} cannot be embedded: {error}", built.display()))
        };
        let object = fs::read(&built).map_err(|error| failed(&error))?;
        let object = without_debug_information(&object).map_err(|error| failed(&error))?;
        fs::write(out_dir.join(name), object).map_err(|error| failed(&error))?;
    }
    Ok(())
}

/// Runs the second cargo.
fn compile(
    workspace: &Path,
    target: &str,
    target_dir: &Path,
    search_path: &OsStr,
    rustc: &OsStr,
    features: &str,
) -> Result<(), BuildError> {
    let mut cargo = Command::new(variable("CARGO")?);
    forget_outer_build(&mut cargo);
    cargo
        .current_dir(workspace)
        .args(["build", "--package", "agent-ebpf", "--bin", OBJECT])
        .args(["--no-default-features", "--features", features, "--release"])
        .args(["--target", target, "-Z", "build-std=core", "--target-dir"])
        .arg(target_dir)
        .env("PATH", search_path)
        // The same compiler as the agent's, whose rust-src was just found.
        .env("RUSTC", rustc)
        // `build-std` and the BPF target are unstable; the stable compiler has them all the same.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", rustflags()?)
        .envs([
            ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3"),
            // bpf-linker itself optimises everything as one program.
            ("CARGO_PROFILE_RELEASE_LTO", "false"),
            ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
            ("CARGO_PROFILE_RELEASE_PANIC", "abort"),
            // Where the linker takes BTF from, which the kernel wants.
            ("CARGO_PROFILE_RELEASE_DEBUG", "2"),
            ("CARGO_PROFILE_RELEASE_STRIP", "none"),
            ("CARGO_PROFILE_RELEASE_INCREMENTAL", "false"),
            ("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "false"),
        ]);
    let status = cargo.status().map_err(|error| {
        BuildError::Environment(format!(
            "cargo for the eBPF programs does not start: {error}"
        ))
    })?;
    if status.success() {
        Ok(())
    } else {
        Err(BuildError::Compile)
    }
}

/// The object without DWARF, which the linker made BTF of: the agent's loader would read it, and its many
/// relocations, into memory at every start.
fn without_debug_information(object: &[u8]) -> object::build::Result<Vec<u8>> {
    let mut builder = object::build::elf::Builder::read(object)?;
    for section in &mut builder.sections {
        let name = section.name.as_slice();
        section.delete = name.starts_with(b".debug")
            || name.starts_with(b".rel.debug")
            // What is relocated there has its value in place already.
            || name == b".rel.BTF.ext";
        if name == b".BTF.ext"
            && let object::build::elf::SectionData::Data(data) = &mut section.data
        {
            *data = without_lines(data).into();
        }
    }
    builder.delete_orphans();
    // LLVM keeps the names of sections among those of symbols; the builder wants them apart.
    let names = builder.sections.add();
    names.name = (&b".shstrtab"[..]).into();
    names.sh_type = object::elf::SHT_STRTAB;
    names.sh_addralign = 1;
    names.data = object::build::elf::SectionData::SectionString;
    let mut stripped = Vec::new();
    builder.write(&mut stripped)?;
    Ok(stripped)
}

/// A section `.BTF.ext` without the lines of source that instructions come from, which are most of it: a header of
/// eight words, in which the fifth and the sixth are place and length of the lines, then what is told of
/// functions, and after that the lines (Documentation/bpf/btf.rst of Linux).
fn without_lines(section: &[u8]) -> Vec<u8> {
    let word = |index: usize| {
        let bytes = section.get(index * 4..).and_then(<[u8]>::first_chunk::<4>);
        bytes.map_or(0, |bytes| u32::from_ne_bytes(*bytes) as usize)
    };
    let (header, lines) = (word(1), word(4));
    let mut kept = section.to_vec();
    // Their length, and the place and length of relocations by type, of which there are none.
    if let (Some(rest), true) = (kept.get_mut(20..32), header + lines <= section.len()) {
        rest.fill(0);
        kept.truncate(header + lines);
    }
    kept
}

fn variable(name: &str) -> Result<OsString, BuildError> {
    env::var_os(name)
        .ok_or_else(|| BuildError::Environment(format!("cargo did not set the variable {name}")))
}

/// `PATH` with the folder first into which `cargo xtask setup` installs.
fn search_path(workspace: &Path) -> Result<OsString, BuildError> {
    let inherited = env::var_os("PATH").unwrap_or_default();
    let tools = workspace.join("target/tools/bin");
    env::join_paths(std::iter::once(tools).chain(env::split_paths(&inherited))).map_err(|error| {
        BuildError::Environment(format!("the workspace's folder cannot be in PATH: {error}"))
    })
}

/// `--cfg bpf_target_arch` tells aya-ebpf whose registers the programs read; `--btf` has the linker
/// keep the types of the maps.
fn rustflags() -> Result<String, BuildError> {
    let arch = variable("CARGO_CFG_TARGET_ARCH")?;
    let arch = arch.to_string_lossy();
    Ok([
        format!("--cfg=bpf_target_arch=\"{arch}\""),
        "-Cdebuginfo=2".to_owned(),
        "-Clink-arg=--btf".to_owned(),
    ]
    .join("\x1f"))
}

fn require_rust_src(rustc: &OsStr) -> Result<(), BuildError> {
    let output = Command::new(rustc)
        .args(["--print", "sysroot"])
        .output()
        .map_err(|error| BuildError::Environment(format!("rustc does not start: {error}")))?;
    let sysroot = String::from_utf8_lossy(&output.stdout);
    let core = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core");
    // A build that failed for its lack is to be tried again once it is there.
    println!(
        "cargo::rerun-if-changed={}",
        core.join("Cargo.toml").display()
    );
    if core.is_dir() {
        Ok(())
    } else {
        Err(BuildError::SetupNeeded("rust-src"))
    }
}

fn require_linker(search_path: &OsStr) -> Result<(), BuildError> {
    if env::split_paths(search_path).any(|folder| folder.join("bpf-linker").is_file()) {
        Ok(())
    } else {
        Err(BuildError::SetupNeeded("bpf-linker"))
    }
}

/// Removes what the outer cargo set for this script, all of which the inner one would take for its
/// own: flags, wrappers (clippy), the job server, the package described by `CARGO_PKG_*`.
fn forget_outer_build(command: &mut Command) {
    const EXACT: [&str; 17] = [
        "CARGO_MAKEFLAGS",
        "CLIPPY_ARGS",
        "CLIPPY_CONF_DIR",
        "DEBUG",
        "HOST",
        "MAKEFLAGS",
        "NUM_JOBS",
        "OPT_LEVEL",
        "OUT_DIR",
        "PROFILE",
        "RUSTC",
        "RUSTC_LINKER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTC_WRAPPER",
        "RUSTDOC",
        "RUSTFLAGS",
        "TARGET",
    ];
    const PREFIXES: [&str; 8] = [
        "CARGO_BUILD_",
        "CARGO_CFG_",
        "CARGO_ENCODED_",
        "CARGO_FEATURE_",
        "CARGO_MANIFEST_",
        "CARGO_PKG_",
        "CARGO_PROFILE_",
        "DEP_",
    ];
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if EXACT.contains(&&*text) || PREFIXES.iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
}
