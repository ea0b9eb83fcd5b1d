#!/usr/bin/env python3
"""G4: kill -9 at any moment loses at most the token being computed; every turn that was answered is still
there, and the store opens.

Eight conversations are held while the server is killed, again and again. After each restart every turn
that was answered has to be there, in order, and at most one more; in the end somebody who was never
interrupted has to hear the same bytes. Once over a folder (SQLite), whose database is checked by SQLite
itself after each kill, and once over a Redis, which is killed as well."""

import contextlib
import os
import shutil
import signal
import sqlite3
import threading
import time

import common
from common import Failed, chat, need, start, words


class Talker:
    def __init__(self, name, seed):
        self.name, self.rnd = name, common.random.Random(seed)
        self.turns = []  # [question, answer or None: nobody knows it]

    def question(self, number):
        rnd = common.random.Random(f"{self.name} {number}")
        return chat(words(rnd, 1 + number % 9), 4 + number % 40, number, rnd.choice((0, 1, 1.5)),
                    session=self.name)

    def talk(self, server, answered):
        """Until the server is gone."""
        try:
            with server.client(timeout=30) as client:
                while True:
                    number = len(self.turns)
                    question = self.question(number)
                    # A turn that nobody answered may be asked for again: it does not happen twice.
                    version = {"If_Match": f'"{number}"'} if number else {"If_None_Match": "*"}
                    if number % 2:
                        answer = "".join(
                            one["choices"][0]["delta"].get("content") or "" for one in
                            client.stream("/v1/chat/completions", question, **version) if one["choices"])
                    else:
                        reply = client.post("/v1/chat/completions", question, **version)
                        if reply.code() == "turn_conflict":
                            self.turns.append([question, None])
                            continue
                        if reply.status == 503:
                            time.sleep(0.01)  # the Redis is away
                            continue
                        need(reply.status == 200, f"{reply.status} {reply.body[:300]!r}")
                        answer = reply.json()["choices"][0]["message"]["content"]
                    self.turns.append([question, answer])
                    answered[0] += 1
        except (OSError, common.http.client.HTTPException, ValueError):
            return
        except Failed as failure:
            # The server was killed, or its Redis: whether the turn happened is asked afterwards.
            if not any(what in str(failure) for what in ("without [DONE]", "store does not answer")):
                raise

    def look(self, server):
        """How many turns were not answered and happened all the same: 0 or 1."""
        reply = server.get(f"/v1/sessions/{self.name}")
        need(reply.status in (200, 404), f"a session is answered {reply.status} {reply.body[:200]!r}")
        version = reply.json()["version"] if reply.status == 200 else 0
        told = len(self.turns)
        need(version >= told, f"{self.name}: {told} turns were answered and {version} are there")
        need(version <= told + 1, f"{self.name}: {version} turns are there and {told} were asked for")
        if version > told:
            self.turns.append([self.question(told), None])
        return version - told


def checked(folder, copy):
    """What SQLite says to a copy of the database as the kill left it."""
    shutil.rmtree(copy, ignore_errors=True)
    os.makedirs(copy)
    for name in ("skein.db", "skein.db-wal"):
        if os.path.exists(os.path.join(folder, name)):
            shutil.copy(os.path.join(folder, name), copy)
    with sqlite3.connect(os.path.join(copy, "skein.db")) as database:
        word = database.execute("PRAGMA quick_check").fetchall()
    database.close()
    need(word == [("ok",)], f"SQLite says of the database: {word}")


class Redis:
    """A Redis of our own on a socket that has on its disk what it acknowledged. With everysec it may lose
    two seconds where its disk is slow."""

    def __init__(self, proof):
        self.folder, self.socket = proof.path("redis"), proof.path("redis.sock")
        os.makedirs(self.folder, exist_ok=True)
        self.begin()

    def begin(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket)
        self.process = start(["redis-server", "--port", "0", "--unixsocket", self.socket, "--dir",
                              self.folder, "--appendonly", "yes", "--appendfsync", "always",
                              "--save", ""], stdout=common.subprocess.DEVNULL)
        end = time.monotonic() + 30
        while not os.path.exists(self.socket):
            need(time.monotonic() < end and self.process.poll() is None, "Redis did not begin")
            time.sleep(0.005)

    def kill(self):
        self.process.kill()
        self.process.wait()


def kills(proof, count, redis):
    folder = proof.path("store")
    place = f"redis+unix:{redis.socket}" if redis else folder
    talkers = [Talker(f"talk-{i}", i) for i in range(8)]
    more = 0
    for number in range(count + 1):
        with common.Server(proof, "--store", place, "--keep-memory", "64") as server:
            if redis:  # it may be finding its Redis
                end = time.monotonic() + 20
                while server.metric("skein_store_up") == 0:
                    need(time.monotonic() < end, "the Redis was not found again")
                    time.sleep(0.01)
            for one in talkers:
                try:
                    more += one.look(server)
                except Failed as failure:
                    raise Failed(f"{place.split(':')[0]}, after {number} kills: {failure}") from failure
            if number == count:
                break
            answered = [0]
            # Anywhere in what comes after some answers.
            some, moment = proof.random.randrange(24), proof.random.random() * 0.03
            hits = redis and number % 4 == 3

            def killer():
                end = time.monotonic() + 20
                while answered[0] < some and time.monotonic() < end:
                    time.sleep(0.001)
                time.sleep(moment)
                if hits:
                    redis.kill()
                    time.sleep(proof.random.random() * 0.05)
                server.end(signal.SIGKILL)

            killing = threading.Thread(target=killer)
            killing.start()
            common.at_once(len(talkers), lambda i: talkers[i].talk(server, answered))
            killing.join()
            if hits:
                redis.begin()
            elif not redis:
                checked(folder, proof.path("copy"))
        proof.progress(f"{number} of {count} kills, {sum(len(one.turns) for one in talkers)} turns")
    turns = sum(len(one.turns) for one in talkers)
    with common.Server(proof) as uninterrupted:
        def again(index):
            with uninterrupted.client() as client:
                for number, (question, answer) in enumerate(talkers[index].turns):
                    reply = client.post("/v1/chat/completions", question)
                    need(reply.status == 200, f"{reply.status} {reply.body[:300]!r}")
                    other = reply.json()["choices"][0]["message"]["content"]
                    if answer is not None and other != answer:
                        raise Failed(f"turn {number} of {index} was {answer!r}, and is {other!r} to whoever "
                                     "is not interrupted")

        common.at_once(len(talkers), again)
    return (f"{'Redis' if redis else 'SQLite'}: {count} kills, {turns - more} turns answered, 0 lost, "
            f"{more} more that happened unheard, the same bytes as uninterrupted")


def body(proof):
    count = proof.share(200, 4)
    told = [kills(proof, count, None)]
    if shutil.which("redis-server"):
        told.append(kills(proof, count, Redis(proof)))
    else:
        told.append("Redis: not tried, redis-server is not installed")
    return "; ".join(told)


common.Proof(__doc__, limit=1500).run(body)
