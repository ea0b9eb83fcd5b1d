#!/usr/bin/env python3
"""Overhead: what a token through the server costs one client more than without a server.

In turns on one thread: the likeliest tokens by `skein complete`, which does in one process what `skein bench`
measures, and as a stream of the server, with its events, their JSON and the sockets. By the clock the medians
of the turns are compared, which needs a machine that does nothing else; and of the server's processor
time, which other work changes least, that is told which the computing thread did not take."""

import json
import os
import subprocess
import time

import common
from common import completion, need, quantile

BAR = 1.03
PROMPT = "Hello there"


def options(parser):
    parser.add_argument("--model", metavar="FILE", help="a model of the 0.1B shape (./dev prove makes a random one)")


def vocabulary(proof):
    """One with as many tokens as the World vocabulary: for random weights any will do."""
    path = proof.path("vocabulary.txt")
    letters = [bytes((a, b, c)) for a in b"abcdefghijklmnopqrstuvwxyz" for b in range(33, 127) for c in range(33, 127)]
    with open(path, "w", encoding="utf-8") as file:
        for number, token in enumerate([bytes((one,)) for one in range(256)] + letters[: 65529 - 256]):
            text = repr(token.decode()) if token[0] < 128 else repr(token)
            file.write(f"{number + 1} {text} {len(token)}\n")
    return path


def decoded(proof, model, words, tokens):
    """Seconds of a token, by the clock."""
    done = subprocess.run([proof.binary, "complete", model, PROMPT, "-n", str(tokens), "--temp", "0", "-t", "1", "--json",
                           *words], capture_output=True, check=False)
    need(done.returncode == 0, f"skein complete fails: {done.stderr[-300:]!r}")
    return 1 / json.loads(done.stdout)["speed"]["tokens_per_second"]


def body(proof):
    model = proof.options.model or os.path.join(os.path.dirname(proof.binary), "random-0.1b-f16.safetensors")
    if not os.path.exists(model):
        proof.missing(f"needs {model}, which ./dev prove makes, or --model")
    turns, tokens = proof.share(9, 1), proof.share(200, 16)
    alone, served, others = [], [], []
    words = ["--vocab", vocabulary(proof)]
    with common.Server(proof, "--threads", "1", *words, model=f"m={model}") as server, server.client() as client:
        def stream():
            """Seconds of a token by the clock, of its client; the share of the processor's time aside."""
            before, times = server.cpu_of_threads(), []
            for _ in client.stream("/v1/completions", completion(PROMPT, tokens, 1, 0, no_cache=True)):
                times.append(time.monotonic())
            spent = {task: now - before.get(task, 0) for task, now in server.cpu_of_threads().items()}
            return (times[-1] - times[0]) / (len(times) - 1), 1 - max(spent.values()) / sum(spent.values())

        stream()
        for number in range(turns):
            alone.append(decoded(proof, model, words, tokens))
            of_clock, aside = stream()
            served.append(of_clock)
            others.append(aside)
            proof.progress(f"{number} of {turns}")
    ratio = quantile(served, 0.5) / quantile(alone, 0.5)
    aside = quantile(others, 0.5)
    need(proof.quick or ratio <= BAR, f"a token costs {100 * (ratio - 1):+.1f} % (of {turns} turns), the bar is 3 %; {100 * aside:.1f} % "
                                      "of the processor's time go beside the computing thread")
    return (f"a token takes {1e3 * quantile(alone, 0.5):.2f} ms alone and {1e3 * quantile(served, 0.5):.2f} through the server, "
            f"{100 * (ratio - 1):+.1f} % (medians of {turns} turns; best {100 * (min(served) / min(alone) - 1):+.1f} %); beside the computing "
            f"thread go {100 * aside:.2f} % of the processor's time")


common.Proof(__doc__, limit=1800, options=options).run(body)
