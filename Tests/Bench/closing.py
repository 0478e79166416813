#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What clients see of upstream servers that close idle connections without a word.

    Tests/Bench/closing.py [--requests 100000] [--gateway .build/release/gateway] [--idle 4s] [--posts 0.05]

One server closes every connection that idles for 5 s (Node's default), one for 250 ms, one at random: after a response it waits
for 0 to 100 ms and closes, in half of the cases, sometimes in the very moment. A quarter of the clients pauses long enough
for all of them. The gateway has no health checks and no other server to go to for a request. Quoted are the statuses that
clients got, by server and method: a GET must never get 502. A POST that is sent just as its connection is closed cannot be
repeated (RFC 9110 section 9.2.2); after the first few the gateway has learned to send those on new connections.
"""

import argparse, asyncio, collections, os, random, subprocess, sys, tempfile, time

PORTS = {"five": 31981, "short": 31982, "random": 31983}
PROXY = 31980
BODY = b"x" * 500
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


class Origin(asyncio.Protocol):
    """Answers every request; closes as its `kind` does."""

    closed = collections.Counter()
    accepted = collections.Counter()

    def __init__(self, kind):
        self.kind, self.data, self.timer = kind, b"", None

    def connection_made(self, transport):
        self.transport = transport
        Origin.accepted[self.kind] += 1
        if self.kind != "random":
            self.wait()

    def connection_lost(self, error):
        if self.timer:
            self.timer.cancel()

    def data_received(self, data):
        if self.timer:
            self.timer.cancel()
            self.timer = None
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            self.data = self.data[end + 4 :]
            self.transport.write(ANSWER)
        self.wait()

    def wait(self):
        loop = asyncio.get_running_loop()
        if self.kind == "random":
            chance = random.random()
            if chance < 0.1:
                self.close()
            elif chance < 0.5:
                self.timer = loop.call_later(random.random() / 10, self.close)
        else:
            self.timer = loop.call_later(5 if self.kind == "five" else 0.25, self.close)

    def close(self):
        if not self.transport.is_closing():
            Origin.closed[self.kind] += 1
            self.transport.close()


async def client(kind, share, pause, posts, statuses):
    reader = writer = None
    for _ in range(share):
        method = "POST" if random.random() < posts else "GET"
        length = "Content-Length: 0\r\n" if method == "POST" else ""
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", PROXY)
            writer.write(f"{method} /{kind} HTTP/1.1\r\nHost: a\r\n{length}\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
            await reader.readexactly(size)
            statuses[kind, method, head[9:12].decode()] += 1
            if b"connection: close" in head.lower():
                writer.close()
                writer = None
        except (OSError, asyncio.IncompleteReadError) as error:
            statuses[kind, method, type(error).__name__] += 1
            writer = None
        await asyncio.sleep(pause())
    if writer:
        writer.close()


async def run(options):
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(lambda kind=kind: Origin(kind), "127.0.0.1", port) for kind, port in PORTS.items()
    ]
    statuses = collections.Counter()
    tasks = []
    begun = time.monotonic()
    left = options.requests
    # Those that pause for long send few requests in the same time.
    for kind in PORTS:
        for number in range(10):
            edge = {"five": 5.0, "short": 0.25, "random": 0.05}[kind]
            share = max(4, int(60 / edge / 4))
            share = min(share, left)
            left -= share
            tasks.append(client(kind, share, lambda edge=edge: edge + random.uniform(-0.02, 0.02), options.posts, statuses))
    each = left // (3 * 20)
    for number in range(60):
        kind = list(PORTS)[number % 3]
        share = each if number < 59 else left - 59 * each
        tasks.append(client(kind, share, lambda: random.expovariate(1 / 0.01), options.posts, statuses))
    await asyncio.gather(*tasks)
    print(f"{sum(statuses.values())} requests in {time.monotonic() - begun:.0f} s")
    for kind in PORTS:
        print(
            f"{kind:>7}: {Origin.accepted[kind]} connections, {Origin.closed[kind]} closed by the server; "
            + ", ".join(
                f"{method} {status}: {count}"
                for (name, method, status), count in sorted(statuses.items())
                if name == kind
            )
        )
    bad = sum(count for (_, method, status), count in statuses.items() if method == "GET" and status != "200")
    for server in servers:
        server.close()
    return bad


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--gateway", default=".build/release/gateway")
    parser.add_argument("--idle", default="4s", help="--upstream-idle-timeout of the gateway")
    parser.add_argument("--posts", type=float, default=0.05, help="part of the requests that are POSTs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "gateway.yaml")
        with open(path, "w") as file:
            file.write(
                f"listeners: [127.0.0.1:{PROXY}]\ncache: {{enabled: false}}\nlog: {{path: null}}\n"
                f"timeouts: {{upstream_idle: {options.idle}}}\nupstream: {{health_check: false}}\npools:\n"
            )
            for kind, port in PORTS.items():
                file.write(f"  {kind}: [http://127.0.0.1:{port}]\n")
            file.write("routes:\n")
            for kind in PORTS:
                file.write(f"  - {{path: /{kind}, pool: {kind}}}\n")
        gateway = subprocess.Popen([options.gateway, "--config", path], stdout=subprocess.DEVNULL)
        try:
            time.sleep(1)
            bad = asyncio.run(run(options))
        finally:
            gateway.terminate()
            gateway.wait()
    print("every GET was answered" if bad == 0 else f"{bad} GETs were not answered with 200")
    return 0 if bad == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
