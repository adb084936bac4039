"""GS2-JobQueue and GS2-Script: their methods, as the contract's pages fix them."""
from jobqueue.api import dead_letters, jobs, links, namespaces, results, script_namespaces, scripts, stamps, user_data

METHODS = (
    namespaces.METHODS + user_data.METHODS + jobs.METHODS + results.METHODS + dead_letters.METHODS
    + script_namespaces.METHODS + scripts.METHODS + stamps.METHODS
)
PLAIN = links.PLAIN
