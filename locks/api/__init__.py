"""GS2-Lock: its methods, as the contract's page fixes them."""
from locks.api import mutexes, namespaces

METHODS = namespaces.METHODS + mutexes.METHODS
