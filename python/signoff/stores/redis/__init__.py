"""The store on a Redis server, or a cluster of them: `store` is the port, `lua/` what the server does.

Every script names all its keys, and all keys of a Change are in one hash slot. Nothing here repeats a command whose
reply was lost: whether a Change was written is found out by its mark.
"""
