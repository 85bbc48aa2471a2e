"""The attacks of HTTP/2 against the gateway and against a captured service of a mesh of its own, one after the other.

Each comes from one client, which connects again a second after it was sent away, beside a victim that asks 100 times a
second. A connection that goes too far must be closed within a second, one that may stay must cost nothing: of either at most
20 % of a core, 32 MiB of memory and twice the victim's 99th percentile. With --short the closes, the memory and the victim's
answers count, and the rest is told: a loaded machine proves nothing about times.
"""
import argparse
import json
import threading

import field
import kinds
import mesh as meshes

RATE = 100
# Seconds that the short form looks at each attack, and waits for a connection to be closed.
GLIMPSE, PATIENCE = 0.2, 30
CLOSE, CORE, MEMORY, SLOWER = 1.0, 0.20, 32 << 20, 2.0
# A clock tick or two of the machine's own are no attack's doing.
LEAST_MS = 2.0


def arguments(words):
    parser = argparse.ArgumentParser(prog="attacks", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10, help="of each attack at each front")
    parser.add_argument("--only", help="attacks whose name contains this")
    parser.add_argument("--front", choices=("captured", "gateway"), help="only this one")
    parser.add_argument("--short", action="store_true", help="one connection each; only what no load can change counts")
    parser.add_argument("--report", help="write the figures as JSON lines here")
    return parser.parse_args(words)


def measured(process, victim, seconds, beside):
    """What the process and the victim made of some seconds."""
    most, cpu = field.Most(process), process.cpu()
    before = process.memory()
    thread = threading.Thread(target=beside)
    thread.start()
    seen = victim.ask(str(seconds))
    thread.join()
    return {**seen, "cpu": (process.cpu() - cpu) / seconds, "memory": most.stop() - before}


def one(place, front, attacker, victim, attack, options):
    process = place.process(front)
    seconds = GLIMPSE if options.short else options.seconds
    quiet = measured(process, victim, min(seconds, 5), lambda: None)
    said = {}
    # However long a loaded machine takes for it: it is closed, or it is not.
    lasts = PATIENCE if options.short and attack.limit else seconds
    order = {"name": attack.name, "seconds": lasts, "patience": PATIENCE if options.short else 5, "once": options.short}
    during = measured(process, victim, seconds, lambda: said.update(attacker.ask(json.dumps(order))))
    return {"front": front, **said, "cpu": round(during["cpu"] - quiet["cpu"], 3), "memory": during["memory"],
            "p99": during["p99"], "quiet": quiet["p99"], "failed": during["failed"] + quiet["failed"],
            "victim": during["why"] or quiet["why"]}


def wrong(attack, figures, short):
    """Which bounds it has broken."""
    found = []
    if figures["why"] or not figures["made"]:
        found.append(figures["why"] or "no connection")
    elif attack.limit and not figures["closed"]:
        found.append("was not closed")
    if figures["failed"]:
        found.append(f"{figures['failed']} requests of the victim failed: {figures['victim']}")
    if figures["memory"] > MEMORY:
        found.append(f"{figures['memory'] >> 20} MiB more")
    if short:
        return found
    if figures["slowest"] > CLOSE:
        found.append(f"closed after {figures['slowest']} s")
    if figures["cpu"] > CORE:
        found.append(f"{figures['cpu']:.0%} of a core")
    if figures["p99"] > max(SLOWER * figures["quiet"], LEAST_MS):
        found.append(f"the victim's p99 is {figures['p99']} ms, {figures['quiet']} ms without")
    return found


def tell(figures, found):
    meshes.note(f"{'not ok' if found else 'ok'} {figures['front']}: {figures['name']}: {figures['made']} connections, "
                f"{figures['closed']} closed, at most {figures['slowest']} s after, {figures['cpu']:.1%} of a core, "
                f"{figures['memory'] / (1 << 20):.1f} MiB, p99 {figures['p99']} ms ({figures['quiet']} quiet)"
                + (": " + "; ".join(found) if found else ""))


def main(words):
    options = arguments(words)
    chosen = [attack for attack in kinds.ALL if not options.only or options.only in attack.name]
    passed = failed = 0
    report = open(options.report, "w") if options.report else None
    place = field.Field("tulle-at", 5)
    try:
        for front in [options.front] if options.front else list(place.fronts):
            victim = place.talker(front, "victim", "victim.py", "web:9080", str(RATE))
            attacker = place.talker(front, "attacker", "attacker.py", *(["127.0.0.2"] if front == "gateway" else []))
            victim.ask("1" if options.short else "5")
            for attack in chosen:
                figures = one(place, front, attacker, victim, attack, options)
                found = wrong(attack, figures, options.short)
                tell(figures, found)
                if found:
                    failed += 1
                    print(f"not ok {front}: {attack.name}: {'; '.join(found)}", flush=True)
                else:
                    passed += 1
                if report:
                    print(json.dumps(figures), file=report, flush=True)
    finally:
        place.close()
    if passed + failed == 0:
        failed = 1
        print("not ok no attack has such a name")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0
