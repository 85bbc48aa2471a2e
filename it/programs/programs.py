"""Real programs: each one's results on plain loopback and between workloads of meshes, side by side."""
import argparse
import concurrent.futures
import os
import shutil
import tempfile
import time
from dataclasses import dataclass

import beside
import builds
import differences
import mesh as meshes
import places
import program

# Each registers its programs.
import blocking  # noqa: F401  (imported for that)
import queues  # noqa: F401
import relays  # noqa: F401
import remote  # noqa: F401
import stores  # noqa: F401
import transfers  # noqa: F401
import web  # noqa: F401


@dataclass(frozen=True)
class Setting:
    """One way to run the programs."""

    name: str
    tier: str
    options: tuple = ()


SETTINGS = (
    Setting("default", "splice"),
    Setting("on", "splice", ("--splice", "on")),
    Setting("redirect", "redirect"),
    Setting("nftables", "nftables"),
)


def arguments(words):
    parser = argparse.ArgumentParser(prog="programs", description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="PROGRAM", help="this program; may be repeated")
    parser.add_argument("--tier", action="append", default=[], help="this tier; may be repeated")
    parser.add_argument("--setting", action="append", default=[], help="this setting; may be repeated")
    parser.add_argument("--short", action="store_true", help="programs that need no further packages, without nftables")
    parser.add_argument("--jobs", type=int, default=3, help="programs at a time")
    parser.add_argument("--report", help="write every result as JSON lines here")
    parser.add_argument("--list", action="store_true", help="name the programs")
    return parser.parse_args(words)


def play(place, setting, chosen, material, jobs, tally):
    """What was seen: program and label -> text."""
    begun = time.monotonic()
    rows = {}

    def one(each):
        try:
            run = program.Run(place, each, material)
            results = run.play()
            for text in run.unfit if isinstance(place, places.Plain) else ():
                tally.fail(f"{setting}: {each.name}: proves nothing: {text}")
            return each, results
        except (RuntimeError, OSError, ValueError) as reason:
            return each, reason

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for each, results in pool.map(one, chosen):
            if isinstance(results, Exception):
                tally.fail(f"{setting}: {each.name}: {results}")
            else:
                rows.update({f"{each.name}: {label}": text for label, text in results.items()})
    print(f"{setting}: {len(rows)} results of {len(chosen)} programs in {time.monotonic() - begun:.0f} s", flush=True)
    return rows


def baseline(folder, chosen, material, jobs, tally):
    """Plain loopback, twice: what differs from itself would prove nothing."""
    rows = []
    for name in ("plain", "plain again"):
        place = places.Plain(folder, name.replace(" ", "-"))
        try:
            rows.append(play(place, name, chosen, material, jobs, tally))
        finally:
            place.close()
    for label, text in rows[0].items():
        tally.keep(setting="plain", case=label, plain=text, seen=rows[1].get(label))
        if rows[1].get(label) != text:
            tally.fail(f"plain: {label} is not the same twice\n      {text}\n      {rows[1].get(label)}")
    return rows[0]


def mesh_of(tier, number, settings, plain, chosen, material, jobs, tally):
    mesh = meshes.Mesh(f"tulle-pr-{tier}", number, "--tier", tier, every=())
    try:
        mesh.wait_ready()
        for setting in settings:
            before = mesh.kernel_counters().get("SPLICE_BYTES", 0)
            place = places.Meshed(mesh, setting.name, setting.options)
            try:
                rows = play(place, setting.name, chosen, material, jobs, tally)
            finally:
                place.close()
            for label in plain.keys() & rows.keys():
                tally.keep(setting=setting.name, case=label, plain=plain[label], seen=rows[label])
            differing = tally.compare(setting.name, plain, rows, lambda label: differences.of(setting.name, label))
            spliced = mesh.kernel_counters().get("SPLICE_BYTES", 0) - before
            print(f"{setting.name}: {differing} differ as listed, {spliced} bytes went past TCP", flush=True)
            if "on" in setting.options and not spliced:
                tally.fail(f"{setting.name}: no byte went past TCP")
    finally:
        mesh.close()


def main(words):
    options = arguments(words)
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    chosen = [each for each in program.PROGRAMS
              if (not options.only or each.name in options.only) and (each.short or not options.short)]
    if options.list:
        print(*(each.name for each in chosen), sep="\n")
        return 0
    tally = beside.Tally(options.report)
    for name in set(options.only) - {each.name for each in chosen}:
        tally.fail(f"no program {name}")
    for line in differences.not_told():
        tally.fail(f"docs/splicing.md has no line that begins with: {line}")
    meshes.has_option("--tier")  # ./tulle finds the JDK and builds, before anything else is started
    builds.find_jdk()
    builds.make({name for each in chosen for name in each.builds})
    folder = tempfile.mkdtemp(prefix="programs-")
    os.chmod(folder, 0o755)
    try:
        material = program.Material(folder)
        plain = baseline(folder, chosen, material, options.jobs, tally)
        for number, tier in enumerate(("splice", "redirect", "nftables")):
            settings = [s for s in SETTINGS if s.tier == tier and (not options.setting or s.name in options.setting)]
            if options.tier and tier not in options.tier or options.short and tier == "nftables" or not settings:
                continue
            mesh_of(tier, 2 + number, settings, plain, chosen, material, options.jobs, tally)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed or not tally.passed else 0
