"""Attempts of a caller to be somebody else, or nobody, towards workloads that refuse it.

Each socket is prepared in a way that could hide its maker (bound first, passed on, made elsewhere) and then connected in
each way that the kernel offers to each target; a target is reached when the guarded server's own words come back.
"""
import array
import ctypes
import os
import socket
import subprocess
import sys
import time

from attempt import LIMIT, family_of, got, mapped, read_some, reason, refused, status_of

SECRET = b"secret of the guarded server"
FASTOPEN_SEND = 0x20000000
IP_TRANSPARENT = 19
SYS_SOCKET = {"tcp": socket.IPPROTO_TCP, "mptcp": 262}


def preparations(plan):
    """name -> (family, protocol, address to bind or None, port)."""
    made = {"not bound": ("4", "tcp", None, 0)}
    for family in ("4", "6"):
        for name, address in (("any address", "0.0.0.0"), ("loopback", "127.0.0.1"), ("another loopback", "127.0.0.5"),
                              ("the interface", plan["host"]), ("own address", plan.get("own") or "127.0.0.1"),
                              ("the friend's address", plan["friend"]), ("the mesh's host address", plan["host_mesh"])):
            for port in (0, 1):
                made[f"IPv{family}, {name}, {'a port' if port else 'any port'}"] = (family, "tcp", address, port)
    made["IPv6, not bound"] = ("6", "tcp", None, 0)
    made["IPv6 wildcard"] = ("6", "tcp", "::", 0)
    made["MPTCP"] = ("4", "mptcp", None, 0)
    made["MPTCP, loopback"] = ("4", "mptcp", "127.0.0.1", 0)
    return made


# Below the ports of every mesh on the host, which nobody is given.
PORTS = iter(range(10001 + os.getpid() % 3000, 15000))


def prepare(family, protocol, address, port):
    sock = socket.socket(socket.AF_INET6 if family == "6" else socket.AF_INET, socket.SOCK_STREAM, SYS_SOCKET[protocol])
    sock.settimeout(LIMIT)
    if address is not None:
        written = mapped(address) if family == "6" else address
        try:
            sock.bind((written, next(PORTS) if port else 0))
        except OSError:
            sock.close()
            raise
    return sock


def dial(sock, family, address, port, way, request):
    """Connects in one of the ways and asks; what came back."""
    target = (mapped(address) if family == "6" and ":" not in address else address, port)
    begun = time.monotonic()
    with sock:
        try:
            return converse(sock, family, target, way, request)
        except ConnectionResetError as error:
            error.add_note(f"{time.monotonic() - begun:.3f} s after connect from {sock.getsockname()[:2]}")
            raise


def converse(sock, family, target, way, request):
    if way == "connect":
        sock.connect(target)
        sock.sendall(request)
    elif way == "twice":
        # A first connection that ends, and the same socket again.
        try:
            sock.connect(("127.0.0.1" if family == "4" else "::1", 9))
        except OSError:
            pass
        sock.connect(target)
        sock.sendall(request)
    elif way == "fast open":
        sock.sendto(request, FASTOPEN_SEND, target)
    return read_some(sock)


def reach(preparation, way, address, port, request):
    family, protocol, bound, bound_port = preparation
    data = dial(prepare(family, protocol, bound, bound_port), family, address, port, way, request)
    return judge(data)


def judge(data):
    if SECRET in data:
        return got("the guarded server answered")
    status = status_of(data)
    return refused(f"status {status}" if status else "closed without an answer")


def get(host, path="/secret"):
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()


def targets(plan):
    """name -> (address, port, request): by the service, by the workload's own address, HTTP and plain TCP."""
    yield "HTTP service", plan["guarded_vip"], 9080, get("guarded:9080")
    yield "HTTP at the workload", plan["guarded_address"], 9080, get("guarded:9080")
    yield "TCP service", plan["guarded_vip"], 7000, b"hello\n"
    yield "TCP at the workload", plan["guarded_address"], 7000, b"hello\n"


def calls(plan):
    for target, address, port, request in targets(plan):
        if not address:
            continue
        for name, preparation in preparations(plan).items():
            for way in ("connect", "fast open", "twice"):
                if way != "connect" and "any port" not in name and name != "not bound":
                    continue
                yield (f"{target}: {name}, {way}",
                       lambda p=preparation, w=way, a=address, o=port, r=request: reach(p, w, a, o, r))


def passed(plan):
    """A socket made outside every workload, connected by this one."""
    number = plan.get("inherited")
    if number is None:
        return
    for index, (target, address, port, request) in enumerate(targets(plan)):
        if address:
            yield f"{target}: a socket opened before it was enrolled", lambda n=number[index], a=address, o=port, r=request: inherited(n, a, o, r)


def inherited(number, address, port, request):
    sock = socket.socket(fileno=os.dup(number))
    sock.settimeout(LIMIT)
    return judge(dial(sock, "4", address, port, "connect", request))


def proxies(plan):
    """The mesh's own ports as a way around: the outbound port dialled directly, the explicit port."""
    host = "guarded"
    for number in (15001, 15006, 15080):
        port = number + plan["offset"]
        for name, request in (
                ("absolute form", f"GET http://{host}:9080/secret HTTP/1.1\r\nHost: {host}:9080\r\nConnection: close\r\n\r\n"),
                ("by the path", f"GET /{host}:9080/secret HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
                ("by the Host", f"GET /secret HTTP/1.1\r\nHost: {host}:9080\r\nConnection: close\r\n\r\n")):
            for address in ("127.0.0.1", "::1"):
                yield f":{number} at {address}, {name}", lambda a=address, p=port, r=request: direct(a, p, r.encode())
        for named in (f"{host}:9080", f"{plan['guarded_address']}:9080", f"{plan['guarded_vip']}:9080"):
            yield f"CONNECT {named} at :{number}", lambda p=port, n=named: tunnel(p, n)


def direct(address, port, request):
    with socket.socket(family_of(address), socket.SOCK_STREAM) as sock:
        sock.settimeout(LIMIT)
        sock.connect((address, port))
        sock.sendall(request)
        return judge(read_some(sock))


def tunnel(port, named):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.settimeout(LIMIT)
        sock.connect(("127.0.0.1", port))
        sock.sendall(f"CONNECT {named} HTTP/1.1\r\nHost: {named}\r\n\r\n".encode())
        first = sock.recv(4096)
        if status_of(first) != 200:
            return refused(f"status {status_of(first)}")
        sock.sendall(get("guarded:9080"))
        return judge(read_some(sock))


NAMESPACE = """
import socket, sys
sock = socket.socket(); sock.settimeout(2); sock.connect((sys.argv[1], int(sys.argv[2]))); sock.sendall(b"hello\\n"); print(sock.recv(100))
"""


def namespaces(plan):
    """From new namespaces, as far as an unprivileged user may make them."""
    for flags in ("-Ur", "-Urn", "-UrnC", "-Urm"):
        yield f"unshare {flags}", lambda f=flags: unshared(f, plan)


def unshared(flags, plan):
    try:
        done = subprocess.run(["unshare", flags, sys.executable, "-c", NAMESPACE, plan["guarded_address"], "7000"],
                              capture_output=True, timeout=6)
    except subprocess.TimeoutExpired:
        return refused("no answer")
    return got("answered") if SECRET in done.stdout else refused(done.stderr.decode().strip().splitlines()[-1:] or "nothing")


def raw(plan):
    for name, arguments in (("raw TCP", (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)),
                            ("packets", (socket.AF_PACKET, socket.SOCK_RAW, 0x300))):
        yield name, lambda a=arguments: opened(a)
    yield "IP_TRANSPARENT", lambda: transparent(plan)


def opened(arguments):
    socket.socket(*arguments).close()
    return got("opened")


def transparent(plan):
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)
        sock.bind((plan["friend"], 0))
        return got("bound to the friend's address")


def handed(plan):
    """A socket that a child connects and hands back: the maker is the same workload, so the verdict must be too."""
    for target, address, port, request in targets(plan):
        if address:
            yield f"{target}: connected by a child", lambda a=address, p=port, r=request: from_child(a, p, r)


def from_child(address, port, request):
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    here.settimeout(2 * LIMIT)
    child = os.fork()
    if child == 0:
        try:
            sock = prepare("4", "tcp", "127.0.0.1", 0)
            sock.connect((address, port))
            there.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [sock.fileno()]))])
        except OSError as error:
            there.send(reason(error).encode())
        finally:
            os._exit(0)
    try:
        said, ancillary, _, _ = here.recvmsg(256, socket.CMSG_SPACE(4))
        if not ancillary:
            return refused(said.decode())
        with socket.socket(fileno=array.array("i", ancillary[0][2])[0]) as sock:
            sock.settimeout(LIMIT)
            sock.sendall(request)
            return judge(read_some(sock))
    finally:
        os.waitpid(child, 0)
        here.close()
        there.close()


RING_SETUP, RING_ENTER = 425, 426


def ring(plan):
    """connect() by io_uring, which asks no system call of its own."""
    for target, address, port, request in targets(plan):
        if address:
            for bound in (None, "127.0.0.1", plan["host"]):
                yield (f"{target}: io_uring{' after a bind to ' + bound if bound else ''}",
                       lambda b=bound, a=address, p=port, r=request: by_ring(b, a, p, r))


class Offsets(ctypes.Structure):
    _fields_ = [(n, ctypes.c_uint32) for n in ("head", "tail", "mask", "entries", "flags", "dropped", "array", "resv1")] + [("user", ctypes.c_uint64)]


class Params(ctypes.Structure):
    _fields_ = [(n, ctypes.c_uint32) for n in ("sq_entries", "cq_entries", "flags", "cpu", "idle", "features", "wq")] + [
        ("resv", ctypes.c_uint32 * 3), ("sq", Offsets), ("cq", Offsets)]


def by_ring(bound, address, port, request):
    import mmap
    import struct
    libc = ctypes.CDLL(None, use_errno=True)
    params = Params()
    handle = libc.syscall(RING_SETUP, 4, ctypes.byref(params))
    if handle < 0:
        return refused("no io_uring: " + os.strerror(ctypes.get_errno()))
    try:
        ring_bytes = max(params.sq.array + 4 * params.sq_entries, params.cq.flags + 16 * params.cq_entries + 64)
        queue = mmap.mmap(handle, ring_bytes, mmap.MAP_SHARED, offset=0)
        entries = mmap.mmap(handle, 64 * params.sq_entries, mmap.MAP_SHARED, offset=0x10000000)
        with prepare("4", "tcp", bound, 0) as sock:
            sock.settimeout(None)
            name = ctypes.create_string_buffer(struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_aton(address) + b"\0" * 8, 16)
            entries[0:64] = struct.pack("=BBHiQQII", 16, 0, 0, sock.fileno(), 16, ctypes.addressof(name), 0, 0).ljust(64, b"\0")
            queue[params.sq.array:params.sq.array + 4] = struct.pack("=I", 0)
            queue[params.sq.tail:params.sq.tail + 4] = struct.pack("=I", 1)
            if libc.syscall(RING_ENTER, handle, 1, 1, 1, None, 0) < 0:
                return refused(os.strerror(ctypes.get_errno()))
            sock.settimeout(LIMIT)
            sock.sendall(request)
            return judge(read_some(sock))
    finally:
        os.close(handle)


def attempts(plan):
    yield from calls(plan)
    yield from passed(plan)
    yield from proxies(plan)
    yield from namespaces(plan)
    yield from raw(plan)
    yield from handed(plan)
    yield from ring(plan)
