"""curl, as pages and scripts call it."""

import json
import subprocess
import tempfile
import unittest

from skein import (BASE, CHAT, ENDLESS, KEY, ROOT, TOO_LONG, WORD, events, processing, text_of,
                   until_idle)

URL = f"{BASE}/chat/completions"
ASK = ["-H", f"Authorization: Bearer {KEY}", "-H", "Content-Type: application/json"]


def curl(*words, body=b"", ask=ASK):
    """The body of the last answer, its status, and how many connections it took."""
    told = "\\n%{http_code} %{num_connects}"
    done = subprocess.run(
        ["curl", "-sS", "--noproxy", "*", "--max-time", "60", "-w", told, *ask, *words],
        input=body, capture_output=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"curl exits with {done.returncode}: {done.stderr.decode()}")
    out, _, last = done.stdout.decode().rpartition("\n")
    status, connects = map(int, last.split())
    return out, status, connects


class Curl(unittest.TestCase):
    def test_the_lines_of_the_welcome_work(self):
        reply, status, _ = curl(f"{BASE}/models")
        self.assertEqual((status, json.loads(reply)["data"][0]["id"]), (200, "tiny"))
        self.assertEqual(curl(f"{ROOT}/health")[1], 200)
        reply, status, _ = curl(URL, "-d", json.dumps(CHAT))
        self.assertEqual((status, text_of(json.loads(reply))), (200, WORD))

    def test_a_stream_is_read_as_it_comes(self):
        body = json.dumps({**CHAT, "stream": True, "stream_options": {"include_usage": True}})
        for version in ("--http1.1", "--http1.0"):
            reply, status, _ = curl("--no-buffer", version, URL, "-d", body)
            self.assertEqual(status, 200)
            *chunks, last = events(reply.splitlines())
            self.assertEqual(last["choices"], [])
            self.assertGreater(last["usage"]["completion_tokens"], 0)
            text = "".join(one["choices"][0]["delta"].get("content", "") for one in chunks)
            self.assertEqual(text, WORD)

    def test_http_1_0_is_answered(self):
        reply, status, _ = curl("--http1.0", URL, "-d", json.dumps(CHAT))
        self.assertEqual((status, text_of(json.loads(reply))), (200, WORD))

    def test_a_connection_is_used_again_after_a_stream(self):
        for version in ("--http1.1", "--http1.0"):
            stream = json.dumps({**CHAT, "stream": True})
            words = [version, "-H", "Connection: keep-alive"] if version == "--http1.0" else []
            _, status, connects = curl(
                *words, URL, "-d", stream, "--next", *ASK, *words, "-sS", "--noproxy", "*",
                "-w", "\\n%{http_code} %{num_connects}", URL, "-d", json.dumps(CHAT))
            self.assertEqual(status, 200)
            # A stream to HTTP/1.0 has no other end than that of its connection.
            self.assertEqual(connects, 0 if version == "--http1.1" else 1)

    def test_the_server_is_asked_before_a_body_is_sent(self):
        with tempfile.NamedTemporaryFile("r") as heads:
            reply, status, _ = curl("-H", "Expect: 100-continue", "-D", heads.name, URL,
                                    "--data-binary", "@-", body=json.dumps(CHAT).encode())
            self.assertEqual((status, text_of(json.loads(reply))), (200, WORD))
            self.assertTrue(heads.read().startswith("HTTP/1.1 100 Continue"))

    def test_a_body_that_is_too_long_is_told_so(self):
        for expect in ("Expect:", "Expect: 100-continue"):
            reply, status, _ = curl("-H", expect, URL, "--data-binary", "@-", body=TOO_LONG)
            self.assertEqual(status, 413)
            error = json.loads(reply)["error"]
            self.assertEqual(set(error), {"message", "type", "param", "code"})

    def test_a_body_without_a_length_is_read(self):
        reply, status, _ = curl("-H", "Transfer-Encoding: chunked", URL, "--data-binary", "@-",
                                body=json.dumps(CHAT).encode())
        self.assertEqual((status, text_of(json.loads(reply))), (200, WORD))

    def test_a_head_alone_is_given(self):
        reply, status, _ = curl("--head", f"{BASE}/models")
        self.assertEqual(status, 200)
        self.assertIn("content-length: ", reply.lower())
        self.assertNotIn("data", reply)

    def test_each_error_has_the_fields_that_clients_read(self):
        wrong = [
            (404, [f"{BASE}/nothing"]),
            (404, [f"{BASE}/models/nobody"]),
            (405, ["-X", "DELETE", f"{BASE}/models"]),
            (400, [URL, "-d", "{"]),
            (400, [URL, "-d", json.dumps({**CHAT, "top_p": 7})]),
            (415, ["-H", "Content-Encoding: gzip", URL, "-d", json.dumps(CHAT)]),
        ]
        for expected, words in wrong:
            reply, status, _ = curl(*words)
            self.assertEqual(status, expected, words)
            self.assertEqual(set(json.loads(reply)["error"]), {"message", "type", "param", "code"})

    def test_a_key_is_taken_as_each_client_sends_it(self):
        for name in ("Authorization: Bearer ", "x-api-key: ", "api-key: "):
            self.assertEqual(curl(f"{BASE}/models", ask=["-H", name + KEY])[1], 200)
            reply, status, _ = curl(f"{BASE}/models", ask=["-H", name + "wrong"])
            self.assertEqual(status, 401)
            self.assertEqual(json.loads(reply)["error"]["type"], "authentication_error")

    def test_leaving_ends_the_answer(self):
        with subprocess.Popen(["curl", "-sSN", "--noproxy", "*", *ASK, URL, "-d",
                               json.dumps(ENDLESS)], stdout=subprocess.PIPE) as process:
            for _ in range(8):
                process.stdout.readline()
            self.assertEqual(processing(), 1)
            process.kill()
        until_idle()


if __name__ == "__main__":
    unittest.main()
