#!/usr/bin/env python3
"""G11: Skein opens no outgoing connection and reads no file you did not name.

strace looks on while a chat runs, a model is inspected, measured and converted, and a server with a store
answers. No connection may be opened, no name resolved and no program started; and of files only
those are opened that were named, the settings that the manual names, the program's libraries, and
what the kernel tells of the machine."""

import os
import re
import shutil
import subprocess

import common
from common import Failed, chat, need

# What a program needs of its system, whatever it does.
OF_THE_SYSTEM = re.compile(
    r"^(/etc/ld\.so\.|/etc/(localtime|nsswitch\.conf|passwd)$|/(usr/)?lib(64|32)?/|/proc/(self|sys|cpuinfo|meminfo|"
    r"\d+|stat|mounts)|/proc/(self|\d+)/|/sys/(devices|fs/cgroup|kernel/mm)|/dev/(null|urandom|random|tty|shm)|"
    r"/usr/share/(locale|zoneinfo)/|/usr/lib/locale|/usr/local/lib/)")
# The settings of the manual, which are looked for where a command begins.
SETTINGS = ("skein.toml", "config.toml")
OPENED = re.compile(r'open(?:at)?\((?:AT_FDCWD|[0-9]+(?:<[^>]*>)?), "([^"]*)", ([A-Z_|0-9]+)[^)]*\) += (-?\d+)')
OUTWARDS = re.compile(r"\b(connect|execve|execveat)\(.*")


def judge(trace, named, folder):
    """(files, system files) opened; Failed if one was neither."""
    seen, system, first = set(), set(), True
    for line in trace.splitlines():
        out = OUTWARDS.search(line)
        if out and "= -1 ENOENT" not in line:
            # The program itself is started by strace.
            need(first and out[1] == "execve", f"it does {out[0][:200]}")
            first = False
        need("AF_INET" not in line or re.search(r"\b(socket|bind|accept4?|getsockname|getpeername|setsockopt)\(",
                                                line), f"it does {line[:200]}")
        opened = OPENED.search(line)
        if not opened:
            continue
        path, outcome = os.path.normpath(os.path.join(folder, opened[1])), int(opened[3])
        if OF_THE_SYSTEM.match(path):
            system.add(path)
        elif any(path == one or path.startswith(one + "/") or os.path.dirname(one) == path for one in named) or (
                os.path.basename(path) in SETTINGS and outcome < 0):
            seen.add(path)
        elif outcome >= 0:
            raise Failed(f"it opens {path}")
    return seen, system


def body(proof):
    if not shutil.which("strace"):
        proof.missing("needs strace (Debian: strace)")
    folder, home = proof.path("here"), proof.path("home")
    os.makedirs(folder)
    os.makedirs(home)
    model = os.path.join(folder, "model.pth")
    shutil.copy(common.MODEL, model)
    environment = {"PATH": os.environ["PATH"], "HOME": home, "LANG": "C.UTF-8"}
    trace = ["strace", "-f", "-qq", "-s", "300", "-e", "trace=%network,openat,open,execve,execveat"]
    commands = [
        (["run", model, "Reverse: garden", "-q"], []),
        (["complete", model, "Who are you?", "-n", "8"], []),
        (["inspect", "--check", model], []),
        (["tokenize", model, "abc"], []),
        (["convert", model, os.path.join(folder, "out.safetensors")], ["out.safetensors"]),
        (["bench", model, "-n", "8", "-r", "1"], []),
    ]
    if subprocess.run([proof.binary, "train", "--help"], capture_output=True, check=False).returncode == 0:
        text = os.path.join(folder, "text.txt")
        with open(text, "w", encoding="ascii") as file:
            file.write("a b c " * 2000)
        commands.append((["train", model, text], ["text.txt"]))
    ran, files, system = 0, set(), set()
    for words, named in commands[: proof.share(99, 2)]:
        log = proof.path("trace")
        done = subprocess.run([*trace, "-o", log, proof.binary, *words], cwd=folder, env=environment, timeout=120,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
        need(done.returncode in (0, 2), f"skein {words[0]} exits with {done.returncode}: {done.stderr[-200:]!r}")
        if done.returncode == 2:
            continue  # another way of saying it than this program's
        named = [model, *(os.path.join(folder, one) for one in named)]
        one, other = judge(common.text_of(log), named, folder)
        files, system, ran = files | one, system | other, ran + 1
    log, store = proof.path("trace-serve"), proof.path("store")
    with common.Server(proof, "--store", store, wrapper=[*trace, "-o", log],
                       model=f"tiny={model}", environment=environment) as server:
        for turn in range(3):
            reply = server.post("/v1/chat/completions", chat("Reverse: garden", 6, turn, session="talk"))
            need(reply.status == 200, f"{reply.status} {reply.body[:200]!r}")
        with server.client() as client:
            for _ in client.stream("/v1/completions", {"prompt": "a", "max_tokens": 4}):
                pass
        for path in ("/health", "/metrics", "/v1/models", "/openapi.json", "/v1/states"):
            need(server.get(path).status == 200, f"{path} is not served")
        # The one that strace started, not strace.
        children = common.text_of(f"/proc/{server.pid}/task/{server.pid}/children").split()
        for one in children:
            os.kill(int(one), common.signal.SIGTERM)
        server.process.wait(30)
    one, other = judge(common.text_of(log), [model, store], proof.folder)
    files, system = files | one, system | other
    return (f"{ran} commands and a server under strace: 0 connections, 0 programs started, {len(files)} named files "
            f"and {len(system)} of the system opened, 0 others")


common.Proof(__doc__, limit=300).run(body)
