#!/usr/bin/env python3
"""G10: if you ask for JSON by schema, you get JSON by schema, or an error before the first token.

Random schemas are made and answered at temperature 1 by a model that knows nothing of JSON; the answers are
judged by Debian's python3-jsonschema. What cannot be enforced has to be a 400, also where a stream is asked
for."""

import json
import os
import subprocess
import sys

import common
from common import Failed, chat, need

JUDGE = """
import json, sys
import jsonschema
from jsonschema import Draft202012Validator as Validator
for line in sys.stdin:
    schema, text = json.loads(line)
    try:
        Validator(schema).validate(json.loads(text))
        print(1)
    except Exception as error:
        print(0, type(error).__name__, str(error).splitlines()[0])
"""


def pythons():
    """One that has the judge, of Debian's and the one that runs this; nothing: none has."""
    for python in ("/usr/bin/python3", sys.executable):
        if os.access(python, os.X_OK) and subprocess.run(
                [python, "-c", "import jsonschema; jsonschema.Draft202012Validator"], capture_output=True,
                check=False).returncode == 0:
            return python
    return None


def schema(rnd, depth=0):
    kinds = ["string", "integer", "number", "boolean", "null", "enum", "const", "pattern", "range"]
    if depth < 3:
        kinds += ["object", "object", "array", "anyOf", "tuple", "map"]
    kind = rnd.choice(kinds)
    if kind in ("integer", "number", "boolean", "null"):
        return {"type": kind}
    if kind == "string":
        low = rnd.randrange(4)
        return {"type": "string", "minLength": low, "maxLength": low + rnd.randrange(8)}
    if kind == "enum":
        return {"enum": rnd.sample(["a", "b\\n", "\u00e9", 1, 2.5, None, True, [], {"a": 1}], 3)}
    if kind == "const":
        return {"const": rnd.choice(["x", 7, {"a": [1, None]}])}
    if kind == "pattern":
        return {"type": "string", "pattern": rnd.choice(
            ["^[a-z]{2,5}$", "^(red|green)-[0-9]+$", "^\\d{4}-\\d{2}$", "^a*b?c{1,3}$", "x", "^[^ab]{3}$"]),
                "maxLength": 12}
    if kind == "range":
        low = rnd.randrange(-50, 50)
        return rnd.choice((
            {"type": "integer", "minimum": low, "maximum": low + rnd.randrange(1, 500)},
            {"type": "integer", "multipleOf": rnd.choice((2, 5, 10)), "minimum": 0, "maximum": 1000}))
    if kind == "array":
        low = rnd.randrange(3)
        return {"type": "array", "items": schema(rnd, depth + 1), "minItems": low, "maxItems": low + 2}
    if kind == "tuple":
        return {"type": "array", "prefixItems": [schema(rnd, depth + 1) for _ in range(2)], "items": False,
                "minItems": 2}
    if kind == "map":
        return {"type": "object", "additionalProperties": schema(rnd, depth + 1), "maxProperties": 2}
    if kind == "anyOf":
        return {"anyOf": [schema(rnd, depth + 1) for _ in range(2)]}
    names = rnd.sample(["name", "age", "tags", "a b", "\u00e9", "id"], rnd.randrange(1, 4))
    return {"type": "object", "properties": {one: schema(rnd, depth + 1) for one in names},
            "required": names[: rnd.randrange(len(names) + 1)], "additionalProperties": False}


def asked(form, seed, stream):
    return {**chat("Give me some JSON.", 600, seed), "stream": stream,
            "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": form}}}


IMPOSSIBLE = [
    {"type": "string", "pattern": "^+[a-z]$"}, {"type": "string", "pattern": "(" * 60_000},
    {"type": "string", "pattern": "foo**"}, {"type": "string", "pattern": "(?<=a)b"},
    {"type": "string", "pattern": "(a)\\1"}, {"$ref": "http://example.invalid/a"}, {"$ref": "#"},
    {"$ref": "#/$defs/a"}, {"type": "strnig"}, {"type": 5}, {"minimum": "5"}, {"enum": []}, {"enum": 5},
    {"required": "a"}, {"properties": 5}, {"items": 5}, {"anyOf": []}, {"maxLength": -1},
    False,
    {"type": "integer", "minimum": 5, "maximum": 4}, {"allOf": [{"type": "string"}, {"type": "null"}]},
]
GRAMMARS = ["root ::= " + "(" * 60_000, "root ::= root", "root ::= missing", "root ::= \"a",
            "root ::= [z-a]"]


def impossible(server):
    count = 0
    for stream in (False, True):
        for body in [*(asked(one, 1, stream) for one in IMPOSSIBLE),
                     *({**chat("a", 4, 1), "grammar": one, "stream": stream} for one in GRAMMARS),
                     {**chat("a", 4, 1), "guided_regex": "(", "stream": stream},
                     {**chat("a", 4, 1), "response_format": {"type": "xml"}, "stream": stream}]:
            reply = server.post("/v1/chat/completions", body)
            if reply.status != 400 or not reply.json()["error"]["param"]:
                raise Failed(f"{json.dumps(body)[-160:]}: answered {reply.status} {reply.body[:200]!r}")
            count += 1
    return count


def body(proof):
    count = proof.share(1000, 20)
    python, rows, cut, refused = pythons(), [], [0], [0]
    with common.Server(proof, "--parallel", "8") as server:
        turned_away = impossible(server)
        forms = [(schema(proof.random), proof.random.randrange(1 << 30)) for _ in range(count)]

        def work(index):
            with server.client() as client:
                for number in range(index, count, 4):
                    form, seed = forms[number]
                    if number % 3 == 0:
                        text, finish = "", None
                        for one in client.stream("/v1/chat/completions", asked(form, seed, True)):
                            for choice in one["choices"]:
                                text += choice["delta"].get("content") or ""
                                finish = choice["finish_reason"] or finish
                    else:
                        reply = client.post("/v1/chat/completions", asked(form, seed, False))
                        if reply.status == 400:
                            refused[0] += 1
                            continue
                        need(reply.status == 200, f"{form} is answered {reply.status} {reply.body[:200]!r}")
                        choice = reply.json()["choices"][0]
                        text, finish = choice["message"]["content"], choice["finish_reason"]
                    if finish == "length":
                        cut[0] += 1
                    else:
                        json.loads(text)
                        rows.append(json.dumps([form, text]))

        common.at_once(4, work)
    need(len(rows) > count // 2, f"only {len(rows)} of {count} answers came to their end")
    if python:
        judged = subprocess.run([python, "-c", JUDGE], input="\n".join(rows), capture_output=True, text=True,
                                check=False)
        verdicts = judged.stdout.splitlines()
        need(judged.returncode == 0 and len(verdicts) == len(rows), f"the judge failed: {judged.stderr[-300:]}")
        wrong = [(row, word) for row, word in zip(rows, verdicts) if word != "1"]
        if wrong:
            raise Failed(f"{len(wrong)} of {len(rows)} answers are not of their schema: {wrong[0]}")
        judge = "all valid by jsonschema"
    else:
        judge = "all of them JSON (python3-jsonschema is not installed, which would judge more)"
    return (f"{count} random schemas: {len(rows)} answers, {judge}, {cut[0]} cut by max_tokens, {refused[0]} "
            f"refused; {turned_away} that cannot be enforced: all 400 with a param, streams too")


common.Proof(__doc__, limit=600).run(body)
