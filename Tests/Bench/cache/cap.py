# SPDX-License-Identifier: Apache-2.0
"""Writes ten times the cap, with clients that leave and clients that are slow, and samples what the folder takes.

cap.py GATEWAY [CAP_IN_MIB]    exits with 1 when it was ever more than 1 % over the cap

`du` is asked while the gateway stands still (SIGSTOP): a walk through a folder that changes counts what has gone and what has
come for it. As root the folder is a file system of its own, whose use also has what no walk finds: files that are open
and have no name any more.
"""

import os, signal, subprocess, sys, tempfile, threading, time
from lab import Gateway, Load, Origin, disk_usage, size_of

binary, cap = sys.argv[1], (int(sys.argv[2]) if len(sys.argv) > 2 else 64) << 20
origin, folder = Origin(), tempfile.TemporaryDirectory()
disk, image = folder.name + "/disk", folder.name + "/image"
os.mkdir(disk)
own_disk = os.geteuid() == 0
if own_disk:
    with open(image, "wb") as file:
        file.truncate(3 * cap)
    subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", image], check=True)
    own_disk = subprocess.run(["mount", "-o", "loop", image, disk]).returncode == 0


def used():
    status = os.statvfs(disk)
    return (status.f_blocks - status.f_bfree) * status.f_frsize


empty = used()
gateway = Gateway(binary, origin, disk + "/cache", "--cache-size", str(cap))
load = Load(gateway, lambda chance: (lambda n: f"/{size_of(n)}/{n}")(chance.randrange(10**9)), threads=12)
worst_du, worst_used, samples = 0, 0, 0
try:
    while load.bytes < 10 * cap:
        time.sleep(0.05)
        os.kill(gateway.process.pid, signal.SIGSTOP)
        worst_du = max(worst_du, disk_usage(disk + "/cache"))
        if own_disk:
            worst_used = max(worst_used, used() - empty)
        os.kill(gateway.process.pid, signal.SIGCONT)
        samples += 1
finally:
    load.stop()
    gateway.stop()
    at_end = disk_usage(disk + "/cache")
    if own_disk:
        subprocess.run(["umount", disk])
over = lambda bytes: f"{bytes / cap * 100:.2f} % of the cap"
print(f"cap {cap >> 20} MiB, {load.bytes >> 20} MiB in {load.whole} whole responses, {len(load.wrong)} wrong, {samples} samples")
print(f"most by du: {over(worst_du)}; most that the file system lacked: {over(worst_used) if own_disk else 'not root'}")
print(f"at the end: {over(at_end)}; origin asked {origin.requests} times")
sys.exit(1 if max(worst_du, worst_used) > cap * 1.01 or load.wrong else 0)
