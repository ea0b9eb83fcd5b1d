#!/usr/bin/env python3
"""G3: nothing of one conversation can reach another.

Tenants with keys of their own talk at once, each with a secret word that it gives the model to turn
around. Nobody's word may stand in another's answer, forwards or backwards, and each answer has to be, to the
bit, what it is with nobody else there. A probe is asked before and after unrelated work. What one
tenant has kept is missing for the others, in the words for what never was, and nothing that one has read
spares another from reading it."""

import signal

import common
from common import Failed, chat, completion, need, sha, words

PROBE = completion("User: What is 27+46?\n\nAssistant:", 12, 5, 0.8, logprobs=5)


def secret(rnd):
    """A word that is none, of the kind that the model can turn around."""
    return "".join(rnd.choice(letters) for letters in ("bdklmnprst", "aeiou", "bdklmnprst") * 2)


def told(client, question):
    reply = client.post("/v1/chat/completions", question)
    need(reply.status == 200, f"{reply.status} {reply.body[:300]!r}")
    return reply.json()["choices"][0]["message"]["content"]


def talks(proof, tenants, turns):
    """What each tenant asks: its word, again and again, among other things."""
    out = []
    for index in range(tenants):
        word = secret(proof.random)
        rows = []
        for turn in range(turns):
            text = (f"Reverse: {word}", f"Upper: {word}", f"Reverse: {word}", words(proof.random, 12),
                    f"Spell: {word}")[turn % 5]
            row = chat(text, 12 + turn % 30, proof.random.randrange(1 << 30), (0, 1)[turn % 2])
            rows.append({**row, "session": f"talk-{turn // 8}"} if turn % 5 else row)
        out.append((f"tenant-{index}-key", word, rows))
    return out


def keys(tenants):
    return [word for one in tenants for word in ("--api-key", one[0])]


def everyone(server, tenants, answers):
    def work(index):
        key, _, rows = tenants[index]
        with server.client(key) as client:
            for row in rows:
                answers[index].append(told(client, row))

    common.at_once(len(tenants), work)


def foreign(server, tenants):
    """One tenant's things, asked for by another: as if they had never been."""
    owner, other = tenants[0][0], tenants[1][0]
    state = server.post("/v1/completions", {**PROBE, "return_state": True}, owner).json()["state"]["id"]
    response = server.post("/v1/responses", {"input": "Reverse: lamp", "max_output_tokens": 4},
                           owner).json()["id"]
    tried = 0
    for method, path, what in (
            ("GET", "/v1/states/{}", state), ("DELETE", "/v1/states/{}", state),
            ("GET", "/v1/states/{}/log", state), ("GET", "/v1/states/{}/stats", state),
            ("POST", "/v1/states/{}/fork", state), ("PATCH", "/v1/states/{}", state),
            ("GET", "/v1/sessions/{}", "talk-0-of-the-owner"),
            ("GET", "/v1/responses/{}", response), ("DELETE", "/v1/responses/{}", response)):
        never = what[:-4] + ("0000" if what[-4:] != "0000" else "1111")
        seen = []
        for one in (what, never):
            with server.client(other) as client:
                reply = client.ask(method, path.format(one), {} if method in ("POST", "PATCH") else None)
            error = reply.json()["error"]
            seen.append((reply.status, error["code"], error["message"].replace(one, "ID")))
        need(seen[0] == seen[1] and seen[0][0] == 404,
             f"{method} {path} of another's is told {seen[0]}, of what never was {seen[1]}")
        tried += 1
    for more in ({"parent": state}, {"state": state}):
        reply = server.post("/v1/completions", {**PROBE, **more}, other)
        need(reply.status == 404, f"another's state is gone on from: {reply.status}")
        tried += 1
    need(server.get(f"/v1/states/{state}", owner).status == 200, "the owner's state is gone")
    return tried


def unshared(server, tenants):
    """Nobody is spared reading what another has read, who would hear of it by that."""
    prompt = "A text that two of them have, word for word. " * 20
    cached = []
    for key, _, _ in [tenants[0], tenants[0], tenants[1]]:
        usage = server.post("/v1/completions", completion(prompt, 1, 1), key).json()["usage"]
        cached.append(usage["prompt_tokens_details"]["cached_tokens"])
    need(cached[1] > 0 and cached[0] == cached[2] == 0,
         f"of a prompt that its own tenant had read {cached[1]} tokens were kept, and of another's "
         f"{cached[2]}")


def body(proof):
    tenants = talks(proof, proof.share(16, 4), proof.share(120, 12))
    alone = [[] for _ in tenants]
    with common.Server(proof, "--threads", "1", "--parallel", "1", *keys(tenants)) as server:
        for index, one in enumerate(tenants):
            everyone(server, [one], [alone[index]])
    found = [[] for _ in tenants]
    probes = set()
    store = proof.path("store")
    with common.Server(proof, "--parallel", "8", "--turn", "0.005", "--state-memory", "2",
                       "--keep-memory", "2", "--store", store, *keys(tenants)) as server:
        with server.client(tenants[0][0]) as client:
            def probe(count):
                for _ in range(count):
                    reply = client.post("/v1/completions", {**PROBE, "no_cache": True})
                    probes.add(sha(reply.json()["choices"]))
                    # Something unrelated, of somebody else, between each two of them.
                    other = proof.random.choice(tenants[1:])
                    server.post("/v1/completions", completion(
                        words(proof.random, 5), 6, proof.random.randrange(1 << 30)), other[0])

            probe(proof.share(500, 10))
            everyone(server, tenants, found)
            probe(proof.share(500, 10))
        tried = foreign(server, tenants)
        unshared(server, tenants)
        server.end(signal.SIGKILL)
    need(len(probes) == 1, f"a probe had {len(probes)} answers")
    own = others = answers = 0
    for index, (_, word, _) in enumerate(tenants):
        for number, (text, expected) in enumerate(zip(found[index], alone[index])):
            answers += 1
            if text != expected:
                raise Failed(f"turn {number} of tenant {index} is {text!r}, alone {expected!r}")
            own += word in text or word[::-1] in text
            others += sum(one[1] in text or one[1][::-1] in text
                          for other, one in enumerate(tenants) if other != index)
    need(own > 0, "no secret word was ever said, so none could have been found")
    need(others == 0, f"{others} answers say another's word")
    return (f"{len(tenants)} tenants, {answers} answers as alone, {own} with their own word and "
            f"{others} with another's; {proof.share(1000, 20)} probes with one answer; {tried} tries for what "
            "is another's, all 404 as for what never was")


common.Proof(__doc__, limit=900).run(body)
