"""What the scripts for Python share: where the server is, and how to wait for it."""

import json
import os
import re
import time
import urllib.request

BASE = os.environ["SKEIN_URL"]
ROOT = BASE.removesuffix("/v1")
KEY = os.environ["SKEIN_KEY"]
WORD = os.environ["SKEIN_REVERSED"]
HEADERS = {"Authorization": f"Bearer {KEY}"}
CHAT = {
    "model": "any",
    "messages": [{"role": "user", "content": "Reverse: garden"}],
    "temperature": 0,
}
# An answer that never ends by itself: this model ends a turn with an empty line, and its ids are
# bytes, each one more.
ENDLESS = {**CHAT, "max_tokens": -1, "ignore_eos": True, "logit_bias": {10 + 1: -100},
           "stream": True}
# More than the server takes by default.
TOO_LONG = json.dumps({**CHAT, "filler": "x" * (3 << 20)}).encode()


def metrics():
    request = urllib.request.Request(f"{ROOT}/metrics", headers=HEADERS)
    with urllib.request.urlopen(request, timeout=60) as reply:
        return reply.headers["Content-Type"], reply.read().decode()


def processing():
    """How many requests are answered."""
    return int(re.search(r"^llamacpp:requests_processing (\d+)$", metrics()[1], re.M)[1])


def until_idle():
    """Waits until nothing is generated any more; a minute is an error and no measurement."""
    end = time.monotonic() + 60
    while processing() != 0:
        if time.monotonic() > end:
            raise AssertionError("an answer goes on though its client left")
        time.sleep(0.01)


def text_of(reply):
    return reply["choices"][0]["message"]["content"]


def events(lines):
    """The chunks of a stream, which has to end as such streams do."""
    data = [line.removeprefix("data: ").rstrip() for line in lines if line.startswith("data: ")]
    if data.pop() != "[DONE]":
        raise AssertionError("a stream ends without [DONE]")
    return [json.loads(one) for one in data]


def streamed_text(lines):
    return "".join(one["choices"][0]["delta"].get("content", "") for one in events(lines))
