"""Subscribers that come and go while devices publish: with QoS 1 and a kept session nobody misses an Observation.

Publishers send QoS 1 with a window; subscribers read for a moment, drop the connection without a word and come back.
What they had acknowledged then may not have reached the server: closing a socket with unread data resets it, and what
is on its way is gone. Such messages come again, marked DUP, and at most a window of them; nothing else may come twice
or out of order. With --kills the server is killed meanwhile and forgets what it had sent: then messages may come twice
without the mark, and none may be missing. By hand:

    python -m tests.torture.subscribers --seconds 30 --kills 5
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from lakou.sensorthings.mqtt.sessions import WINDOW
from tests.harness import make
from tests.harness.client import Api, key
from tests.harness.mqtt import Wire, publisher
from tests.harness.postgres import POSTGRES_URL
from tests.harness.server import Server, running

STREAMS = 4
SUBSCRIBERS = 6
QUIET_S = 3.0
KEPT = {"session_expiry": 600}


@dataclass
class Report:
    """Counts over all subscribers: `lost` was acknowledged to its publisher and never told.

    `again` are repeats marked DUP, `twice` those without the mark, `disordered` steps back of what is no repeat.
    """

    acknowledged: int = 0
    told: int = 0
    lost: int = 0
    again: int = 0
    twice: int = 0
    missed: int = 0
    disordered: int = 0
    returns: int = 0
    kills: int = 0

    @property
    def passed(self) -> bool:
        is_whole = self.acknowledged > 0 and self.lost == 0 and self.missed == 0
        is_once = self.twice == 0 and self.disordered == 0 and self.again <= self.returns * WINDOW
        return is_whole and (is_once or self.kills > 0)


@dataclass
class Course:
    """One run: where, until when, what was acknowledged of each Datastream, and what each subscriber heard of it."""

    server: Server
    paths: list[str]
    end: float
    acknowledged: list[int] = field(default_factory=lambda: [0] * STREAMS)
    heard: list[dict[str, list[tuple[int, bool]]]] = field(default_factory=lambda: [{} for _ in range(SUBSCRIBERS)])
    returns: list[int] = field(default_factory=lambda: [0] * SUBSCRIBERS)
    missed: list[int] = field(default_factory=lambda: [0] * SUBSCRIBERS)
    ready: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def is_over(self) -> bool:
        return time.monotonic() > self.end

    def publish(self, number: int) -> None:
        """Send 0, 1, 2, … until the end; after a lost connection go on with what was not acknowledged."""
        while not self.is_over() or self.server.process is None:
            start = self.acknowledged[number]

            def messages(start: int = start) -> Iterator[tuple[str, bytes]]:
                at = start
                while True:
                    body = {"result": at, "phenomenonTime": f"2024-01-01T00:{at // 10**6:02}:00.{at % 10**6:06}Z"}
                    yield self.paths[number], json.dumps(body).encode()
                    at += 1
                    time.sleep(0.0005)

            def count(done: int, start: int = start) -> None:
                self.acknowledged[number] = start + done + 1

            try:
                publisher(
                    self.server.mqtt_port, "conformance", self.server.token, messages(), count, until=self.is_over
                )
            except (OSError, EOFError, AssertionError):
                time.sleep(0.05)

    def listen(self, number: int) -> None:
        """Hear, leave, come back; at the end stay until nothing comes any more."""
        choice = random.Random(number)
        topics = [p for n, p in enumerate(self.paths) if number % 3 == 0 or n == number % STREAMS]
        self.heard[number] = {topic: [] for topic in topics}
        subscribed = False
        while True:
            try:
                with Wire(self.server.mqtt_port) as wire:
                    wire.connect("conformance", self.server.token, f"s{number}", clean=False, properties=KEPT)
                    if not subscribed:
                        wire.subscribe(*topics)
                        subscribed = True
                        self.ready.release()
                    until = time.monotonic() + choice.uniform(0.2, 1.5)
                    while time.monotonic() < until or self.is_over():
                        for message in wire.messages(1, QUIET_S):
                            result = json.loads(message.payload)["result"]
                            self.heard[number][message.topic].append((result, message.dup))
                            for _, missed in message.properties.get("user_property", ()):
                                self.missed[number] += int(missed)
            except TimeoutError:
                if self.is_over():
                    return
            except (OSError, EOFError, AssertionError):
                time.sleep(0.05)
            self.returns[number] += 1
            time.sleep(choice.uniform(0, 0.5))

    def report(self) -> Report:
        found = Report(sum(self.acknowledged), missed=sum(self.missed), returns=sum(self.returns))
        for heard in self.heard:
            for topic, messages in heard.items():
                acknowledged = self.acknowledged[self.paths.index(topic)]
                first: dict[int, None] = {}
                for result, is_dup in messages:
                    found.again += result in first and is_dup
                    found.twice += result in first and not is_dup
                    first.setdefault(result)
                found.told += len(messages)
                found.lost += len(set(range(acknowledged)) - set(first))
                found.disordered += sum(a > b for a, b in itertools.pairwise(first))
        return found


def run(server: Server, seconds: float, kills: int = 0, seed: int = 1) -> Report:
    """Let publishers and subscribers run against a started server, and count."""
    api = Api(server.base, server.token)
    thing = api.create("Things", make.station(Datastreams=[make.datastream() for _ in range(STREAMS)]))
    streams = api.value(f"Things({key(thing)})/Datastreams")
    api.close()
    course = Course(server, [f"v1.1/Datastreams({key(stream)})/Observations" for stream in streams], float("inf"))
    listeners = [threading.Thread(target=course.listen, args=(number,)) for number in range(SUBSCRIBERS)]
    for thread in listeners:
        thread.start()
    for _ in listeners:
        course.ready.acquire(timeout=20)
    publishers = [threading.Thread(target=course.publish, args=(number,)) for number in range(STREAMS)]
    for thread in publishers:
        thread.start()
    choice = random.Random(seed)
    for _ in range(kills):
        time.sleep(seconds / (kills + 1) * choice.uniform(0.7, 1.3))
        server.kill()
        server.start()
    time.sleep(seconds / (kills + 1))
    course.end = time.monotonic()
    for thread in (*publishers, *listeners):
        thread.join()
    report = course.report()
    report.kills = kills
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    options = parser.parse_args()
    with running(options.database, POSTGRES_URL) as server:
        report = run(server, options.seconds, options.kills, options.seed)
    print(
        f"{report.acknowledged} acknowledged, {report.told} told, {report.lost} lost, {report.again} again after "
        f"{report.returns} returns, {report.twice} twice, {report.missed} told as missed, "
        f"{report.disordered} out of order"
    )
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
