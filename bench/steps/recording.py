"""A step that writes down every moment of its life, so that nothing it did can be denied afterwards.

One line per moment, appended in one write: nanoseconds, attempt, pid, word. "alive" comes every 5 ms, so that the
end of an execution that was killed is known to that much.
"""
import os
import sys
import time

LINES = 4
key, attempt = os.environ["GS2ADMIN_STEP_KEY"], os.environ["GS2ADMIN_ATTEMPT"]
place = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[0]))), "record")
os.makedirs(place, exist_ok=True)
record = os.open(os.path.join(place, key.replace("/", "-")), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)


def note(word):
    os.write(record, f"{time.time_ns()} {attempt} {os.getpid()} {word}\n".encode())


note("start")
# 20 to 150 ms, another time for each step.
ends = time.monotonic() + 0.020 + sum(key.encode()) * 7919 % 131 / 1000
printed = 0
while (now := time.monotonic()) < ends:
    note("alive")
    if printed < LINES - 1:
        printed += 1
        print(f"line {printed} of attempt {attempt} of {key}", flush=True)
    time.sleep(min(0.005, ends - now))
while printed < LINES:
    printed += 1
    print(f"line {printed} of attempt {attempt} of {key}", flush=True)
note("end")
