"""Plans: a draft edition under work, changed move by move by several people.

`opening` makes a plan of an edition or a draft; `kinds` turns what a planner asks for into a
`Change`, `changes` carries it out, `history` takes it back; `locks`, `comments`, `comparison` and
`approval` are the working life around it.
"""
