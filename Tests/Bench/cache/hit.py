# SPDX-License-Identifier: Apache-2.0
"""The first thing that anybody tries: the defaults, `curl -i` twice, a restart, kill -9, and the end of the lifetime.

hit.py GATEWAY
"""

import asyncio, subprocess, sys, tempfile, time
from lab import Gateway, Origin, free_port

binary, lifetime = sys.argv[1], 6
asked = []


async def answer(head, writer):
    conditional = "if-none-match" in head.lower()
    asked.append(conditional)
    fields = f'Cache-Control: max-age={lifetime}\r\nETag: "v1"\r\n'
    if conditional:
        writer.write(f"HTTP/1.1 304 Not Modified\r\n{fields}\r\n".encode())
    else:
        writer.write(f"HTTP/1.1 200 OK\r\n{fields}Content-Length: 6\r\n\r\nhello\n".encode())
    await writer.drain()


origin, home, port = Origin(handle=answer), tempfile.TemporaryDirectory(), free_port()


def start():
    # On one port, because Host is part of what a response is found by.
    return Gateway(binary, origin, None, home=home.name, port=port)


def curl(what, gateway, expected):
    said = subprocess.run(
        ["curl", "-si", f"http://127.0.0.1:{gateway.port}/"], capture_output=True, text=True).stdout
    fields = {line.split(":")[0].lower(): line for line in said.splitlines() if ":" in line}
    shown = "; ".join(fields.get(name, f"no {name}") for name in ("age", "cache-status"))
    is_good = said.endswith("hello\n") and expected in fields.get("cache-status", "")
    print(f"{'good' if is_good else 'BAD '}  {what}: {said.splitlines()[0]}; {shown}")
    return is_good


gateway = start()
good = curl("first", gateway, "stored")
good &= curl("second", gateway, "hit")
gateway.stop()
gateway = start()
good &= curl("after a restart", gateway, "hit")
gateway.kill()
gateway = start()
good &= curl("after kill -9", gateway, "hit")
time.sleep(lifetime + 1)
good &= curl("after the lifetime", gateway, "fwd-status=304")
good &= curl("and then", gateway, "hit")
gateway.stop()
good &= asked == [False, True]
print(f"the origin was asked {len(asked)} times, the last with the validator" if good else f"asked: {asked}")
sys.exit(not good)
