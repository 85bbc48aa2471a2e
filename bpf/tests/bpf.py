# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""libbpf through ctypes: load the object, attach it, read and write its maps.

Only what the tests need. Layouts mirror lib/types.h; `Maps.check_sizes` fails if they differ.
"""

import ctypes
import errno
import os
import re
import socket
import struct

LIB = ctypes.CDLL("libbpf.so.1", use_errno=True)
LIBC = ctypes.CDLL(None, use_errno=True)
for name in ("bpf_object__open_file", "bpf_object__find_map_by_name",
             "bpf_object__find_program_by_name", "bpf_program__attach_cgroup",
             "bpf_program__attach_netns", "ring_buffer__new"):
    getattr(LIB, name).restype = ctypes.c_void_p
PRINT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
SAMPLE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
BPF_SK_SKB_STREAM_VERDICT = 5
BPF_SK_MSG_VERDICT = 7
BPF_ANY = 0
# enum tulle_splicing
SPLICING_HTTP, SPLICING_ALL, SPLICING_NONE = range(3)
RANDOM, HASH, ROUND_ROBIN, STICKY = range(4)

HERE = os.path.dirname(os.path.abspath(__file__))


def reasons():
    """NAME -> number, from the table that Java reads too."""
    with open(os.path.join(HERE, "..", "lib", "reasons.h"), encoding="utf-8") as table:
        return {name: int(number)
                for number, name in re.findall(r"^\s*X\((\d+),\s*(\w+),", table.read(), re.M)}


def addr(text):
    """16 bytes, IPv4 v4-mapped."""
    if not text:
        return bytes(16)
    if ":" in text:
        return socket.inet_pton(socket.AF_INET6, text)
    return bytes(10) + b"\xff\xff" + socket.inet_aton(text)


def v4(text):
    return socket.inet_aton(text)


class BpfError(Exception):
    pass


class Object:
    """The loaded object; close() takes every link and map away."""

    def __init__(self, path, without=()):
        self.links = []
        self.log = []
        self._print = PRINT(self._collect)  # libbpf keeps the pointer
        LIB.libbpf_set_print(self._print)
        self.handle = LIB.bpf_object__open_file(path.encode(), None)
        if not self.handle:
            raise BpfError(f"open {path}: {os.strerror(ctypes.get_errno())}")
        self.without = set(without)
        for name in without:
            LIB.bpf_program__set_autoload(ctypes.c_void_p(self.program(name)), False)
        err = LIB.bpf_object__load(ctypes.c_void_p(self.handle))
        if err:
            raise BpfError(f"load {path}: {os.strerror(-err)}\n" + "".join(self.log)[-3000:])

    def _collect(self, level, text, _args):
        if level < 2:
            self.log.append((text or b"").decode(errors="replace"))
        return 0

    def program(self, name):
        found = LIB.bpf_object__find_program_by_name(ctypes.c_void_p(self.handle), name.encode())
        if not found:
            raise BpfError(f"no program {name}")
        return found

    def attach_cgroup(self, name, cgroup_fd):
        self._link(name, LIB.bpf_program__attach_cgroup(ctypes.c_void_p(self.program(name)),
                                                        cgroup_fd))

    def attach_netns(self, name, netns_fd):
        self._link(name, LIB.bpf_program__attach_netns(ctypes.c_void_p(self.program(name)),
                                                       netns_fd))

    def _link(self, name, link):
        if not link:
            raise BpfError(f"attach {name}: {os.strerror(ctypes.get_errno())}")
        self.links.append(link)

    def attach_map(self, name, map_name, kind):
        fd = LIB.bpf_program__fd(ctypes.c_void_p(self.program(name)))
        err = LIB.bpf_prog_attach(fd, self.map_fd(map_name), kind, 0)
        if err:
            raise BpfError(f"attach {name} to {map_name}: {os.strerror(-err)}")

    def call(self, map_name, index, program):
        """Puts a program into a program array."""
        fd = LIB.bpf_program__fd(ctypes.c_void_p(self.program(program)))
        err = LIB.bpf_map_update_elem(self.map_fd(map_name), struct.pack("I", index),
                                      struct.pack("i", fd), BPF_ANY)
        if err:
            raise BpfError(f"put {program} into {map_name}: {os.strerror(-err)}")

    def map(self, name):
        found = LIB.bpf_object__find_map_by_name(ctypes.c_void_p(self.handle), name.encode())
        if not found:
            raise BpfError(f"no map {name}")
        return found

    def map_fd(self, name):
        return LIB.bpf_map__fd(ctypes.c_void_p(self.map(name)))

    def close(self):
        for link in self.links:
            LIB.bpf_link__destroy(ctypes.c_void_p(link))
        self.links = []
        if self.handle:
            LIB.bpf_object__close(ctypes.c_void_p(self.handle))
            self.handle = None


class Maps:
    """Typed access to the maps of one object."""

    SIZES = {  # name: (key, value)
        "tulle_config": (4, 208), "tulle_cgroups": (8, 48), "tulle_homes": (4, 4),
        "tulle_tenants": (4, 16),
        "tulle_services": (20, 24), "tulle_slots": (12, 24), "tulle_listen": (20, 8),
        "tulle_permit": (20, 1), "tulle_ports": (4, 16), "tulle_declared": (8, 1), "tulle_behind": (8, 4), "tulle_lent": (4, 16), "tulle_lending": (4, 8), "tulle_accepting": (20, 8), "tulle_access": (12, 8), "tulle_denials": (4, 8), "tulle_members": (24, 4), "tulle_affinity": (8, 32),
        "tulle_epoch": (4, 8), "tulle_conns": (48, 88), "tulle_habits": (8, 24), "tulle_waits": (16, 4), "tulle_watched": (48, 16), "tulle_arrived": (8, 8), "tulle_asked": (20, 40), "tulle_callers": (20, 40), "tulle_pairs": (12, 32), "tulle_traffic": (4, 64),
        "tulle_sockets": (48, 8),
        "tulle_counters": (4, 8),
    }

    PER_CPU = ("tulle_counters", "tulle_traffic", "tulle_denials")

    def __init__(self, obj):
        self.obj = obj
        self.reasons = reasons()
        self.cpus = LIB.libbpf_num_possible_cpus()
        self.epoch = 0

    def check_sizes(self):
        for name, (key, value) in self.SIZES.items():
            handle = ctypes.c_void_p(self.obj.map(name))
            found = (LIB.bpf_map__key_size(handle), LIB.bpf_map__value_size(handle))
            if found != (key, value):
                raise BpfError(f"{name}: sizes {found}, expected {(key, value)}")

    def put(self, name, key, value):
        key_size, value_size = self.SIZES[name]
        if (len(key), len(value)) != (key_size, value_size):
            raise BpfError(f"{name}: {len(key)}/{len(value)} bytes, "
                           f"expected {key_size}/{value_size}")
        err = LIB.bpf_map_update_elem(self.obj.map_fd(name), key, value, BPF_ANY)
        if err:
            raise BpfError(f"update {name}: {os.strerror(-err)}")
        self.changed()

    def changed(self):
        """As the agent does after each change."""
        self.epoch += 1
        LIB.bpf_map_update_elem(self.obj.map_fd("tulle_epoch"), struct.pack("I", 0),
                                struct.pack("Q", self.epoch), BPF_ANY)

    def get(self, name, key):
        size = self.SIZES[name][1]
        buffer = ctypes.create_string_buffer(size * (self.cpus if name in self.PER_CPU else 1))
        err = LIB.bpf_map_lookup_elem(self.obj.map_fd(name), key, buffer)
        if err == -errno.ENOENT:
            return None
        if err:
            raise BpfError(f"lookup {name}: {os.strerror(-err)}")
        return buffer.raw

    def delete(self, name, key):
        done = LIB.bpf_map_delete_elem(self.obj.map_fd(name), key) == 0
        self.changed()
        return done

    def keys(self, name):
        key, found = None, []
        following = ctypes.create_string_buffer(self.SIZES[name][0])
        while not LIB.bpf_map_get_next_key(self.obj.map_fd(name), key, following):
            key = following.raw
            found.append(key)
        return found

    def count(self, name):
        return len(self.keys(name))

    def counter(self, name):
        raw = self.get("tulle_counters", struct.pack("I", self.reasons[name]))
        return sum(struct.unpack(f"{self.cpus}Q", raw))

    # One method a kind of entry, in the words of lib/types.h.

    def workload(self, cgroup_id, number, role, addr4="", addr6="", lease=0, splicing=SPLICING_ALL):
        """lease: 0: 1000 and the number."""
        lease = lease or 1000 + number
        self.put("tulle_cgroups", struct.pack("Q", cgroup_id),
                 struct.pack("IB3x", number, role) + addr(addr4) + addr(addr6)
                 + struct.pack("Q", lease))
        if addr4:
            self.put("tulle_homes", self.home(addr4), struct.pack("I", number))
            self.tenant(addr4, lease, splicing)

    def tenant(self, addr4, lease, splicing=SPLICING_ALL):
        """Whose address it is from now on; 0: nobody's."""
        self.put("tulle_tenants", self.home(addr4), struct.pack("QII", lease, 0, splicing))

    def open_conns(self, addr4):
        return struct.unpack("QI4x", self.get("tulle_tenants", self.home(addr4)))[1]

    @staticmethod
    def home(text):
        """The host part of an address of the lab's node, a /24."""
        return struct.pack("I", int(text.rpartition(".")[2]))

    @staticmethod
    def service_key(vip, port, proto=6):
        return addr(vip) + struct.pack("HBx", port, proto)

    @staticmethod
    def member_key(number, host, port):
        return struct.pack("I", number) + addr(host) + struct.pack("Hxx", port)

    def service(self, vip, port, number, mode, endpoints=(), generation=1, proto=6, choice=RANDOM,
                sticky=0):
        """endpoints: (address, port) once per slot."""
        for slot, (host, host_port) in enumerate(endpoints):
            self.put("tulle_slots", struct.pack("III", number, generation, slot),
                     addr(host) + struct.pack("IHxx", 0, host_port))
            self.put("tulle_members", self.member_key(number, host, host_port), b"\1\0\0\0")
        self.put("tulle_services", self.service_key(vip, port, proto),
                 struct.pack("IIIHBBII", number, generation, len(endpoints), 0, mode, choice, 0,
                             sticky))

    def permit(self, dst, port, source):
        self.put("tulle_permit", self.permit_key(dst, port, source), b"\x01")

    @staticmethod
    def permit_key(dst, port, source):
        return addr(dst) + struct.pack("HBx", port, source)

    @staticmethod
    def access_key(dst, src, port):
        return struct.pack("IIHxx", dst, src, port)

    def access(self, dst, src, port, verdict, policy=0):
        """Workload numbers; port 0: every port that has no entry of its own."""
        self.put("tulle_access", self.access_key(dst, src, port),
                 struct.pack("II", verdict, policy))

    def declare_port(self, number, port):
        """A TCP port that a workload says it listens on."""
        self.put("tulle_declared", struct.pack("IHxx", number, port), b"\1")

    def behind(self, number, port, behind):
        """The port that the workload's sockets for a declared one are bound to; 0: the same."""
        key = struct.pack("IHxx", number, port)
        if behind:
            self.put("tulle_behind", key, struct.pack("I", behind))
        else:
            self.delete("tulle_behind", key)

    def denials(self, policy):
        raw = self.get("tulle_denials", struct.pack("I", policy))
        return sum(struct.unpack(f"{self.cpus}Q", raw))

    def listener(self, host, port):
        raw = self.get("tulle_listen", addr(host) + struct.pack("Hxx", port))
        return struct.unpack("II", raw) if raw else None

    def declare(self, host, port, number):
        self.put("tulle_listen", addr(host) + struct.pack("Hxx", port),
                 struct.pack("II", number, 0x80000000))


class Events:
    """The ring buffer; read() returns what has come since, as dicts."""

    def __init__(self, obj):
        self.events = []
        self._callback = SAMPLE(self._sample)
        self.ring = LIB.ring_buffer__new(obj.map_fd("tulle_events"), self._callback, None, None)
        if not self.ring:
            raise BpfError("ring buffer")

    def _sample(self, _context, data, _size):
        raw = ctypes.string_at(data, 128)
        (_ts, cgroup, workload, pid, kind, reason, sport, dport) = struct.unpack_from(
            "QQIIHHHH", raw)
        src, dst = raw[32:48], raw[48:64]
        proto, role = raw[64], raw[65]
        (sent, received, nanos, rtt, retransmits, service, server) = struct.unpack_from(
            "QQQIIII", raw, 88)
        self.events.append(dict(sent=sent, received=received, nanos=nanos, rtt_us=rtt,
                                retransmits=retransmits, service=service, server=server,
                                cgroup=cgroup, workload=workload, pid=pid, type=kind,
                                reason=reason, sport=sport, dport=dport, src=src, dst=dst,
                                proto=proto, role=role,
                                comm=raw[72:88].split(b"\0")[0].decode()))
        return 0

    def read(self):
        self.events.clear()
        LIB.ring_buffer__consume(ctypes.c_void_p(self.ring))
        return list(self.events)

    def close(self):
        if self.ring:
            LIB.ring_buffer__free(ctypes.c_void_p(self.ring))
            self.ring = None
