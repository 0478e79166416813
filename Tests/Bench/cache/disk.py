# SPDX-License-Identifier: Apache-2.0
"""Disks that fail under a running gateway: full, read-only, gone, with I/O errors, with a limit of file sizes. Every answer must be
right all the same, and the operator be told.

disk.py GATEWAY                needs root, for the mounts
"""

import fcntl, os, struct, subprocess, sys, tempfile, time
from lab import Gateway, Load, Origin, body, size_of

binary = sys.argv[1]
failed = False


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True)


def tmpfs(disk):
    mount("-t", "tmpfs", "-o", "size=8m", "none", disk)


def ext4(disk):
    image = disk + ".image"
    with open(image, "wb") as file:
        file.truncate(256 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    mount("-o", "loop,errors=remount-ro", image, disk)


def remove_all(disk):
    # What is stored while it runs is in its way.
    while subprocess.run(["rm", "-rf", disk + "/cache"], stderr=subprocess.DEVNULL).returncode:
        pass


def make_read_only(disk):
    """As ext4 does by itself when it finds that it is damaged."""
    device = subprocess.run(["findmnt", "-no", "SOURCE", disk], capture_output=True, text=True).stdout.strip()
    with open(f"/sys/fs/ext4/{os.path.basename(device)}/trigger_fs_error", "w") as file:
        file.write("x")


def shut_down(disk):
    """EXT4_IOC_SHUTDOWN: from now on every access to the file system is EIO."""
    with_disk = os.open(disk, os.O_RDONLY)
    fcntl.ioctl(with_disk, 0x8004587D, struct.pack("I", 2))
    os.close(with_disk)


def nothing(disk):
    pass


TRIALS = [
    ("full (tmpfs of 8 MiB, cap 64 MiB)", tmpfs, nothing, []),
    ("read-only from now on", ext4, make_read_only, []),
    ("every access EIO from now on", ext4, shut_down, []),
    ("folder removed", ext4, remove_all, []),
    ("no file above 64 KiB (prlimit --fsize)", ext4, nothing, ["prlimit", "--fsize=65536"]),
]

for name, make, spoil, prefix in TRIALS:
    with tempfile.TemporaryDirectory() as folder:
        disk = folder + "/disk"
        os.mkdir(disk)
        make(disk)
        origin = Origin()
        gateway = Gateway(binary, origin, disk + "/cache", "--cache-size", "64m", prefix=prefix)
        try:
            targets = lambda chance: (lambda n: f"/{size_of(n)}/{n}")(chance.randrange(200))
            for number in range(20):
                gateway.get(f"/{size_of(number)}/{number}")
            load = Load(gateway, targets)
            time.sleep(0.5)
            spoil(disk)
            before = load.whole
            time.sleep(3)
            load.stop()
            went_on = load.whole - before
            cut = sum(
                not is_whole or status != 200 or got != body(target, int(target.split("/")[1]))
                for target in (f"/{size_of(n)}/{n}" for n in range(200))
                for status, _, got, is_whole in [gateway.get(target)])
            alive = gateway.process.poll() is None
            told = [line for line in gateway.output().splitlines() if "cache" in line]
            is_good = alive and went_on > 0 and not load.wrong and bool(told)
            failed |= not is_good
            print(f"{name}: {'good' if is_good else 'BAD'}; {went_on} right answers, {len(load.wrong)} wrong; then of 200 asked "
                  f"for once each {200 - cut} right, {cut} not")
            for line in told[:4]:
                print("    " + line)
        finally:
            gateway.kill()
            subprocess.run(["umount", "-l", disk])
sys.exit(failed)
