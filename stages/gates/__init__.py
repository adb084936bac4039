"""Gates: what blocks a rollout from starting. A gate is a stop, which a person lifts, or a freeze window, which ends by itself.

- reads.py answers which gates are closed and which of them block a rollout; other rooms ask only there.
- services.py stops and resumes promotions, and writes freeze windows.
- local_time.py says what a time on the clocks of a zone means (pure); windows.py when a window is on (pure).
- calendar.py writes the windows as iCalendar.

Gates know stages and the tables of stops and windows. They know nothing of how a rollout is planned, approved or run:
whoever starts one asks `closed` and `blocking` under the project's lock.
"""
