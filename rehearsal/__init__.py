"""Owns the rehearsal: a whole city around the hotline, made of a second real Asterisk.

* `city`: `City` starts it, lets citizens call, tells every phone how to behave, hangs up, lists who talks.
* `legs`: `Leg`, one party's channel: its life, and what it heard at which moment.
* `tones`: which frequency each party plays, and how to find it in a recording.
* `raw_sip`: callers whose From header no phone would send.
* `config`: the files of the city's Asterisk; `switchboard`: how the city speaks to it.
"""
