"""What the agent asks of the C library."""

import re
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, sys, threading
from agent.machine import share_freed_memory
if sys.argv[1] == "shared":
    share_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
ready = threading.Barrier(9)
def work():
    libc.malloc(1000)
    ready.wait(10)
for _ in range(8):
    threading.Thread(target=work, daemon=True).start()
ready.wait(10)
out = ctypes.c_void_p(libc.fopen(b"/dev/stdout", b"w"))
libc.malloc_info(0, out)
libc.fflush(out)
"""


def arenas(how: str) -> int:
    told = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True)
    return len(re.findall("<heap nr=", told.stdout))


@pytest.mark.skipif(not hasattr(__import__("ctypes").CDLL(None), "malloc_info"), reason="not glibc")
def test_threads_share_what_was_freed():
    """Eight threads have memory from two places, where by default each has its own."""
    assert arenas("shared") <= 2
    assert arenas("default") > 2
