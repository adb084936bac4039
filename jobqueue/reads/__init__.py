"""What the pages show, one file per page. Every read is bounded by an index or by a number that the page tells."""
