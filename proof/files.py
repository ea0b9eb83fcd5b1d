#!/usr/bin/env python3
"""G1: no model, tokenizer or state file can make Skein run code, crash, hang, read outside the file, or use
more than 64 MiB + 4 times its header while it is checked.

The files of tests/fixtures that are wrong on purpose, those that are written here, and thousands that are nearly
right (bytes changed, cut, doubled, lengths and counts made huge in valid files of each container) are
checked by `skein inspect --check`, each in 600 MB of addresses and 5 s of the processor. Each has to end
with exit code 0 or 3. A few of each kind run under strace, too. With a --binary that is built with
sanitizers (./dev sanitize) the same finds what only they see; the bound of addresses is left away then."""

import json
import os
import resource
import shutil
import signal
import struct
import subprocess
import time

import common
from common import need, quantile

HUGE = (0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1)


def nasty(proof):
    """Files that are written here, by name."""
    def header(table, data=b"", size=None):
        text = table if isinstance(table, bytes) else json.dumps(table).encode()
        return struct.pack("<Q", len(text) if size is None else size) + text + data

    one = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    gguf = b"GGUF" + struct.pack("<IQQ", 3, 0, 1)
    text = lambda value: struct.pack("<Q", len(value)) + value
    return {
        "empty.pth": b"", "seven.safetensors": b"1234567", "wraps.safetensors": header({}, size=2**63),
        "longer.safetensors": header({}, size=100), "blanks.safetensors": struct.pack("<Q", (16 << 20) + 1) + b" " * 64,
        "twice.safetensors": header(b'{"emb.weight":%s,"emb.weight":%s}' % ((json.dumps(one).encode(),) * 2), b"1234"),
        "shared.safetensors": header({"a": one, "b": one}, b"1234"),
        "gap.safetensors": header({"a": one, "b": {**one, "data_offsets": [8, 12]}}, b"0" * 12),
        "more.safetensors": header({"a": one}, b"12345"),
        "product.safetensors": header({"a": {**one, "shape": [2**32, 2**32], "data_offsets": [0, 0]}}),
        "deep.safetensors": header(b'{"__metadata__":' + b"[" * 100_000, b""),
        "magic.gguf": b"GGUF", "version0.gguf": b"GGUF" + struct.pack("<IQQ", 0, 0, 0),
        "swapped.gguf": b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
        "counts.gguf": b"GGUF" + struct.pack("<IQQ", 3, 2**62, 2**63),
        "string.gguf": gguf + struct.pack("<Q", 2**64 - 1),
        "array.gguf": gguf + text(b"a") + struct.pack("<IIQ", 9, 10, 2**61),
        "arrays.gguf": gguf + text(b"a") + struct.pack("<IIQ", 9, 9, 1) * 100,
        **{f"alignment{value}.gguf": gguf + text(b"general.alignment") + struct.pack("<II", 4, value)
           for value in (0, 3, 2**31)},
        "keys.gguf": b"GGUF" + struct.pack("<IQQ", 3, 0, 1_000_000) +
                     b"".join(text(b"%013d" % i) + struct.pack("<IB", 7, 1) for i in range(200_000)),
        "key.bin": struct.pack("<IIIIII", 0x67676D66, 101, 65536, 768, 12, 1) + struct.pack("<III", 2, 0xFFFFFFFF, 1),
        "dims.bin": struct.pack("<IIIIII", 0x67676D66, 101, 65536, 768, 12, 1) + struct.pack("<III", 4, 3, 255),
        **{f"{name}.pth": pickled(b"\x80\x02" + code + b".") for name, code in (
            ("system", b"cposix\nsystem\n(X\x04\x00\x00\x00trueatR"), ("eval", b"cbuiltins\neval\n(X\x01\x00\x00\x001tR"),
            ("pip", b"cpip\nmain\n(lR"), ("resolve", b"cpkgutil\nresolve_name\n(X\x09\x00\x00\x00os:systemtR"),
            ("attrgetter", b"c_operator\nattrgetter\n(X\x06\x00\x00\x00systemtR"), ("popped", b"cposix\nsystem\n(X\x04\x00\x00\x00truetR0N"),
            ("build", b"cbuiltins\nprint\n}b"), ("stack", b"\x8c\x05posix\x8c\x06system\x93(tR"),
            ("long4", b"\x8b\xff\xff\xff\x7f"), ("memo", b"Nr\x00\x00\x00\x80"), ("marks", b"(" * 3_000_000),
            ("itself", b"]q\x00h\x00a"))},
    }


def pickled(code):
    """A .pth in whose data.pkl stands this."""
    import io
    import zipfile
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", code)
        archive.writestr("archive/version", "3\n")
    return out.getvalue()


def valid(proof):
    """Valid files of each container, small ones."""
    fixtures = os.path.join(common.ROOT, "tests", "fixtures")
    out = {}
    base = os.path.join(fixtures, "regress", "base.pth")
    with open(base, "rb") as file:
        out["base.pth"] = file.read()
    for container in ("safetensors", "gguf", "skein"):
        path = proof.path(f"base.{container}")
        done = subprocess.run([proof.binary, "convert", base, path, "-q"], capture_output=True, check=False)
        if done.returncode == 0:
            with open(path, "rb") as file:
                out[f"base.{container}"] = file.read()
    need(len(out) == 4, f"only {list(out)} can be made")
    return out


def mutated(rnd, data):
    """Something else than it was."""
    data = bytearray(data)
    # Heads are at the beginning, of zip archives at the end.
    for _ in range(rnd.choice((1, 1, 2, 5))):
        reach = rnd.choice((64, 1024, len(data)))
        at = rnd.randrange(min(reach, len(data)))
        if rnd.random() < 0.3:
            at = len(data) - 1 - at
        kind = rnd.randrange(6)
        if kind == 0:
            data[at] ^= 1 << rnd.randrange(8)
        elif kind == 1:
            data[at] = rnd.randrange(256)
        elif kind == 2 and at + 8 <= len(data):
            struct.pack_into(rnd.choice("<>") + "Q", data, at, rnd.choice(HUGE))
        elif kind == 3 and at + 4 <= len(data):
            struct.pack_into("<I", data, at, rnd.choice(HUGE) & 0xFFFFFFFF)
        elif kind == 4:
            del data[at : at + rnd.choice((1, 8, 1000, len(data)))]
        else:
            piece = data[at : at + rnd.choice((1, 16, 300))]
            data[at:at] = piece
        if not data:
            return b""
    return bytes(data)


class Checker:
    def __init__(self, proof):
        self.proof, self.codes, self.took, self.memory = proof, {}, [], 0
        with open(proof.binary, "rb") as file:
            self.sanitized = b"__asan_init" in file.read()

    def limits(self):
        if not self.sanitized:
            resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))
            resource.setrlimit(resource.RLIMIT_CPU, (5, 5))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def check(self, path, bound=None):
        begin = time.monotonic()
        with open(self.proof.path("said"), "wb") as said:
            process = subprocess.Popen([self.proof.binary, "inspect", "--check", path], stdout=said, stderr=said,
                                       stdin=subprocess.DEVNULL, preexec_fn=self.limits)
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = code = os.waitstatus_to_exitcode(status)
        self.took.append(time.monotonic() - begin)
        text = common.text_of(self.proof.path("said"))
        name = os.path.basename(path)
        if code not in (0, 3) or "ERROR: " in text or "runtime error" in text:
            kept = os.path.join(os.getcwd(), f"found-{name}")
            if os.path.isfile(path):
                shutil.copy(path, kept)
            need(False, f"{name} ({kept}): exit code {code}, {text[-300:]!r}")
        memory = usage.ru_maxrss << 10
        if bound and not self.sanitized:
            need(memory <= bound, f"{name}: {memory >> 20} MiB to check it")
        self.memory = max(self.memory, memory)
        self.codes[code] = self.codes.get(code, 0) + 1
        return code


def looked_at(proof, path):
    """Under strace: nothing is started and nothing connected."""
    log = proof.path("trace")
    subprocess.run(["strace", "-f", "-qq", "-o", log, "-e", "trace=%process,%network", proof.binary, "inspect", "--check",
                    path], capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
    lines = [line for line in common.text_of(log).splitlines()
             if any(f"{call}(" in line for call in ("execve", "fork", "vfork", "connect", "socket", "bind"))]
    need(len(lines) == 1 and "execve" in lines[0], f"{os.path.basename(path)}: it does {lines[1:]}")


def body(proof):
    checker, strange = Checker(proof), proof.path("files")
    os.makedirs(strange)
    mib64 = 64 << 20
    paths = []
    for name, data in nasty(proof).items():
        path = os.path.join(strange, name)
        with open(path, "wb") as file:
            file.write(data)
        paths.append(path)
    for folder in ("malformed", "regress"):
        place = os.path.join(common.ROOT, "tests", "fixtures", folder)
        paths += sorted(os.path.join(place, name) for name in os.listdir(place)
                        if name.rpartition(".")[2] in ("pth", "safetensors", "gguf", "bin", "skein"))
    fifo = os.path.join(strange, "fifo.pth")
    os.mkfifo(fifo)
    empty = os.path.join(strange, "empty")
    os.mkdir(empty)
    refused = [fifo, "/dev/zero", empty]
    if proof.quick:
        paths = paths[::3]
    for path in refused:
        need(checker.check(path) == 3, f"{path} is not refused")
    for number, path in enumerate(paths):
        checker.check(path, mib64 + 5 * os.path.getsize(path))
        proof.progress(f"{number} of {len(paths)} files")
    traced = 0
    if shutil.which("strace"):
        for path in [one for one in paths if one.endswith(".pth")][: proof.share(60, 3)]:
            looked_at(proof, path)
            traced += 1
    sources, count = valid(proof), proof.share(3000, 60)
    names = sorted(sources)
    for number in range(count):
        name = names[number % len(names)]
        path = os.path.join(strange, f"mutant-{number}-{name}")
        with open(path, "wb") as file:
            file.write(mutated(proof.random, sources[name]))
        checker.check(path, mib64 + 5 * os.path.getsize(path))
        os.unlink(path)
        proof.progress(f"{number} of {count} that are nearly right")
    return (f"{len(paths) + len(refused)} files that are wrong on purpose and {count} that are nearly right: exit codes "
            f"{', '.join(f'{code}: {many}' for code, many in sorted(checker.codes.items()))}, slowest "
            f"{max(checker.took) * 1000:.0f} ms (p50 {quantile(checker.took, 0.5) * 1000:.0f}), at most "
            f"{checker.memory >> 20} MiB{', with sanitizers' if checker.sanitized else ''}; {traced} under strace: "
            f"nothing started, nothing connected{'' if traced else ' (strace is not installed)'}")


common.Proof(__doc__, limit=900).run(body)
