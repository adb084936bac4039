"""Other job queues, each with a trivial task, two worker processes and its results kept. Each file is run as a program:

    python -m bench.peers.<name> push COUNT      push COUNT tasks, one by one
    python -m bench.peers.<name> work            work until killed, two processes
    python -m bench.peers.<name> done            print how many results there are
    python -m bench.peers.<name> prepare         make tables
"""
