"""What all proofs share: a server of their own on loopback, requests to it, and the verdict.

A proof is a script that says what it did and measured in one line, ends with PASS or FAIL, and
has the exit status 0 or 1 (77: something that it needs is not installed). It ends only what it started
and stops by itself."""

import argparse
import atexit
import contextlib
import ctypes
import hashlib
import http.client
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MODEL = os.path.join(ROOT, "models", "bundled-0.pth")
MISSING = 77


class Failed(Exception):
    """A promise that was not kept, in a sentence."""


def need(truth, sentence):
    if not truth:
        raise Failed(sentence)


class Proof:
    """The options of a script, its folder and its random numbers."""

    def __init__(self, page, *, limit, quick_limit=120, options=None):
        self.name = os.path.splitext(os.path.basename(sys.argv[0]))[0]
        parser = argparse.ArgumentParser(description=page)
        parser.add_argument("--quick", action="store_true", help="a small share, in seconds")
        parser.add_argument("--binary", default=os.path.join(ROOT, "build", "skein"),
                            metavar="PATH", help="the program (build/skein)")
        parser.add_argument("--seed", type=int, default=13, help="of all that is random (13)")
        if options:
            options(parser)
        self.options = parser.parse_args()
        self.quick = self.options.quick
        self.binary = os.path.abspath(self.options.binary)
        self.random = random.Random(self.options.seed)
        # Nothing waits for ever, whatever goes wrong.
        signal.signal(signal.SIGALRM, self._overdue)
        signal.alarm(quick_limit if self.quick else limit)
        self.servers = 0
        self.folder = tempfile.mkdtemp(prefix=f"skein-proof-{self.name}.")
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)

    def _overdue(self, *_):
        raise Failed("it did not end in its time")

    def path(self, name):
        return os.path.join(self.folder, name)

    def share(self, whole, quick):
        return quick if self.quick else whole

    def progress(self, text):
        if sys.stderr.isatty():
            print(f"\r\033[K{self.name}: {text}", end="", file=sys.stderr, flush=True)

    def missing(self, what):
        print(f"{self.name}: SKIPPED: {what}")
        sys.exit(MISSING)

    def run(self, body):
        """`body` gives the figures, or raises Failed; the verdict and the exit status."""
        if not os.access(self.binary, os.X_OK):
            print(f"{self.name}: there is no program {self.binary}; ./dev build makes one")
            sys.exit(2)
        begin = time.monotonic()
        try:
            figures, verdict = body(self), "PASS"
        except Failed as failure:
            figures, verdict = str(failure), "FAIL"
        finally:
            signal.alarm(0)
            end_servers()
            self.progress("")
        print(f"{self.name}: {figures}; {time.monotonic() - begin:.1f} s: {verdict}", flush=True)
        sys.exit(verdict != "PASS")


# ---- processes ----------------------------------------------------------------------------------

_libc = ctypes.CDLL(None, use_errno=True)
_running = []


def _die_with_parent():
    _libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def start(words, **more):
    """A process that ends with this one at the latest."""
    process = subprocess.Popen(words, preexec_fn=_die_with_parent, stdin=subprocess.DEVNULL, **more)
    _running.append(process)
    return process


def end_servers():
    for process in _running:
        if process.poll() is None:
            process.kill()
            process.wait()


def text_of(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def quantile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))]


def sha(*parts):
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part if isinstance(part, bytes) else repr(part).encode())
    return digest.hexdigest()


@contextlib.contextmanager
def busy(count):
    """Processes that do nothing but take the processor's time."""
    words = [sys.executable, "-S", "-c", "while True: pass"]
    taking = [start(words) for _ in range(count)]
    try:
        yield
    finally:
        for one in taking:
            one.kill()
            one.wait()


class Server:
    """skein serve on a free port of loopback; `port` when it says where it serves."""

    def __init__(self, proof, *words, model=f"tiny={MODEL}", environment=None, wrapper=()):
        proof.servers += 1
        self._files = [proof.path(f"{what}{proof.servers}") for what in ("out", "err")]
        environment = {**os.environ, "HOME": proof.folder, "XDG_CONFIG_HOME": proof.folder,
                       **(environment or {})}
        with open(self._files[0], "wb") as out, open(self._files[1], "wb") as err:
            self.process = start(
                [*wrapper, proof.binary, "serve", model, "--port", "0", "--log", "off", *words],
                stdout=out, stderr=err, cwd=proof.folder, env=environment)
        self.port = None
        end = time.monotonic() + 60
        while self.port is None:
            found = re.search(r"http://127\.0\.0\.1:(\d+)\n", self.said())
            if found and "Ctrl-C" in self.said():
                self.port = int(found[1])
            elif self.process.poll() is not None or time.monotonic() > end:
                self.process.kill()
                raise Failed(f"the server did not begin: {self.errors()[-500:]}")
            else:
                time.sleep(0.002)
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end(signal.SIGTERM)

    def said(self):
        return text_of(self._files[0])

    def errors(self):
        return text_of(self._files[1])

    def end(self, which=signal.SIGKILL):
        """Its exit status; negative: the signal that ended it."""
        if self.process.poll() is None:
            self.process.send_signal(which)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()

    def alive(self):
        return self.process.poll() is None

    # -- what the kernel says of it
    def rss(self):
        """Bytes of memory that it has now."""
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def cpu_of_threads(self):
        """Seconds of the processor that each of its threads took."""
        out = {}
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with contextlib.suppress(OSError):
                with open(f"/proc/{self.pid}/task/{task}/schedstat", encoding="ascii") as file:
                    out[task] = int(file.read().split()[0]) / 1e9
        return out

    def cpu(self):
        """Of all of them. Those that ended are not counted."""
        return sum(self.cpu_of_threads().values())

    # -- requests
    def client(self, key=None, timeout=1200):
        return Client(self.port, key, timeout)

    def post(self, path, body, key=None, **headers):
        with self.client(key) as client:
            return client.post(path, body, **headers)

    def get(self, path, key=None, **headers):
        with self.client(key) as client:
            return client.ask("GET", path, **headers)

    def metric(self, name, key=None):
        """Its value, of all its labels together."""
        text = self.get("/metrics", key).body.decode()
        found = re.findall(rf"^{re.escape(name)}(?:{{[^}}]*}})? ([0-9.e+-]+)$", text, re.M)
        need(found, f"/metrics has no {name}")
        return sum(map(float, found))

    def until_idle(self, seconds=60, key=None):
        end = time.monotonic() + seconds
        while self.metric("llamacpp:requests_processing", key) > 0:
            need(time.monotonic() < end, "an answer goes on though its client left")
            time.sleep(0.002)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def code(self):
        try:
            return self.json()["error"].get("code")
        except (ValueError, KeyError, TypeError, AttributeError):
            return None


class Client:
    """A connection that is kept open, and made again when the server closed it."""

    def __init__(self, port, key=None, timeout=120):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def begin(self, method, path, body=None, **headers):
        headers = {**self.headers, **{k.replace("_", "-"): v for k, v in headers.items()}}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        self.connection.request(method, path, body, headers)
        return self.connection.getresponse()

    def ask(self, method, path, body=None, **headers):
        reply = self.begin(method, path, body, **headers)
        return Answer(reply.status, reply.headers, reply.read())

    def post(self, path, body, **headers):
        return self.ask("POST", path, body, **headers)

    def stream(self, path, body, **headers):
        """The events of a stream, as they come, until [DONE]. An error in it is a Failed."""
        reply = self.begin("POST", path, {**body, "stream": True}, **headers)
        if reply.status != 200:
            raise Failed(f"a stream is answered {reply.status} {reply.read()[:300]!r}")
        for line in reply:
            if line.startswith(b"data: {"):
                event = json.loads(line[6:])
                if "error" in event:
                    raise Failed(f"a stream ends with {event['error']}")
                yield event
            elif line.startswith(b"data: [DONE]"):
                reply.read()
                return
        raise Failed("a stream ends without [DONE]")


def completion(prompt, tokens, seed, temperature=1.0, **more):
    return {"prompt": prompt, "max_tokens": tokens, "seed": seed, "temperature": temperature,
            "ignore_eos": True, **more}


def chat(text, tokens, seed, temperature=1.0, **more):
    return {"messages": [{"role": "user", "content": text}], "max_tokens": tokens, "seed": seed,
            "temperature": temperature, "think": "none", **more}


WORDS = ("the cat sat on a mat and looked at me while rain fell softly over old hills of stone "
         "near water lamp garden red Mia Leo found it where who reverse").split()


def words(rnd, count):
    return " ".join(rnd.choice(WORDS) for _ in range(count))


class Together:
    """work(0) ... work(count - 1), each in a thread; join() raises the first failure."""

    def __init__(self, count, work):
        self.failures = []
        self.threads = [threading.Thread(target=self._guarded, args=(work, i), daemon=True)
                        for i in range(count)]
        for one in self.threads:
            one.start()

    def _guarded(self, work, index):
        try:
            work(index)
        except Failed as failure:
            self.failures.append(failure)
        except Exception as failure:  # pylint: disable=broad-except
            self.failures.append(Failed(f"{type(failure).__name__}: {failure}"))

    def join(self):
        for one in self.threads:
            one.join()
        if self.failures:
            raise self.failures[0]


def at_once(count, work):
    Together(count, work).join()
