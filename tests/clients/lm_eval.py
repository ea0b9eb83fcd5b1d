"""What lm-evaluation-harness asks of /v1/completions (its `local-completions`), compared with what
Skein itself says in process: SKEIN_SCORES has rows of {"ids", "context", "logprobs", "best"}, a
log-probability and whether no token is likelier for each id but the first."""

import asyncio
import json
import os
import unittest

import aiohttp
import requests

from skein import BASE, HEADERS, ROOT

URL = f"{BASE}/completions"
ROWS_AT_ONCE = 8


def question(rows):
    return {
        "model": "any",
        "prompt": [row["ids"] for row in rows],
        "temperature": 0,
        "max_tokens": 1,
        "logprobs": 1,
        "seed": 1234,
        "echo": True,
    }


def answers(reply, rows):
    """As the harness reads them: the log-likelihood of what follows a context, and whether all of
    it is what the model would say, which is an equality of numbers."""
    choices = sorted(reply["choices"], key=lambda one: one["index"])
    if len(choices) != len(rows):
        raise AssertionError(f"{len(choices)} choices to {len(rows)} prompts")
    for choice, row in zip(choices, rows):
        told = choice["logprobs"]
        wanted = slice(row["context"], -1)
        tokens, tops = told["token_logprobs"][wanted], told["top_logprobs"][wanted]
        greedy = all(one == max(top.values()) for one, top in zip(tokens, tops))
        yield sum(tokens), greedy, told


class LogLikelihoods(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(os.environ["SKEIN_SCORES"], encoding="utf-8") as file:
            cls.rows = json.load(file)
        cls.batches = [cls.rows[at : at + ROWS_AT_ONCE]
                       for at in range(0, len(cls.rows), ROWS_AT_ONCE)]
        cls.session = requests.Session()
        cls.session.headers.update(HEADERS)

    @classmethod
    def tearDownClass(cls):
        cls.session.close()

    def compare(self, reply, rows):
        likeliest = 0
        for (total, greedy, told), row in zip(answers(reply, rows), rows):
            ids, begin = row["ids"], row["context"]
            for name in ("tokens", "token_logprobs", "top_logprobs", "text_offset"):
                self.assertEqual(len(told[name]), len(ids) + 1, name)
            self.assertIsNone(told["token_logprobs"][0])
            self.assertEqual(told["token_logprobs"][1:-1], row["logprobs"])
            self.assertEqual(total, sum(row["logprobs"][begin - 1 :]))
            self.assertEqual(greedy, all(row["best"][begin - 1 :]))
            for token, number, top in list(
                    zip(told["tokens"], told["token_logprobs"], told["top_logprobs"]))[1:]:
                self.assertEqual(top[token], number)
            likeliest += greedy
        return likeliest

    def test_one_after_the_other_they_are_those_of_the_program(self):
        likeliest = 0
        for rows in self.batches[::2]:
            reply = self.session.post(URL, json=question(rows), timeout=60)
            reply.raise_for_status()
            likeliest += self.compare(reply.json(), rows)
        self.assertGreater(likeliest, 0)

    def test_at_once_they_are_those_of_the_program(self):
        async def ask_all():
            connector = aiohttp.TCPConnector(limit=8)
            async with aiohttp.ClientSession(headers=HEADERS, connector=connector) as session:

                async def ask(rows):
                    async with session.post(URL, json=question(rows), raise_for_status=True) as one:
                        return await one.json()

                return await asyncio.gather(*map(ask, self.batches[1::2]))

        replies = asyncio.run(ask_all())
        likeliest = sum(map(self.compare, replies, self.batches[1::2]))
        self.assertGreater(likeliest, 0)

    def test_no_two_tokens_have_one_name(self):
        count = self.session.get(f"{ROOT}/tokenizer_info", timeout=60).json()["vocab_size"]
        reply = self.session.post(
            URL, json={**question([{"ids": list(range(count))}]), "max_tokens": 0}, timeout=60)
        tokens = reply.json()["choices"][0]["logprobs"]["tokens"]
        self.assertEqual(len(tokens), count)
        same = sorted(one for one in set(tokens) if tokens.count(one) > 1)
        self.assertEqual(same, [])

    def test_the_tokenizer_is_asked_from_afar(self):
        info = self.session.get(f"{ROOT}/tokenizer_info", timeout=60).json()
        self.assertTrue({"eos_token", "bos_token", "pad_token", "chat_template"} <= set(info))

        def encode(text):
            body = {"prompt": text, "add_special_tokens": False}
            return self.session.post(f"{ROOT}/tokenize", json=body, timeout=60).json()["tokens"]

        self.assertEqual(encode(info["eos_token"])[0], 0)
        text = "Mia found a red lamp, \u00e9, \u4e16."
        body = {"tokens": encode(text)}
        reply = self.session.post(f"{ROOT}/detokenize", json=body, timeout=60)
        self.assertEqual(reply.json()["prompt"], text)

    def test_texts_are_generated_until_a_stop(self):
        prompts = [f"User: Spell: {word}\n\nAssistant:" for word in ("lamp", "red", "garden")]
        body = {"model": "any", "prompt": prompts, "max_tokens": 24, "temperature": 0, "seed": 1234}

        def texts(**more):
            reply = self.session.post(URL, json={**body, **more}, timeout=60).json()
            return [one["text"] for one in sorted(reply["choices"], key=lambda one: one["index"])]

        # Clients send the name of the end as a stop string, or do not.
        stopped = texts(stop=["\n\n", "<|endoftext|>"])
        for text, whole in zip(stopped, texts()):
            self.assertEqual(text, whole.split("\n\n")[0])
            self.assertNotEqual(text, "")


if __name__ == "__main__":
    unittest.main()
