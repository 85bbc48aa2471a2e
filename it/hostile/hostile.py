"""The local stranger: every attempt to take part in a mesh, to read it, or to be somebody else must be refused.

Four attackers run the same tables: an unprivileged user outside the mesh; a workload that is refused by every policy; a
workload whose process still is root's own user in nothing but its control group; the proxy's user, as if it had been
taken over. A friend runs the table of identities too and must get through everywhere: a guard that refuses all would
pass otherwise. Then the ports are fought for while proxy and agent are killed.
"""
import argparse
import glob
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

import mesh as meshes

HERE = os.path.dirname(os.path.abspath(__file__))
STRANGER, WORKLOAD = 65534, 65532
# The system's own, which every user can run.
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
PROGRAMS = ("attempt.py", "interfaces.py", "host.py", "identity.py", "attacker.py", "racer.py", "guarded.py")

POLICIES = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: only-the-friend}
spec:
  selector: {matchLabels: {app: guarded}}
  action: ALLOW
  rules: [{from: [{source: {principals: [cluster.local/ns/default/sa/friend]}}]}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: not-the-thief}
spec:
  selector: {matchLabels: {app: denied}}
  action: DENY
  rules: [{from: [{source: {principals: [cluster.local/ns/default/sa/thief]}}]}]
"""


def arguments(words):
    parser = argparse.ArgumentParser(prog="hostile", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=12, help="how often the proxy is killed while others want its ports")
    parser.add_argument("--report", help="write every attempt as JSON lines here")
    return parser.parse_args(words)


class Tally:
    """Attempts by attacker and group; what got through although it must not, or was refused although it must pass."""

    def __init__(self, report):
        self.counts, self.wrong, self.silent = {}, [], 0
        self.report = open(report, "w") if report else None

    def add(self, attacker, row, must_pass=False):
        key = f"{attacker}: {row['group']}"
        self.counts[key] = self.counts.get(key, 0) + 1
        if row["through"] != must_pass:
            self.wrong.append(f"{attacker}: {row['name']}: {row['said']}")
        if not must_pass and row["said"] in ("no answer", "closed without an answer"):
            self.silent += 1
        if self.report:
            print(json.dumps({"attacker": attacker, **row}), file=self.report, flush=True)

    def check(self, name, right, said):
        self.add("the mesh", {"group": "checks", "name": name, "through": not right, "said": said})


class Field:
    """One mesh with a guarded and a denied server, a friend, and what an attacker may know of them."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="hostile-")
        os.chmod(self.folder, 0o755)
        for name in PROGRAMS:
            shutil.copy(os.path.join(HERE, name), self.folder)
        self.log_folder = os.path.join(self.folder, "logs")
        os.mkdir(self.log_folder)
        # Workloads as they are by default.
        self.mesh = meshes.Mesh("tulle-ho", 3, access_log=True, every=())
        try:
            self.mesh.wait_ready()
            for name in ("guarded", "denied"):
                self.server(name)
            self.mesh.apply(POLICIES)
            self.mesh.workload("friend-idle", ["--service-account", "friend"], ["sleep", "100000"])
            self.wait_served()
        except BaseException:
            self.close()
            raise

    def server(self, name):
        self.mesh.workload(name, ["--service", name, "--label", f"app={name}", "--service-account", name,
                                  "--port", "http:9080", "--port", "tcp:7000"],
                           [PYTHON, self.folder + "/guarded.py"])

    def wait_served(self):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            done = self.mesh.tulle("run", "--name", "friend", "--service-account", "friend", "--", "curl", "-s", "-m", "3",
                                   "http://guarded:9080/", check=False)
            if "secret" in done.stdout:
                return
            time.sleep(0.2)
        raise RuntimeError("the friend does not reach the guarded server: " + done.stdout + done.stderr + self.mesh.text())

    def pid(self, role):
        """The process of a role; under `tulle up` the agent and the control plane are one."""
        for name in (role, "control,agent", "up") if role == "agent" else (role,):
            path = f"{self.mesh.run_dir}/{name}.pid"
            if os.path.exists(path):
                with open(path) as file:
                    return int(file.read().split()[0])
        raise RuntimeError(f"no process of the {role}: {os.listdir(self.mesh.run_dir)}")

    def workload_pid(self, name):
        return self.mesh.processes[name].pid

    def row(self, name):
        listed = json.loads(self.mesh.tulle("workloads", "-o", "json").stdout)
        rows = listed if isinstance(listed, list) else listed.get("workloads", listed.get("items", []))
        return next(row for row in rows if row["name"] == name)

    def address(self, name):
        row = self.row(name)
        return row.get("address") or row["addresses"][0]

    def vip(self, name):
        done = self.mesh.tulle("run", "--name", "friend", "--service-account", "friend", "--", PYTHON, "-c",
                               f"import socket; print(socket.gethostbyname('{name}'))")
        return done.stdout.strip()

    def plan(self, role, guarded, **more):
        mine = {"proxy": ["node.sock", "xds.sock", "sds.sock", "admin.sock"]}.get(role, [])
        prefix = f"100.{self.mesh.range}.0."
        friend = self.address("friend-idle")
        foreign = [("workload", self.address("guarded")), ("workload", friend), ("service", self.vip("guarded")),
                   ("host", prefix + "1"), ("mesh", prefix + "2"), ("mesh", prefix + "3"), ("unused", prefix + "200")]
        # The host's processes have its address, and the proxy one of the mesh's.
        own = {"stranger": "host", "root": "host", "proxy": "mesh"}.get(role, "")
        foreign = [entry for entry in foreign if entry[0] != own]
        pids = {"agent": self.pid("agent"), "proxy": self.pid("proxy"), "guarded": self.workload_pid("guarded"),
                "launcher": self.mesh.up.pid}
        if role == "proxy":
            del pids["proxy"]
        found = {
            "role": role, "mine": mine, "offset": self.mesh.offset, "listening": self.listening(),
            "taken": self.taken(), "host": host_address(), "host_mesh": prefix + "1", "friend": friend,
            "prefix": f"100.{self.mesh.range}.",
            "sockets": [p for p in self.tree(self.mesh.run_dir) if stat_is_socket(p)],
            "files": self.files(role), "folders": self.folders(role), "foreign": foreign,
            "pids": pids, "cgroups": {name: cgroup_of(pid) for name, pid in pids.items() if name != "launcher"},
            "pins": glob.glob("/sys/fs/bpf/tulle-ho/*/*")[:40], "programs": kernel_ids("prog"), "maps": kernel_ids("map"),
            "guarded_vip": self.vip(guarded), "guarded_address": self.address(guarded),
        }
        found.update(more)
        path = f"{self.folder}/plan-{role}-{guarded}.json"
        with open(path, "w") as file:
            json.dump(found, file)
        os.chmod(path, 0o644)
        return path

    def listening(self):
        listed = subprocess.run(["ss", "-ltnH"], capture_output=True, text=True).stdout
        ports = {int(line.split()[3].rsplit(":", 1)[1]) for line in listed.splitlines()}
        low = 15000 + self.mesh.offset
        return sorted(port for port in ports if low <= port < low + 100)

    def taken(self):
        """Where the mesh listens: address, port and protocol of each socket."""
        found = []
        for protocol, option in (("tcp", "-ltnH"), ("udp", "-lunH")):
            for line in subprocess.run(["ss", option], capture_output=True, text=True).stdout.splitlines():
                address, port = line.split()[3].rsplit(":", 1)
                if port.isdigit() and 0 <= int(port) - 15000 - self.mesh.offset < 100:
                    found.append((address.strip("[]").split("%")[0], int(port), protocol))
        return found

    def tree(self, folder):
        return [os.path.join(at, name) for at, _, names in os.walk(folder) for name in names]

    def folders(self, role):
        """The proxy passes through the run directory to its sockets, where pids and events are no secret to it."""
        return [self.mesh.folder + "/state"] + ([] if role == "proxy" else [self.mesh.run_dir])

    def files(self, role):
        paths = [p for folder in self.folders(role) for p in self.tree(folder)
                 if os.path.isfile(p) and not os.path.islink(p)]
        return sorted(paths)[:40]

    def troubles(self):
        """What the proxy says of connections that came to nothing, and the kernel's counters: for who was refused wrongly."""
        with open(self.mesh.folder + "/access.log", errors="replace") as log:
            lines = [line.strip() for line in log]
        failed = [line for line in lines if re.search(r'^\S+ "- - -" 0 (?!- )', line)]
        friends = [line for line in lines if "default/friend" in line]
        refused = [line for line in self.mesh.scrape(15090).splitlines()
                   if re.match(r"tulle_proxy_(connections_refused|over_share|policy_denied)\S* [1-9]", line)]
        with open("/proc/net/netstat") as counts:
            names, values = [line.split()[1:] for line in counts if line.startswith("TcpExt:")][:2]
        aborts = str({name: int(value) for name, value in zip(names, values) if "Abort" in name and value != "0"})
        with open(self.mesh.folder + "/guarded.err", errors="replace") as log:
            guarded = log.read().splitlines()[-20:]
        return failed[-20:] + friends[-80:] + guarded + [aborts] + refused + [str({k: v for k, v in self.mesh.kernel_counters().items() if v})]

    def close(self):
        self.mesh.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def stat_is_socket(path):
    import stat
    return stat.S_ISSOCK(os.lstat(path).st_mode)


def host_address():
    """An address of an interface, or another of loopback where the host has none."""
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        probe.connect(("192.0.2.1", 9))
        return probe.getsockname()[0]
    except OSError:
        return "127.0.0.3"
    finally:
        probe.close()


def cgroup_of(pid):
    mount = next(line.split()[1] for line in open("/proc/mounts") if " cgroup2 " in line)
    path = next(line.strip().split(":", 2)[2] for line in open(f"/proc/{pid}/cgroup") if line.startswith("0::"))
    return mount + path


def kernel_ids(kind):
    done = subprocess.run(["bpftool", "-j", kind, "show"], capture_output=True, text=True)
    return [row["id"] for row in json.loads(done.stdout or "[]") if str(row.get("name", "")).startswith("tulle")][:3]


def unprivileged(uid, command):
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--inh-caps=-all", *command]


def rows(output):
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def attack(field, command, must_pass=False, tally=None, attacker="", limit=600, prepare=None, keep=lambda row: True, **pipes):
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit, env=meshes.CLEAN, cwd=field.folder,
                          preexec_fn=prepare, **pipes)
    found = [row for row in rows(done.stdout) if keep(row)]
    if done.returncode != 0 or not found:
        raise RuntimeError(f"{attacker}: the attacker itself failed ({done.returncode}): {done.stderr[-1500:]}")
    for row in found:
        tally.add(attacker, row, must_pass)
    meshes.note(f"{attacker}: {len(found)} attempts, {sum(row['through'] for row in found)} through")


def stranger(field, tally):
    for guarded in ("guarded", "denied"):
        plan = field.plan("stranger", guarded)
        attack(field, unprivileged(STRANGER, [PYTHON, "attacker.py", plan, "interfaces", "host", "identity"]
                                   if guarded == "guarded" else [PYTHON, "attacker.py", plan, "identity"]),
               tally=tally, attacker=f"a stranger to {guarded}")


def opened_before():
    """Sockets that root opens outside the mesh, one for each target, bound as a client that hides would."""
    socks = [socket.socket() for _ in range(4)]
    for index, sock in enumerate(socks):
        if index % 2:
            sock.bind(("127.0.0.1", 0))
        os.set_inheritable(sock.fileno(), True)
    return socks


def thief(field, tally):
    for guarded in ("guarded", "denied"):
        socks = opened_before()
        plan = field.plan("workload", guarded, inherited=[sock.fileno() for sock in socks])
        groups = ["interfaces", "host", "identity"] if guarded == "guarded" else ["identity"]
        attack(field, field.mesh.command("run", "--name", "thief", "--service-account", "thief", "--", *unprivileged(
            WORKLOAD, [PYTHON, field.folder + "/attacker.py", plan, *groups])),
               tally=tally, attacker=f"a workload to {guarded}", pass_fds=[sock.fileno() for sock in socks])
        for sock in socks:
            sock.close()


def friend(field, tally):
    """Who is allowed must get through, however its socket was prepared, or be told that the address is not its own."""
    for guarded in ("guarded", "denied"):
        plan = field.plan("friend", guarded)
        may = ("not bound", "any address", "IPv4, loopback", "IPv6, loopback", "another loopback", "the interface")
        attack(field, field.mesh.command("run", "--name", "friend", "--service-account", "friend", "--", *unprivileged(
            WORKLOAD, [PYTHON, field.folder + "/attacker.py", plan, "identity"])),
               must_pass=True, tally=tally, attacker=f"a friend to {guarded}",
               keep=lambda row: row["name"].endswith(", connect") and any(m in row["name"] for m in may)
               and ": " in row["name"] and "MPTCP" not in row["name"] and row["said"] != "EADDRINUSE")


def taken_over(field, tally):
    proxy = field.pid("proxy")
    status = dict(line.split(":", 1) for line in open(f"/proc/{proxy}/status"))
    uid, gid = int(status["Uid"].split()[0]), int(status["Gid"].split()[0])
    extra = [int(group) for group in status["Groups"].split()]
    procs = cgroup_of(proxy) + "/cgroup.procs"
    plan = field.plan("proxy", "guarded")

    def become():
        with open(procs, "w") as file:
            file.write("0")
        os.setgroups(extra)
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)

    attack(field, [PYTHON, "attacker.py", plan, "interfaces", "host"], tally=tally, attacker="the proxy's user",
           prepare=become)


def served(field):
    done = field.mesh.tulle("run", "--name", "friend", "--service-account", "friend", "--", "curl", "-s", "-m", "3",
                            "http://guarded:9080/", check=False)
    return "secret" in done.stdout


def fight(field, tally, kills):
    """Strangers want the proxy's ports while it is killed again and again, and the agent now and then."""
    ports = [str(port) for port in field.listening()]
    seconds = str(kills * 2 + 10)
    racers = [
        ("a stranger", subprocess.Popen(unprivileged(STRANGER, ["nice", "-n", "5", PYTHON, "racer.py", seconds, *ports]),
                                        stdout=subprocess.PIPE, text=True, cwd=field.folder)),
        ("a workload", subprocess.Popen(field.mesh.command("run", "--name", "racer", "--", *unprivileged(
            WORKLOAD, ["nice", "-n", "5", PYTHON, field.folder + "/racer.py", seconds, *ports])),
            stdout=subprocess.PIPE, text=True, env=meshes.CLEAN)),
    ]
    asked = subprocess.Popen(field.mesh.command(
        "run", "--name", "asker", "--service-account", "friend", "--", "sh", "-c",
        f"end=$(( $(date +%s) + {int(seconds) - 4} )); while [ $(date +%s) -lt $end ]; do curl -s -m 2 http://guarded:9080/; sleep 0.05; done"),
        stdout=subprocess.PIPE, text=True, env=meshes.CLEAN)
    killed = 0
    for number in range(kills):
        time.sleep(1.2)
        role = "agent" if number % 6 == 5 else "proxy"
        try:
            os.kill(field.pid(role), 9)
            killed += 1
        except (OSError, ValueError, IndexError):
            pass
    answers = asked.communicate(timeout=int(seconds) + 60)[0]
    for name, racer in racers:
        told = json.loads(racer.communicate(timeout=int(seconds) + 60)[0])
        # A workload's wildcard is its own address: only what came to it counts there.
        won = told["won"] if name == "a stranger" else [w for w in told["won"] if "127.0.0.1" in w]
        tally.check(f"{name} wins a port of the mesh while it is killed", not won and not told["received"],
                    f"{told['tries']} tries, won {won}, received {told['received']} bytes, {killed} kills")
        meshes.note(f"{name}: {told}")
    strange = [line for line in answers.splitlines() if line and "secret" not in line and "no healthy" not in line and "upstream" not in line]
    tally.check("answers that are not the server's while ports are fought for", not strange, repr(strange[:2]))
    end = time.monotonic() + 15
    while not served(field) and time.monotonic() < end:
        time.sleep(0.3)
    tally.check("the mesh serves its friend after all kills", served(field), field.mesh.text()[-300:])


def self_check(field, tally):
    """Root must get through in places where others are refused, or the attempts prove nothing."""
    plan = field.plan("root", "guarded")
    done = subprocess.run([PYTHON, "attacker.py", plan, "interfaces", "host"], capture_output=True, text=True,
                          timeout=300, cwd=field.folder)
    through = {row["name"].split(" ")[0] for row in rows(done.stdout) if row["through"]}
    need = {"read", "list", "open", "environment", "program", "enter"}
    tally.check("root gets through", need <= through and bool(
        [row for row in rows(done.stdout) if row["through"] and ".sock" in row["name"]]), f"root did not get {sorted(need - through)}")


def main(words):
    options = arguments(words)
    tally = Tally(options.report)
    field = Field()
    try:
        for part in (self_check, stranger, thief, friend, taken_over):
            part(field, tally)
        if tally.wrong:
            print("\n".join(field.troubles()))
        fight(field, tally, options.kills)
        tally.check("both servers and the friend live", all(
            field.mesh.processes[name].poll() is None for name in ("guarded", "denied", "friend-idle")), "ended")
    finally:
        field.close()
    for key, count in sorted(tally.counts.items()):
        meshes.note(f"  {key}: {count}")
    for line in tally.wrong[:60]:
        print("FAIL", line)
    total = sum(tally.counts.values())
    meshes.note(f"{total} attempts, {tally.silent} of them refused without a word to the attacker")
    print(f"{total - len(tally.wrong)} passed, {len(tally.wrong)} failed")
    return 1 if tally.wrong else 0
