"""The ends and what they need: compiled or fetched, each once, below target/interop."""
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = os.path.join(HERE, "sources")
TARGET = os.path.join(os.path.dirname(os.path.dirname(HERE)), "target", "interop")
GO = os.path.join(TARGET, "go")
NODE = os.path.join(TARGET, "node")
JAVA = os.path.join(TARGET, "java")
PYTHON = os.path.join(TARGET, "python")
VENV = os.path.join(TARGET, "venv")
PROTOS = os.path.join(TARGET, "protos")


def run(*command, folder=None):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: status {done.returncode}\n{done.stdout}{done.stderr}"[-3000:])


def source(*path):
    return os.path.join(SOURCES, *path)


def fetch(folder, *says, how):
    """What files say is fetched into a folder, once for these files: what was fetched in part is fetched anew."""
    sums = hashlib.sha256(b"".join(open(each, "rb").read() for each in says)).hexdigest()
    mark = os.path.join(folder, "fetched")
    if os.path.exists(mark) and open(mark).read() == sums:
        return
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    how()
    with open(mark, "w") as file:
        file.write(sums)


def go():
    os.makedirs(GO, exist_ok=True)
    run("go", "build", "-buildvcs=false", "-o", os.path.join(GO, "peer"), ".", folder=source("go"))


def node():
    """Npm writes what it fetched beside the program, so the program is copied."""
    def packages():
        for name in ("package.json", "package-lock.json"):
            shutil.copy(source("node", name), NODE)
        run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", folder=NODE)

    fetch(NODE, source("node", "package-lock.json"), how=packages)
    copy("node", NODE, ".js")


def copy(language, to, ending):
    os.makedirs(to, exist_ok=True)
    for name in os.listdir(source(language)):
        if name.endswith(ending):
            shutil.copy(source(language, name), to)


def java():
    libraries = os.path.join(JAVA, "lib")
    fetch(JAVA, source("java", "pom.xml"), how=lambda: run(
        "mvn", "-q", "-B", "-f", source("java", "pom.xml"), "dependency:copy-dependencies", "-DincludeScope=runtime",
        f"-DoutputDirectory={libraries}"))
    run(os.path.join(os.environ["JAVA_HOME"], "bin", "javac"), "-d", JAVA, "-cp", os.path.join(libraries, "*"),
        *(source("java", name) for name in os.listdir(source("java")) if name.endswith(".java")))


def python():
    def environment():
        run(sys.executable, "-m", "venv", VENV)
        run(os.path.join(VENV, "bin", "pip"), "install", "-q", "--disable-pip-version-check", "-r",
            source("python", "requirements.txt"))

    fetch(VENV, source("python", "requirements.txt"), how=environment)
    copy("python", PYTHON, ".py")


def protos():
    """The services' published files are in grpc-java's archive."""
    [archive] = [os.path.join(JAVA, "lib", name) for name in os.listdir(os.path.join(JAVA, "lib"))
                 if name.startswith("grpc-interop-testing-")]
    with zipfile.ZipFile(archive) as files:
        files.extractall(PROTOS, [name for name in files.namelist() if name.startswith("grpc/testing/") and name.endswith(".proto")])
    run(os.path.join(VENV, "bin", "python"), "-m", "grpc_tools.protoc", f"-I{PROTOS}", "--include_imports",
        f"--descriptor_set_out={PROTOS}/testing.set", "grpc/testing/test.proto")


def everything():
    for each in (go, node, java, python, protos):
        each()
