#!/usr/bin/env python3
"""G12: a retried request never counts twice.

Between a client and the server stands a proxy that cuts connections: before the request has arrived, in
the middle of the answer, and before its last byte. The client asks again, as clients do: with its Idempotency-Key,
with If-Match, and for responses. Each turn has to happen once, and the answer that comes in the end has to be
what was answered first."""

import socket
import threading
import time

import common
from common import Failed, chat, need


class Cutter:
    """A proxy on a port of its own that cuts the next `cuts` connections somewhere in the answer."""

    def __init__(self, port, rnd):
        self.target, self.rnd, self.cuts, self.done = port, rnd, 0, 0
        self.link = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.link.getsockname()[1]
        self.lock = threading.Lock()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client = self.link.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    @staticmethod
    def request_of(client):
        data = b""
        while b"\r\n\r\n" not in data:
            piece = client.recv(65536)
            if not piece:
                return data
            data += piece
        head = data.split(b"\r\n\r\n")[0].lower()
        length = int(head.split(b"content-length:")[1].split()[0]) if b"content-length:" in head else 0
        while len(data) < len(head) + 4 + length:
            data += client.recv(65536)
        return data

    def serve(self, client):
        with client:
            request = self.request_of(client)
            if not request:
                return
            with self.lock:
                cut = self.cuts > 0
                self.cuts -= cut
                kind = self.rnd.choice(("sent", "first", "middle", "last", "last"))
            with socket.create_connection(("127.0.0.1", self.target), 60) as server:
                request = request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
                server.sendall(request)
                if cut and kind == "sent":
                    self.done += 1
                    return  # nobody waits for the answer
                answer = b""
                while piece := server.recv(65536):
                    answer += piece
                    if cut and kind == "first":
                        self.done += 1
                        return
                if cut:
                    self.done += 1
                    # Behind the commit: the whole answer was here, and its last byte never leaves.
                    client.sendall(answer[: len(answer) // 2 if kind == "middle" else len(answer) - 1])
                    return
                client.sendall(answer)


def whole(reply):
    """The text of an answer that came whole; None: it was cut."""
    text = reply.body.decode(errors="replace")
    if "event-stream" in reply.headers.get("Content-Type", ""):
        return text if text.endswith("data: [DONE]\n\n") else None
    return text


def asked(port, path, body, **headers):
    """As clients do: again and again, until an answer has come whole."""
    tries, end = 0, time.monotonic() + 60
    while True:
        need(time.monotonic() < end, f"{tries} tries in a minute bring no answer")
        try:
            with common.Client(port, timeout=60) as client:
                reply = client.post(path, body, **headers)
            text = whole(reply)
            if text is not None and reply.code() == "idempotency_in_progress":
                time.sleep(0.005)  # the first try is not over yet
                continue
            tries += 1
            if text is not None:
                return reply, tries, text
        except (OSError, common.http.client.HTTPException):
            tries += 1


def body(proof):
    drops = proof.share(500, 20)
    names = ["one", "two", "three", "four"]
    with common.Server(proof, "--store", proof.path("store")) as server:
        cutter = Cutter(server.port, proof.random)
        turns, tries, replayed = [0] * 4, [0], [0]
        first = {}

        def work(index):
            rnd = common.random.Random(index)
            name = names[index]
            while cutter.done < drops:
                number = turns[index]
                with cutter.lock:
                    cutter.cuts += 1 + (rnd.random() < 0.3)
                question = {**chat(f"What is {number}+{index}?", 6, number, session=name), "stream": number % 2 == 1}
                if index % 2 == 0:
                    key = f"{name}-{number}"
                    reply, count, text = asked(cutter.port, "/v1/chat/completions", question, Idempotency_Key=key)
                    need(reply.status == 200, f"{reply.status} {text[:300]}")
                    first[key] = text
                    # And once more, straight to the server: the same bytes.
                    again, _, _ = asked(server.port, "/v1/chat/completions", question, Idempotency_Key=key)
                    need(again.headers.get("Idempotent-Replayed") == "true",
                         f"asked again after {count} tries it is not given again but answered {again.status} "
                         f"{again.body[:300]!r}, after {text[:300]!r}")
                    if again.body.decode() != text:
                        raise Failed(f"asked again it says {again.body[:300]!r} and had said {text[:300]!r}")
                    replayed[0] += 1
                else:
                    version = {"If_Match": f'"{number}"'} if number else {"If_None_Match": "*"}
                    reply, count, text = asked(cutter.port, "/v1/chat/completions", question, **version)
                    need(reply.status == 200 or (reply.status == 409 and count > 1 and "turn_conflict" in text),
                         f"{reply.status} after {count} tries: {text[:300]}")
                turns[index] += 1
                tries[0] += count
                at = server.get(f"/v1/sessions/{name}").json()["version"]
                need(at == turns[index], f"{name} stands at {at} after {turns[index]} turns, {count} tries of the last")
                proof.progress(f"{cutter.done} of {drops}")

        common.at_once(4, work)
        # The text of each session has each turn once.
        for index, name in enumerate(names):
            state = server.get(f"/v1/sessions/{name}").json()["state"]
            state = state["id"] if isinstance(state, dict) else state
            text = server.get(f"/v1/states/{state}").json()["text"]
            for number in range(turns[index]):
                need(text.count(f"What is {number}+{index}?") == 1, f"turn {number} of {name} is not there once")
        cutter.link.close()
    return (f"{cutter.done} answers cut, {sum(turns)} turns in {tries[0]} tries: each happened once, "
            f"{replayed[0]} given again byte for byte")


common.Proof(__doc__, limit=600).run(body)
