#!/bin/busybox sh
# The first process of a machine of `cargo xtask test-kernels`: starts the agent once for each line of
# /runs, does what /tests/acted.yaml has rules for, and prints what came of it for xtask to judge.

for applet in $(/bin/busybox --list); do
    [ -e "/bin/$applet" ] || /bin/busybox ln -s busybox "/bin/$applet"
done
export PATH=/bin

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tracefs tracefs /sys/kernel/tracing
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
echo "root:x:0:0:root:/root:/bin/sh" > /etc/passwd

# What each rule of /tests/acted.yaml is about, in their order. Whole paths make the shell start a program;
# it would do by itself what busybox can.
act() {
    /bin/true
    /bin/sh -c 'exec /tmp/no-such-program'
    echo watched > /tmp/written
    /bin/cat /tmp/written
    /bin/cat /tmp/no-such-file
    /bin/chmod 751 /tmp/written
    /bin/chown 12:34 /tmp/written
    /bin/ln -s /tmp/written /tmp/symbolic
    /bin/ln /tmp/written /tmp/hard
    /bin/mkdir /tmp/made
    /bin/mv /tmp/made /tmp/moved
    /bin/rmdir /tmp/moved
    /bin/rm /tmp/hard /tmp/symbolic
    /bin/mkfifo /tmp/fifo
    /bin/mkdir /tmp/mounted
    /bin/mount -t tmpfs mounted /tmp/mounted
    /bin/umount /tmp/mounted
    /bin/unshare -u /bin/true
    /bin/nsenter -t 1 -u /bin/true
    /bin/chroot / /bin/true
    kill -0 1
    /bin/nc -l -p 4000 < /dev/null > /dev/null &
    listener=$!
    connected=0
    while [ $connected -lt 50 ] && ! echo x | /bin/nc -w 5 127.0.0.1 4000; do
        connected=$((connected + 1))
        /bin/usleep 100000
    done
    wait $listener
    /bin/ping -c 1 127.0.0.1
    /bin/ping -c 1 -I 127.0.0.1 127.0.0.1
    /bin/rm -r /tmp/written /tmp/fifo /tmp/mounted
}

# What each rule of /tests/used.yaml is about. Of those that are to fire a certain number of times, a line with name and
# number goes to /tmp/counts.
act_used() {
    : > /tmp/counts
    /bin/mkdir /tmp/real /tmp/real/point /tmp/flipped
    /bin/ln -s real /tmp/way
    echo x > /tmp/real/file
    /bin/mkdir /tmp/way/made
    /bin/mv /tmp/way/made /tmp/way/moved
    /bin/rmdir /tmp/way/moved
    /bin/chmod 600 /tmp/way/file
    /bin/chown 1:2 /tmp/way/file
    /bin/ln /tmp/way/file /tmp/way/hard
    /bin/ln -s anything /tmp/way/symbolic
    /bin/mkfifo /tmp/way/fifo
    (cd /tmp/real && /bin/rm /proc/self/cwd/hard)
    /bin/mount -t tmpfs mounted /tmp/way/point
    /bin/umount /tmp/way/point
    /bin/chroot /tmp/way /true
    call_32_bit unlink /tmp/way/symbolic
    for call in unlinkat renameat; do
        count "flipped $call" flip_name $call /tmp/flipped/a /tmp/flipped/b
    done
    for call in sendto sendmsg; do
        count "flipped $call" flip_destination $call 40003 40004
    done
    /bin/rm -r /tmp/real /tmp/way /tmp/flipped
}

# The times that a program prints `1`, for the rule of this name.
count() {
    rule=$1
    shift
    echo "$rule|$("$@" | tr -cd 1 | wc -c)" >> /tmp/counts
}

# What each rule of /tests/io_uring.yaml is about.
act_io_uring() {
    for file in written skipped slotted; do
        echo watched > /tmp/$file
    done
    ring_operation symlinkat written /tmp/link
    ring_operation openat /tmp/link
    ring_operation async openat2 /tmp/link
    ring_operation skip openat /tmp/skipped
    ring_operation slot openat /tmp/slotted
    ring_operation openat /tmp/missing
    ring_operation mkdirat /tmp/made
    ring_operation renameat /tmp/made /tmp/moved
    ring_operation linkat /tmp/written /tmp/hard
    ring_operation in /tmp unlinkat hard
    ring_operation in /tmp async unlinkat hard
    ring_operation connect 127.0.0.1:4000
    ring_socket send_to 127.0.0.1:4001 by-send
    ring_socket async send_to_zc 127.0.0.1:4001 by-zero-copy
    ring_socket sendmsg 127.0.0.1:4002 by-message
    ring_socket fixed sendmsg_zc 127.0.0.1:4002 by-zero-copy
    ring_socket unready send 127.0.0.1:4003 lost
    ring_socket unready recv 127.0.0.1:4003
    ring_socket accept 127.0.0.1:4004
    ring_socket slot accept 127.0.0.1:4005
    ring_socket accept_many 127.0.0.1:4006
    echo some content > /tmp/target
    ring_file read /tmp/written
    ring_file async at 2 read /tmp/written
    ring_file fixed read_fixed /tmp/written
    ring_file readv_chosen /tmp/written
    ring_file readv pipe by-vectors
    ring_file read /tmp
    ring_file write /tmp/target by-write
    ring_file async at 3 writev /tmp/target by-vectors
    ring_file write /proc/version lost
    ring_file setxattr /tmp/target secret
    ring_file fgetxattr /tmp/target secret
    ring_file fallocate /tmp/target
    ring_file splice /tmp/target
    ring_file shutdown socket
    ring_file shutdown /tmp/target
    ring_file statx /tmp/target
    ring_file close /tmp/target
    ring_file recv_many socket 'one other'
}

# What each rule of /tests/io_uring_bind.yaml is about.
act_io_uring_bind() {
    ring_socket bind 127.0.0.1:4007
    ring_socket async bind 192.0.2.1:4008
    ring_socket listen 127.0.0.1:4009
    echo some content > /tmp/target
    ring_file ftruncate /tmp/target
    ring_file read_many pipe 'one other'
}

# Waits up to 120 seconds for a line of the agent's log.
wait_for_ready() {
    waited=0
    while [ $waited -lt 600 ] && kill -0 "$1" && ! grep -qs 'peregrine: ready' /tmp/log; do
        waited=$((waited + 1))
        usleep 200000
    done
}

echo "machine: booted $(uname -r)"
while IFS='|' read -r name rules options act <&3; do
    echo "machine: run $name"
    rm -f /tmp/log /tmp/counts
    # shellcheck disable=SC2086
    peregrine run -r "$rules" $options -o log_level=debug -o json_output=true \
        -o webserver.enabled=false > /tmp/alerts 2> /tmp/log &
    agent=$!
    wait_for_ready $agent
    if [ -n "$act" ]; then
        $act > /tmp/said 2>&1
        sed 's/^/said: /' /tmp/said
        sleep 1
    fi
    # It delivers what it has and ends.
    kill $agent
    wait $agent
    sed 's/^/log: /' /tmp/log
    # The console is slow: of what is counted, the number is enough.
    if [ -f /tmp/counts ]; then
        while IFS='|' read -r rule times; do
            echo "counted: $rule|$times|$(grep -c "\"rule\":\"$rule\"" /tmp/alerts)"
        done < /tmp/counts
    fi
    sed -e '/"rule":"flipped /d' -e 's/^/alert: /' /tmp/alerts
done 3< /runs
echo "machine: done"
reboot -f
