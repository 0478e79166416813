# SPDX-License-Identifier: Apache-2.0
"""200 clients ask at once for an object that takes 5 s to come: one that may be stored, then one that may not, and that once
more from a gateway without a cache, which shows what of the time is the origin's and the clients' own.

cold.py GATEWAY [CLIENTS]

The origin and the clients are processes of their own, and one client's turn is a `recv` and a comparison: what is measured should
be the gateway.
"""

import asyncio, multiprocessing, selectors, socket, sys, tempfile, time
from lab import Gateway, Origin, body

HEAD, PIECES, DURATION = 0.3, 100, 5  # seconds until the head comes; pieces of the body; seconds that it takes
bodies = {}


async def slowly(head, writer):
    target = head.split(" ")[1]
    size = int(target.split("/")[1])
    content = bodies.setdefault(target, body(target, size))
    cache = "max-age=3600" if "stored" in target else "no-store"
    begun = time.monotonic()
    await asyncio.sleep(HEAD)
    writer.write(f"HTTP/1.1 200 OK\r\nCache-Control: {cache}\r\nContent-Length: {size}\r\n\r\n".encode())
    for piece in range(PIECES):
        writer.write(content[piece * size // PIECES : (piece + 1) * size // PIECES])
        await writer.drain()
        await asyncio.sleep(max(0, begun + HEAD + DURATION * (piece + 1) / PIECES - time.monotonic()))


def origin_process(port, requests):
    """Serves, and tells how many requests there were whenever it is asked."""
    origin = Origin(handle=slowly)
    port.put(origin.port)
    while True:
        requests.recv()
        requests.send(origin.requests)


def ask(port, target, size, clients):
    """For each client: when it asked, when its first byte of the body came, when the last, and whether they were right."""
    right, selector = memoryview(body(target, size)), selectors.DefaultSelector()
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(clients)]
    buffer, states = memoryview(bytearray(1 << 18)), []
    for number, connection in enumerate(sockets):
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        states.append({"asked": time.monotonic(), "first": None, "end": None, "head": b"", "got": 0, "right": True})
        selector.register(connection, selectors.EVENT_READ, number)
    left = clients
    while left:
        for key, _ in selector.select():
            state, count = states[key.data], key.fileobj.recv_into(buffer)
            piece = buffer[:count]
            if state["first"] is None:
                state["head"] += bytes(piece)
                head, _, rest = state["head"].partition(b"\r\n\r\n")
                if not rest:
                    continue
                state["first"], piece = time.monotonic(), memoryview(rest)
            state["right"] &= piece == right[state["got"] : state["got"] + len(piece)]
            state["got"] += len(piece)
            if count == 0 or state["got"] >= size:
                state["right"] &= state["got"] == size
                state["end"] = time.monotonic()
                selector.unregister(key.fileobj)
                key.fileobj.close()
                left -= 1
    return states


if __name__ == "__main__":
    binary, clients = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 200
    ports, (mine, theirs) = multiprocessing.Queue(), multiprocessing.Pipe()
    multiprocessing.Process(target=origin_process, args=(ports, theirs), daemon=True).start()

    class Remote:
        port = ports.get()

        def requests(self):
            mine.send(None)
            return mine.recv()

    origin, folder = Remote(), tempfile.TemporaryDirectory()
    caching, plain = Gateway(binary, origin, folder.name + "/cache"), Gateway(binary, origin, None, "--no-cache")
    for name, size, gateway in (
        ("stored", 5_000_000, caching), ("no-store", 500_000, caching), ("no-store, --no-cache", 500_000, plain)):
        before = origin.requests()
        states = ask(gateway.port, f"/{size}/{name[:8]}", size, clients)
        firsts, waits = [s["first"] for s in states], [(s["first"] - s["asked"]) * 1000 for s in states]
        print(
            f"{name}, {size} bytes in {DURATION} s to {clients} clients: {origin.requests() - before} requests to the origin, "
            f"{sum(s['right'] for s in states)} right")
        print(
            f"  first bytes: the last {(max(firsts) - min(firsts)) * 1000:.1f} ms after the first; they came "
            f"{min(waits):.0f} to {max(waits):.0f} ms after the request, the origin's head after {HEAD * 1000:.0f}")
        print(f"  all had it whole {max(s['end'] for s in states) - min(s['asked'] for s in states):.2f} s after the first asked")
    caching.stop()
    plain.stop()
