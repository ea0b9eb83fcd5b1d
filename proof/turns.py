#!/usr/bin/env python3
"""The second turn: the time to its first token after 1k, 10k and 100k tokens of history.

A chat without a session, which sends everything again; one with a session, which sends what is new; and
both after the server was stopped and started anew over its store. --plot FILE draws it as SVG."""

import signal
import time

import common
from common import chat, need, quantile

LENGTHS = (1000, 10_000, 100_000)


def options(parser):
    parser.add_argument("--plot", metavar="FILE", help="draw it, as SVG")


def first_token(client, body):
    """Milliseconds to the first token, and how many of the prompt were kept."""
    begin, first, cached = time.monotonic(), None, 0
    for event in client.stream("/v1/chat/completions", {**body, "stream_options": {"include_usage": True}}):
        if first is None and event["choices"] and event["choices"][0]["delta"].get("content"):
            first = time.monotonic()
        if event.get("usage"):
            cached = event["usage"]["prompt_tokens_details"]["cached_tokens"]
    need(first, "an answer without a token")
    return 1000 * (first - begin), cached


def history(length):
    return ("abcdefgh " * (length // 9 + 1))[:length]


def measured(proof, server, length, repeats):
    """ms of the first turn, and of the second without and with a session."""
    with server.client(timeout=600) as client:
        text = history(length)
        first, _ = first_token(client, chat(text, 4, 1, 0, session=f"talk{length}"))
        begun = [{"role": "user", "content": text}]
        # The answer as a client has it.
        reply = client.post("/v1/chat/completions", chat(text, 4, 1, 0)).json()
        begun.append(reply["choices"][0]["message"])
        kinds = {"whole": [], "session": []}
        for turn in range(repeats):
            body = chat("", 4, 1, 0)
            body["messages"] = begun + [{"role": "user", "content": f"And {turn}?"}]
            took, cached = first_token(client, body)
            need(cached >= length, f"of {length} tokens {cached} were kept")
            kinds["whole"].append(took)
            took, _ = first_token(client, chat(f"And {turn}?", 4, 1, 0, session=f"talk{length}"))
            kinds["session"].append(took)
    return first, quantile(kinds["whole"], 0.5), quantile(kinds["session"], 0.5)


def restored(proof, server, length):
    """ms of the first that is asked of a server that has just begun, in its session."""
    with server.client(timeout=600) as client:
        return first_token(client, chat("And now?", 4, 1, 0, session=f"talk{length}"))[0]


def plot(path, lengths, rows):
    """Lines over a logarithmic axis of tokens and one of milliseconds."""
    import math
    width, height, left, top, right, bottom = 640, 360, 62, 44, 190, 46
    most = max(max(values) for _, values in rows)
    low, high = 0, math.ceil(math.log10(most))
    low = min(low, math.floor(math.log10(min(min(values) for _, values in rows))))
    x = lambda tokens: left + (math.log10(tokens) - 3) / 2 * (width - left - right)
    y = lambda ms: height - bottom - (math.log10(ms) - low) / (high - low) * (height - top - bottom)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
           f'<rect width="{width}" height="{height}" fill="#fff"/>',
           f'<text x="{left}" y="22" font-size="15">Time to the first token of a turn, by history</text>']
    for power in range(low, high + 1):
        out.append(f'<line x1="{left}" x2="{width - right}" y1="{y(10**power):.1f}" y2="{y(10**power):.1f}" stroke="#ddd"/>'
                   f'<text x="{left - 6}" y="{y(10**power) + 4:.1f}" text-anchor="end">{10**power:g} ms</text>')
    for tokens in lengths:
        out.append(f'<text x="{x(tokens):.1f}" y="{height - bottom + 18}" text-anchor="middle">{tokens:,}</text>')
    out.append(f'<text x="{(left + width - right) / 2}" y="{height - 8}" text-anchor="middle">tokens of history</text>')
    for (name, values), colour in zip(rows, ("#999", "#0b62a4", "#c8461e", "#3a8a3a")):
        points = " ".join(f"{x(tokens):.1f},{y(value):.1f}" for tokens, value in zip(lengths, values))
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{x(tokens):.1f}" cy="{y(value):.1f}" r="3" fill="{colour}"/>' for tokens, value in zip(lengths, values)]
    placed = -99
    for (name, values), colour in sorted(zip(rows, ("#999", "#0b62a4", "#c8461e", "#3a8a3a")), key=lambda one: y(one[0][1][-1])):
        placed = max(placed + 14, y(values[-1]) + 4)
        out.append(f'<text x="{x(lengths[-1]) + 10:.1f}" y="{placed:.1f}" fill="{colour}">{name}</text>')
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(out) + "\n</svg>\n")


def body(proof):
    lengths = LENGTHS[: proof.share(3, 2)]
    store, first, whole, session, again = proof.path("store"), [], [], [], []
    with common.Server(proof, "--store", store) as server:
        for length in lengths:
            proof.progress(f"{length} tokens")
            for into, value in zip((first, whole, session), measured(proof, server, length, proof.share(15, 3))):
                into.append(value)
        server.end(signal.SIGTERM)
    for length in lengths:
        took = []
        for _ in range(proof.share(5, 1)):
            with common.Server(proof, "--store", store) as server:
                took.append(restored(proof, server, length))
        again.append(quantile(took, 0.5))
    rows = [("the first turn", first), ("the next one, all sent", whole), ("the next one, a session", session),
            ("a session, restarted", again)]
    if proof.options.plot:
        plot(proof.options.plot, lengths, rows)
    # Sending and comparing everything again grows with it, a session does not.
    need(proof.quick or session[-1] <= 3 * session[0] + 5,
         f"in a session the first token takes {session} ms after {lengths} tokens")
    told = ["/".join(f"{value:.1f}" for value in values) for _, values in rows]
    return (f"ms to the first token at {'/'.join(map(str, lengths))} tokens of history: first turn {told[0]}; second, all "
            f"sent again {told[1]}, in a session {told[2]}, in a session after a restart {told[3]}")


common.Proof(__doc__, limit=900, options=options).run(body)
