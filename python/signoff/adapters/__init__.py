"""Frameworks for agents inside workflows: what a model says and a tool does are steps, and people decide about tools.

One module a framework; each needs the extra of its name, and is imported by whoever uses it alone. Never here: what
two of them have in common with any other workflow, which is the context's.
"""
