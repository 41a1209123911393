"""Every claim about performance, measured beside what a user would pick instead; `README.md` says how."""
