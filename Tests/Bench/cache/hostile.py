# SPDX-License-Identifier: Apache-2.0
"""What strangers may cost: ranges of stored gzip, bodies that nobody wants, invalidations, a reader that does not read, a crowd of
followers, and small objects.

hostile.py GATEWAY [FOLLOWERS]
"""

import os, random, re, resource, socket, subprocess, sys, tempfile, threading, time

binary, followers = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 7500
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
random.seed(3)
words = [b"w%d" % random.randrange(10**5) for _ in range(4000)]
document = b" ".join(random.choice(words) for _ in range(9_600_000))[:60_000_000]
piece = b"10000\r\n" + document[:65536] + b"\r\n"
gate, discarded = threading.Event(), [0]


def serve(connection):
    buffer = b""
    try:
        while True:
            while b"\r\n\r\n" not in buffer:
                received = connection.recv(65536)
                if not received:
                    return
                buffer += received
            head, buffer = buffer.split(b"\r\n\r\n", 1)
            answer(connection, head, head.split(b" ")[1])
    except OSError:
        pass


def answer(connection, head, target):
    fresh = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Type: text/plain\r\n"
    if head.startswith(b"POST"):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    elif target == b"/document":
        connection.sendall(fresh + b"Content-Length: %d\r\n\r\n" % len(document) + document)
    elif target == b"/endless" and b"If-None-Match" in head:
        connection.sendall(b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(piece)
            discarded[0] += 65536
    elif target == b"/endless":
        fields = b'ETag: "a"\r\nAge: 5\r\nCache-Control: max-age=1, stale-if-error=600\r\n'
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + fields + b"Content-Length: 1\r\n\r\nx")
    elif target == b"/large":
        connection.sendall(fresh.replace(b"text/plain", b"video/mp4") + b"Transfer-Encoding: chunked\r\n\r\n")
        time.sleep(1)
        connection.sendall(piece * 300 + b"0\r\n\r\n")
    else:
        if target == b"/crowd":
            gate.wait()
        connection.sendall(fresh + b"Content-Length: 5\r\n\r\nhello")


def accept(listener):
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


origin = socket.create_server(("127.0.0.1", 0), backlog=1000)
threading.Thread(target=accept, args=(origin,), daemon=True).start()


class Gateway:
    def __init__(self, *flags, on_disk=True):
        self.folder = tempfile.TemporaryDirectory()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        directory = self.folder.name + "/cache" if on_disk else "/dev/null"
        environment = dict(os.environ, XDG_CACHE_HOME="/dev/null")
        self.process = subprocess.Popen(
            [binary, "--port", str(self.port), "--bind", "127.0.0.1", "--workers", "1", *flags,
             "--upstream", "http://127.0.0.1:%d" % origin.getsockname()[1],
             *(["--cache-dir", directory] if on_disk else [])],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(2)

    def cpu(self):
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def megabytes(self):
        status = open(f"/proc/{self.process.pid}/status").read()
        return int(re.search(r"RssAnon:\s+(\d+)", status).group(1)) / 1024

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()


class Client:
    def __init__(self, gateway):
        self.gateway, self.asked = gateway, 0
        self.open()

    def open(self):
        self.socket = self.gateway.connect()
        self.file = self.socket.makefile("rb")

    def ask(self, target, fields=b"", method=b"GET", host=b"a"):
        self.asked += 1
        if self.asked % 5000 == 0:
            self.open()
        self.socket.sendall(b"%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (method, target, host, fields))
        status, length = self.file.readline(), 0
        while (line := self.file.readline()) not in (b"\r\n", b""):
            if line.lower().startswith(b"content-length"):
                length = int(line.split(b":")[1])
        return status, self.file.read(length)


gateway = Gateway()
client = Client(gateway)
client.ask(b"/document")
time.sleep(3)
client.ask(b"/document", b"Range: bytes=-1\r\n")
before = gateway.cpu()
for _ in range(20):
    assert client.ask(b"/document", b"Range: bytes=-1\r\n")[1] == document[-1:]
print("the last byte of 60 MB stored as gzip: %.2f ms of processor time" % ((gateway.cpu() - before) / 20 * 1e3))

client.ask(b"/endless")
time.sleep(0.3)
client.ask(b"/endless")
time.sleep(4)
print("of an endless 503 in whose place the stale response was served: %.1f MB sent in 4 s" % (discarded[0] / 1e6))

for page in range(50):
    client.ask(b"/page%d" % page, host=b"good")
time.sleep(1)
for number in range(4110):
    client.ask(b"/?%d" % number, host=b"hostile")
    client.ask(b"/?%d" % number, b"Content-Length: 0\r\n", b"POST", b"hostile")
only = b"Cache-Control: only-if-cached\r\n"
left = sum(b" 200 " in client.ask(b"/page%d" % page, only, host=b"good")[0] for page in range(50))
print("pages of another host after 4,110 pairs of GET and POST: %d of 50" % left)
gateway.stop()

gateway = Gateway("--cache-max-object", "1m")
stalled = socket.socket()
stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
stalled.connect(("127.0.0.1", gateway.port))
stalled.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
time.sleep(0.3)
reader = gateway.connect()
reader.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
got, began = b"", time.time()
try:
    while not got.endswith(b"0\r\n\r\n") and (received := reader.recv(1 << 20)):
        got += received
except OSError as error:
    print("the reader:", error)
print("beside a reader that does not read: %.1f of 19.7 MB in %.1f s" % (len(got) / 1e6, time.time() - began))
gateway.stop()

gateway = Gateway("--max-connections", "20000")
crowd = [gateway.connect() for _ in range(followers)]
crowd[0].sendall(b"GET /crowd HTTP/1.1\r\nHost: a\r\n\r\n")
time.sleep(0.5)
for connection in crowd[1:]:
    connection.sendall(b"GET /crowd HTTP/1.1\r\nHost: a\r\n\r\n")
time.sleep(3)
before = gateway.cpu()
gate.set()
for connection in crowd:
    assert connection.recv(4096)
time.sleep(1)
print("%d followers served: %.2f s of processor time" % (followers, gateway.cpu() - before))
gateway.stop()

for on_disk in (True, False):
    gateway = Gateway("--cache-memory", "16m", on_disk=on_disk)
    client, before = Client(gateway), gateway.megabytes()
    for number in range(59_400):
        client.ask(b"/object/%d?some=query" % number, host=b"example.test")
    time.sleep(2)
    where = "on disk" if on_disk else "in memory only"
    print("59,400 objects of five bytes with 16 MiB, %s: %.0f MB" % (where, gateway.megabytes() - before))
    gateway.stop()
