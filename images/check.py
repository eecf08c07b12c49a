#!/usr/bin/env python3
"""Checks both images as an operator would find them: what they add to their base, what they say of
themselves, and that each runs as its user on a read-only root, answers, and ends in order.

As root, with buildah, after build.sh. Each server runs as process 1 of namespaces of its own, with
nothing but a loopback network and, for the back end, an empty volume.
"""

import base64
import contextlib
import ctypes
import gzip
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
USER = "65532"
MB = 1_000_000
# How long a server may take to be ready, and to end after it was asked to.
READY_S = 20
END_S = 10
# From the system's headers; Python has it since 3.12.
CLONE_NEWNET = 0x4000_0000
SECRETS = re.compile(r"SECRET_KEY=|PASSWORD|TOKEN=|DATABASE_URL=|BEGIN [A-Z ]*PRIVATE KEY", re.I)

IMAGES = {
    "backend": {
        "most_bytes": 20 * MB,
        "port": 8080,
        "admin": 8081,
        "variables": {
            "SECRET_KEY": base64.b64encode(os.urandom(48)).decode(),
            "CHAT_DRAIN_MS": "1000",
        },
        "volume": "data",
    },
    "frontend": {
        "most_bytes": 8 * MB,
        "port": 3000,
        "admin": 3001,
        "variables": {},
        "volume": None,
    },
}


def buildah(*arguments):
    command = ["buildah", "--storage-driver", "overlay", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@contextlib.contextmanager
def mounted(image):
    """The files of an image, in a container that is removed afterwards."""
    container = buildah("from", "--pull-never", image)
    try:
        yield Path(buildah("mount", container))
    finally:
        buildah("rm", container)


def base_of(side):
    """The image that a side's image is built on: the one of its Dockerfile, or the stand-in of that name."""
    lines = (ROOT / f"Dockerfile.{side}").read_text().splitlines()
    pinned = [line.split()[1] for line in lines if line.startswith("FROM ")][-1]
    try:
        buildah("inspect", "--type", "image", pinned)
    except subprocess.CalledProcessError:
        return pinned.split("@")[0]
    return pinned


def size(root):
    return sum(path.lstat().st_size for path in root.rglob("*") if not path.is_dir())


class Checks:
    """What was found, and whether all of it is as it should be."""

    def __init__(self, side):
        self.side, self.failed = side, 0

    def that(self, holds, what):
        print(f"  {'ok  ' if holds else 'FAIL'} {what}")
        self.failed += not holds


def check_files(checks, side, root, base, most):
    added = size(root) - size(base)
    program = (root / f"usr/local/bin/chat-{side}").stat().st_size
    parts = f"its program {program / MB:.2f}"
    checks.that(added <= most, f"adds {added / MB:.2f} MB to its base, of {most / MB:.0f} MB; {parts}")
    paths = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
    raised = [path for path in paths if path.stat().st_mode & 0o6000]
    checks.that(not raised, f"no file changes its user or group {raised}")
    shells = [path for path in root.rglob("*") if re.fullmatch(r"(ba|da|z|k|a)?sh|busybox", path.name)]
    checks.that(not [path for path in shells if not path.is_dir()], f"no shell {shells}")
    ours = [path for path in paths if path.stat().st_uid == int(USER) and "home" not in path.parts]
    checks.that(not ours, f"the server can write none of its own files {ours}")


def check_words(checks, image, side):
    about = json.loads(buildah("inspect", "--type", "image", image))
    docker = about["Docker"]
    config = docker["config"]
    program = f"/usr/local/bin/chat-{side}"
    checks.that(config["User"] == f"{USER}:{USER}", f"user {config['User']}")
    checks.that(config["Entrypoint"] == [program], f"entry point {config['Entrypoint']}")
    checks.that(not config.get("Cmd"), "no command besides")
    health = (config.get("Healthcheck") or {}).get("Test")
    checks.that(health == ["CMD", program, "healthcheck"], f"health check {health}")
    labels = config["Labels"]
    for name in ("source", "revision", "version"):
        value = labels.get(f"org.opencontainers.image.{name}", "unknown")
        checks.that(value != "unknown", f"label {name} {value}")
    said = json.dumps([config["Env"], docker["history"], labels])
    checks.that(not SECRETS.search(said), "no secret among variables and history")
    return dict(variable.split("=", 1) for variable in config["Env"])


@contextlib.contextmanager
def running(root, side, variables, volume):
    """The server as process 1, as its user, on a read-only root; gives its process id outside."""
    for folder in ("proc", "dev", "tmp"):
        (root / folder).mkdir(exist_ok=True)
    steps = [
        f"mount --bind {root} {root}",
        f"mount -o remount,ro,bind {root}",
        f"mount -t proc proc {root}/proc",
        f"mount --rbind /dev {root}/dev",
        f"mount -t tmpfs -o mode=1777 tmpfs {root}/tmp",
        "ip link set lo up",
    ]
    if volume:
        steps.append(f"mount -t tmpfs -o uid={USER},gid={USER},mode=0700 tmpfs {root}/{volume}")
    steps.append(
        f"exec setpriv --no-new-privs chroot --userspec={USER}:{USER} --groups= {root} "
        f"/usr/local/bin/chat-{side}"
    )
    unshare = ["unshare", "--mount", "--pid", "--fork", "--net", "--ipc", "--uts", "--"]
    outside = subprocess.Popen(
        [*unshare, "sh", "-ec", "\n".join(steps)],
        env=variables,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield outside
    finally:
        if outside.poll() is None:
            os.kill(child_of(outside.pid), signal.SIGKILL)
            outside.wait()


def child_of(process):
    """The process id, seen from here, of process 1 in there."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        if children:
            return int(children[0])
        time.sleep(0.01)
    raise TimeoutError("the server was not started")


def check_backend_answers(checks, image):
    checks.that(get(image["admin"], "/healthz")[0] == 200, "/healthz")
    check_metrics(checks, image)
    status, headers, _ = get(image["port"], "/v1/meta", {"Accept-Encoding": "gzip"})
    checks.that(status == 200, "/v1/meta")
    checks.that("strict-transport-security" not in headers, "plain HTTP promises no TLS")


def check_metrics(checks, image):
    status, _, body = get(image["admin"], "/metrics")
    built = re.search(rb'^build_info\{[^}]*revision="[0-9a-f]{40}"', body, re.MULTILINE)
    checks.that(status == 200 and built is not None, "/metrics names the commit")


def check_frontend_answers(checks, image):
    check_metrics(checks, image)
    status, _, page = get(image["port"], "/")
    checks.that(status == 200 and b"https://api.chat.example.org" in page, "the page knows its API")
    wasm = re.search(rb"/assets/app-[0-9a-f]+\.wasm", page)
    checks.that(wasm is not None, "the page names its module by its content")
    path = wasm.group().decode() if wasm else "/assets/none"
    whole = get(image["port"], path)
    checks.that(whole[1].get("content-type") == "application/wasm", "the module's type")
    checks.that("immutable" in whole[1].get("cache-control", ""), "the module is kept for ever")
    plain = "content-encoding" not in whole[1] and whole[2].startswith(b"\0asm")
    checks.that(plain, "who takes no encoding gets the module plain")
    packed = get(image["port"], "/", {"Accept-Encoding": "gzip"})
    smaller = packed[1].get("content-encoding") == "gzip" and len(packed[2]) < len(page)
    checks.that(smaller, f"the page in gzip: {len(packed[2])} of {len(page)} bytes")
    for encoding in ("br", "gzip"):
        _, headers, body = get(image["port"], path, {"Accept-Encoding": encoding})
        smaller = headers.get("content-encoding") == encoding and len(body) < len(whole[2])
        checks.that(smaller, f"the module in {encoding}: {len(body)} of {len(whole[2])} bytes")
        if encoding == "gzip":
            checks.that(gzip.decompress(body) == whole[2], "and it is the same module")


def get(port, path, headers=None):
    head = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    with connect(port) as stream:
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{head}\r\n"
        stream.sendall(request.encode())
        answer = b"".join(iter(lambda: stream.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    named = (line.split(": ", 1) for line in lines[1:])
    found = {name.lower(): value for name, value in named}
    if found.get("transfer-encoding") == "chunked":
        body = unchunked(body)
    return int(lines[0].split(" ")[1]), found, body


def unchunked(body):
    whole = b""
    while True:
        length, _, body = body.partition(b"\r\n")
        if int(length, 16) == 0:
            return whole
        whole += body[: int(length, 16)]
        body = body[int(length, 16) + 2 :]


def connect(port):
    stream = socket.create_connection(("127.0.0.1", port), timeout=END_S)
    return stream


def open_socket(port):
    """A WebSocket whose `hello` was answered."""
    stream = connect(port)
    key = base64.b64encode(os.urandom(16)).decode()
    stream.sendall(
        f"GET /v1/ws HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
        f"Sec-WebSocket-Protocol: chat.v1.json\r\n\r\n".encode()
    )
    reader = stream.makefile("rb")
    status = reader.readline()
    while reader.readline() != b"\r\n":
        pass
    hello = {"t": "hello", "id": 1, "caps": [], "client": {"name": "check", "build": "0"}}
    text = json.dumps(hello).encode()
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(text))
    stream.sendall(bytes([0x81, 0x80 | len(text)]) + mask + masked)
    return stream, reader, status


def frame(reader):
    """The next frame's kind and content."""
    first, length = reader.read(2)
    if length == 126:
        (length,) = struct.unpack(">H", reader.read(2))
    return first & 0xF, reader.read(length)


def check_end_of_sockets(checks, image, process):
    stream, reader, status = open_socket(image["port"])
    checks.that(b"101" in status and b"welcome" in frame(reader)[1], "a socket opens and is greeted")
    os.kill(process, signal.SIGTERM)
    code = None
    with contextlib.suppress(ValueError):
        while code is None:
            kind, content = frame(reader)
            if kind == 8:
                (code,) = struct.unpack(">H", content[:2])
    checks.that(code == 1012, f"the socket is closed with {code} after SIGTERM")
    stream.close()


def check_running(checks, root, side, image, variables):
    # The tools around the server are this machine's.
    variables = {**variables, **image["variables"], "PATH": os.environ["PATH"]}
    with running(root, side, variables, image["volume"]) as outside:
        process = child_of(outside.pid)
        enter_network(process)
        began = time.monotonic()
        while not is_ready(image["admin"]):
            if outside.poll() is not None or time.monotonic() > began + READY_S:
                checks.that(False, f"it becomes ready: {outside.stderr.read()}")
                return
            time.sleep(0.05)
        checks.that(True, f"ready after {time.monotonic() - began:.2f} s")
        status = Path(f"/proc/{process}/status").read_text()
        checks.that(re.search(rf"^Uid:\s+{USER}\s", status, re.M), "runs as its user")
        checks.that(re.search(r"^NSpid:.*\s1$", status, re.M), "as process 1")
        healthy = subprocess.run(
            ["chroot", f"--userspec={USER}:{USER}", root, f"/usr/local/bin/chat-{side}", "healthcheck"],
            env=variables,
        )
        checks.that(healthy.returncode == 0, "its health check says so")
        if side == "backend":
            check_backend_answers(checks, image)
        else:
            check_frontend_answers(checks, image)
        asked = time.monotonic()
        if side == "backend":
            check_end_of_sockets(checks, image, process)
        else:
            os.kill(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            outside.wait(END_S)
        took = time.monotonic() - asked
        checks.that(outside.returncode == 0, f"ends with {outside.returncode} {took:.2f} s after SIGTERM")


def is_ready(admin):
    try:
        return get(admin, "/readyz")[0] == 200
    except (OSError, ValueError, IndexError):
        return False


def enter_network(process):
    """From here on this process sees the network of that one."""
    with open(f"/proc/{process}/ns/net", "rb") as network:
        if ctypes.CDLL(None, use_errno=True).setns(network.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "the server's network cannot be entered")


def check(side):
    image = IMAGES[side]
    name = f"localhost/chat-{side}"
    print(name)
    checks = Checks(side)
    with mounted(base_of(side)) as base, mounted(name) as root:
        check_files(checks, side, root, base, image["most_bytes"])
        variables = check_words(checks, name, side)
        check_running(checks, root, side, image, variables)
    return checks.failed


def main():
    sides = sys.argv[1:] or list(IMAGES)
    failed = sum(check(side) for side in sides)
    print(f"{failed} failed" if failed else "both are as they should be" if len(sides) > 1 else "as it should be")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
