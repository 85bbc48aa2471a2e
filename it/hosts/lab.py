"""Hosts of a mesh on one machine: each a network namespace with its own control groups, joined by a bridge."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = os.path.dirname(os.path.dirname(HERE))
TULLE = os.path.join(HOME, "tulle")
# For benchmarks of networks (RFC 2544): nobody's addresses.
NETWORK = "198.18.77."
STARTED = 90
ENV = {k: v for k, v in os.environ.items() if not k.startswith("TULLE_MESH") and k != "TULLE_RUN_DIR"}


class Failure(Exception):
    """What went wrong, in a sentence."""


def hierarchy():
    """Where the control groups of version 2 are: alone, or beside those of version 1."""
    with open("/proc/mounts") as mounts:
        for line in mounts:
            words = line.split()
            if words[2] == "cgroup2":
                return words[1]
    raise Failure("no control groups of version 2 are mounted")


CGROUPS = hierarchy()


def command(*line):
    done = subprocess.run(line, capture_output=True, text=True)
    if done.returncode:
        raise Failure(f"{' '.join(line)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Host:
    """One host: a process holds its namespaces as long as it lives."""

    def __init__(self, lab, number):
        self.lab = lab
        self.number = number
        self.name = f"host{number}"
        self.mesh = f"{lab.name}-{self.name}"
        self.address = f"{NETWORK}{number}"
        self.folder = os.path.join(lab.folder, self.name)
        self.group = os.path.join(CGROUPS, lab.name, self.name)
        self.up = None
        self.programs = []
        self.holder = None

    def begin(self):
        lab, number = self.lab, self.number
        os.makedirs(self.folder)
        os.makedirs(self.group)
        # In its group before it has a namespace of groups: that begins where the process is.
        self.holder = subprocess.Popen(
            ["sh", "-c", 'echo $$ >"$1/cgroup.procs" && exec unshare --net --mount --cgroup --uts sleep infinity',
             "sh", self.group], start_new_session=True)
        self._await_namespaces()
        link = f"tl{os.getpid() % 10000}x{number}"
        command("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", str(self.holder.pid))
        command("ip", "link", "set", link, "netns", str(lab.switch.pid))
        lab.in_switch("ip", "link", "set", link, "master", "br0", "up")
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "address", "add", self.address + "/24", "dev", "eth0")
        self.run("ip", "link", "set", "eth0", "up")
        self.run("ip", "route", "add", "default", "via", NETWORK + "254")
        self.run("hostname", self.name)
        # What is mounted there shows all groups of the machine.
        self.run("umount", "-l", CGROUPS)
        self.run("mount", "-t", "cgroup2", "none", CGROUPS)
        # Pins of its own; what is mounted there belongs to the machine.
        self.run("mount", "-t", "bpf", "none", "/sys/fs/bpf")

    def _await_namespaces(self):
        own = os.readlink("/proc/self/ns/cgroup")
        end = time.monotonic() + 10
        while os.readlink(f"/proc/{self.holder.pid}/ns/cgroup") == own:
            if time.monotonic() > end or self.holder.poll() is not None:
                raise Failure(f"{self.name} has no namespaces")
            time.sleep(0.02)

    def inside(self, *line):
        """The command line that runs another one on this host."""
        return ["nsenter", "-t", str(self.holder.pid), "--net", "--mount", "--cgroup", "--uts", "--", *line]

    def run(self, *line, check=True, timeout=60):
        done = subprocess.run(self._grouped(line), capture_output=True, text=True, env=ENV, timeout=timeout)
        if check and done.returncode:
            raise Failure(f"{self.name}: {' '.join(line)}: {done.stderr.strip() or done.stdout.strip()}")
        return done

    def _grouped(self, line):
        # A namespace of groups moves nobody: commands start in this host's part of the hierarchy.
        return ["sh", "-c", 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"', "sh", self.group, *self.inside(*line)]

    def start(self, *line, log):
        process = subprocess.Popen(self._grouped(line), stdout=open(log, "ab"), stderr=subprocess.STDOUT, env=ENV,
                                   start_new_session=True)
        self.programs.append(process)
        return process

    def options(self):
        return ["--mesh", self.mesh, "--run-dir", os.path.join(self.folder, "run")]

    def tulle(self, *words, check=True, timeout=60):
        return self.run(TULLE, words[0], *self.options(), *words[1:], check=check, timeout=timeout)

    def start_mesh(self, *options):
        log = os.path.join(self.folder, "up.log")
        self.up = self.start(TULLE, "up", *self.options(), "--state", os.path.join(self.folder, "state"), "--range",
                             "100.64.0.0/10", "--service-range", "240.240.0.0/16", "--node", self.name,
                             "--access-log", "-", *options, log=log)
        end = time.monotonic() + STARTED
        while b": ready in" not in open(log, "rb").read():
            if self.up.poll() is not None or time.monotonic() > end:
                raise Failure(f"{self.name} is not ready:\n{open(log).read()[-4000:]}")
            time.sleep(0.05)

    def stop(self):
        """Ends programs and mesh, and removes every trace."""
        mesh = self.up
        for process in reversed(self.programs):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                if process is not mesh:
                    self._await(process, 5)
        if mesh is not None:
            self._await(mesh, 20)
            self.run(TULLE, "detach", "--all", *self.options(), "--state", os.path.join(self.folder, "state"),
                     check=False)
        if self.holder is not None:
            self.holder.kill()
            self.holder.wait()
        self._remove_groups()

    @staticmethod
    def _await(process, seconds):
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _remove_groups(self):
        kill = os.path.join(self.group, "cgroup.kill")
        if os.path.exists(kill):
            with open(kill, "w") as file:
                file.write("1")
        end = time.monotonic() + 5
        while os.path.isdir(self.group) and time.monotonic() < end:
            for folder, _, _ in os.walk(self.group, topdown=False):
                try:
                    os.rmdir(folder)
                except OSError:
                    time.sleep(0.05)


class Lab:
    """Some hosts; a context that leaves nothing."""

    def __init__(self, hosts, name="tulle-lab"):
        self.name = name
        self.count = hosts
        self.hosts = []
        self.switch = None
        self.folder = ""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix=self.name + "-")
        # The proxies' user passes through it to their sockets.
        os.chmod(self.folder, 0o755)
        try:
            self.switch = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], start_new_session=True)
            own = os.readlink("/proc/self/ns/net")
            while os.readlink(f"/proc/{self.switch.pid}/ns/net") == own:
                time.sleep(0.02)
            self.in_switch("ip", "link", "add", "br0", "type", "bridge")
            self.in_switch("ip", "link", "set", "br0", "up")
            for number in range(1, self.count + 1):
                self.hosts.append(Host(self, number))
                self.hosts[-1].begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def in_switch(self, *line):
        return command("nsenter", "-t", str(self.switch.pid), "--net", "--", *line)

    def __exit__(self, *_):
        for host in reversed(self.hosts):
            try:
                host.stop()
            except (Failure, OSError, subprocess.SubprocessError) as e:
                print(f"{host.name} is not ended whole: {e}", file=sys.stderr)
        if self.switch is not None:
            self.switch.kill()
            self.switch.wait()
        try:
            os.rmdir(os.path.join(CGROUPS, self.name))
        except OSError:
            pass
        shutil.rmtree(self.folder, ignore_errors=True)


def join(first, others):
    """Makes the others nodes of the first one's mesh; how long each took, in seconds."""
    took = []
    for host in others:
        made = json.loads(first.tulle("token", "create", "-o", "json").stdout)
        begun = time.monotonic()
        host.start_mesh("--join", f"{first.address}:{made['port']}", "--token", made["token"])
        took.append(time.monotonic() - begun)
    return took
