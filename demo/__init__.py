"""Utility logins to tables on this machine: `scripts/demo` with simulated ones, `scripts/sync` with yours.

    configuration ─► warehouse (PyAirbyte runs the connector) ─► DuckDB file ─► report (tables), chart (PNG)
          ▲                    │
          └── links, kept ─────┘

It runs in an environment of its own: PyAirbyte holds back packages that the connector uses. `provider` alone
runs in the connector's environment, where the simulator lives. The connector is a process, never imported.
"""
