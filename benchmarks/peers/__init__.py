"""The same reading of the same documents, written for other frameworks as their documentation suggests.

Each runs in an environment of its own, so nothing here imports more than the standard library and that framework; what
makes the same rows as ours needs orjson besides, and no more of our package than the functions that define a column.
"""
