#!/usr/bin/env python3
"""G6: 1,000,000 tokens stream with constant memory and constant time per token.

One answer of a million tokens is read as a stream, and the memory of the server and the processor's time that
it took are noted every so many tokens. Then the same million is asked for again, on two threads, and its
state kept; and read as a prompt, all at once, which has to leave the same state to the bit."""

import json
import socket

import common
from common import completion, need, sha

# From a prompt on which the model does not settle.
QUESTION = completion("User: Tell me a story.\n\nAssistant:", None, 7, 1.0, no_cache=True)


def streamed(proof, server, count, every, samples):
    """The hash of the text; samples: (tokens, bytes of memory, seconds of the processor)."""
    text, tokens, last = [], 0, {}
    with server.client(timeout=600) as client:
        # Little room on the way, so that what is read here is what is made there at that time.
        client.connection.sock = link = socket.socket()
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        link.settimeout(600)
        link.connect(("127.0.0.1", server.port))
        reply = client.begin("POST", "/v1/completions", {**QUESTION, "max_tokens": count, "stream": True,
                                                         "stream_options": {"include_usage": True}})
        need(reply.status == 200, f"{reply.status}")
        for line in reply:
            if line.startswith(b"data: {"):
                last = json.loads(line[6:])
                need("error" not in last, f"the stream ends with {last}")
                text.extend(one["text"] for one in last["choices"])
                tokens += 1
                if tokens % every == 0:
                    samples.append((tokens, server.rss(), server.cpu()))
                    proof.progress(f"{tokens} of {count} tokens")
        need(last["usage"]["completion_tokens"] == count, f"{last['usage']}")
    return sha("".join(text))


def slope(rows):
    """Bytes a token, by least squares."""
    x, y = [one[0] for one in rows], [one[1] for one in rows]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y)) / sum((a - mean_x) ** 2 for a in x)


def body(proof):
    count = proof.share(1_000_000, 20_000)
    every, settled = count // 100, count // 20
    samples = []
    with common.Server(proof, "--threads", "1") as server:
        first = streamed(proof, server, count, every, samples)
        at_end = server.rss()
    grown = slope([one for one in samples if one[0] >= settled])
    spent = [(b[2] - a[2]) / (b[0] - a[0]) for a, b in zip(samples, samples[1:])]
    tenth = len(spent) // 10
    early, late = (sorted(part)[len(part) // 2] for part in (spent[tenth : 2 * tenth], spent[-tenth:]))
    with common.Server(proof, "--threads", "2", "--body-limit", "32") as server:
        reply = server.post("/v1/completions", {**QUESTION, "max_tokens": count, "return_state": True,
                                                "return_token_ids": True})
        need(reply.status == 200, f"{reply.status} {reply.body[:200]!r}")
        told = reply.json()
        choice = told["choices"][0]
        need(sha(choice["text"]) == first, "a second run says something else")
        ids = choice["prompt_token_ids"] + choice["token_ids"]
        read = server.post("/v1/states", {"input": ids})
        need(read.status == 201, f"{read.status} {read.body[:200]!r}")
        files = [sha(server.get(f"/v1/states/{one}", Accept="application/octet-stream").body)
                 for one in (told["state"]["id"], read.json()["state"]["id"])]
        need(files[0] == files[1], "read as a prompt it leaves another state")
    need(proof.quick or grown < 1, f"memory grows by {grown:.2f} bytes a token")
    need(proof.quick or late <= 1.05 * early,
         f"a token takes {late * 1e6:.1f} us of the processor at the end, {early * 1e6:.1f} at the beginning")
    return (f"{count} tokens: memory {at_end / (1 << 20):.0f} MiB, {grown:+.3f} bytes a token, {early * 1e6:.1f} us "
            f"of the processor a token in the second tenth, {late * 1e6:.1f} in the last; a second run and "
            "the same read as a prompt leave the same state")


common.Proof(__doc__, limit=1500).run(body)
