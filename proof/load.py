#!/usr/bin/env python3
"""Load: 500 idle clients, each kept open after one whole streamed answer, and 200 that stream.

/health is asked for all the while by a process of its own, and the server's memory noted. Then a hundred of
the clients stop reading: the others have to be as fast as before. --minutes N keeps the 200 at it for
so long."""

import json
import multiprocessing
import os
import selectors
import socket
import time

import common
from common import completion, need, quantile

BAR_MS = 20


def request(question):
    body = json.dumps({**question, "stream": True}).encode()
    return (b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body)) + body


def prober(port, pipe):
    """Times of /health on a connection that is kept, until told to stop; and of the processor's queue: how
    long this process slept beyond what it asked for, which is what the machine does to anybody."""
    took, late = [], []
    link = socket.create_connection(("127.0.0.1", port), 10)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    asked = 0
    while not pipe.poll():
        begin = time.monotonic()
        link.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        got = link.recv(4096)
        now = time.monotonic()
        took.append(now - begin if got.startswith(b"HTTP/1.1 200") else 99)
        asked += 1
        if asked % 900 == 0:  # a connection has its share of requests
            link.close()
            link = socket.create_connection(("127.0.0.1", port), 10)
        time.sleep(0.02)
        late.append(time.monotonic() - now - 0.02)
    pipe.recv()
    pipe.send((took, late))


class Readers:
    """Connections that stream, each asking again when its answer is whole, in one thread."""

    def __init__(self, port, count, tokens):
        self.watch, self.links, self.answers, self.bytes = selectors.DefaultSelector(), [], 0, 0
        self.tokens, self.port = tokens, port
        for number in range(count):
            self.open(number)

    def open(self, number):
        link = socket.create_connection(("127.0.0.1", self.port), 30)
        state = {"link": link, "tail": b"", "number": number, "whole": 0}
        self.links.append(state)
        self.watch.register(link, selectors.EVENT_READ, state)
        self.ask(state)

    def ask(self, state):
        state["link"].sendall(request(completion(f"Number {state['number']}: ", self.tokens,
                                                 state["number"], no_cache=True)))

    def turn(self, seconds, again=True):
        """Reads what there is."""
        for key, _ in self.watch.select(seconds):
            state = key.data
            piece = state["link"].recv(65536)
            need(piece, "a connection is closed in the middle of its stream")
            self.bytes += len(piece)
            text = state["tail"] + piece
            need(b'"error"' not in text, f"a stream has an error: {text[-300:]!r}")
            state["tail"] = text[-8:]
            # The end of the chunked body, so that the connection can be asked again.
            if text.endswith(b"\r\n0\r\n\r\n"):
                state["whole"] += 1
                self.answers += 1
                if again:
                    self.ask(state)

    def for_seconds(self, seconds, tick=lambda: None):
        """Bytes a second."""
        begin, bytes_then = time.monotonic(), self.bytes
        while time.monotonic() < begin + seconds:
            self.turn(0.1)
            tick()
        return (self.bytes - bytes_then) / (time.monotonic() - begin)

    def stop_reading(self, count):
        """So many connections more that ask and take nothing."""
        out = []
        for number in range(count):
            link = socket.socket()
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            link.connect(("127.0.0.1", self.port))
            # Each event is some 2 KB, so that there is soon no room for more.
            link.sendall(request(completion(f"Number {number}: ", -1, number, no_cache=True, logprobs=5)))
            out.append(link)
        return out

    def close(self):
        for state in self.links:
            state["link"].close()


def options(parser):
    parser.add_argument("--minutes", type=float, default=2, help="for how long the 200 stream (2)")


def body(proof):
    idle, active = proof.share(500, 60), proof.share(200, 40)
    seconds = 3 if proof.quick else 60 * proof.options.minutes
    with common.Server(proof, "--parallel", "32", "--queue", "2048", "--keep-memory", "64") as server:
        kept = Readers(server.port, idle, 8)
        end = time.monotonic() + 60
        while kept.answers < idle:
            kept.turn(0.5, again=False)
            need(time.monotonic() < end, f"{kept.answers} of {idle} clients had an answer in a minute")
        streams = Readers(server.port, active, 200)
        streams.for_seconds(proof.share(5, 0.5))
        ours, theirs = multiprocessing.Pipe()
        probing = multiprocessing.Process(target=prober, args=(server.port, theirs), daemon=True)
        probing.start()
        memory, next_look = [], [0]

        def look():
            if time.monotonic() >= next_look[0]:
                memory.append((time.monotonic(), server.rss()))
                next_look[0] = time.monotonic() + seconds / 60
                proof.progress(f"{len(memory)} of 60, {streams.answers} answers")

        cpu, generated = server.cpu(), server.metric("llamacpp:tokens_predicted_total")
        rate = streams.for_seconds(seconds, look)
        cpu, generated = server.cpu() - cpu, server.metric("llamacpp:tokens_predicted_total") - generated
        ours.send(True)
        took, late = ours.recv()
        probing.join()
        answered = [len([one for one in streams.links if one["whole"]]), streams.answers]
        # Slow readers: turns of the same length with and without them, by the server's work a token, since
        # that is what they could cost others, and by what others read.
        def turn(length):
            cpu, tokens = server.cpu(), server.metric("llamacpp:tokens_predicted_total")
            bytes_a_second = streams.for_seconds(length)
            spent, made = server.cpu() - cpu, server.metric("llamacpp:tokens_predicted_total") - tokens
            return bytes_a_second, spent / made

        before, costs = server.rss(), []
        length = proof.share(6, 0.5)
        for _ in range(proof.share(5, 1)):
            alone = turn(length)
            slow = streams.stop_reading(100)
            end = time.monotonic() + 60
            # Until the room of each is full: before that they have their share, as anybody.
            while server.metric("skein_sequences_unread") < len(slow) and not proof.quick:
                streams.for_seconds(0.2)
                need(time.monotonic() < end, "who does not read is answered for a minute")
            beside = turn(length)
            memory_beside = server.rss()
            for link in slow:
                link.close()
            streams.for_seconds(length / 4)
            costs.append((beside[0] / alone[0], beside[1] / alone[1], memory_beside - before))
        faster, dearer, grown = (quantile([one[i] for one in costs], 0.5) for i in range(3))
        # The idle ones are still there and can be asked.
        for state in kept.links:
            kept.ask(state)
        end = time.monotonic() + 60
        while kept.answers < 2 * idle:
            kept.turn(0.5, again=False)
            streams.turn(0, again=True)
            need(time.monotonic() < end, f"{kept.answers - idle} of {idle} idle clients are answered again")
        streams.close()
        kept.close()
    p50, p99 = 1000 * quantile(took, 0.5), 1000 * quantile(took, 0.99)
    machine = 1000 * quantile(late, 0.99)
    quarter = memory[len(memory) // 4 :]
    drift = (quarter[-1][1] - quarter[0][1]) / (1 << 20)
    need(p99 <= BAR_MS or p99 <= 2 * machine,
         f"/health p99 is {p99:.1f} ms, bar {BAR_MS} (p50 {p50:.2f}; a process that sleeps wakes {machine:.1f} ms late)")
    need(abs(drift) <= 8, f"memory moved by {drift:+.1f} MiB")
    need(proof.quick or grown <= 32 << 20, f"slow readers take {grown >> 20} MiB")
    need(proof.quick or dearer <= 1.05, f"beside slow readers a token costs {100 * dearer:.0f} %")
    return (f"{idle} idle and {active} streaming for {seconds:.0f} s: /health {len(took)} times, p50 {p50:.2f} ms, p99 {p99:.1f} "
            f"ms (this machine wakes who sleeps {machine:.1f} ms late, p99), {generated / seconds:.0f} tokens/s, "
            f"{1e6 * cpu / generated:.0f} us of the processor each, {answered[1]} answers, memory "
            f"{memory[0][1] >> 20} to {memory[-1][1] >> 20} MiB; beside 100 that do not read others read "
            f"{100 * faster:.0f} % of as much, a token costs {100 * dearer:.0f} %, memory {grown / (1 << 20):+.0f} MiB; "
            f"all {idle} idle ones answered again")


common.Proof(__doc__, limit=2400, options=options).run(body)
