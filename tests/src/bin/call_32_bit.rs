//! Makes system calls as 32-bit programs do, by `int 0x80`: `open PATH`, `unlink PATH`, `execve PATH`, and `connect` or
//! `socketcall` with an IPv4 ADDRESS:PORT; or any by `NUMBER ARGUMENTS`, six numbers apart by commas, of which
//! `*NUMBER/NUMBER...` stands for the address of these words, of which `&NUMBER:NUMBER...` is the address of others, and
//! `@PATH` for that of a path. Prints the result.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a trigger of tests"
)]

use std::arch::asm;
use std::net::{SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

/// Bytes at an address that 32 bits can hold.
fn low(bytes: &[u8]) -> u32 {
    // SAFETY: new memory, nobody else's, as long as what is copied to it.
    unsafe {
        let place = mmap_anonymous(
            std::ptr::null_mut(),
            bytes.len().max(1),
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::PRIVATE | MapFlags::from_bits_retain(0x40),
        )
        .expect("there is memory below 2 GiB");
        place
            .cast::<u8>()
            .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        u32::try_from(place as usize).expect("MAP_32BIT is below 2 GiB")
    }
}

/// A system call by its i386 number.
fn call(number: u32, first: u32, second: u32, third: u32) -> i32 {
    call_with(number, [first, second, third, 0, 0, 0])
}

/// The same with all arguments there can be.
fn call_with(number: u32, arguments: [u32; 6]) -> i32 {
    let words = arguments.map(u64::from);
    let result: u64;
    // SAFETY: the arguments are what the calls expect. rbx and rbp are the compiler's own, hence the stack; the
    // words stay where they are as r8 does not change before they are read.
    unsafe {
        asm!(
            "push rbx",
            "push rbp",
            "mov rbx, [r8]",
            "mov rcx, [r8 + 8]",
            "mov rdx, [r8 + 16]",
            "mov rsi, [r8 + 24]",
            "mov rdi, [r8 + 32]",
            "mov rbp, [r8 + 40]",
            "int 0x80",
            "pop rbp",
            "pop rbx",
            inlateout("rax") u64::from(number) => result,
            in("r8") words.as_ptr(),
            out("rcx") _, out("rdx") _, out("rsi") _, out("rdi") _,
            lateout("r9") _, lateout("r10") _, lateout("r11") _,
        );
    }
    let narrow = u32::try_from(result & 0xffff_ffff).expect("it is masked");
    narrow.cast_signed()
}

/// An argument as it is written on the command line.
fn argument(text: &str) -> u32 {
    if let Some(path) = text.strip_prefix('@') {
        return low(format!("{path}\0").as_bytes());
    }
    let words = text.strip_prefix('*').map(|words| (words, '/'));
    let others = text.strip_prefix('&').map(|words| (words, ':'));
    if let Some((words, separator)) = words.or(others) {
        let words: Vec<u8> = words
            .split(separator)
            .flat_map(|word| argument(word).to_ne_bytes())
            .collect();
        return low(&words);
    }
    text.parse().expect("a number")
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().expect("what to do");
    let given = arguments.next().expect("with what");
    let mut path = given.clone().into_bytes();
    path.push(0);
    let result = match &*what {
        "open" => call(5, low(&path), 0, 0),
        "unlink" => call(10, low(&path), 0, 0),
        "execve" => call(11, low(&path), 0, 0),
        "connect" | "socketcall" => {
            let address: SocketAddrV4 = given.parse().expect("ADDRESS:PORT");
            let mut raw = vec![2, 0];
            raw.extend(address.port().to_be_bytes());
            raw.extend(address.ip().octets());
            raw.extend([0; 8]);
            let socket = UdpSocket::bind("0.0.0.0:0").expect("a port is free");
            let descriptor = socket.as_raw_fd().cast_unsigned();
            let place = low(&raw);
            if what == "connect" {
                call(362, descriptor, place, 16)
            } else {
                let words: Vec<u8> = [descriptor, place, 16]
                    .into_iter()
                    .flat_map(u32::to_ne_bytes)
                    .collect();
                call(102, 3, low(&words), 0)
            }
        }
        number => {
            let mut words = [0; 6];
            for (word, text) in words.iter_mut().zip(given.split(',')) {
                *word = argument(text);
            }
            call_with(number.parse().expect("a call"), words)
        }
    };
    println!("{result}");
}
