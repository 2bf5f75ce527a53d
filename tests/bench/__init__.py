"""`make bench`: what a turn costs, beside a bare loop in the same run. A benchmark, not a test: pytest never runs it.

Every part is a process of its own: the model, Redis, Frontdesk, the bare loop. `__main__` starts them, interleaves
their rounds, and prints the table.
"""
