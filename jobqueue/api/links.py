"""What the OpenAPI document says of the signed links to players' data; `userdata/files.py` makes them, and pages answer them."""
from __future__ import annotations

from gs2admin.wire.openapi_plain import Plain

_OVER = ("The link is not one of ours, or its time is over.", "")
_REFUSED = ("It did not arrive whole, is too large, or the import has begun already.", "")
_UPLOAD = {200: ("It arrived.", ""), 400: _REFUSED, 404: _OVER}

PLAIN = [
    Plain("userDataFile", "GET", "/user-data/file/{token}", "The file of a dump",
          {200: ("The file.", "application/zip"), 404: _OVER}),
    Plain("userDataLog", "GET", "/user-data/log/{token}", "What a dump, clean or import did",
          {200: ("Its lines.", ""), 404: _OVER}),
    *(Plain(f"userDataUpload{verb.capitalize()}", verb, "/user-data/upload/{token}", "Send the file of an import", _UPLOAD,
            sends="application/zip") for verb in ("PUT", "POST")),
]  # fmt: skip
