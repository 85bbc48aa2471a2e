"""Attempts on files, processes, control groups and kernel objects of the mesh."""
import ctypes
import os
import signal

from attempt import got, refused

BPF = 321 if os.uname().machine == "x86_64" else 280
OBJ_GET, PROGRAM_BY_ID, MAP_BY_ID = 7, 13, 14
PTRACE_ATTACH = 16


def files(plan):
    for path in plan["files"]:
        yield f"read {path}", lambda p=path: read(p)
        yield f"write {path}", lambda p=path: write(p)
    for folder in plan["folders"]:
        yield f"list {folder}", lambda f=folder: listing(f)
        yield f"make a file in {folder}", lambda f=folder: make(f)


def read(path):
    with open(path, "rb") as file:
        return got(f"{len(file.read(4096))} bytes")


def write(path):
    os.close(os.open(path, os.O_WRONLY))
    return got("open for writing")


def listing(folder):
    return got(", ".join(os.listdir(folder))[:80])


def make(folder):
    path = os.path.join(folder, "stranger")
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    os.unlink(path)
    return got("made")


def processes(plan):
    for name, pid in plan["pids"].items():
        yield f"signal {name}", lambda p=pid: send(p, signal.SIGURG)
        yield f"trace {name}", lambda p=pid: trace(p)
        yield f"memory of {name}", lambda p=pid: read(f"/proc/{p}/mem")
        yield f"environment of {name}", lambda p=pid: read(f"/proc/{p}/environ")
        yield f"descriptors of {name}", lambda p=pid: listing(f"/proc/{p}/fd")
        yield f"a descriptor of {name}", lambda p=pid: steal(p)


def send(pid, number):
    os.kill(pid, number)
    return got("a signal was taken")


def trace(pid):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(PTRACE_ATTACH, pid, None, None) == 0:
        os.waitpid(pid, 0)
        libc.ptrace(17, pid, None, None)
        return got("attached")
    return refused(os.strerror(ctypes.get_errno()))


def steal(pid):
    handle = os.pidfd_open(pid)
    libc = ctypes.CDLL(None, use_errno=True)
    taken = libc.syscall(438, handle, 0, 0)
    os.close(handle)
    return got("taken") if taken >= 0 else refused(os.strerror(ctypes.get_errno()))


def groups(plan):
    for name, folder in plan["cgroups"].items():
        yield f"enter the control group of {name}", lambda f=folder: enter(f)
        yield f"make a control group in {name}", lambda f=folder: nested(f)


def enter(folder):
    with open(os.path.join(folder, "cgroup.procs"), "w") as file:
        file.write(str(os.getpid()))
    return got("entered")


def nested(folder):
    path = os.path.join(folder, "stranger")
    os.mkdir(path)
    os.rmdir(path)
    return got("made")


def kernel(plan):
    for path in plan["pins"]:
        yield f"open {path}", lambda p=path: pinned(p)
    for number in plan["programs"]:
        yield f"program {number} by its number", lambda n=number: bpf(PROGRAM_BY_ID, n)
    for number in plan["maps"]:
        yield f"map {number} by its number", lambda n=number: bpf(MAP_BY_ID, n)


def pinned(path):
    name = ctypes.create_string_buffer(path.encode())
    words = (ctypes.c_uint64 * 16)(ctypes.addressof(name))
    return bpf_call(OBJ_GET, words)


def bpf(command, number):
    return bpf_call(command, (ctypes.c_uint32 * 32)(number))


def bpf_call(command, attributes):
    libc = ctypes.CDLL(None, use_errno=True)
    taken = libc.syscall(BPF, command, ctypes.byref(attributes), ctypes.sizeof(attributes))
    return got("a descriptor") if taken >= 0 else refused(os.strerror(ctypes.get_errno()))


def attempts(plan):
    yield from files(plan)
    yield from processes(plan)
    yield from groups(plan)
    yield from kernel(plan)
