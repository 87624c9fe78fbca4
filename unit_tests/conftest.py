"""Every test with invented input tries as hard as `fuzzing` says, whichever module is collected first."""

import testing.fuzzing  # noqa: F401 - imported for what it sets
