"""Cases of gRPC, WebSocket and HTTP/2 by their own suites: on plain loopback, and through a mesh in every way it has."""
import argparse
import os
import shutil
import tempfile
import time

import beside
import builds
import calls
import chats
import ends
import fetched
import frames
import mesh as meshes
import stages

SUITES = ("calls", "chats", "frames")


def arguments(words):
    parser = argparse.ArgumentParser(prog="interop", description=__doc__)
    parser.add_argument("--only", action="append", choices=SUITES, default=[], help="this suite; may be repeated")
    parser.add_argument("--jobs", type=int, default=3, help="pairs at a time")
    parser.add_argument("--every", action="store_true", help="also each size of Autobahn's cases of compression")
    parser.add_argument("--report", help="write every result as JSON lines here")
    return parser.parse_args(words)


class Results:
    """Sums for each pair, and for all."""

    def __init__(self, tally):
        self.tally = tally
        self.plain = {}

    def keep(self, stage, pair, found):
        """`found`: case -> what is wrong with it."""
        wrong = {case: why for case, why in found.items() if why}
        for case, why in sorted(wrong.items()):
            self.tally.fail(f"{stage}: {pair}: {case}: {why}")
        for case, why in found.items():
            self.tally.keep(stage=stage, pair=pair, case=case, wrong=why)
        self.tally.passed += len(found) - len(wrong)
        print(f"{stage}: {pair}: {len(found) - len(wrong)} passed, {len(wrong)} failed", flush=True)


def play(stage, options, results):
    """Every suite that has a meaning in a stage."""
    begun = time.monotonic()
    if "calls" in options.only:
        calls.play(stage, options.jobs, lambda pair, found: results.keep(stage.name, pair, found))
    if "chats" in options.only:
        found = chats.verdicts(stage, options.every)
        results.plain = results.plain or found
        results.keep(stage.name, "Autobahn's cases", chats.compared(results.plain, found))
    if "frames" in options.only and stage.name in ("routed", "gateway"):
        # Before the proxy is in the way they would be cases of the server's.
        results.keep(stage.name, "h2spec's cases", frames.play(stage))
    print(f"{stage.name}: {time.monotonic() - begun:.0f} s", flush=True)


def check_way(mesh, stage, servers, tally):
    """Requests for a service that somebody reads are counted: so nothing else went the way that is shown."""
    counted = {service for (service, _), number in mesh.requests().items() if number}
    for server in servers:
        if (server.service in counted) != (stage.name == "routed"):
            tally.fail(f"{stage.name}: requests to {server.service} are "
                       f"{'read' if server.service in counted else 'read by nobody'}")


def meshed(servers, options, results):
    mesh = meshes.Mesh("tulle-in", 5, "--tier", "splice", every=())
    place = None
    try:
        mesh.wait_ready()
        place = stages.Meshed(mesh, servers)
        grpc = [server for server in servers if server in ends.CALLS]
        for stage in (place.captured, lambda: place.routed(servers), lambda: place.gateway(servers)):
            found = stage()
            play(found, options, results)
            if found.name != "gateway":
                check_way(mesh, found, grpc, results.tally)
    finally:
        if place:
            place.close()
        mesh.close()


def main(words):
    options = arguments(words)
    options.only = options.only or list(SUITES)
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    servers = [server for suite, all_of in (("calls", ends.CALLS), ("chats", (ends.CHATS,)), ("frames", (ends.FRAMES,)))
               if suite in options.only for server in all_of]
    meshes.has_option("--tier")  # ./tulle finds the JDK and builds, before anything else is started
    builds.find_jdk()
    fetched.everything()
    tally = beside.Tally(options.report)
    results = Results(tally)
    folder = tempfile.mkdtemp(prefix="interop-")
    try:
        plain = stages.Plain(folder, servers)
        try:
            play(plain.stage(), options, results)
        finally:
            plain.close()
        meshed(servers, options, results)
    except RuntimeError as reason:
        tally.fail(str(reason))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed or not tally.passed else 0
