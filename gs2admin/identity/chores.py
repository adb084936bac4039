"""Background work of identity: cleaning."""
from gs2admin import engine
from gs2admin.identity import throttle, tokens

engine.cleaner(every_s=3600)(tokens.delete_expired_access_tokens)
engine.cleaner(every_s=60)(throttle.delete_old)
