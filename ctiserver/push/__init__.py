"""The push server: screens see the floor live and command it. This is the wire: WebSocket, all JSON text.

1. Connect to `ws://host:port/v1`, or `/v1?session=ID&last_seq=N` to go on after a break. A browser's
   `Origin` must be the desk's (else HTTP 403).
2. First message, within 5 s: `{"token": "v1.…"}`, fetched from the desk for this one connection.
3. The server: `{"session": "…", "resumed": false}`, then pushes numbered from 1 without a gap, a snapshot
   first: `{"seq": 1, "push": {"type": "snapshot", …}}`, `{"seq": 2, "push": {…}}`. With `"resumed": true` it
   goes on at `last_seq` + 1, without a snapshot.
4. Commands: `{"id": 7, "op": "call.three_way", "args": {"number": "…"}, "key": "…"}`, answered in order by
   `{"re": 7, "ok": {…}}` or `{"re": 7, "error": {"code": "…", "message": "…"}}`. `id` is 0 or more. The same
   `key` from the same person within 60 s gets the same answer and does nothing twice.
5. Closing: see `ctiserver.push.closing`. After 4409 or 1013 the session is gone: connect without it.
"""
