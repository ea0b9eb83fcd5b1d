"""/metrics, read as Prometheus reads it: by the grammar of its text format and what promtool asks."""

import json
import re
import shutil
import subprocess
import unittest
import urllib.error
import urllib.request

from skein import BASE, CHAT, HEADERS, metrics

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (\S+)")
COMMENT = re.compile(rf"# (HELP|TYPE) ({NAME}) (\S.*)")
KINDS = {"counter", "gauge", "histogram", "summary", "untyped"}


def families(text):
    """{name: {"TYPE", "HELP", "samples": {(name, labels): number}}}; a family stands together."""
    found, current = {}, None
    if not text.endswith("\n"):
        raise AssertionError("the last line has no end")
    for line in text.splitlines():
        comment, sample = COMMENT.fullmatch(line), SAMPLE.fullmatch(line)
        if comment:
            word, name, rest = comment.groups()
            if name != current and name in found:
                raise AssertionError(f"{name} stands in two places")
            current = name
            family = found.setdefault(name, {"samples": {}})
            if word in family or family["samples"]:
                raise AssertionError(f"{line}: too late, or twice")
            family[word] = rest
        elif sample:
            name, labels, number = sample.groups()
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            if current not in (name, base):
                raise AssertionError(f"{line}: does not belong to {current}")
            if current != name and found[current]["TYPE"] not in ("histogram", "summary"):
                raise AssertionError(f"{line}: {current} is neither a histogram nor a summary")
            samples = found[current]["samples"]
            key = name, frozenset(re.findall(LABEL, labels or ""))
            if key in samples:
                raise AssertionError(f"{line}: a second time")
            samples[key] = float(number)
        else:
            raise AssertionError(f"{line!r} is no line of this format")
    return found


class Metrics(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for body in (CHAT, {**CHAT, "stream": True}, {**CHAT, "n": 0}):
            request = urllib.request.Request(
                f"{BASE}/chat/completions", json.dumps(body).encode(),
                {**HEADERS, "Content-Type": "application/json"})
            try:
                urllib.request.urlopen(request, timeout=60).read()
            except urllib.error.HTTPError as error:
                assert error.code == 400, error
        cls.kind, cls.text = metrics()

    def test_it_is_declared_as_what_it_is(self):
        self.assertTrue(self.kind.startswith("text/plain; version=0.0.4"), self.kind)

    def test_each_family_is_explained_and_whole(self):
        found = families(self.text)
        self.assertGreater(len(found), 10)
        for name, family in found.items():
            self.assertIn(family.get("TYPE"), KINDS, name)
            self.assertTrue(family.get("HELP"), name)
            for (sample, _), number in family["samples"].items():
                self.assertEqual(number, number, sample)  # is a number
                if family["TYPE"] == "counter":
                    self.assertGreaterEqual(number, 0, sample)

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed")
    def test_promtool_has_nothing_against_our_own_names(self):
        done = subprocess.run(["promtool", "check", "metrics"], input=self.text, text=True,
                              capture_output=True, check=False)
        # 3: it read all of it, and does not like a name. Colons are how llama-server has its own.
        self.assertIn(done.returncode, (0, 3), done.stderr)
        ours = [line for line in done.stderr.splitlines() if not line.startswith("llamacpp:")]
        self.assertEqual(ours, [])

    def test_names_of_our_own_follow_the_rules(self):
        for name, family in families(self.text).items():
            if not name.startswith("skein_"):
                continue
            self.assertEqual(family["TYPE"] == "counter", name.endswith("_total"), name)
            self.assertIsNone(re.search(r"_(ms|milliseconds|kib|mib|kilobytes)(_|$)", name), name)

    def test_histograms_add_up(self):
        for name, family in families(self.text).items():
            if family["TYPE"] != "histogram":
                continue
            series = {}
            for (sample, labels), number in family["samples"].items():
                bound = next((one for one in labels if one.startswith("le=")), None)
                series.setdefault(labels - {bound}, {})[bound or sample] = number
            for values in series.values():
                buckets = [values[one] for one in sorted(
                    (one for one in values if one.startswith("le=")),
                    key=lambda one: float(one[4:-1]))]
                self.assertEqual(buckets, sorted(buckets), name)
                self.assertEqual(buckets[-1], values[f"{name}_count"], name)
                self.assertEqual(values['le="+Inf"'], buckets[-1], name)

    def test_requests_are_counted_by_route_and_status(self):
        samples = families(self.text)["skein_requests_total"]["samples"]
        route = 'route="/v1/chat/completions"'
        count = lambda status: samples["skein_requests_total",
                                       frozenset({route, f'status="{status}"'})]
        self.assertEqual((count(200), count(400)), (2, 1))


if __name__ == "__main__":
    unittest.main()
