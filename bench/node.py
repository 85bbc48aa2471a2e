"""The node proxy alone, with one worker and a table of twenty routes, as scenarios without a mesh start it."""
import functools
import os
import re
import subprocess
import sys

from harness import HOME, note


@functools.cache
def proxy_class_path():
    """The proxy's jars as installed, and the small main program of this benchmark among the proxy's test classes."""
    classes = os.path.join(HOME, "proxy", "target", "test-classes")
    note("building the proxy and its benchmark program")
    maven = subprocess.run(
        ["mvn", "-q", "-pl", "proxy", "-am", "test-compile", "-Dspotless.check.skip=true"],
        cwd=HOME,
        stdout=subprocess.DEVNULL,
    )
    if maven.returncode != 0:
        sys.exit("bench: Maven could not build the proxy; run ./tulle check first, it sets up what is missing")
    jars = os.path.join(HOME, "target", "dist", "lib", "*")
    modules = [os.path.join(HOME, module, "target", "classes") for module in ("common", "model", "telemetry", "xds", "proxy")]
    return ":".join([classes, *modules, jars])


def flags():
    """The flags of the proxy's role, as the launcher writes them."""
    path = os.path.join(HOME, "target", "dist", "jvm", "proxy")
    if not os.path.exists(path):
        sys.exit("bench: run ./tulle check once, it builds the distribution")
    with open(path) as text:
        lines = [line.strip().strip('"') for line in text]
    return [line for line in lines[: lines.index("-cp")]]


def java_home():
    home = os.environ.get("JAVA_HOME")
    if not home:
        sys.exit("bench: set JAVA_HOME to a JDK 25 or newer")
    return home


def node_proxy():
    """The words that start it, without its arguments: see HopMain among the proxy's test classes."""
    java = os.path.join(java_home(), "bin", "java")
    return [java, *flags(), "-cp", proxy_class_path(), "dev.tulle.proxy.HopMain"]


def allocated_bytes(pid):
    """What the proxy's event loops have allocated on the heap so far, in whole KiB, or MiB where it is much."""
    jcmd = os.path.join(java_home(), "bin", "jcmd")
    said = subprocess.run([jcmd, str(pid), "Thread.print", "-e"], check=True, capture_output=True, text=True).stdout
    loops = re.findall(r'^"proxy-worker[^"]*".* allocated=(\d+)([BKMG])', said, re.M)
    if not loops:
        raise RuntimeError("jcmd names no loop of the proxy:\n" + said)
    return sum(int(number) * {"B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}[unit] for number, unit in loops)
