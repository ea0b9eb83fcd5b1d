#!/usr/bin/env python3
"""G7: no request, however malformed, stops the server from answering others within 50 ms on /health.

First each nasty request and each run of raw bytes by itself, with the answer that it must have and a second
request behind it that must have none. Then all at once, with senders that send a byte a second,
senders that never end and readers that never read, beside four honest streams, which have to say what they
say alone, and a process that asks for /health all the while."""

import json
import multiprocessing
import random
import selectors
import socket
import threading
import time

import common
from common import Failed, completion, need, quantile

SECOND = b"GET /second-request HTTP/1.1\r\nHost: localhost\r\n\r\n"


def post(fields, body=b"abc", version="HTTP/1.1", path="/v1/completions"):
    return (f"POST {path} {version}\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"{fields}\r\n").encode() + body


def get(rest, fields="Host: localhost\r\n"):
    return f"GET {rest}\r\n{fields}\r\n".encode("latin-1")


def chunks(body):
    return post("Transfer-Encoding: chunked\r\n", body)


# What raw bytes have to be answered with.
RAW = [
    ("length and encoding", post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"), 400),
    ("encoding and length", post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), 400),
    ("two lengths", post("Content-Length: 3\r\nContent-Length: 4\r\n"), 400),
    ("a list of lengths", post("Content-Length: 3, 3\r\n"), 400),
    ("+3", post("Content-Length: +3\r\n"), 400),
    ("-1", post("Content-Length: -1\r\n"), 400),
    ("3x", post("Content-Length: 3x\r\n"), 400),
    ("2^64", post("Content-Length: 18446744073709551616\r\n"), 400),
    ("gzip, chunked", post("Transfer-Encoding: gzip, chunked\r\n"), 501),
    ("xchunked", post("Transfer-Encoding: xchunked\r\n"), 501),
    ("chunked, identity", post("Transfer-Encoding: chunked, identity\r\n"), 501),
    ("chunked twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400),
    ("chunked in HTTP/1.0", post("Transfer-Encoding: chunked\r\n", b"0\r\n\r\n", "HTTP/1.0"), 400),
    ("a blank before the colon", post("Transfer-Encoding : chunked\r\n"), 400),
    ("a chunk of -1", chunks(b"-1\r\nabc\r\n0\r\n\r\n"), 400),
    ("a chunk of 0x1", chunks(b"0x1\r\na\r\n0\r\n\r\n"), 400),
    ("17 hex digits", chunks(b"11111111111111111\r\na\r\n0\r\n\r\n"), 400),
    ("no line end behind a chunk", chunks(b"1\r\nab0\r\n\r\n"), 400),
    ("bare line ends", chunks(b"1\na\n0\n\n"), 400),
    ("an extension of 1 MiB", chunks(b"1;" + b"x" * (1 << 20) + b"\r\na\r\n0\r\n\r\n"), 400),
    ("a trailer", chunks(b"1\r\na\r\n0\r\nAuthorization: Bearer x\r\n\r\n"), 400),
    ("no host", get("/health HTTP/1.1", ""), 400),
    ("two hosts", get("/health HTTP/1.1", "Host: localhost\r\nHost: localhost\r\n"), 400),
    ("another host", get("/health HTTP/1.1", "Host: evil.example\r\n"), 403),
    ("a folded field", get("/health HTTP/1.1", "Host: localhost\r\nx: y\r\n z\r\n"), 400),
    ("NUL", get("/health HTTP/1.1", "Host: localhost\r\nx: \0\r\n"), 400),
    ("a bare CR", get("/health HTTP/1.1", "Host: localhost\r\nx: y\rz\r\n"), 400),
    ("a blank in a name", get("/health HTTP/1.1", "Host: localhost\r\nx y: z\r\n"), 400),
    ("a method that is none", b"G(T / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    ("an address elsewhere", get("http://evil.example/health HTTP/1.1"), 400),
    ("HTTP/9.9", get("/health HTTP/9.9"), 505),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\r\n\r\n", 400),
    ("a long line", get("/" + "a" * 9000 + " HTTP/1.1"), 414),
    ("a long header", get("/health HTTP/1.1", "Host: localhost\r\nx: " + "y" * 17000 + "\r\n"), 431),
    ("65 fields", get("/health HTTP/1.1", "Host: localhost\r\n" + "x: y\r\n" * 65), 431),
    ("a length over the limit", post("Expect: 100-continue\r\nContent-Length: 999999999\r\n", b""), 413),
    ("gzip", post("Content-Encoding: gzip\r\nContent-Length: 3\r\n"), 415),
    ("a form", b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
     b"Content-Length: 2\r\nConnection: close\r\n\r\n{}", 415),
]
OF_LINE, OF_SECTION, OF_BODY = 8 << 10, 16 << 10, 2 << 20
# What never ends, up to 128 MiB of it: the beginning, what comes again and again, the answer, the limit.
ENDLESS = [
    ("request line", b"GET /", b"a" * 65536, 414, OF_LINE),
    ("header", b"GET / HTTP/1.1\r\nHost: localhost\r\nx: ", b"a" * 65536, 431, OF_SECTION),
    ("fields", b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"x: y\r\n" * 8192, 431, OF_SECTION),
    ("chunks", chunks(b""), b"ffff\r\n" + b" " * 0xffff + b"\r\n", 413, OF_BODY),
    ("chunk of one byte", chunks(b""), b"1\r\n \r\n" * 8192, 413, OF_BODY),
    ("extension", chunks(b"1;"), b"x" * 65536, 400, OF_SECTION),
    ("body", post("Content-Length: 134217728\r\n", b""), b" " * 65536, 413, OF_BODY),
]


def nested(depth):
    return b"[" * depth


def bodies(long):
    """Bodies of requests, and the answers that they must have; `long`: bytes of the longest prompts."""
    chat, text = "/v1/chat/completions", "/v1/completions"
    message = {"role": "user", "content": "a"}
    asked = {"prompt": "a", "max_tokens": 2}
    out = [
        (chat, {"messages": []}, 400), (chat, {}, 400), (chat, {"messages": [{**message, "role": "root"}]}, 400),
        (chat, {"messages": [{**message, "content": 5}]}, 400),
        (chat, {"messages": [{**message, "content": None}]}, 400),
        (chat, {"messages": [{**message, "content": [{"type": "text", "text": ""}] * 100_000}],
                "max_tokens": 1}, (200, 400, 413)),
        (text, nested(100_000), 400), (text, b'{"a":' * 1_000, 400), (text, b"", 400), (text, b"null", 400),
        (text, b'{"prompt":"\\ud800"}', 400), (text, b'{"prompt":"\xff"}', 400),
        (text, b'{"prompt":"\xc0\x80"}', 400), (text, b'{"prompt":"a\0b"}', 400),
        (text, b'{"prompt":"\\u0000","max_tokens":1}', 200),
        (text, b'{"prompt":"a","stream":false,"stream":true}', 400),
        *((text, b'{"prompt":"a","max_tokens":%s}' % value, 400)
          for value in (b"1e308", b"9223372036854775808", b"-2", b'"5"', b"NaN")),
        *((text, {**asked, name: value}, 400) for name, value in (
            ("temperature", -1), ("temperature", 1e9), ("top_p", 2), ("n", 10**9), ("n", 0),
            ("top_p", -1), ("logprobs", 10**6), ("logit_bias", {"99999999": 100}), ("stop", [""]),
            ("stop", ["a"] * 1000), ("stop", "a" * (1 << 20)), ("seed", "x"), ("prompt", 5),
            ("prompt", [[-1]]), ("prompt", [10**9]), ("session", ".."), ("session", "x" * (1 << 20)))),
        (chat, {"messages": [message], "top_logprobs": 10**6, "logprobs": True}, 400),
        (text, {**asked, "prompt": "Z" * long}, 200), (text, {**asked, "prompt": "\n" * long}, 200),
        (text, {**asked, "prompt": "\u0301" * long}, 200),
        (text, {**asked, "prompt": "<|endoftext|>" * (long // 10)}, 200),
        *((chat, {"messages": [message], "response_format": {"type": "json_schema", "json_schema": {
            "name": "x", "schema": schema}}}, 400) for schema in (
                {"type": "string", "pattern": "^+[a-z]$"}, {"type": "string", "pattern": "(" * 60_000},
                {"type": "string", "pattern": "foo**"}, {"type": "string", "pattern": "(?<=a)b"},
                {"$ref": "http://evil.example/schema"}, {"$ref": "#"})),
        (text, {**asked, "grammar": "root ::= " + "(" * 60_000}, 400),
        (text, {**asked, "grammar": "root ::= root"}, 400),
        # A session's name is no path: any but . and .. will do.
        (text, {**asked, "session": "../../x"}, (200, 400)), (text, {**asked, "parent": "../../x"}, (400, 404)),
        ("/v1/nothing", {}, 404), ("/v1/states/..%2f..%2fx", {}, (404, 405)),
    ]
    return [(path, body if isinstance(body, bytes) else json.dumps(body).encode(), status)
            for path, body, status in out]


def answered(server, data, seconds=20):
    """What a connection is answered with until it is closed; None: nothing."""
    with socket.create_connection(("127.0.0.1", server.port), seconds) as link:
        try:
            link.sendall(data)
        except OSError:
            pass  # it was refused before the end
        got = b""
        try:
            while piece := link.recv(65536):
                got += piece
        except ConnectionResetError:
            pass
        except socket.timeout as error:
            raise Failed(f"a connection is still open after {seconds} s: {data[:60]!r}") from error
    return got


def statuses(answer):
    return [int(line.split(b" ", 2)[1]) for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.")]


def raw_bytes(server):
    for what, data, status in RAW:
        got = answered(server, data + SECOND)
        told = statuses(got)
        need(told == [status], f"{what}: answered {told}, not {status} alone")
    return len(RAW)


def nasty(server, long):
    slowest = 0
    for path, data, status in bodies(long):
        with server.client(timeout=300) as client:
            begin = time.monotonic()
            reply = client.ask("POST", path, data)
            slowest = max(slowest, time.monotonic() - begin)
            allowed = status if isinstance(status, tuple) else (status,)
            if reply.status not in allowed:
                raise Failed(f"{path} {data[:70]!r}: answered {reply.status}, not {status}: {reply.body[:200]!r}")
            if reply.status != 200:
                error = reply.json()["error"]
                need(error["message"] and set(error) >= {"message", "type", "param", "code"},
                     f"an error without its fields: {reply.body[:200]!r}")
                for leak in ("0x7f", "/root", "/home", "std::"):
                    need(leak not in error["message"], f"an error tells {leak}: {error['message']}")
            need(client.ask("GET", "/health").status == 200, "the next request is not answered")
    return len(bodies(long)), slowest


def endless(server, megabytes):
    """How much of what never ends was taken at most, beyond the limit. What was on the way when the
    answer came is read and thrown away by the server, so this looks at what came back, and at memory."""
    for what, begin, more, status, _ in ENDLESS:
        with socket.create_connection(("127.0.0.1", server.port), 30) as link:
            sent, got = 0, b""
            try:
                link.sendall(begin)
                while sent < megabytes << 20:
                    link.sendall(more)
                    sent += len(more)
            except OSError:
                pass
            try:
                while piece := link.recv(65536):
                    got += piece
            except OSError:
                pass
        told = statuses(got)
        need(told in ([status], []), f"endless {what}: answered {told}, not {status}")
        # 16 MiB are read and thrown away so that the answer arrives; the rest is the system's buffers.
        need(sent <= 40 << 20, f"endless {what}: {sent >> 20} MiB were taken")
    return len(ENDLESS)


# ---- all at once --------------------------------------------------------------------------------

def prober(port, seconds, pipe):
    """A process of its own, so that nothing here delays its clock."""
    took, failed = [], 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.monotonic()
        try:
            with socket.create_connection(("127.0.0.1", port), 10) as link:
                link.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                if not link.recv(4096).startswith(b"HTTP/1.1 200"):
                    failed += 1
        except OSError:
            failed += 1
        took.append(time.monotonic() - begin)
        time.sleep(0.01)
    pipe.send((took, failed))


def drip(port, count, seconds, pipe):
    """Connections that send a byte a second of a header, of a body, or nothing; a process of its own.
    Tells how long the longest of each kind lived."""
    kinds = (b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 10_000,
             post("Content-Length: 100000\r\n", b" " * 100_000), b"")
    begun = [len(kinds[0]) - 9_950, len(kinds[1]) - 99_900, 0]
    links, longest = {}, [0.0, 0.0, 0.0]
    watch = selectors.DefaultSelector()
    end = time.monotonic() + seconds

    def connect(kind):
        link = socket.create_connection(("127.0.0.1", port), 10)
        link.setblocking(False)
        with common.contextlib.suppress(OSError):
            link.send(kinds[kind][: begun[kind]])
        links[link] = [kind, begun[kind], time.monotonic()]
        watch.register(link, selectors.EVENT_READ)

    for number in range(count):
        connect(number % 3)
    tick = time.monotonic() + 1
    while time.monotonic() < end:
        for key, _ in watch.select(0.2):
            link = key.fileobj
            try:
                gone = not link.recv(4096)
            except OSError:
                gone = True
            if gone:
                kind, _, since = links.pop(link)
                longest[kind] = max(longest[kind], time.monotonic() - since)
                watch.unregister(link)
                link.close()
                with common.contextlib.suppress(OSError):
                    connect(kind)
        if time.monotonic() >= tick:
            tick += 1
            for link, state in links.items():
                kind, at, _ = state
                with common.contextlib.suppress(OSError):
                    state[1] += link.send(kinds[kind][at : at + 1]) if kinds[kind] else 0
    open_ones = [time.monotonic() - since for _, _, since in links.values()]
    pipe.send((longest, max(open_ones, default=0)))


def unread(server, stop):
    """Streams that nobody reads."""
    links = []
    body = json.dumps(completion("a", -1, 1, stream=True)).encode()
    request = post(f"Content-Length: {len(body)}\r\n", body)
    while not stop.is_set():
        while len(links) < 20:
            link = socket.socket()
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            with common.contextlib.suppress(OSError):
                link.connect(("127.0.0.1", server.port))
                link.sendall(request)
            links.append(link)
        stop.wait(2)
        links.pop(0).close()
    for link in links:
        link.close()


def attack(server, stop, seed):
    """Everything of the lists, over and over, whatever it is answered."""
    rnd = random.Random(seed)
    raw = [data + SECOND for _, data, _ in RAW]
    nasty_ones = [post(f"Content-Length: {len(body)}\r\nConnection: close\r\n", body, path=path)
                  for path, body, _ in bodies(2000)]
    while not stop.is_set():
        data = rnd.choice(rnd.choice((raw, nasty_ones)))
        with common.contextlib.suppress(OSError):
            with socket.create_connection(("127.0.0.1", server.port), 5) as link:
                link.sendall(data)
                if rnd.random() < 0.7:
                    while link.recv(65536):
                        pass


HONEST = [completion(f"User: What is {n}+3?\n\nAssistant:", 60, n, n % 2) for n in (11, 12, 13, 14)]


def honest(server, stop, alone, counts, index):
    with server.client(timeout=120) as client:
        while not stop.is_set():
            text = "".join(one["choices"][0]["text"] for one in
                           client.stream("/v1/completions", HONEST[index]) if one["choices"])
            if text != alone[index]:
                raise Failed(f"an honest stream says {text!r}, alone {alone[index]!r}")
            counts[index] += 1
            stop.wait(0.02)


def body(proof):
    seconds = proof.share(180, 3)
    with common.Server(proof, "--keep-memory", "16", "--store-texts", "16", "--store-snapshots", "16") as server:
        alone = [server.post("/v1/completions", one).json()["choices"][0]["text"] for one in HONEST]
        raw = raw_bytes(server)
        asked, slowest = nasty(server, proof.share(131_072, 5000))
        without_end = endless(server, proof.share(128, 48))
        idle = server.rss()
        stop, counts = threading.Event(), [0] * len(HONEST)
        ours, theirs = multiprocessing.Pipe()
        drips, drip_pipe = multiprocessing.Pipe()
        begun = time.monotonic()
        processes = [multiprocessing.Process(target=prober, args=(server.port, seconds, theirs)),
                     multiprocessing.Process(target=drip, args=(server.port, 400, seconds, drip_pipe))]
        for one in processes:
            one.start()
        peak = [0]

        def work(index):
            if index < len(HONEST):
                honest(server, stop, alone, counts, index)
            elif index < len(HONEST) + 3:
                attack(server, stop, proof.random.random())
            elif index == len(HONEST) + 3:
                unread(server, stop)
            elif index == len(HONEST) + 4:
                while not stop.is_set():
                    with common.contextlib.suppress(OSError):
                        endless(server, 24)
            else:
                while not stop.wait(0.1):
                    peak[0] = max(peak[0], server.rss())
                    proof.progress(f"{time.monotonic() - begun:.0f} of {seconds} s")
                    if time.monotonic() > begun + seconds or not server.alive():
                        stop.set()

        common.at_once(len(HONEST) + 6, work)
        took, failed = ours.recv()
        longest, still_open = drips.recv()
        for one in processes:
            one.join()
        need(server.alive(), "the server is gone")
        server.until_idle()
        p50, p99 = 1000 * quantile(took, 0.5), 1000 * quantile(took, 0.99)
        need(failed == 0, f"{failed} of {len(took)} /health were not answered")
        need(p99 <= 50, f"/health p99 is {p99:.1f} ms (p50 {p50:.2f})")
        need(min(counts) > 0, "an honest stream never came to its end")
        grown = (peak[0] - idle) / (1 << 20)
        need(grown <= 64, f"memory grew by {grown:.0f} MiB")
        if not proof.quick:
            need(longest[0] <= 12 and longest[1] <= 35 and longest[2] <= 12,
                 f"slow senders lived {longest} s (header, body, nothing)")
    return (f"{raw} raw, {asked} nasty (slowest {slowest * 1000:.0f} ms) and {without_end} endless requests, then "
            f"all of them with 400 slow senders and 20 unread streams for {seconds} s: /health {len(took)} "
            f"times, p50 {p50:.2f} ms, p99 {p99:.1f} ms, {sum(counts)} honest streams as alone, memory "
            f"+{grown:.0f} MiB, slow senders gone after {longest[0]:.1f}/{longest[1]:.1f}/{longest[2]:.1f} s")


common.Proof(__doc__, limit=900, quick_limit=90).run(body)
