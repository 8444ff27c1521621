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
    """Memory, processor time, size of a file, open files, no core dumps. Returns whether memory is limited."""
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


# What Landlock leaves: sockets, permissions and times of files, signals and limits of others, leaving the process group.
FORBIDDEN = {
    "x86_64": (0xC000003E, {
        "socket": 41, "chmod": 90, "fchmod": 91, "fchmodat": 268, "fchmodat2": 452, "chown": 92, "fchown": 93, "lchown": 94,
        "fchownat": 260, "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190, "removexattr": 197, "lremovexattr": 198,
        "fremovexattr": 199, "utime": 132, "utimes": 235, "futimesat": 261, "utimensat": 280, "kill": 62, "tkill": 200,
        "tgkill": 234, "rt_sigqueueinfo": 129, "rt_tgsigqueueinfo": 297, "pidfd_send_signal": 424, "ptrace": 101,
        "process_vm_readv": 310, "process_vm_writev": 311, "prlimit64": 302, "setpriority": 141, "sched_setaffinity": 203,
        "setpgid": 109, "setsid": 112, "io_uring_setup": 425,
    }),
    "aarch64": (0xC00000B7, {
        "socket": 198, "fchmod": 52, "fchmodat": 53, "fchmodat2": 452, "fchownat": 54, "fchown": 55, "setxattr": 5,
        "lsetxattr": 6, "fsetxattr": 7, "removexattr": 14, "lremovexattr": 15, "fremovexattr": 16, "utimensat": 88,
        "kill": 129, "tkill": 130, "tgkill": 131, "rt_sigqueueinfo": 138, "rt_tgsigqueueinfo": 240,
        "pidfd_send_signal": 424, "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "prlimit64": 261,
        "setpriority": 140, "sched_setaffinity": 122, "setpgid": 154, "setsid": 157, "io_uring_setup": 425,
    }),
}  # fmt: skip


def forbid_calls():
    """Seccomp: the calls above fail with EPERM from here on. Returns whether it holds."""
    if os.uname().machine not in FORBIDDEN:
        return False
    architecture, calls = FORBIDDEN[os.uname().machine]
    load, equal, at_least, leave = 0x20, 0x15, 0x35, 0x06
    allow, refuse = 0x7FFF0000, 0x00050001
    numbers = sorted(calls.values())
    program = [(load, 0, 0, 4), (equal, 1, 0, architecture), (leave, 0, 0, refuse), (load, 0, 0, 0)]
    program.append((at_least, len(numbers) + 1, 0, 0x40000000))  # the same calls under other numbers (x32)
    program += [(equal, len(numbers) - i, 0, number) for i, number in enumerate(numbers)]
    program += [(leave, 0, 0, allow), (leave, 0, 0, refuse)]
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
    got = {"memory": limit(memory, seconds), "files": "open", "network": "open", "processes": "shared", "walls": []}
    if not sys.platform.startswith("linux"):
        return got
    if "namespaces" in walls:
        with contextlib.suppress(OSError, AttributeError):
            own_namespaces(folder, readable)
            import resource  # counted from here on: what runs outside does not count; root is not held to it

            resource.setrlimit(resource.RLIMIT_NPROC, (64, 64))
            got |= {"files": "closed", "network": "none", "processes": "own"}
            got["walls"].append("namespaces")
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
    got["readable"] = readable
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
