"""Debian's HTTP clients for Python: httpx, requests, aiohttp."""

import asyncio
import io
import json
import unittest

import aiohttp
import httpx
import requests

from skein import (BASE, CHAT, ENDLESS, HEADERS, TOO_LONG, WORD, processing, streamed_text, text_of,
                   until_idle)

URL = f"{BASE}/chat/completions"
STREAM = {**CHAT, "stream": True}
JSON = {"Content-Type": "application/json"}
BODY = json.dumps(CHAT).encode()
PIECES = [BODY[at : at + 7] for at in range(0, len(BODY), 7)]


class Requests(unittest.TestCase):
    def setUp(self):
        self.session = requests.Session()
        self.session.headers.update(HEADERS)
        self.addCleanup(self.session.close)

    def test_answers_and_streams_share_a_connection(self):
        for _ in range(3):
            self.assertEqual(text_of(self.session.post(URL, json=CHAT, timeout=60).json()), WORD)
            with self.session.post(URL, json=STREAM, stream=True, timeout=60) as reply:
                self.assertTrue(reply.headers["Content-Type"].startswith("text/event-stream"))
                self.assertEqual(streamed_text(reply.iter_lines(decode_unicode=True)), WORD)
            self.assertEqual(self.session.get(f"{BASE}/nothing", timeout=60).status_code, 404)
        pool = self.session.get_adapter(URL).poolmanager.connection_from_url(URL)
        self.assertEqual(pool.num_connections, 1)

    def test_a_body_without_a_length_is_read(self):
        reply = self.session.post(URL, data=iter(PIECES), headers=JSON, timeout=60)
        self.assertEqual(text_of(reply.json()), WORD)

    def test_a_body_that_is_too_long_is_told_so(self):
        reply = self.session.post(URL, data=TOO_LONG, headers=JSON, timeout=60)
        self.assertEqual(reply.status_code, 413)
        self.assertEqual(reply.json()["error"]["type"], "invalid_request_error")
        self.assertEqual(text_of(self.session.post(URL, json=CHAT, timeout=60).json()), WORD)

    def test_leaving_ends_the_answer(self):
        with self.session.post(URL, json=ENDLESS, stream=True, timeout=60) as reply:
            lines = reply.iter_lines()
            for _ in range(8):
                next(lines)
            self.assertEqual(processing(), 1)
        until_idle()


class Httpx(unittest.TestCase):
    def setUp(self):
        self.client = httpx.Client(headers=HEADERS, timeout=60, trust_env=False)
        self.addCleanup(self.client.close)

    def test_answers_and_streams_share_a_connection(self):
        ports = set()
        port_of = lambda one: one.extensions["network_stream"].get_extra_info("client_addr")[1]
        for _ in range(3):
            reply = self.client.post(URL, json=CHAT)
            self.assertEqual(text_of(reply.json()), WORD)
            ports.add(port_of(reply))
            with self.client.stream("POST", URL, json=STREAM) as reply:
                self.assertEqual(streamed_text(reply.iter_lines()), WORD)
                ports.add(port_of(reply))
        self.assertEqual(len(ports), 1)

    def test_a_body_without_a_length_is_read(self):
        reply = self.client.post(URL, content=iter(PIECES), headers=JSON)
        self.assertEqual(text_of(reply.json()), WORD)

    def test_a_body_that_is_too_long_is_told_so(self):
        reply = self.client.post(URL, content=TOO_LONG, headers=JSON)
        self.assertEqual(reply.status_code, 413)
        self.assertIn("message", reply.json()["error"])
        self.assertEqual(text_of(self.client.post(URL, json=CHAT).json()), WORD)

    def test_leaving_ends_the_answer(self):
        with self.client.stream("POST", URL, json=ENDLESS) as reply:
            lines = reply.iter_lines()
            for _ in range(8):
                next(lines)
            self.assertEqual(processing(), 1)
        until_idle()


class Aiohttp(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.connections = 0
        trace = aiohttp.TraceConfig()

        async def count(*_):
            self.connections += 1

        trace.on_connection_create_end.append(count)
        self.session = aiohttp.ClientSession(headers=HEADERS, trace_configs=[trace])
        self.addAsyncCleanup(self.session.close)

    async def ask(self, **body):
        async with self.session.post(URL, **body) as reply:
            return reply.status, await reply.json()

    async def test_answers_and_streams_share_a_connection(self):
        for _ in range(3):
            self.assertEqual(text_of((await self.ask(json=CHAT))[1]), WORD)
            async with self.session.post(URL, json=STREAM) as reply:
                lines = [line.decode() async for line in reply.content]
            self.assertEqual(streamed_text(lines), WORD)
        self.assertEqual(self.connections, 1)

    async def test_a_body_without_a_length_is_read(self):
        async def pieces():
            for one in PIECES:
                yield one

        self.assertEqual(text_of((await self.ask(data=pieces(), headers=JSON))[1]), WORD)

    async def test_a_body_that_is_too_long_is_told_so(self):
        status, reply = await self.ask(data=io.BytesIO(TOO_LONG), headers=JSON)
        self.assertEqual(status, 413)
        self.assertIn("message", reply["error"])

    async def test_the_server_is_asked_before_a_body_is_sent(self):
        status, reply = await self.ask(json=CHAT, expect100=True)
        self.assertEqual((status, text_of(reply)), (200, WORD))

    async def test_leaving_ends_the_answer(self):
        async with self.session.post(URL, json=ENDLESS) as reply:
            for _ in range(8):
                await reply.content.readline()
            self.assertEqual(processing(), 1)
        await asyncio.to_thread(until_idle)


if __name__ == "__main__":
    unittest.main()
