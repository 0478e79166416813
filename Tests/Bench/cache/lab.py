# SPDX-License-Identifier: Apache-2.0
"""What the cache's trials share: an origin whose bodies follow from their targets, and a gateway in front of it."""

import asyncio, http.client, os, random, shutil, signal, socket, subprocess, tempfile, threading, time


def body(target, size):
    """The one right body of a target: nobody can mix up, cut or change it unnoticed."""
    return random.Random(target).randbytes(size)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Origin:
    """Answers `/SIZE/ANYTHING` with that many bytes, and counts the requests. `handle` may answer in its place."""

    def __init__(self, fields="Cache-Control: max-age=3600\r\n", handle=None):
        self.fields, self.handle, self.requests, self.port = fields, handle or self.answer, 0, free_port()
        started = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self.serve(started)), daemon=True).start()
        started.wait()

    async def serve(self, started):
        server = await asyncio.start_server(self.connected, "127.0.0.1", self.port, backlog=1000)
        started.set()
        async with server:
            await server.serve_forever()

    async def connected(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                self.requests += 1
                await self.handle(head, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def answer(self, head, writer):
        target = head.split(" ")[1]
        size = int(target.split("/")[1])
        writer.write(f"HTTP/1.1 200 OK\r\n{self.fields}Content-Length: {size}\r\n\r\n".encode())
        writer.write(body(target, size))
        await writer.drain()


class Gateway:
    """A gateway process; `directory` None leaves it the default one, below `home`."""

    def __init__(self, binary, origin, directory, *flags, home=None, prefix=(), port=None):
        self.port = port or free_port()
        command = [*prefix, binary, "--port", str(self.port), "--upstream", f"http://127.0.0.1:{origin.port}"]
        if directory:
            command += ["--cache-dir", directory]
        environment = dict(os.environ, **({"XDG_CACHE_HOME": home} if home else {}))
        self.said = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [*command, *flags], stdout=self.said, stderr=self.said, env=environment)
        for _ in range(2000):
            if self.process.poll() is not None:
                raise SystemExit(f"the gateway ended at once:\n{self.output()}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.005)
        raise SystemExit("the gateway does not listen")

    def output(self):
        self.said.seek(0)
        return self.said.read().decode()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        return self.process.wait(60)

    def get(self, target, fields={}, connection=None):
        """Status, fields, body and whether that is whole."""
        connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", target, headers=fields)
        response = connection.getresponse()
        try:
            return response.status, response.headers, response.read(), True
        except http.client.IncompleteRead as cut:
            return response.status, response.headers, cut.partial, False


def disk_usage(path):
    """What `du` says, in bytes."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in [".", *names]:
            try:
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
            except FileNotFoundError:
                pass
    return total


def size_of(number):
    """Small ones often, large ones seldom: bytes of the object with that number."""
    return [700, 5_000, 20_000, 90_000, 300_000, 1_500_000][(number * 7919) % 97 % 6]


class Load:
    """Threads that ask for objects until they are told to stop, and check what comes."""

    def __init__(self, gateway, targets, threads=8):
        self.gateway, self.targets, self.isOver = gateway, targets, False
        self.whole, self.wrong, self.bytes = 0, [], 0
        self.threads = [threading.Thread(target=self.run, args=(n,), daemon=True) for n in range(threads)]
        for thread in self.threads:
            thread.start()

    def run(self, seed):
        chance = random.Random(f"{seed} {time.time()}")
        connection = None
        while not self.isOver:
            target = self.targets(chance)
            try:
                connection = connection or http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=60)
                if chance.random() < 0.05:
                    # A client that leaves in the middle.
                    connection.request("GET", target)
                    connection.getresponse().read(300)
                    connection.close()
                    connection = None
                    continue
                status, _, got, is_whole = self.gateway.get(target, connection=connection)
            except (OSError, http.client.HTTPException):
                connection = None
                continue
            right = body(target, int(target.split("/")[1]))
            if not is_whole or status != 200:
                connection = None
            if (status == 200 and is_whole and got != right) or not right.startswith(got) and status == 200:
                self.wrong.append(target)
            if status == 200 and is_whole:
                self.whole += 1
                self.bytes += len(got)

    def stop(self):
        self.isOver = True
        for thread in self.threads:
            thread.join()
