"""Makes a screenshot a third of its size: PNG with a palette of at most 256 colours, which a page of ours hardly exceeds.

The browser that took it counts the colours, so no library for pictures is needed.
"""
from __future__ import annotations

import base64
import struct
import zlib

from playwright.sync_api import Browser

MOST_COLOURS = 256
# The colours of each 16 x 16 x 16 cell become the commonest of it, then the commonest cells win: few pixels of an
# icon's green are kept beside many shades of grey.
COUNT = """async ([data, most]) => {
  const image = await createImageBitmap(await (await fetch("data:image/png;base64," + data)).blob());
  const pen = new OffscreenCanvas(image.width, image.height).getContext("2d");
  pen.drawImage(image, 0, 0);
  const pixels = new Uint32Array(pen.getImageData(0, 0, image.width, image.height).data.buffer);
  const counts = new Map();
  for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) || 0) + 1);
  const byCount = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).map(entry => entry[0]);
  const cells = new Map();
  for (const colour of byCount) if (!cells.has(colour & 0xf0f0f0)) cells.set(colour & 0xf0f0f0, colour);
  const kept = [...new Set([...cells.values()].slice(0, most).concat(byCount))].slice(0, most);
  const parts = colour => [colour & 255, (colour >> 8) & 255, (colour >> 16) & 255];
  const palette = kept.map(parts);
  const place = new Map(byCount.map(colour => {
    const own = parts(colour);
    const away = palette.map(one => one.reduce((sum, part, n) => sum + (part - own[n]) ** 2, 0));
    return [colour, away.indexOf(Math.min(...away))];
  }));
  let bytes = "";
  for (const pixel of pixels) bytes += String.fromCharCode(place.get(pixel));
  return { width: image.width, height: image.height, palette: palette.flat(), indices: btoa(bytes) };
}"""


def shrink(browser: Browser, png: bytes) -> bytes:
    """The same picture with a palette. Colours beyond the 256 that are kept become the nearest of these."""
    page = browser.new_page()
    found = page.evaluate(COUNT, [base64.b64encode(png).decode(), MOST_COLOURS])
    page.close()
    width, height, indices = found["width"], found["height"], base64.b64decode(found["indices"])
    # Each row begins with its filter: 0, none.
    rows = b"".join(b"\0" + indices[at : at + width] for at in range(0, width * height, width))
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"PLTE", bytes(found["palette"])), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, chunks))


def _chunk(named: tuple[bytes, bytes]) -> bytes:
    name, data = named
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
