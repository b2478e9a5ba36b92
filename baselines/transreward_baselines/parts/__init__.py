"""Parts that several agents share, or that would make one script too long."""
