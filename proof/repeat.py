#!/usr/bin/env python3
"""G2: a reply is bit-identical whatever else is in the batch, however its prompt is cut, whatever the
threads and however busy the machine.

Each of 32 prompts is answered alone first, on one thread, read token by token. Then servers with other
threads and chunks answer it again among neighbours that come and leave, with little memory, with turns
that take places away, from kept states and over restarts, under load. What is compared is a hash of
the text, of its 20 likeliest tokens' probabilities at each step, and of the state's file."""

import itertools
import os
import signal
import threading

import common
from common import Failed, completion, need, sha, words


def questions(proof):
    out = []
    for row in range(proof.share(32, 8)):
        rnd = proof.random
        prompt = words(rnd, (3, 30, 200)[row % 3])
        tokens = proof.share(3000, 400) if row % 16 == 5 else 3 + row
        out.append(completion(prompt, tokens, rnd.randrange(1 << 30), (0, 1, 1.3)[row % 3],
                              logprobs=None if tokens > 100 else 5))
    return out


def fingerprint(client, question, key=None, **more):
    """Of all that is told of an answer, and of the state that it leaves."""
    reply = client.post("/v1/completions", {**question, **more, "return_state": True})
    need(reply.status == 200, f"{reply.status} {reply.body[:300]!r}")
    told = reply.json()
    choice = told["choices"][0]
    state = told["state"]["id"]
    file = client.ask("GET", f"/v1/states/{state}", Accept="application/octet-stream")
    need(file.status == 200, f"a state's file is answered {file.status} {file.body[:200]!r}")
    return sha(choice["text"], choice["logprobs"], choice["finish_reason"], file.body), state


class Neighbours:
    """Others who ask, read or do not, and leave when they like."""

    def __init__(self, proof, server, count):
        self.stop = threading.Event()
        self.asked = 0
        self.threads = [threading.Thread(target=self.go, args=(server, proof.random.randrange(1 << 30)),
                                         daemon=True) for _ in range(count)]
        for one in self.threads:
            one.start()

    def go(self, server, seed):
        rnd = common.random.Random(seed)
        while not self.stop.is_set():
            try:
                with server.client(f"key-{rnd.randrange(6)}", 30) as client:
                    body = completion(words(rnd, rnd.choice((2, 20, 150))), rnd.choice((3, 40, 400)),
                                      rnd.randrange(1 << 30), rnd.choice((0, 1)))
                    left = rnd.choice((0, 3, 10**9))
                    for number, _ in enumerate(client.stream("/v1/completions", body)):
                        if number >= left or self.stop.is_set():
                            break
                self.asked += 1
            except (OSError, Failed, common.http.client.HTTPException):
                self.stop.wait(0.01)  # turned away, or at the end

    def end(self):
        self.stop.set()
        for one in self.threads:
            one.join()
        return self.asked


KEYS = [word for i in range(6) for word in ("--api-key", f"key-{i}")]


def ask_all(server, asked, expected, wrong, at_a_time, longest):
    """What is asked for no more than `longest` tokens, some at a time, each under another key."""
    rows = [(row, one) for row, one in enumerate(asked) if one["max_tokens"] <= longest]
    count, rows = len(rows), iter(rows)
    lock = threading.Lock()

    def work(index):
        with server.client(f"key-{index % 6}", 600) as client:
            while True:
                with lock:
                    row, question = next(rows, (None, None))
                if row is None:
                    return
                hidden = {"no_cache": True} if (row + index) % 3 == 0 else {}
                found, state = fingerprint(client, question, **hidden)
                if found != expected[row]:
                    wrong.append(f"prompt {row}")
                go_on(client, question, state, index, wrong)

    common.at_once(at_a_time, work)
    return count


def go_on(client, question, state, index, wrong):
    """From the state that the answer left: from what is kept of it, and all read again."""
    after = {**completion(" And then", 5, 7, index % 2), "parent": state, "logprobs": 5}
    told = [client.post("/v1/completions", {**after, **more}) for more in ({}, {"no_cache": True}, {})]
    need(all(one.status == 200 for one in told), f"{[one.body[:200] for one in told]}")
    texts = {sha(one.json()["choices"]) for one in told}
    if len(texts) != 1:
        wrong.append(f"going on after {question['max_tokens']} tokens at "
                     f"{question['temperature']}: {[one.json()['choices'] for one in told]}")


def body(proof):
    asked = questions(proof)
    with common.Server(proof, "--threads", "1", "--chunk", "1", "--parallel", "1", *KEYS) as alone:
        with alone.client("key-0") as client:
            expected = [fingerprint(client, one, no_cache=True)[0] for one in asked]
    threads, chunks, batches = (1, 2, 3, 4), (1, 7, 16, 128, 0), (1, 2, 8, 32)
    settings = list(itertools.product(threads, chunks, batches))
    proof.random.shuffle(settings)
    settings = settings[: proof.share(64, 2)]
    runs, neighbours, wrong = 0, 0, []
    preempted = 0
    with common.busy(proof.share(2, 0)):
        for number, (thread, chunk, batch) in enumerate(settings):
            proof.progress(f"{number} of {len(settings)} servers, {runs} runs")
            store = proof.path(f"store{number // 4}")
            tight = ("--state-memory", "2", "--keep-memory", "1", "--store-snapshots", "2")
            with common.Server(
                    proof, "--threads", str(thread), "--chunk", str(chunk), "--parallel", str(batch),
                    "--turn", ("0.01", "2", "0")[number % 3], *KEYS,
                    *(("--store", store) if number % 2 else ()),
                    *(tight if number % 4 < 2 else ())) as server:
                others = Neighbours(proof, server, min(batch, 6) if batch > 1 else 2)
                # More threads than processors wait for each other at each step.
                longest = 10**6 if thread <= (os.cpu_count() or 1) else 100
                runs += ask_all(server, asked, expected, wrong, min(batch, 8), longest)
                neighbours += others.end()
                preempted += server.metric("skein_preemptions_total", "key-0")
                # Every second one is killed; the next has what was kept.
                if number % 4 == 1:
                    server.end(signal.SIGKILL)
            if wrong:
                raise Failed(f"{len(wrong)} of {runs} runs differ, with {thread} threads, chunks of "
                             f"{chunk}, {batch} at once: {wrong[0]}")
    need(proof.quick or preempted > 0, "nothing was preempted")
    return (f"{len(asked)} prompts, {runs} runs and {runs * 3} continuations on {len(settings)} servers "
            f"beside {neighbours} other requests, {preempted:.0f} preemptions: one hash for each")


common.Proof(__doc__, limit=1800).run(body)
