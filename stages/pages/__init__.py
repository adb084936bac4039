"""The pages for people: views, forms, and the reads that only pages need."""
