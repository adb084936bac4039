"""The browser's shell: sign-in, project switch, errors as pages, shared template tags."""
