# SPDX-License-Identifier: Apache-2.0
"""kill -9 in the middle of writing, again and again; then every stored body is compared with the origin's.

crash.py GATEWAY [ROUNDS]      exits with 1 when a body was wrong or cut, nothing was stored, or a temporary file was left
"""

import os, random, sys, tempfile, time
from lab import Gateway, Load, Origin, body, free_port, size_of

binary, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 200
names = [f"/{size_of(n)}/{n}" for n in range(600)]
origin, folder = Origin(), tempfile.TemporaryDirectory()
directory, port = folder.name + "/cache", free_port()
start = lambda: Gateway(binary, origin, directory, "--cache-size", "100m", port=port)
whole, cut, stored, left, temporaries, compared, wrong = 0, 0, 0, 0, 0, 0, []


def compare(gateway):
    """Asks for everything that is stored, and for nothing else."""
    global cut, stored, compared
    stored = 0
    for target in names:
        status, fields, got, is_whole = gateway.get(target, {"Cache-Control": "only-if-cached"})
        if status == 504:
            continue
        stored += 1
        compared += 1
        if not is_whole:
            cut += 1
        elif got != body(target, int(target.split("/")[1])):
            wrong.append(target)


for number in range(rounds):
    gateway = start()
    if os.listdir(directory + "/tmp"):
        left += 1
    if number % 20 == 19:
        compare(gateway)
    load = Load(gateway, lambda chance: chance.choice(names))
    time.sleep(random.uniform(0.05, 0.4))
    gateway.kill()
    load.stop()
    temporaries += len(os.listdir(directory + "/tmp"))
    whole += load.whole
    wrong += load.wrong
gateway = start()
compare(gateway)
left += len(os.listdir(directory + "/tmp")) > 0
gateway.stop()
print(f"killed {rounds} times, in the middle of {temporaries} files; {whole} responses came whole meanwhile")
print(f"stored in the end {stored} of {len(names)}, {compared} compared every 20 kills and then: wrong {len(wrong)}, cut {cut}")
print(f"starts that left a temporary file: {left}")
print(f"the origin was asked {origin.requests} times")
sys.exit(1 if wrong or cut or left or not stored else 0)
