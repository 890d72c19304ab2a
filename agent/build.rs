//! Builds the eBPF programs for the BPF target, to be embedded in the agent.
//!
//! The stable compiler does it with `RUSTC_BOOTSTRAP=1`: `core` has to be built from source for a
//! target that rustup has no library for.

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The program's name, and the file's below `OUT_DIR`.
const PROGRAM: &str = "peregrine-ebpf";

fn main() -> Result<(), Box<dyn Error>> {
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo did not set OUT_DIR")?);
    let manifest_dir = PathBuf::from(
        env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo did not set CARGO_MANIFEST_DIR")?,
    );
    let workspace = manifest_dir
        .parent()
        .ok_or("the agent is not in a workspace")?;
    println!(
        "cargo::rerun-if-changed={}",
        workspace.join("agent-ebpf").display()
    );
    println!("cargo::rerun-if-env-changed=PATH");

    let cargo = env::var_os("CARGO").ok_or("cargo did not set CARGO")?;
    require_rust_src()?;
    let path = search_path(workspace)?;
    let target = match env::var("CARGO_CFG_TARGET_ENDIAN").as_deref() {
        Ok("big") => "bpfeb-unknown-none",
        _ => "bpfel-unknown-none",
    };
    let target_dir = out_dir.join("ebpf-target");
    let mut build = Command::new(cargo);
    build
        .current_dir(workspace)
        .args([
            "build",
            "--release",
            "--package",
            "agent-ebpf",
            "--bin",
            PROGRAM,
        ])
        .args([
            "--features",
            "programs",
            "--target",
            target,
            "-Z",
            "build-std=core",
        ])
        .arg("--target-dir")
        .arg(&target_dir);
    // What cargo and clippy set for the outer build does not hold for the inner one.
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        let of_outer_build = name.starts_with("CARGO_") && name != "CARGO_HOME"
            || [
                "RUSTC",
                "RUSTFLAGS",
                "RUSTC_WRAPPER",
                "RUSTC_WORKSPACE_WRAPPER",
                "TARGET",
            ]
            .contains(&name.as_ref())
            || name.starts_with("CLIPPY_");
        if of_outer_build
            && !name.starts_with("CARGO_REGISTRIES_")
            && !name.starts_with("CARGO_NET")
        {
            build.env_remove(&*name);
        }
    }
    let status = build
        .env("PATH", path)
        .env("RUSTC_BOOTSTRAP", "1")
        // Debug information is where the linker takes BTF from, which the kernel wants.
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            "-Cdebuginfo=2\u{1f}-Clink-arg=--btf",
        )
        .env("CARGO_PROFILE_RELEASE_LTO", "false")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
        .status()
        .map_err(|error| format!("cannot start cargo for the eBPF programs: {error}"))?;
    if !status.success() {
        return Err("the eBPF programs do not build: see above; `cargo xtask setup` installs what they need".into());
    }
    let built = target_dir.join(target).join("release").join(PROGRAM);
    std::fs::copy(&built, out_dir.join(PROGRAM))
        .map_err(|error| format!("cannot copy {}: {error}", built.display()))?;
    Ok(())
}

/// The sources of `core` have to be where `build-std` looks for them.
fn require_rust_src() -> Result<(), Box<dyn Error>> {
    let rustc = env::var_os("RUSTC").ok_or("cargo did not set RUSTC")?;
    let output = Command::new(rustc).args(["--print", "sysroot"]).output()?;
    let sysroot = PathBuf::from(String::from_utf8(output.stdout)?.trim());
    if sysroot.join("lib/rustlib/src/rust/library/core").is_dir() {
        return Ok(());
    }
    Err("the sources of Rust's core library are missing: run `cargo xtask setup`".into())
}

/// `PATH` with the linker that `cargo xtask setup` installed in front.
fn search_path(workspace: &Path) -> Result<std::ffi::OsString, Box<dyn Error>> {
    let tools = workspace.join("target/tools/bin");
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::iter::once(tools)
        .chain(env::split_paths(&path))
        .collect();
    if folders
        .iter()
        .any(|folder| folder.join("bpf-linker").is_file())
    {
        return Ok(env::join_paths(folders)?);
    }
    Err("bpf-linker is missing: run `cargo xtask setup`".into())
}
