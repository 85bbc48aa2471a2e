"""What was seen in a mesh beside what was seen on plain loopback, and a table of what may differ."""
import json


class Tally:
    """What passed and what did not; each comparison as a line of JSON in `report`, if there is one."""

    def __init__(self, report=None):
        self.passed = self.failed = 0
        self.report = open(report, "w") if report else None

    def fail(self, text):
        self.failed += 1
        print(f"FAIL {text}", flush=True)

    def keep(self, **facts):
        if self.report:
            print(json.dumps(facts), file=self.report, flush=True)

    def compare(self, setting, plain, rows, listed):
        """Each result, name -> text, against plain loopback's: a difference must be `listed` (by name), and one that is
        listed must be there. The number of differences that are right."""
        differing = 0
        for name in sorted(plain.keys() | rows.keys()):
            if name not in plain or name not in rows:
                self.fail(f"{setting}: {name}: {'not run in the mesh' if name in plain else 'not run plain'}")
                continue
            expected, seen = plain[name], rows[name]
            if expected == seen and listed(name):
                self.fail(f"{setting}: {name}: does not differ any more; remove it from differences.py")
            elif expected != seen and not listed(name):
                self.fail(f"{setting}: {name}\n      plain: {expected}\n      mesh:  {seen}")
            else:
                self.passed += 1
                differing += expected != seen
        return differing


def not_told(page, beginnings):
    """Beginnings of lines that the page, which tells users what differs, does not have."""
    with open(page) as text:
        lines = text.read().splitlines()
    return [beginning for beginning in beginnings if not any(line.startswith(beginning) for line in lines)]
