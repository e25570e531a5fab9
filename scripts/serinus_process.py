"""What the proofs share: a free port, a process that ends with the script, and what it uses."""

import contextlib
import http.client
import os
import pathlib
import socket
import subprocess
import sys
import time
import urllib.request


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def start(stack, command, port, ready_path, log):
    """Starts a process, ends it with the stack, and returns it once it answers."""
    if not os.access(command[0], os.X_OK) and "/" in str(command[0]):
        sys.exit(f"there is no {command[0]}: it is a build of cargo, which make does first")
    output = stack.enter_context(open(log, "wb"))
    process = subprocess.Popen(command, stdout=output, stderr=output)
    stack.callback(end, process)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{ready_path}", timeout=1):
                return process
        if process.poll() is not None:
            break
        time.sleep(0.05)
    sys.exit(f"{command[0]} is not ready:\n{pathlib.Path(log).read_text(errors='replace')}")


def end(process):
    """Ends a process that was started here. Interrupted, Serinus stops without a drain time."""
    process.send_signal(2)
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def memory_mib(process):
    """Resident memory now, and the most that there ever was, in MiB."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines())
    mib = lambda name: int(fields[name].split()[0]) / 1024
    return mib("VmRSS"), mib("VmHWM")


def cpu_seconds(process):
    """Time on the processor so far, user and system."""
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
