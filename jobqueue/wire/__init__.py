"""GS2-JobQueue and GS2-Script: their methods, as the contract's pages fix them."""
from jobqueue.wire import dead_letters, jobs, namespaces, results, scripts

METHODS = namespaces.METHODS + jobs.METHODS + results.METHODS + dead_letters.METHODS + scripts.METHODS
