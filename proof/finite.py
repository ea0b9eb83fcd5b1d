#!/usr/bin/env python3
"""G9: you never get an answer computed from NaN or Inf.

Weights are made NaN or infinite at random places of a copy of the model, and a state that is sent is
made so too. Such a model is refused, or such an answer is an error that says so; the session stands where
it stood, and texts in the same batch that touch no such number say what they say with the whole model."""

import json
import math
import struct
import subprocess

import common
from common import Failed, chat, completion, need

BAD = (0x7FC0, 0x7F80, 0xFF80)  # NaN, infinity and minus infinity, in bf16
HUGE = (0x7F7F, 0xFF7F)  # the largest numbers, which are none as soon as they are multiplied


def whole_model(proof):
    """The bundled model as safetensors, whose numbers can be changed in place."""
    path = proof.path("whole.safetensors")
    ran = subprocess.run([proof.binary, "convert", common.MODEL, path, "-q"], capture_output=True,
                         check=False)
    need(ran.returncode == 0, f"the model cannot be converted: {ran.stderr[:300]!r}")
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack("<Q", data[:8])[0]
    table = json.loads(data[8 : 8 + size])
    tensors = {name: one for name, one in table.items() if name != "__metadata__"}
    need(all(one["dtype"] == "BF16" for one in tensors.values()), "the model is not in bf16")
    return data, tensors, 8 + size


def poisoned(proof, whole, name, places, values):
    """A copy with such values at places of tensor `name`."""
    data, tensors, begin = whole
    out = bytearray(data)
    at = begin + tensors[name]["data_offsets"][0]
    for place in places:
        struct.pack_into("<H", out, at + 2 * place, proof.random.choice(values))
    path = proof.path("poisoned.safetensors")
    with open(path, "wb") as file:
        file.write(out)
    return path


def answers_of(server, question):
    reply = server.post("/v1/completions", question)
    return reply.status, reply.code() if reply.status != 200 else reply.json()["choices"][0]


def everywhere(proof, whole, count):
    """Somewhere in the weights: the model is refused, its answer is an error, or nothing in it is NaN."""
    tensors = whole[1]
    rnd, names = proof.random, sorted(tensors)
    question = completion("User: Reverse: garden\n\nAssistant:", 6, 1, 0, logprobs=3)
    errors = finite = refused = 0
    for number in range(count):
        name = rnd.choice(names)
        size = math.prod(tensors[name]["shape"])
        values = HUGE if number % 4 else BAD
        path = poisoned(proof, whole, name, [rnd.randrange(size) for _ in range(8)], values)
        try:
            server = common.Server(proof, model=f"tiny={path}")
        except Failed as failure:
            need("is not finite" in str(failure), f"{name}: {failure}")
            refused += 1
            continue
        with server:
            status, found = answers_of(server, question)
            with server.client() as client:
                try:
                    text = "".join(one["choices"][0]["text"] for one in
                                   client.stream("/v1/completions", question) if one["choices"])
                except Failed as failure:
                    need("numeric_error" in str(failure), f"{name}: {failure}")
                    text = None
            if (status, found) == (400, "numeric_error"):
                need(text is None, f"{name}: a stream says {text!r} where an answer is an error")
                errors += 1
            else:
                need(status == 200 and found["text"] == text, f"{name}: {status} {found} and {text!r}")
                need(all(map(math.isfinite, found["logprobs"]["token_logprobs"])), f"{name}: {found}")
                need(values == HUGE or name == "emb.weight", f"{name} has a NaN, and there is an answer")
                finite += 1
        proof.progress(f"{number} of {count} models")
    need(errors > 0, "no number that was none counted")
    return refused, errors, finite


def beside_others(proof, whole, rounds):
    """A row of the embedding: only who says that byte meets it."""
    width = whole[1]["emb.weight"]["shape"][1]
    rows = [(ord("Q") + 1) * width + i for i in range(width)]  # ids are bytes, each one more
    path = poisoned(proof, whole, "emb.weight", rows, BAD)
    good = [completion(f"User: What is {n}+3?\n\nAssistant:", 40, n, n % 2, logprobs=3, logit_bias={"82": -100})
            for n in range(7)]
    bad = completion("User: Q\n\nAssistant:", 40, 1, 0)
    with common.Server(proof) as server:
        alone = [answers_of(server, one) for one in good]
    turned = 0
    with common.Server(proof, "--store", proof.path("store"), "--keep-memory", "0", model=f"tiny={path}") as server:
        for number in range(3):
            server.post("/v1/chat/completions", chat(f"What is {number}+1?", 5, number, session="talk",
                                                     logit_bias={"82": -100}))
        before = server.get("/v1/sessions/talk").json()
        for _ in range(rounds):
            found = [None] * 9

            def ask(index):
                if index < 7:
                    found[index] = answers_of(server, good[index])
                elif index == 7:
                    found[7] = answers_of(server, bad)
                else:
                    found[8] = server.post("/v1/chat/completions", chat("Q", 5, 1, session="talk"))

            common.at_once(9, ask)
            need(found[7] == (400, "numeric_error") and found[8].code() == "numeric_error",
                 f"of numbers that are none comes {found[7]} and {found[8].body[:200]!r}")
            turned += 2
            if found[:7] != alone:
                raise Failed("an answer beside one of numbers that are none is not what it is alone")
        after = server.get("/v1/sessions/talk").json()
        need((before["version"], before["state"]) == (after["version"], after["state"]),
             "a session was moved by a turn that was none")
        again = server.post("/v1/chat/completions", chat("What is 3+4?", 5, 9, session="talk", logit_bias={"82": -100}))
        need(again.status == 200, "a session cannot be gone on with after such a turn")
    return turned


def states(proof):
    """States that are sent, with a number that is none or too large to be one."""
    layers, heads, size = 5, 2, 64
    refused = 0
    with common.Server(proof) as server:
        for value in (float("nan"), float("inf"), -float("inf"), 1e30, 0.5):
            entries, data = {}, b""
            for layer in range(layers):
                numbers = [0.25] * (heads * size * size)
                if layer == 3:
                    numbers[proof.random.randrange(len(numbers))] = value
                raw = struct.pack(f"<{len(numbers)}f", *numbers)
                entries[f"blocks.{layer}.att.time_state"] = {
                    "dtype": "F32", "shape": [heads, size, size], "data_offsets": [len(data), len(data) + len(raw)]}
                data += raw
            head = json.dumps(entries).encode()
            head += b" " * (-len(head) % 8)
            with server.client() as client:
                reply = client.ask("POST", "/v1/states", struct.pack("<Q", len(head)) + head + data,
                                   Content_Type="application/octet-stream")
            if value == 0.5:
                need(reply.status == 201, f"a good state is refused: {reply.body[:300]!r}")
            else:
                need(400 <= reply.status < 500, f"a state with {value} is answered {reply.status}")
                refused += 1
        # And one of Skein's own, with bits changed.
        state = server.post("/v1/completions", {**completion("abc", 3, 1), "return_state": True}).json()["state"]["id"]
        file = bytearray(server.get(f"/v1/states/{state}", Accept="application/octet-stream").body)
        for _ in range(proof.share(100, 10)):
            bad = bytearray(file)
            at = proof.random.randrange(len(bad) // 2, len(bad) - 4)
            struct.pack_into("<f", bad, at, float("nan"))
            with server.client() as client:
                reply = client.ask("POST", "/v1/states", bytes(bad), Content_Type="application/octet-stream")
            need(400 <= reply.status < 500, f"a changed state is answered {reply.status}")
            refused += 1
    return refused


def body(proof):
    whole = whole_model(proof)
    count = proof.share(200, 6)
    refused, errors, finite = everywhere(proof, whole, count)
    turned = beside_others(proof, whole, proof.share(100, 5))
    sent = states(proof)
    return (f"{count} models with numbers that are none or become none: {refused} are refused, {errors} answer "
            f"numeric_error, {finite} never met them; {turned} such turns beside 7 others each, which are as "
            f"alone, and the session has not moved; {sent} such states refused")


common.Proof(__doc__, limit=900).run(body)
