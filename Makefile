# The few recipes; each is a script that can be run by itself.
.PHONY: demo test lint setup clean

# Segments the scene that comes with rs-seg; see demo-out/ afterwards.
demo: setup
	scripts/demo

test: setup
	scripts/test

lint: setup
	scripts/lint

# Debian packages and libtorch; does nothing where both are there.
setup:
	scripts/setup

# Leaves libtorch, which is long to fetch: remove .libtorch by hand.
clean:
	cargo clean
	rm -rf demo-out
