#!/usr/bin/env python3
"""G8: when you hang up, the model stops working for you within one step.

Streams are opened and left at random moments, while they wait, while their prompt is read and while they
are answered, politely and by a reset. What is measured is the time from the end of the connection to
the server's saying that it works for nobody, and how much of it the server had a processor, which a busy
machine does not change. Then they leave beside others, whose streams have to say what they say alone."""

import json
import socket
import struct
import threading
import time

import common
from common import Failed, completion, need, quantile, words

STAYING = 8


def leave(server, question, moment, reset):
    """When a client is gone who left `moment` seconds after he had asked, and how long the server had
    worked by then."""
    body = json.dumps({**question, "stream": True}).encode()
    link = socket.create_connection(("127.0.0.1", server.port), 30)
    link.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                 b"Content-Length: %d\r\n\r\n" % len(body) + body)
    time.sleep(moment)
    if reset:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    worked = server.cpu()
    link.close()
    return time.monotonic(), worked


def body(proof):
    staying = [completion(words(common.random.Random(i), 4), 400, i, i % 2) for i in range(STAYING)]
    stop, rounds = threading.Event(), [0]
    with common.Server(proof, "--parallel", "16", "--turn", "0") as server:
        alone = [server.post("/v1/completions", one).json()["choices"][0]["text"] for one in staying]

        def stay(index):
            with server.client() as client:
                while not stop.is_set():
                    text = "".join(one["choices"][0]["text"] for one in
                                   client.stream("/v1/completions", staying[index]) if one["choices"])
                    if text != alone[index]:
                        raise Failed("a stream that stayed says something else than alone")
                    rounds[0] += 1

        took, work = [], []
        # Alone first: nobody else whom the count of those that are answered could mean.
        count = proof.share(500, 20)

        def leaving():
            rnd = proof.random
            return (completion(words(rnd, rnd.choice((2, 200, 20_000))), -1, 1, no_cache=True),
                    rnd.choice((0, 0.0005, 0.003, 0.03)) * rnd.random() * 2, rnd.random() < 0.5)

        with server.client() as looking:
            def processing():
                text = looking.ask("GET", "/metrics").body
                return sum(int(line.split()[-1]) for line in text.splitlines()
                           if line.startswith((b"llamacpp:requests_processing ", b"llamacpp:requests_deferred ")))

            for number in range(count):
                gone, worked = leave(server, *leaving())
                while processing() > 0:
                    need(time.monotonic() < gone + 10, "ten seconds after its client left an answer goes on")
                took.append(time.monotonic() - gone)
                work.append(server.cpu() - worked)
                proof.progress(f"{number} of {count}")
            began = time.monotonic()
            for _ in range(50):
                processing()
            looks = (time.monotonic() - began) / 50
        worked = [1000 * quantile(work, share) for share in (0.5, 0.99)]
        waited = [1000 * quantile(took, share) for share in (0.5, 0.99)]
        need(worked[1] <= 100, f"of {count} the p99 of the work done for one who left is {worked[1]:.0f} ms")

        # And by the dozen beside those that stay.
        those = common.Together(STAYING, stay)
        for number in range(proof.share(500, 20)):
            leave(server, *leaving())
        stop.set()
        those.join()
        begin = time.monotonic()
        server.until_idle(20)
        rest = time.monotonic() - begin
    return (f"{count} left alone: {worked[0]:.1f} ms of work after that (p99 {worked[1]:.1f}), over after "
            f"{waited[0]:.1f} ms (p99 {waited[1]:.1f}, a look takes {looks * 1000:.1f}); {proof.share(500, 20)} left "
            f"beside {STAYING} that stayed, whose {rounds[0]} streams are as alone; idle {rest * 1000:.0f} ms after")


common.Proof(__doc__, limit=600).run(body)
