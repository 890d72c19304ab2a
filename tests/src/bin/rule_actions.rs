//! Makes one call, or a few, of the kind that rules watch for, under whatever name it was started.
//!
//! Arguments: the action and its operands. An action that it does not know only ends.
#![expect(clippy::expect_used, reason = "a program of the tests")]

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["read", path, ..] => drop(File::open(path).expect("it can be read")),
        ["read-late", path, ..] => {
            // Rules take a program to have started up after five seconds.
            std::thread::sleep(Duration::from_millis(5500));
            drop(File::open(path).expect("it can be read"));
        }
        ["write", path, ..] => {
            let file = OpenOptions::new().append(true).create(true).open(path);
            drop(file.expect("it can be written"));
        }
        ["truncate", path, ..] => drop(File::create(path).expect("it can be written")),
        ["run", program, arguments @ ..] => {
            let status = Command::new(program).args(arguments).status();
            assert!(status.expect("it starts").success());
        }
        ["run-as", user, program, arguments @ ..] => {
            let user = user.parse().expect("a user id");
            let status = Command::new(program).args(arguments).uid(user).status();
            status.expect("it starts");
        }
        ["connect", address, ..] => drop(TcpStream::connect(address).expect("someone listens")),
        ["connect-udp", address, ..] => {
            let socket = UdpSocket::bind("0.0.0.0:0").expect("a port is free");
            socket.connect(address).expect("there is a way");
        }
        ["redirect", address, ..] => {
            let stream = TcpStream::connect(address).expect("someone listens");
            // SAFETY: both descriptors are open.
            assert_eq!(unsafe { libc::dup2(stream.as_raw_fd(), 1) }, 1);
        }
        ["redirect-by-dup", address, ..] => {
            let stream = TcpStream::connect(address).expect("someone listens");
            // SAFETY: nothing reads standard input here.
            assert_eq!(unsafe { libc::close(0) }, 0);
            // SAFETY: the descriptor is open; the lowest free one is 0.
            assert_eq!(unsafe { libc::dup(stream.as_raw_fd()) }, 0);
        }
        ["send-udp", from, address, ..] => {
            let socket = UdpSocket::bind(from).expect("the address is ours");
            socket.send_to(b"x", address).expect("there is a way");
        }
        ["from-memory", program, ..] => from_memory(program, false),
        ["from-memory-by-descriptor", program, ..] => from_memory(program, true),
        ["rename", from, to, ..] => std::fs::rename(from, to).expect("it is renamed"),
        ["change-open", path, ..] => {
            let file = File::open(path).expect("it can be read");
            // SAFETY: the descriptor is open.
            assert_eq!(unsafe { libc::fchmod(file.as_raw_fd(), 0o2755) }, 0);
        }
        ["attach", ..] => attach(),
        [call, ..] => one_call(call),
        [] => {}
    }
}

/// Calls whose result is of no interest: rules are about the attempt.
fn one_call(call: &str) {
    // SAFETY: no call reads or writes memory but the strings and the zeroed attributes given to it,
    // which outlive it; `unshare` and `setns` touch this process alone.
    unsafe {
        match call {
            "setns" => {
                let own = File::open("/proc/self/ns/uts").expect("proc is mounted");
                libc::setns(own.as_raw_fd(), libc::CLONE_NEWUTS);
            }
            "unshare" => {
                libc::unshare(libc::CLONE_NEWNS);
            }
            "trace-me" => {
                libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0);
            }
            "setuid" => {
                libc::setuid(2);
            }
            "packet" => {
                libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0);
            }
            "module" => {
                // Not a module: the kernel refuses it.
                let own = File::open("/proc/self/exe").expect("proc is mounted");
                libc::syscall(libc::SYS_finit_module, own.as_raw_fd(), c"".as_ptr(), 0);
            }
            "bpf" => {
                // A program without instructions: the kernel refuses it.
                const BPF_PROG_LOAD: libc::c_int = 5;
                let attributes = [0_u64; 16];
                let size = size_of_val(&attributes);
                libc::syscall(libc::SYS_bpf, BPF_PROG_LOAD, attributes.as_ptr(), size);
            }
            _ => {}
        }
    }
}

/// Traces a child of its own, from outside.
fn attach() {
    let mut child = Command::new("/bin/sleep")
        .arg("600")
        .spawn()
        .expect("sleep runs");
    let pid = libc::pid_t::try_from(child.id()).expect("a pid is positive");
    // SAFETY: the child has not been waited for, so the pid is its.
    unsafe { libc::ptrace(libc::PTRACE_ATTACH, pid, 0, 0) };
    child.kill().expect("it is ours to end");
    child.wait().expect("it ends");
}

/// Runs a program from a file that exists in memory only.
fn from_memory(program: &str, by_descriptor: bool) {
    let bytes = std::fs::read(program).expect("the program can be read");
    // SAFETY: the name ends with NUL; the new descriptor belongs to nobody else.
    let mut file = unsafe {
        let descriptor = libc::memfd_create(c"payload".as_ptr(), 0);
        assert!(descriptor >= 0);
        File::from_raw_fd(descriptor)
    };
    file.write_all(&bytes).expect("memory is enough");
    if by_descriptor {
        let arguments = [
            c"tool".as_ptr(),
            c"from-memory-done".as_ptr(),
            std::ptr::null(),
        ];
        let environment = [std::ptr::null()];
        // SAFETY: both lists end with a null pointer, and their strings with NUL.
        unsafe { libc::fexecve(file.as_raw_fd(), arguments.as_ptr(), environment.as_ptr()) };
    }
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let error = Command::new(path).arg("from-memory-done").exec();
    panic!("it does not start: {error}");
}
