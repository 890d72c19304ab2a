//! Makes system calls as 32-bit programs do, by `int 0x80`: `open PATH`, `unlink PATH`, `execve PATH`, and `connect` or
//! `socketcall` with an IPv4 ADDRESS:PORT. Prints the result.

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
    let result: u64;
    // SAFETY: the arguments are what the calls below expect. rbx is the compiler's own, hence the exchange.
    unsafe {
        asm!(
            "xchg rbx, {first}",
            "int 0x80",
            "xchg rbx, {first}",
            first = inout(reg) u64::from(first) => _,
            inlateout("rax") u64::from(number) => result,
            in("rcx") u64::from(second),
            in("rdx") u64::from(third),
            lateout("r8") _, lateout("r9") _, lateout("r10") _, lateout("r11") _,
        );
    }
    let narrow = u32::try_from(result & 0xffff_ffff).expect("it is masked");
    narrow.cast_signed()
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().expect("what to do");
    let argument = arguments.next().expect("with what");
    let mut path = argument.clone().into_bytes();
    path.push(0);
    let result = match &*what {
        "open" => call(5, low(&path), 0, 0),
        "unlink" => call(10, low(&path), 0, 0),
        "execve" => call(11, low(&path), 0, 0),
        "connect" | "socketcall" => {
            let address: SocketAddrV4 = argument.parse().expect("ADDRESS:PORT");
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
        other => panic!("unknown: {other}"),
    };
    println!("{result}");
}
