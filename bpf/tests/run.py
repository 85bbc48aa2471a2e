#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
"""Runs the tests of the kernel data path in the kernel: run.py OBJECT [NAME-PART…].

A test is a function test_…(lab) whose docstring says what it proves. One that cannot run here
returns why as Skipped; any other text that it returns is what it measured. Last line: "N passed,
M failed, L skipped". Exit status 0 if M is 0.
"""

import os
import signal
import sys
import time
import traceback

import lab as lab_module
import test_access
import test_account_flows
import test_account_wire
import test_arrive
import test_asked
import test_behind
import test_bind
import test_bypass
import test_caller
import test_connect
import test_datagram
import test_guard
import test_http
import test_http_body
import test_http_flow
import test_http_lease
import test_http_mesh
import test_http_messages
import test_l4_choice
import test_lend
import test_loopback
import test_names
import test_object
import test_ports
import test_splice
import test_stall
import test_verifier
import test_waits

MODULES = (test_object, test_verifier, test_bind, test_loopback, test_behind, test_connect, test_datagram, test_asked, test_names,
           test_guard, test_ports, test_lend, test_access, test_bypass, test_caller, test_l4_choice, test_account_flows, test_account_wire,
           test_splice, test_stall, test_arrive, test_http, test_http_body, test_http_lease, test_http_messages,
           test_http_mesh, test_http_flow, test_waits)


class Hung(Exception):
    pass


def where(error):
    """What went wrong and where, in one line: often all that is left of a run elsewhere."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    text = " ".join(str(error).split())
    return f"{os.path.basename(last.filename)}:{last.lineno}: {last.line}: {type(error).__name__} {text}"


def on_alarm(_number, _frame):
    raise Hung(f"test did not end in {4 * lab_module.TIMEOUT} s")


stopping = []


def on_term(_number, _frame):
    stopping.append(True)  # the exception is lost if a callback of libbpf happens to run
    raise KeyboardInterrupt


def main(argv):
    if os.geteuid():
        print("needs root", file=sys.stderr)
        return 2
    wanted = argv[2:]
    lab = lab_module.Lab(os.path.abspath(argv[1]))
    passed = failed = skipped = 0
    signal.signal(signal.SIGTERM, on_term)
    signal.signal(signal.SIGALRM, on_alarm)
    try:
        lab.open()
        for module in MODULES:
            for name, test in list(vars(module).items()):
                title = f"{module.__name__[5:]}.{name[5:]}"
                if not name.startswith("test_") or (
                        wanted and not any(part in title for part in wanted)):
                    continue
                proves = " ".join((test.__doc__ or "").split())
                started = time.monotonic()
                signal.alarm(4 * lab_module.TIMEOUT)
                try:
                    note = test(lab)
                    skips = isinstance(note, lab_module.Skipped)
                    outcome = "skip" if skips else "ok  "
                    skipped += skips
                    passed += not skips
                except Exception as error:
                    failed += 1
                    outcome, note = "FAIL", where(error)
                    traceback.print_exc()
                finally:
                    signal.alarm(0)
                    lab.reset()
                took = time.monotonic() - started
                print(f"{outcome} {title} ({took:.1f} s): {proves}"
                      + (f" [{note}]" if note else ""), flush=True)
                if stopping:
                    raise KeyboardInterrupt
    finally:
        lab.close()
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
