"""The store on a PostgreSQL server: several processes, on any machines, may share one schema.

Here: SQL, connections, and what makes one call of a group of Changes. Never here: a rule of workflows.
"""
