#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What clients see when one of three upstream servers fails, with the gateway and with nginx.

    sudo Tests/Bench/faults.py [--proxy gateway|nginx|both] [--faults kill,stop,503,slow,drop,all-down] [--rate 2000]

Root, because the server that fails is in a network namespace of its own: the packets that go there are counted by its
interface, so that it is seen from outside when a proxy stops to use it, whatever state it is in.

A client sends GETs in an open loop (it does not wait for answers), and POSTs at a tenth of that rate, each with a number of its
own that the servers write down. For each fault: failed requests, the time until traffic left the server (fewer than a twentieth
of the packets of before), the time from recovery until it came back (a tenth) and was whole (nine tenths).
"""

import argparse, asyncio, collections, os, resource, signal, subprocess, sys, tempfile, threading, time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SPACE, OUTSIDE, INSIDE = "gateway-faults", "10.213.77.1", "10.213.77.2"
LINK = "gwfaults0"
PORTS = [31901, 31902, 31903]
PROXY_PORT = 31900
BODY = b"x" * 1000
PATIENCE = 20.0


# The servers ------------------------------------------------------------------------------------------------------------


class Origin(asyncio.Protocol):
    """Answers GET and POST; SIGUSR1 makes it say 503, SIGUSR2 take three seconds, SIGHUP work again."""

    mode, name, written = "well", b"?", -1

    def connection_made(self, transport):
        self.transport, self.data = transport, b""

    def data_received(self, data):
        self.data += data
        while True:
            end = self.data.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self.data[:end]
            length = 0
            at = head.lower().find(b"content-length:")
            if at >= 0:
                length = int(head[at + 15 :].split(b"\r\n", 1)[0])
            if len(self.data) < end + 4 + length:
                return
            self.data = self.data[end + 4 + length :]
            if head.startswith(b"POST"):
                os.write(Origin.written, head.split(b" ", 2)[1] + b"\n")
            if Origin.mode == "slow":
                asyncio.get_running_loop().call_later(3, self.answer, b"200 OK")
            else:
                self.answer(b"503 Service Unavailable" if Origin.mode == "503" else b"200 OK")

    def answer(self, status):
        if not self.transport.is_closing():
            self.transport.write(
                b"HTTP/1.1 %s\r\nX-Origin: %s\r\nContent-Length: %d\r\n\r\n%s" % (status, Origin.name, len(BODY), BODY)
            )


async def serve_origin(name, address, port, path):
    Origin.name = name.encode()
    Origin.written = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    loop = asyncio.get_running_loop()
    for number, mode in [(signal.SIGUSR1, "503"), (signal.SIGUSR2, "slow"), (signal.SIGHUP, "well")]:
        loop.add_signal_handler(number, lambda mode=mode: setattr(Origin, "mode", mode))
    server = await loop.create_server(Origin, address, port, backlog=4096, reuse_address=True)
    await server.serve_forever()


class Servers:
    """Three of them; the last one is in the namespace."""

    def __init__(self, folder):
        self.posts = os.path.join(folder, "posts")
        open(self.posts, "w").close()
        self.processes = [None] * 3

    def start(self, index):
        address = "127.0.0.1" if index < 2 else INSIDE
        command = [sys.executable, os.path.abspath(__file__), "--origin", f"{index}", address, str(PORTS[index]), self.posts]
        if index == 2:
            command = ["ip", "netns", "exec", SPACE] + command
        self.processes[index] = subprocess.Popen(command)

    def signal(self, index, number):
        self.processes[index].send_signal(number)
        if number == signal.SIGKILL:
            self.processes[index].wait()

    def stop(self):
        for process in self.processes:
            if process and process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait()


def run(*command, check=True):
    return subprocess.run(command, check=check, capture_output=True)


def make_space():
    drop_space()
    run("ip", "netns", "add", SPACE)
    run("ip", "link", "add", LINK, "type", "veth", "peer", "name", "inside", "netns", SPACE)
    run("ip", "addr", "add", OUTSIDE + "/30", "dev", LINK)
    run("ip", "link", "set", LINK, "up")
    run("ip", "-n", SPACE, "addr", "add", INSIDE + "/30", "dev", "inside")
    run("ip", "-n", SPACE, "link", "set", "inside", "up")
    run("ip", "-n", SPACE, "link", "set", "lo", "up")


def drop_space():
    run("ip", "link", "del", LINK, check=False)
    run("ip", "netns", "del", SPACE, check=False)


# The client -------------------------------------------------------------------------------------------------------------


class Caller(asyncio.Protocol):
    """One connection with one request at a time."""

    def __init__(self, load):
        self.load, self.request, self.data, self.transport, self.used = load, None, b"", None, 0.0

    def connection_made(self, transport):
        self.transport = transport
        if self.request:
            transport.write(self.request.bytes)

    def send(self, request):
        self.request, self.data = request, b""
        if self.transport:
            self.transport.write(request.bytes)

    def data_received(self, data):
        self.data += data
        end = self.data.find(b"\r\n\r\n")
        if end < 0 or not self.request:
            return
        at = self.data.lower().find(b"content-length:", 0, end)
        length = int(self.data[at + 15 : end].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self.data) < end + 4 + length:
            return
        request, self.request = self.request, None
        self.load.ended(request, int(self.data[9:12]))
        if b"connection: close" in self.data[:end].lower():
            self.transport.close()
        else:
            self.used = time.monotonic()
            self.load.idle.append(self)

    def connection_lost(self, error):
        if self in self.load.idle:
            self.load.idle.remove(self)
        if self.request:
            request, self.request = self.request, None
            self.load.ended(request, 0)


class Request:
    __slots__ = ("kind", "began", "bytes", "caller", "ended")


class Load:
    """Requests at a steady rate, and what became of each."""

    def __init__(self, rate):
        self.rate, self.idle, self.opened, self.results, self.open = rate, [], 0, [], collections.deque()
        self.number, self.running = 0, True
        # When the present fault began.
        self.fault = 0.0

    async def go(self):
        loop = asyncio.get_running_loop()
        began, sent = time.monotonic(), 0
        while self.running:
            due = int((time.monotonic() - began) * self.rate)
            for _ in range(min(due - sent, 2000)):
                self.send(loop)
            sent = due
            self.expire()
            await asyncio.sleep(0.002)

    def send(self, loop):
        self.number += 1
        request = Request()
        request.began, request.ended = time.monotonic(), False
        if self.number % 11 == 0:
            request.kind = "POST"
            request.bytes = b"POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody" % self.number
        else:
            request.kind = "GET"
            request.bytes = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % self.number
        self.open.append(request)
        if self.idle:
            caller = self.idle.pop()
            request.caller = caller
            caller.send(request)
            return
        caller = Caller(self)
        caller.request = request
        request.caller = caller
        self.opened += 1
        loop.create_task(self.connect(loop, caller))

    async def connect(self, loop, caller):
        try:
            await loop.create_connection(lambda: caller, "127.0.0.1", PROXY_PORT)
        except OSError:
            if caller.request:
                request, caller.request = caller.request, None
                self.ended(request, 0)

    def expire(self):
        now = time.monotonic()
        # Before the proxy closes them: that is another test. The ones in front have idled longest.
        while self.idle and now - self.idle[0].used > 20:
            self.idle.pop(0).transport.close()
        while self.open and (self.open[0].ended or now - self.open[0].began > PATIENCE):
            request = self.open.popleft()
            if request.ended:
                continue
            caller = request.caller
            caller.request = None
            self.ended(request, -1)
            if caller.transport:
                caller.transport.abort()

    def ended(self, request, status):
        if request.ended:
            return
        request.ended = True
        self.results.append((request.kind, request.began, time.monotonic(), status))


async def sample(samples):
    """Packets towards the server in the namespace, twenty times a second."""
    path = f"/sys/class/net/{LINK}/statistics/tx_packets"
    last = None
    while True:
        with open(path) as file:
            count = int(file.read())
        if last is not None:
            samples.append((time.monotonic(), count - last))
        last = count
        await asyncio.sleep(0.05)


# The proxies ------------------------------------------------------------------------------------------------------------


def start_gateway(folder, told):
    command = [
        os.environ.get("GATEWAY", os.path.join(ROOT, ".build/release/gateway")), "--port", str(PROXY_PORT), "--bind",
        "127.0.0.1", "--no-cache", "--health-check-path", "/health",
    ]
    for index in range(3):
        command += ["--upstream", f"http://{'127.0.0.1' if index < 2 else INSIDE}:{PORTS[index]}"]
    command += os.environ.get("GATEWAY_FLAGS", "").split()
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)

    def read():
        for line in process.stderr:
            told.append((time.monotonic(), line.strip()))

    threading.Thread(target=read, daemon=True).start()
    return process


def start_nginx(folder, told):
    servers = "".join(f"server {'127.0.0.1' if i < 2 else INSIDE}:{PORTS[i]};\n" for i in range(3))
    path = os.path.join(folder, "nginx.conf")
    with open(path, "w") as file:
        file.write(f"""
            daemon off; worker_processes 2; worker_rlimit_nofile 20000; pid {folder}/nginx.pid;
            error_log {os.environ.get("NGINX_LOG", folder + "/nginx-error.log")} error;
            events {{ worker_connections 18000; }}
            http {{
                access_log off;
                client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
                uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
                upstream app {{ {servers} keepalive 64; }}
                server {{
                    listen 127.0.0.1:{PROXY_PORT} backlog=4096;
                    keepalive_requests 1000000;
                    location / {{
                        proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection "";
                        proxy_connect_timeout 3s;
                        proxy_next_upstream error timeout http_502 http_503 http_504;
                    }}
                }}
            }}""")
    return subprocess.Popen(["nginx", "-e", f"{folder}/nginx-start.log", "-c", path])


# The measurement --------------------------------------------------------------------------------------------------------


def active_opens():
    with open("/proc/net/snmp") as file:
        names, values = [line.split() for line in file if line.startswith("Tcp:")]
    return int(values[names.index("ActiveOpens")])


def rate_between(samples, start, end):
    found = [count for at, count in samples if start <= at < end]
    return sum(found) / (len(found) * 0.05) if found else 0.0


def first_below(samples, start, end, limit):
    """When the rate fell below `limit` for good."""
    samples = [sample for sample in samples if sample[0] < end]
    last = start
    for at, count in samples:
        # One sample alone is a health check, or connections being closed.
        if start <= at < end and rate_between(samples, at - 0.25, at + 0.01) >= limit:
            last = at
    return last - start


def first_above(samples, start, limit):
    """When the rate rose above `limit` to stay: a server that goes on gets resets for what it answers too late."""
    for at, _ in samples:
        if at >= start + 0.3 and all(rate_between(samples, at + i * 0.5 - 0.25, at + i * 0.5 + 0.25) >= limit for i in range(3)):
            return at - start
    return None


def seconds(value):
    return "never" if value is None else f"{value:.2f} s"


def summary(results, start, end):
    text = []
    for kind in ["GET", "POST"]:
        mine = [r for r in results if r[0] == kind and start <= r[1] < end]
        bad = collections.Counter(r[3] for r in mine if r[3] != 200)
        names = {0: "broken", -1: f"no answer in {PATIENCE:.0f} s"}
        detail = ", ".join(f"{count} x {names.get(status, status)}" for status, count in sorted(bad.items()))
        text.append(f"{kind} failed {sum(bad.values())} of {len(mine)}" + (f" ({detail})" if detail else ""))
    times = sorted(r[2] - r[1] for r in results if r[0] == "GET" and start <= r[1] < end and r[3] == 200)
    if times:
        text.append(f"GET p99 {times[len(times) * 99 // 100] * 1000:.0f} ms, longest {times[-1]:.2f} s")
    return "; ".join(text)


async def one_fault(fault, servers, load, samples, length):
    await asyncio.sleep(4)
    load.fault = start = time.monotonic()
    before = rate_between(samples, start - 3, start)
    if fault == "kill":
        servers.signal(2, signal.SIGKILL)
    elif fault == "stop":
        servers.signal(2, signal.SIGSTOP)
    elif fault == "503":
        servers.signal(2, signal.SIGUSR1)
    elif fault == "slow":
        servers.signal(2, signal.SIGUSR2)
    elif fault == "drop":
        run("ip", "-n", SPACE, "route", "add", "blackhole", OUTSIDE + "/32")
    await asyncio.sleep(length)
    back = time.monotonic()
    if fault == "kill":
        servers.start(2)
    elif fault == "stop":
        servers.signal(2, signal.SIGCONT)
    elif fault in ("503", "slow"):
        servers.signal(2, signal.SIGHUP)
    elif fault == "drop":
        run("ip", "-n", SPACE, "route", "del", "blackhole", OUTSIDE + "/32")
    await asyncio.sleep(length)
    end = time.monotonic()
    await asyncio.sleep(PATIENCE / 4)
    left = first_below(samples, start, back, before / 20)
    came, whole = first_above(samples, back, before / 10), first_above(samples, back, before * 0.9)
    met = [r[1] for r in load.results if r[0] == "GET" and start <= r[1] < back and (r[3] != 200 or r[2] - r[1] > 0.5)]
    print(f"  {fault:5} {summary(load.results, start, end)}")
    print(f"        last GET that failed or took more than 0.5 s: begun {seconds(max(met, default=start) - start)} after the fault")
    print(f"        traffic left after {seconds(left)}, back {seconds(came)} after recovery, whole {seconds(whole)}", flush=True)


async def all_down(servers, load, samples, length):
    await asyncio.sleep(4)
    load.fault = start = time.monotonic()
    for index in range(3):
        servers.signal(index, signal.SIGKILL)
    await asyncio.sleep(2)
    opens, mine, at = active_opens(), load.opened, time.monotonic()
    await asyncio.sleep(length - 2)
    attempts = (active_opens() - opens - (load.opened - mine)) / (time.monotonic() - at)
    down = [r for r in load.results if start + 2 <= r[1]]
    for index in range(3):
        servers.start(index)
    back = time.monotonic()
    await asyncio.sleep(length)
    good = [r[2] - back for r in load.results if r[3] == 200 and r[1] > back]
    statuses = collections.Counter(r[3] for r in down)
    times = sorted(r[2] - r[1] for r in down) or [0]
    print(f"  all down: {dict(statuses)}; p50 {times[len(times) // 2] * 1000:.1f} ms, longest {times[-1] * 1000:.0f} ms")
    print(f"        {attempts:.1f} attempts at connecting per second; first success {seconds(min(good, default=None))} after recovery")
    last = max((r[1] - back for r in load.results if r[3] != 200), default=0)
    print(f"        last failure {seconds(max(0, last))} after recovery", flush=True)


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(name, faults, rate, length):
    # In memory: a disk that others keep busy must not hold up the servers that note their POSTs.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        servers = Servers(folder)
        for index in range(3):
            servers.start(index)
        await asyncio.sleep(1.0)
        samples, told = [], []
        proxy = (start_gateway if name == "gateway" else start_nginx)(folder, told)
        try:
            await asyncio.sleep(1.0)
            load = Load(rate)
            tasks = [asyncio.create_task(load.go()), asyncio.create_task(sample(samples))]
            print(f"{name}, {rate} requests per second", flush=True)
            for fault in faults:
                began = len(load.results)
                if fault == "all-down":
                    await all_down(servers, load, samples, length)
                else:
                    await one_fault(fault, servers, load, samples, length)
                load.results = load.results[began:]
                for at, line in told:
                    print(f"        {at - load.fault:7.2f} s  {line}")
                told.clear()
            load.running = False
            await asyncio.sleep(1)
            for task in tasks:
                task.cancel()
        finally:
            proxy.terminate()
            try:
                proxy.wait(5)
            except subprocess.TimeoutExpired:
                proxy.kill()
                proxy.wait()
            servers.stop()
        counts = collections.Counter(open(servers.posts).read().split())
        twice = sum(1 for count in counts.values() if count > 1)
        print(f"  POSTs that reached servers: {len(counts)}; those that were processed twice: {twice}", flush=True)


async def main(arguments):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    faults = arguments.faults.split(",")
    # Whoever ends this ends what it has started.
    task = asyncio.current_task()
    for number in [signal.SIGINT, signal.SIGTERM]:
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    make_space()
    try:
        for name in ["gateway", "nginx"] if arguments.proxy == "both" else [arguments.proxy]:
            await measure(name, faults, arguments.rate, arguments.seconds)
    finally:
        drop_space()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--origin"]:
        asyncio.run(serve_origin(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5]))
    parser = argparse.ArgumentParser()
    parser.add_argument("--proxy", default="both", choices=["gateway", "nginx", "both"])
    parser.add_argument("--faults", default="kill,stop,503,slow,drop,all-down")
    parser.add_argument("--rate", type=int, default=2000, help="requests per second")
    parser.add_argument("--seconds", type=float, default=25, help="of each fault, and of each recovery")
    asyncio.run(main(parser.parse_args()))
