"""A step that prints lines with the time at which each was written: ns of the wall clock, which all processes share.

How many and how quickly stands in the directory above, in a file called "pace": lines and lines per second.
"""
import os
import sys
import time

place = os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[0])))
try:
    with open(os.path.join(place, "pace")) as file:
        count, rate = file.read().split()
except OSError:
    count, rate = "10", "4"
began = time.monotonic()
for number in range(int(count)):
    due = began + number / float(rate)
    time.sleep(max(0.0, due - time.monotonic()))
    print(f"written {time.time_ns()} line {number + 1} of {count}", flush=True)
time.sleep(max(0.0, began + int(count) / float(rate) - time.monotonic()))
