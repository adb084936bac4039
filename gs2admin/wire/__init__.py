"""The GS2 protocol: one table of methods (`table`), and its doors (`rest`, later the WebSocket and Lua)."""
