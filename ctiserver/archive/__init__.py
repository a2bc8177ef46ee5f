"""The archive of recordings (录音归档): what Asterisk wrote becomes FLAC with a record in the database.

Outside the call path: a process of its own, at low priority, that calls never wait for.
"""
