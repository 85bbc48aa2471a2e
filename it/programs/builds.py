"""Helpers that have to be compiled or fetched, each once, below target/programs."""
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = os.path.join(HERE, "sources")
HOME = os.path.dirname(os.path.dirname(HERE))
TARGET = os.path.join(HOME, "target", "programs")
GO = os.path.join(TARGET, "go", "peer")
NODE = os.path.join(TARGET, "node")
RUST = os.path.join(TARGET, "rust", "debug", "peer")
JAVA = os.path.join(TARGET, "java")


def run(command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: status {done.returncode}\n{done.stdout}{done.stderr}"[-3000:])


def go():
    os.makedirs(os.path.dirname(GO), exist_ok=True)
    run(["go", "build", "-buildvcs=false", "-o", GO, "."], os.path.join(SOURCES, "go"))


def node():
    """Debian's npm and others' write what they fetched beside the program, so the program is copied."""
    source = os.path.join(SOURCES, "node")
    fetched = os.path.join(NODE, "node_modules", ".package-lock.json")
    if not os.path.exists(fetched) or os.path.getmtime(fetched) < os.path.getmtime(os.path.join(source, "package-lock.json")):
        shutil.rmtree(NODE, ignore_errors=True)
        shutil.copytree(source, NODE)
        run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], NODE)
    for name in os.listdir(source):
        if name.endswith(".js"):
            shutil.copy(os.path.join(source, name), NODE)


def rust():
    """Cargo.lock is of the newest crates that Debian 12's compiler takes."""
    run(["cargo", "build", "--locked", "--quiet", "--target-dir", os.path.join(TARGET, "rust")], os.path.join(SOURCES, "rust"))


def java():
    run([os.path.join(os.environ["JAVA_HOME"], "bin", "javac"), "-d", JAVA, os.path.join(SOURCES, "Peer.java")], HERE)


def find_jdk():
    """Names the JDK that ./tulle has found to what is started here, workloads too."""
    with open(os.path.join(HOME, ".tools", "setup.env")) as found:
        os.environ["JAVA_HOME"] = found.read().splitlines()[1]


def make(names):
    for name in sorted(names):
        {"go": go, "node": node, "java": java, "rust": rust}[name]()
