"""Jobs: how one is submitted, and the moves that it may make."""
