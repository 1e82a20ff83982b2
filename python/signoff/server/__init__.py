"""HTTP over the services: durable-stream endpoints, the workflow API, access, problem documents, SSE.

Never here: rules (they stand in the pure layers), a backend, workflow code.
"""
