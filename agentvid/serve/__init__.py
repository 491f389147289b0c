"""`agentvid serve`: the JSON API and the page, for one library, in one process. Needs the extra `serve`.

run.py          binds the port, starts and stops the server
app.py          puts the routes and the guards together
guards.py       who may ask at all: Host, Origin, token, size of a body; the headers of every response
connections.py  how many connections there are, and how long one may take to say what it wants
documents.py    what goes out as JSON: ids and names, never a path
errors.py       every error as {"error", "hint"} and a status
reading.py      the library: videos, rows, search, threads, traces
asking.py       questions, answered as server-sent events
media.py        the files themselves, stills and clips
tags.py         ETags of the page and of what is read of the library
content.py      opens a video's file only if it holds what was indexed
jobs.py         indexing of files below the folders that the user named
presence.py     where the page of a library is, for other processes
"""
