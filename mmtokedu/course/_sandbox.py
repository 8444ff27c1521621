"""Shut this process in before a stranger's code runs in it. Run as a script by the grader; standard library only.

Limits of the process hold on any POSIX system. Then three walls, each where Linux has it: namespaces of its own for
users, files, processes and network; Landlock, which closes files (5.13 and newer); seccomp, which refuses system calls.
The last two need no privilege. `shut_in` reports what it got.
"""

import contextlib
import ctypes
import json
import os
import struct
import sys

NEW_USER, NEW_FILES, NEW_PIDS, NEW_NET, NEW_IPC, NEW_UTS = (
    0x10000000,
    0x20000,
    0x20000000,
    0x40000000,
    0x8000000,
    0x4000000,
)
BIND, RECURSIVE, PRIVATE = 4096, 16384, 1 << 18
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
OWN_FOLDER_BYTES = 256 << 20


def libc():
    return ctypes.CDLL(None, use_errno=True)


def checked(result):
    if result == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def limit(memory, seconds):
    """Memory, processor time, size of a file, open files, no core dumps. Returns whether memory is limited.

    Where the system runs out of memory all the same, this process and not the grader is the one to end.
    """
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as f:
        f.write("1000")
    try:
        import resource
    except ImportError:
        return False
    wanted = {"CPU": seconds, "FSIZE": OWN_FOLDER_BYTES, "NOFILE": 256, "CORE": 0}
    if memory:
        wanted["AS"] = memory
    held = set()
    for name, value in wanted.items():
        with contextlib.suppress(OSError, ValueError, AttributeError):
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))
            held.add(name)
    return "AS" in held and sys.platform != "darwin"  # macOS takes the limit and ignores it


def limit_processes(here):
    """At most 64 processes more than the user's `here` that are counted already. Returns 64, or 0 where nobody counts."""
    import resource

    with contextlib.suppress(OSError, ValueError, AttributeError):
        resource.setrlimit(resource.RLIMIT_NPROC, (here + 64, here + 64))
        return 64 if os.getuid() else 0  # root is not held to it
    return 0


def tasks_of_user():
    """How many processes and threads of this user run now."""
    found = 0
    for process in os.scandir("/proc") if os.path.isdir("/proc") else ():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and process.stat().st_uid == os.getuid():
                found += len(os.listdir(f"/proc/{process.name}/task"))
    return found


def own_namespaces(folder, readable):
    """A file tree with only `readable` in it and an empty `folder`, no network, no other processes. OSError: not here."""
    uid, gid, c = os.getuid(), os.getgid(), libc()
    checked(c.unshare(NEW_USER | NEW_FILES | NEW_PIDS | NEW_NET | NEW_IPC | NEW_UTS))
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as f:
            f.write(text)

    def mount(source, target, kind=None, flags=0, options=None):
        names = [v.encode() if v is not None else None for v in (source, target, kind)]
        checked(c.mount(*names, ctypes.c_ulong(flags), options and options.encode()))

    mount("none", "/", flags=RECURSIVE | PRIVATE)
    root = os.path.join(folder, "root")
    os.mkdir(root)
    mount("tmpfs", root, "tmpfs", options="size=1m,mode=755")
    for path in readable:
        inside = root + path
        if os.path.isdir(path):
            os.makedirs(inside, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(inside), exist_ok=True)
            open(inside, "a").close()
        mount(path, inside, flags=BIND | RECURSIVE)
    os.makedirs(root + folder, exist_ok=True)
    read_only = ctypes.create_string_buffer(struct.pack("=4Q", 1, 0, 0, 0))
    checked(c.syscall(442, -100, root.encode(), 0x8000, read_only, 32))  # mount_setattr, all below
    mount("tmpfs", root + folder, "tmpfs", options=f"size={OWN_FOLDER_BYTES},mode=700")
    os.chroot(root)
    os.chdir(folder)


def close_files(folder, readable, listable):
    """Landlock: read `readable`, list `listable`, write only in `folder`. Returns the kernel's version of it, or 0."""
    c = libc()
    version = c.syscall(444, None, 0, 1)
    if version < 1:
        return 0
    every = (1 << {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)) - 1
    read_file, read_folder, run = 1 << 2, 1 << 3, 1
    attributes = struct.pack("=3Q", every, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    attributes = attributes[: 8 if version < 4 else 16 if version < 6 else 24]
    rules = checked(c.syscall(444, attributes, len(attributes), 0))

    def allow(path, access):
        with contextlib.suppress(OSError):
            fd = os.open(path, os.O_PATH)
            access &= every if os.path.isdir(path) else (run | 2 | read_file | 1 << 14 | 1 << 15)
            checked(c.syscall(445, rules, 1, struct.pack("=Qi", access, fd), 0))
            os.close(fd)

    for path in readable:
        writes = (2 | 1 << 14 | 1 << 15) if path.startswith("/dev") else 0
        allow(path, (read_file | read_folder | run | writes) & every)
    for path in listable:
        allow(path, read_folder)
    allow(folder, every)
    checked(c.prctl(38, 1, 0, 0, 0))  # no new privileges
    checked(c.syscall(446, rules, 0))
    os.close(rules)
    return version


# What Landlock leaves: sockets, permissions and times of files, signals, turns and limits of others, leaving the process
# group; what outlives a process (shared memory, queues, keys); memory that no limit counts (memfd).
FORBIDDEN = {
    "x86_64": (0xC000003E, {
        "socket": 41, "chmod": 90, "fchmod": 91, "fchmodat": 268, "fchmodat2": 452, "chown": 92, "fchown": 93, "lchown": 94,
        "fchownat": 260, "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190, "removexattr": 197, "lremovexattr": 198,
        "fremovexattr": 199, "utime": 132, "utimes": 235, "futimesat": 261, "utimensat": 280, "kill": 62, "tkill": 200,
        "tgkill": 234, "rt_sigqueueinfo": 129, "rt_tgsigqueueinfo": 297, "pidfd_send_signal": 424, "ptrace": 101,
        "process_vm_readv": 310, "process_vm_writev": 311, "prlimit64": 302, "setpriority": 141, "sched_setaffinity": 203,
        "setpgid": 109, "setsid": 112, "io_uring_setup": 425, "sched_setparam": 142, "sched_setscheduler": 144,
        "sched_setattr": 314, "ioprio_set": 251, "memfd_create": 319, "memfd_secret": 447, "shmget": 29, "shmat": 30,
        "shmctl": 31, "semget": 64, "semop": 65, "semctl": 66, "semtimedop": 220, "msgget": 68, "msgsnd": 69, "msgrcv": 70,
        "msgctl": 71, "mq_open": 240, "mq_unlink": 241, "add_key": 248, "request_key": 249, "keyctl": 250,
    }),
    "aarch64": (0xC00000B7, {
        "socket": 198, "fchmod": 52, "fchmodat": 53, "fchmodat2": 452, "fchownat": 54, "fchown": 55, "setxattr": 5,
        "lsetxattr": 6, "fsetxattr": 7, "removexattr": 14, "lremovexattr": 15, "fremovexattr": 16, "utimensat": 88,
        "kill": 129, "tkill": 130, "tgkill": 131, "rt_sigqueueinfo": 138, "rt_tgsigqueueinfo": 240,
        "pidfd_send_signal": 424, "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "prlimit64": 261,
        "setpriority": 140, "sched_setaffinity": 122, "setpgid": 154, "setsid": 157, "io_uring_setup": 425,
        "sched_setparam": 118, "sched_setscheduler": 119, "sched_setattr": 274, "ioprio_set": 30, "memfd_create": 279,
        "memfd_secret": 447, "shmget": 194, "shmat": 196, "shmctl": 195, "semget": 190, "semop": 193, "semctl": 191,
        "semtimedop": 192, "msgget": 186, "msgsnd": 189, "msgrcv": 188, "msgctl": 187, "mq_open": 180, "mq_unlink": 181,
        "add_key": 217, "request_key": 218, "keyctl": 219,
    }),
}  # fmt: skip
# Of these calls, the commands that let a file or terminal signal another process, or type for it: number -> commands.
FORBIDDEN_COMMANDS = {
    "x86_64": {72: (8, 10, 15), 16: (0x8901, 0x8902, 0x5412, 0x541C)},  # fcntl: SETOWN, SETSIG, SETOWN_EX; ioctl:
    "aarch64": {25: (8, 10, 15), 29: (0x8901, 0x8902, 0x5412, 0x541C)},  # FIOSETOWN, SIOCSPGRP, TIOCSTI, TIOCLINUX
}


def forbid_calls():
    """Seccomp: the calls above fail with EPERM from here on. Returns whether it holds."""
    if os.uname().machine not in FORBIDDEN:
        return False
    architecture, calls = FORBIDDEN[os.uname().machine]
    load, equal, at_least, leave = 0x20, 0x15, 0x35, 0x06
    allow, refuse = 0x7FFF0000, 0x00050001
    REFUSE = -1  # a jump to the last step, wherever that will be
    program = [(load, 0, 0, 4), (equal, 1, 0, architecture), (leave, 0, 0, refuse), (load, 0, 0, 0)]
    program.append((at_least, REFUSE, 0, 0x40000000))  # the same calls under other numbers (x32)
    program += [(equal, REFUSE, 0, number) for number in sorted(calls.values())]
    for number, commands in FORBIDDEN_COMMANDS[os.uname().machine].items():
        program += [(equal, 0, len(commands) + 2, number), (load, 0, 0, 24)]  # the second argument's lower half
        program += [(equal, REFUSE, 0, command) for command in commands] + [(leave, 0, 0, allow)]
    program += [(leave, 0, 0, allow), (leave, 0, 0, refuse)]
    last = len(program) - 1
    program = [(step, last - i - 1 if yes == REFUSE else yes, no, k) for i, (step, yes, no, k) in enumerate(program)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
    whole = struct.pack("@HP", len(program), ctypes.addressof(code))
    checked(libc().prctl(38, 1, 0, 0, 0))  # no new privileges
    checked(libc().prctl(22, 2, whole, 0, 0))
    return True


def drop_capabilities():
    header, none = struct.pack("=Ii", 0x20080522, 0), bytes(24)
    checked(libc().capset(header, none))


def python_folders(package):
    """What Python and the library need to read."""
    installed = [p for p in sys.path if p != os.path.dirname(package)]  # of a checkout, the package alone
    wanted = [sys.prefix, sys.base_prefix, package, *installed, "/usr", "/lib", "/lib64", "/bin", *DEVICES]
    wanted += ["/etc/ld.so.cache", "/etc/localtime", "/etc/alternatives"]
    return sorted({os.path.abspath(p) for p in wanted if p and os.path.exists(p)})


def shut_in(folder, package, memory, seconds, gpu, walls, started):
    """Shut this process in; it goes on in a fork where it has processes of its own. Returns what it got.

    `walls` names what may be used ("namespaces", "landlock", "seccomp"), for tests. `started(pid)` is called in the process that
    stays behind and waits.
    """
    readable, listable = python_folders(package), [os.path.dirname(package)]
    if gpu:
        readable += ["/dev", "/proc", "/sys"]
    got = {"memory": limit(memory, seconds), "files": "open", "network": "open", "processes": "shared", "disk": "open"}
    got |= {"children": 0, "readable": readable, "walls": []}
    if not sys.platform.startswith("linux"):
        return got
    running = tasks_of_user()
    if "namespaces" in walls:
        with contextlib.suppress(OSError, AttributeError):
            own_namespaces(folder, readable)
            running = 0  # what runs outside does not count in here
            got |= {"files": "closed", "network": "none", "processes": "own", "disk": "own"}
            got["walls"].append("namespaces")
    got["children"] = limit_processes(running)
    libc().prctl(1, 9, 0, 0, 0)  # die with the grader
    if got["processes"] == "own":
        ready, go = os.pipe()
        child = os.fork()
        if child:
            started(child)
            os.close(ready)
            os.close(go)  # the child reads an end of file and goes on
            os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF)
        os.close(go)
        libc().prctl(1, 9, 0, 0, 0)  # die with the one that waits
        os.read(ready, 1)
        os.close(ready)
    sys.path.insert(0, os.path.dirname(package))
    version = 0
    if "landlock" in walls:
        with contextlib.suppress(OSError, AttributeError):
            version = close_files(folder, readable, listable)
    if version:
        got["walls"].append("landlock")
        got["files"] = "closed" if got["files"] == "closed" else "closed but for permissions and sockets"
        if version >= 4 and got["network"] == "open":
            got["network"] = "no TCP"
    try:
        if got["walls"]:
            drop_capabilities()
    except (OSError, AttributeError):
        if not version:  # it could undo what holds it
            got["files"] = "open"
    with contextlib.suppress(OSError, AttributeError):
        if "seccomp" in walls and not gpu and forbid_calls():
            got["walls"].append("seccomp")
            got["network"] = "none"
            got["files"] = "closed" if version else got["files"]
            got["processes"] = "own" if got["processes"] == "own" else "out of reach"
    return got


def main():
    given = json.loads(sys.argv[1])
    answers = given["answers"]

    def send(message):
        data = json.dumps(message).encode()
        os.write(answers, struct.pack(">I", len(data)) + data)

    got = shut_in(**given["shut_in"], started=lambda pid: send({"pid": pid}))
    if not got["walls"]:
        sys.path.insert(0, os.path.dirname(given["shut_in"]["package"]))
    send({"sandbox": got})
    from mmtokedu.course._worker import work

    work(given["questions"], answers)


if __name__ == "__main__":
    main()
