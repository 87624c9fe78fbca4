"""How long the connector waits and how much it needs, against the simulator on this machine; see README.md."""
