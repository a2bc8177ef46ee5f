"""Owns everything that makes an Asterisk ours: finding or installing it, rendering its files, running it.

* `install`: `find(cache)` and `install(cache, say)` give a `Program`, an Asterisk that can be launched.
* `paths`: `NodePaths(home)` names every directory and file of one node; everything lies below `home`.
* `render`: `render(settings, secrets, paths)` gives the hotline's files, `render_base(paths, modules)` those
  that any node needs; both are pure and return file name -> text.
* `music`: `ensure(paths.moh)` puts our hold music in place; the hotline's Asterisk wants it at its start.
* `node`: `Node(home, program)` starts, watches and stops one private Asterisk from such files, without
  knowing whether that is the hotline or somebody else's switch.

How calls are steered is not ours: see `ctiserver`. The words both sides rely on stand in docs/design.md.
"""
